use super::*;

const EXPECTED: [f64; 12] = [
    12.0, 3.5, 40.0, 7.25, 0.5, 22.0, 1.0, 90.0, 15.5, 5.0, 60.0, 2.0,
];
const ACTUAL: [f64; 12] = [
    10.0, 0.0, 55.0, 0.0, 0.0, 30.0, 4.0, 70.0, 0.0, 8.0, 20.0, 3.0,
];

fn spend(expected: &[f64], actual: &[f64]) -> Vec<Spend> {
    let pairs = expected.iter().zip(actual);
    pairs
        .map(|(expected, actual)| Spend {
            expected: *expected,
            actual: *actual,
        })
        .collect()
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-12, "{a} is not {b}");
}

/// NumPy 2.4, with `e` and `a` as above and `cum(p) = np.cumsum(a[np.argsort(-p, kind="stable")]) / a.sum()`:
/// `raw(p) = 2 * cum(p).sum() / 12 - 1`, `raw(e) / raw(a)`; `e.sum() / a.sum() - 1`;
/// `d = 2 * (np.where(a > 0, a * np.log(np.where(a > 0, a, 1) / e), 0) - a + e)`, `d.mean() / a.mean()`;
/// `np.abs(a - e).mean() / a.mean()`; tenths `np.argsort(e)[k * 12 // 10:(k + 1) * 12 // 10]`, those with spend;
/// `np.interp(1.2, np.arange(13), np.r_[0, cum(e)])`.
#[test]
fn metrics_match_numpy() {
    let users = spend(&EXPECTED, &ACTUAL);
    let m = value_metrics(&users, 3).unwrap();
    close(m.gini.value, 0.8966666666666668);
    close(m.bias.value, 0.29374999999999996);
    close(m.deviance, 0.5470373354243936);
    close(m.mae, 0.59375);
    close(m.decile_mape, 0.43152056277056267);
    close(m.top_tenth, 0.37);
    let tenths = deciles(&users);
    let sizes: Vec<u64> = tenths.iter().map(|tenth| tenth.users).collect();
    assert_eq!(sizes, [1, 1, 1, 1, 2, 1, 1, 1, 1, 2]);
    close(tenths[4].expected, 6.125);
    close(tenths[4].actual, 4.0);
    close(tenths[9].expected, 75.0);
    close(tenths[9].actual, 45.0);
    let (curve, perfect) = gini_curves(&users);
    assert_eq!(
        (curve.len(), curve[0], perfect[100]),
        (101, (0.0, 0.0), (1.0, 1.0))
    );
    close(curve[50].1, 0.925);
    // The top six spent 70, 55, 30, 20, 10 and 8 of 200.
    close(perfect[50].1, 193.0 / 200.0);
    assert!(
        curve
            .iter()
            .zip(&perfect)
            .all(|(model, best)| model.1 <= best.1 + 1e-12)
    );
}

/// `lifetime_value/metrics_test.py`: the perfect order has 1; its reverse is as bad as that is good, but for one user.
#[test]
fn the_perfect_order_has_a_gini_of_one_and_a_random_one_of_about_none() {
    let actual: Vec<f64> = (1..=1_000).map(f64::from).collect();
    let gini = |expected: &[f64]| {
        let users = spend(expected, &actual);
        value_metrics(&users, 1).unwrap().gini
    };
    close(gini(&actual).value, 1.0);
    assert!(gini(&actual).low > 0.999_999);
    let reverse: Vec<f64> = actual.iter().map(|a| 2_000.0 - a).collect();
    assert!((gini(&reverse).value + 1.0).abs() < 0.01);
    // 383 and 1,009 have no common factor, so that all ranks occur.
    let shuffled: Vec<f64> = (1..=1_000).map(|i| f64::from(i * 383 % 1_009)).collect();
    let random = gini(&shuffled);
    assert!(random.value.abs() < 0.1, "{random:?}");
    assert!(random.low < 0.0 && 0.0 < random.high, "{random:?}");
}

