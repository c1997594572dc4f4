//! How good estimates of spend are: order, level and errors, with intervals by a bootstrap of users.
//!
//! The Gini coefficient and the errors of tenths are those of google/lifetime_value (Wang, Liu and Miao 2019,
//! arXiv:1912.07753; `lifetime_value/metrics.py`). Two things differ: users of equal estimates stand in no order, so that each
//! of them counts with the mean spend of all of them, where a sort would give whatever order the rows had; and tenths are
//! of equal size by rank, where quantiles as bounds fail on equal estimates.

use super::bootstrap::bootstrap;
use crate::card::{DecileCard, IntervalCoverage, ValueMetrics};

/// Tenths of users.
const TENTHS: usize = 10;

/// Estimates below this share of the mean spend count as that much in the deviance, which has no bound as they go to 0.
const LEAST_SHARE_OF_MEAN: f64 = 1e-6;

/// The estimate of a user on the test date, and what was spent; both at least 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spend {
    /// The expected spend within the window.
    pub(crate) expected: f64,
    /// The actual spend within it, net, 0 where more was paid back.
    pub(crate) actual: f64,
}

/// The metrics of estimates, one for each user; `seed` draws the resamples. `None` where nobody spent anything: then
/// there is no order and no level to be judged.
pub(crate) fn value_metrics(users: &[Spend], seed: u64) -> Option<ValueMetrics> {
    let ranking = SpendRanking::new(users)?;
    let draws = bootstrap(users.len(), seed, |counts| ranking.figures(counts));
    let mean = ranking.actual / users.len() as f64;
    let mean_of = |error: &dyn Fn(&Spend) -> f64| {
        users.iter().map(error).sum::<f64>() / users.len() as f64 / mean
    };
    let least = mean * LEAST_SHARE_OF_MEAN;
    Some(ValueMetrics {
        gini: draws.interval(|figures| figures.gini),
        bias: draws.interval(|figures| figures.bias),
        deviance: mean_of(&|user| poisson_deviance(user.expected.max(least), user.actual)),
        mae: mean_of(&|user| (user.expected - user.actual).abs()),
        decile_mape: decile_mape(&deciles(users)),
        top_tenth: share_of_top(&ranking.descending(), users.len() as f64 / TENTHS as f64),
    })
}

/// The deviance of a spend of `actual` where `expected` (above 0) was, as a Poisson variable has it:
/// `2 (y ln(y / m) - y + m)`. It doubles when both double, so that its mean over the mean spend has no unit
/// (McCullagh and Nelder 1989, Generalized Linear Models, 2.3).
pub(crate) fn poisson_deviance(expected: f64, actual: f64) -> f64 {
    let logarithm = if actual > 0.0 {
        actual * libm::log(actual / expected)
    } else {
        0.0
    };
    2.0 * (logarithm - actual + expected)
}

/// What was expected and what came, by tenth of the users; lowest estimates first. Fewer than ten users make a tenth each.
pub(crate) fn deciles(users: &[Spend]) -> Vec<DecileCard> {
    let mut sorted = sorted_by(users, |user| user.expected);
    sorted.reverse();
    let spend = even_in_runs(users, &sorted);
    let tenths = TENTHS.min(users.len());
    let tenth = |k: usize| {
        let (from, until) = (k * users.len() / tenths, (k + 1) * users.len() / tenths);
        let count = (until - from) as f64;
        DecileCard {
            users: (until - from) as u64,
            expected: sorted[from..until]
                .iter()
                .map(|user| users[*user as usize].expected)
                .sum::<f64>()
                / count,
            actual: spend[from..until].iter().sum::<f64>() / count,
        }
    };
    (0..tenths).map(tenth).collect()
}

/// The mean of `|expected - actual| / actual` over tenths. Those in which nobody spent anything are passed over: their error
/// has no bound.
fn decile_mape(deciles: &[DecileCard]) -> f64 {
    let spent = || deciles.iter().filter(|tenth| tenth.actual > 0.0);
    let error = |tenth: &DecileCard| (tenth.expected - tenth.actual).abs() / tenth.actual;
    spent().map(error).sum::<f64>() / spent().count() as f64
}

/// The share of all spend that the 0 %, 1 %, ... 100 % of users had that were to spend most, and that those had who did:
/// the Gini curve and that of the perfect order, as pairs of the share of users and of spend. Empty where nobody spent
/// anything.
pub(crate) fn gini_curves(users: &[Spend]) -> (GiniCurve, GiniCurve) {
    let Some(ranking) = SpendRanking::new(users) else {
        return (Vec::new(), Vec::new());
    };
    let point = |spend: &[f64], percent: u32| {
        let share = f64::from(percent) / 100.0;
        (share, share_of_top(spend, share * users.len() as f64))
    };
    let curve = |spend: &[f64]| (0..=100).map(|percent| point(spend, percent)).collect();
    (curve(&ranking.descending()), curve(&ranking.perfect()))
}

/// Shares of users and of their spend, both growing from 0 to 1.
pub(crate) type GiniCurve = Vec<(f64, f64)>;

/// The share of all spend that the first `top` users had, a part of a user as that part of the spend.
fn share_of_top(spend: &[f64], top: f64) -> f64 {
    let whole = (top as usize).min(spend.len());
    let part = spend
        .get(whole)
        .map_or(0.0, |next| next * (top - whole as f64));
    let total: f64 = spend.iter().sum();
    ((spend[..whole].iter().sum::<f64>() + part) / total).min(1.0)
}

/// The interval of a user, and what came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    /// The lower bound of the spend.
    pub(crate) low: f64,
    /// The upper bound.
    pub(crate) high: f64,
    /// The actual spend.
    pub(crate) actual: f64,
    /// To which of the groups the user belongs.
    pub(crate) group: usize,
}

impl Interval {
    fn covers(&self) -> bool {
        self.low <= self.actual && self.actual <= self.high
    }
}

/// The share of users whose spend lay inside of its interval, bounds included: of everybody first, then of each group that has
/// a user, by its name.
pub(crate) fn interval_coverage(users: &[Interval], groups: &[String]) -> Vec<IntervalCoverage> {
    let coverage = |name: &str, chosen: Vec<&Interval>| {
        let covered = chosen.iter().filter(|user| user.covers()).count();
        (!chosen.is_empty()).then(|| IntervalCoverage {
            group: name.to_owned(),
            users: chosen.len() as u64,
            share: covered as f64 / chosen.len() as f64,
        })
    };
    let of_group = |(group, name): (usize, &String)| {
        coverage(
            name,
            users.iter().filter(|user| user.group == group).collect(),
        )
    };
    let everybody = coverage(IntervalCoverage::EVERYBODY, users.iter().collect());
    let by_group = groups.iter().enumerate().filter_map(of_group);
    everybody.into_iter().chain(by_group).collect()
}

/// The positions of users by a figure, highest first.
fn sorted_by(users: &[Spend], figure: impl Fn(&Spend) -> f64) -> Vec<u32> {
    let mut sorted: Vec<u32> = (0..users.len() as u32).collect();
    sorted.sort_by(|a, b| figure(&users[*b as usize]).total_cmp(&figure(&users[*a as usize])));
    sorted
}

/// The spend of sorted users, where those of equal estimates share theirs evenly.
fn even_in_runs(users: &[Spend], sorted: &[u32]) -> Vec<f64> {
    let at = |user: &u32| users[*user as usize];
    let mut spend = Vec::with_capacity(sorted.len());
    for run in sorted.chunk_by(|a, b| at(a).expected == at(b).expected) {
        let total: f64 = run.iter().map(|user| at(user).actual).sum();
        spend.resize(spend.len() + run.len(), total / run.len() as f64);
    }
    spend
}

/// The figures that have an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
struct SpendFigures {
    gini: f64,
    bias: f64,
}

/// Users by estimate and by spend, so that resampling is one pass over each.
#[derive(Debug)]
struct SpendRanking<'a> {
    users: &'a [Spend],
    by_expected: Vec<u32>,
    by_actual: Vec<u32>,
    /// The total spend, above 0.
    actual: f64,
}

impl<'a> SpendRanking<'a> {
    fn new(users: &'a [Spend]) -> Option<Self> {
        assert!(
            users
                .iter()
                .all(|user| user.expected >= 0.0 && user.actual >= 0.0),
            "spend and its estimates are floored at 0"
        );
        let actual: f64 = users.iter().map(|user| user.actual).sum();
        (actual > 0.0).then(|| Self {
            users,
            by_expected: sorted_by(users, |user| user.expected),
            by_actual: sorted_by(users, |user| user.actual),
            actual,
        })
    }

    /// The spend of users, the highest estimate first.
    fn descending(&self) -> Vec<f64> {
        even_in_runs(self.users, &self.by_expected)
    }

    /// The spend of users, the highest spend first.
    fn perfect(&self) -> Vec<f64> {
        let spend = |user: &u32| self.users[*user as usize].actual;
        self.by_actual.iter().map(spend).collect()
    }

    /// The figures with every user counted `counts[user]` times.
    fn figures(&self, counts: &[u16]) -> SpendFigures {
        let (mut expected, mut actual) = (0.0, 0.0);
        for (user, count) in self.users.iter().zip(counts) {
            expected += f64::from(*count) * user.expected;
            actual += f64::from(*count) * user.actual;
        }
        let model = self.raw_gini(&self.by_expected, |user| user.expected, counts, actual);
        let perfect = self.raw_gini(&self.by_actual, |user| user.actual, counts, actual);
        SpendFigures {
            gini: model / perfect,
            bias: expected / actual - 1.0,
        }
    }

    /// Twice the mean of the cumulative shares of spend, minus 1: `gini_from_gain` of the source. Runs of one figure are
    /// summed as a whole: the k-th of its `n` users adds k / n of the run's spend.
    fn raw_gini(
        &self,
        sorted: &[u32],
        figure: impl Fn(&Spend) -> f64,
        counts: &[u16],
        actual: f64,
    ) -> f64 {
        let at = |user: u32| (&self.users[user as usize], f64::from(counts[user as usize]));
        let (mut before, mut area, mut total) = (0.0, 0.0, 0.0);
        let (mut users, mut spend) = (0.0, 0.0);
        for (position, user) in sorted.iter().enumerate() {
            let (row, count) = at(*user);
            users += count;
            spend += count * row.actual;
            let next = sorted.get(position + 1);
            if next.is_none_or(|next| figure(at(*next).0) != figure(row)) {
                area += users * before + spend * (users + 1.0) / 2.0;
                before += std::mem::take(&mut spend);
                total += std::mem::take(&mut users);
            }
        }
        2.0 * area / actual / total - 1.0
    }
}

#[cfg(test)]
mod tests {
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
}