#[test]
fn equal_estimates_rank_nobody_whatever_the_order_of_rows() {
    let actual = [100.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 20.0];
    let same = spend(&[12.0; 10], &actual);
    let m = value_metrics(&same, 1).unwrap();
    // The definition's sum ends at 1, so that no order at all has 1 / n.
    let perfect = 2.0 * (100.0 + 9.0 * 120.0) / 120.0 / 10.0 - 1.0;
    close(m.gini.value, 0.1 / perfect);
    close(m.bias.value, 0.0);
    close(m.top_tenth, 0.1);
    close(m.decile_mape, 0.0);
    let mut turned = same.clone();
    turned.reverse();
    assert_eq!(value_metrics(&turned, 1).unwrap().gini.value, m.gini.value);
    // The negative control: estimates that differ by a hair do rank.
    let mut ranked = same;
    ranked[0].expected += 1e-9;
    assert!(value_metrics(&ranked, 1).unwrap().top_tenth > 0.8);
}

#[test]
fn counting_a_user_twice_is_having_them_twice() {
    let mut users = spend(&EXPECTED, &ACTUAL);
    users[2].expected = 22.0;
    let counts = [1, 0, 2, 1, 3, 1, 1, 0, 2, 4, 1, 1];
    let resampled = SpendRanking::new(&users).unwrap().figures(&counts);
    let copies: Vec<Spend> = users
        .iter()
        .zip(counts)
        .flat_map(|(user, count)| vec![*user; usize::from(count)])
        .collect();
    let ones = vec![1; copies.len()];
    let copied = SpendRanking::new(&copies).unwrap().figures(&ones);
    close(resampled.gini, copied.gini);
    close(resampled.bias, copied.bias);
}

#[test]
fn the_interval_of_the_bias_is_that_of_a_ratio() {
    // Everybody is expected to spend 1, and one of ten spends 10.
    let actual: Vec<f64> = (0..4_000)
        .map(|i| if i % 10 == 0 { 10.0 } else { 0.0 })
        .collect();
    let bias = value_metrics(&spend(&vec![1.0; 4_000], &actual), 5)
        .unwrap()
        .bias;
    close(bias.value, 0.0);
    // The mean of 4,000 draws of 10 with probability 0.1 has the standard error 3 / sqrt(4,000).
    let half = 1.96 * 3.0 / 4_000_f64.sqrt();
    assert!(
        (bias.high - bias.low - 2.0 * half).abs() < 0.6 * half,
        "{bias:?}"
    );
}

#[test]
fn the_deviance_is_least_at_the_mean_and_bounded_at_nothing() {
    assert_eq!(poisson_deviance(5.0, 5.0), 0.0);
    close(poisson_deviance(3.0, 0.0), 6.0);
    close(
        poisson_deviance(20.0, 10.0),
        10.0 * poisson_deviance(2.0, 1.0),
    );
    let deviance = |level: f64| {
        let users = spend(&[level; 4], &[0.0, 0.0, 4.0, 8.0]);
        value_metrics(&users, 1).unwrap().deviance
    };
    assert!(deviance(3.0) < deviance(2.9) && deviance(3.0) < deviance(3.1));
    assert!(deviance(0.0).is_finite() && deviance(0.0) > 20.0);
}

#[test]
fn nothing_is_judged_where_nobody_spent() {
    assert_eq!(value_metrics(&[], 1), None);
    let users = spend(&[1.0, 2.0], &[0.0, 0.0]);
    assert_eq!(value_metrics(&users, 1), None);
    assert_eq!(gini_curves(&users), (Vec::new(), Vec::new()));
    assert_eq!(deciles(&[]), []);
    let one = value_metrics(&spend(&[4.0], &[2.0]), 1).unwrap();
    assert_eq!(
        (one.gini.value, one.bias.value, one.decile_mape),
        (1.0, 1.0, 1.0)
    );
}

#[test]
fn intervals_cover_with_their_bounds() {
    let user = |low: f64, high: f64, actual: f64, group: usize| Interval {
        low,
        high,
        actual,
        group,
    };
    let users = [
        user(0.0, 10.0, 0.0, 0),
        user(0.0, 10.0, 10.0, 0),
        user(2.0, 10.0, 1.9, 0),
        user(0.0, 5.0, 5.1, 2),
    ];
    let names = ["high", "medium", "low"].map(str::to_owned);
    let coverage = interval_coverage(&users, &names);
    let rows: Vec<(&str, u64, f64)> = coverage
        .iter()
        .map(|c| (c.group.as_str(), c.users, c.share))
        .collect();
    assert_eq!(
        rows,
        [("all", 4, 0.5), ("high", 3, 2.0 / 3.0), ("low", 1, 0.0)]
    );
    assert_eq!(interval_coverage(&[], &names), []);
}
