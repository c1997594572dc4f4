use super::*;

/// The published fit of the CDNOW sample, with alpha in days.
const CDNOW: BgNbd = BgNbd {
    r: 0.243,
    alpha: 4.414 * 7.0,
    a: 0.793,
    b: 2.426,
};

fn user(frequency: u32, last_day: f64, age_days: f64) -> Purchases {
    Purchases::new(frequency, last_day, age_days).unwrap()
}

fn close(got: f64, expected: f64, tolerance: f64) -> bool {
    (got - expected).abs() <= tolerance * expected.abs()
}

/// Expected active days by the midpoint rule over the drop-out probability `p`, of which the alive user's
/// expectation is the mean of `(1 - ((alpha + T) / (alpha + T + p h))^(r + x)) / p`. With `p = u^k` for the `k`
/// that keeps the density of `u` finite at 0.
fn expected_by_integration(model: &BgNbd, user: &Purchases, horizon_days: u16) -> f64 {
    let (x, h) = (f64::from(user.frequency()), f64::from(horizon_days));
    let (known, shape, staying) = (model.alpha + user.age_days(), model.r + x, model.b + x);
    let (steps, k) = (200_000, (2.0 / model.a).max(1.0));
    let (mut weights, mut sum) = (0.0, 0.0);
    for i in 0..steps {
        let u = (f64::from(i) + 0.5) / f64::from(steps);
        let p = u.powf(k);
        let weight = p.powf(model.a - 1.0) * (1.0 - p).powf(staying - 1.0) * u.powf(k - 1.0);
        weights += weight;
        sum += weight * -(-shape * (p * h / known).ln_1p()).exp_m1() / p;
    }
    model.p_alive(user) * sum / weights
}

/// SciPy 1.17.1: the paper's formulas written down with gammaln, logaddexp and hyp2f1. The 1.226 of the second
/// user is in Hardie's spreadsheet of the paper, the 25.76 of the third in the manual of the R package BTYD.
#[test]
fn figures_match_scipy_and_published_ones() {
    for (x, last, age, horizon, log_likelihood, alive, expected) in [
        (
            0,
            0.0,
            272.0,
            273,
            -0.554_697_231_962_602_3,
            1.0,
            0.195_109_664_993_084_8,
        ),
        (
            2,
            213.0,
            272.0,
            273,
            -13.350_293_855_599_123,
            0.726_589_721_835_494_8,
            1.226_115_806_149_333_4,
        ),
        (
            26,
            216.0,
            217.0,
            364,
            -88.320_177_203_771_12,
            0.968_851_562_851_896,
            25.756_492_215_377_58,
        ),
        (
            7,
            50.0,
            272.0,
            30,
            -28.727_963_428_455_28,
            0.000_746_770_815_729_033_3,
            0.000_519_523_864_152_057_8,
        ),
        (
            300,
            1000.0,
            1010.0,
            365,
            -679.748_796_848_176_2,
            0.954_438_070_790_487_5,
            88.938_445_641_691_99,
        ),
    ] {
        let user = user(x, last, age);
        assert!(
            close(CDNOW.log_likelihood(&user), log_likelihood, 1e-12),
            "{user:?}"
        );
        assert!(close(CDNOW.p_alive(&user), alive, 1e-12), "{user:?}");
        let got = CDNOW.expected_active_days(&user, horizon);
        assert!(close(got, expected, 1e-9), "{user:?}: {got}");
    }
    let published = CDNOW.expected_active_days(&user(2, 213.0, 272.0), 273);
    assert!((published - 1.226).abs() < 5e-4, "{published}");
    // The negative control: nearly the same question has another answer.
    let other = CDNOW.expected_active_days(&user(2, 212.0, 272.0), 273);
    assert!((published - other).abs() > 1e-3);
}

#[test]
fn expectations_are_the_integral_also_where_the_papers_form_is_zero_by_zero() {
    for a in [0.4, 1.0, 1.0 + 1e-9, 1.7, 6.0] {
        for (x, last, age) in [(0, 0.0, 50.0), (3, 40.0, 50.0), (40, 300.0, 310.0)] {
            for horizon in [1, 90, 700] {
                let (model, user) = (
                    BgNbd {
                        r: 0.7,
                        alpha: 12.0,
                        a,
                        b: 1.8,
                    },
                    user(x, last, age),
                );
                let (got, expected) = (
                    model.expected_active_days(&user, horizon),
                    expected_by_integration(&model, &user, horizon),
                );
                assert!(
                    close(got, expected, 1e-5),
                    "{model:?} {user:?} {horizon}: {got}, integrated {expected}"
                );
            }
        }
    }
}

#[test]
fn a_single_active_day_is_the_blind_spot() {
    for age in [1.0, 30.0, 3_000.0] {
        assert_eq!(CDNOW.p_alive(&user(0, 0.0, age)), 1.0);
    }
    // Alive, but seldom active: the longer the silence so far, the likelier more of it.
    let silent = |age| CDNOW.p_silent(&user(0, 0.0, age), 60);
    assert!(
        silent(10.0) < silent(100.0) && silent(100.0) < silent(3_000.0) && silent(3_000.0) < 1.0
    );
    // The negative control: with a second active day, silence does lower it.
    assert!(CDNOW.p_alive(&user(1, 5.0, 300.0)) < 0.7);
}

#[test]
fn silence_is_death_or_a_pause() {
    let user = user(2, 213.0, 272.0);
    let quiet = ((CDNOW.alpha + 272.0) / (CDNOW.alpha + 272.0 + 60.0)).powf(CDNOW.r + 2.0);
    let alive = CDNOW.p_alive(&user);
    assert!(close(
        CDNOW.p_silent(&user, 60),
        1.0 - alive * (1.0 - quiet),
        1e-12
    ));
    assert_eq!(CDNOW.p_silent(&user, 0), 1.0);
    assert!(CDNOW.p_silent(&user, 3_660) > 1.0 - alive);
    assert_eq!(CDNOW.expected_active_days(&user, 0), 0.0);
}

#[test]
fn extremes_stay_finite() {
    let edges = [*PARAMETER_RANGE.start(), 1.0, *PARAMETER_RANGE.end()];
    let users = [
        user(0, 0.0, 0.0),
        user(0, 0.0, 36_600.0),
        user(1, 1.0, 36_600.0),
        user(3_000, 3_000.0, 3_001.0),
        user(MOST_ACTIVE_DAYS, 100_000.0, 100_000.0),
    ];
    for code in 0..81_usize {
        let edge = |digit: u32| edges[code / 3_usize.pow(digit) % 3];
        let model = BgNbd {
            r: edge(0),
            alpha: edge(1),
            a: edge(2),
            b: edge(3),
        };
        assert_eq!(model.validate(), Ok(()));
        for user in users {
            let (alive, silent) = (model.p_alive(&user), model.p_silent(&user, 90));
            assert!(
                (0.0..=1.0).contains(&alive) && (0.0..=1.0).contains(&silent),
                "{model:?} {user:?}"
            );
            let log_likelihood = model.log_likelihood(&user);
            assert!(
                log_likelihood.is_finite(),
                "{model:?} {user:?}: {log_likelihood}"
            );
            let expected = model.expected_active_days(&user, 365);
            assert!(
                (0.0..=f64::from(MOST_ACTIVE_DAYS)).contains(&expected),
                "{model:?} {user:?}: {expected}"
            );
        }
    }
    // A daily user who never leaves: as many active days as days.
    let daily = BgNbd {
        r: 1.0,
        alpha: 1.0,
        a: 1e-6,
        b: 1e3,
    };
    assert!(close(
        daily.expected_active_days(&user(300, 300.0, 300.0), 365),
        365.0,
        1e-3
    ));
}

#[test]
fn counts_and_parameters_that_cannot_be_are_refused() {
    for (x, last, age) in [
        (0, 1.0, 9.0),
        (1, 0.0, 9.0),
        (2, 9.5, 9.0),
        (2, -1.0, 9.0),
        (MOST_ACTIVE_DAYS + 1, 8.0, 9.0),
    ] {
        assert_eq!(Purchases::new(x, last, age), None, "{x} {last} {age}");
    }
    assert_eq!(Purchases::new(1, f64::NAN, 9.0), None);
    assert_eq!(Purchases::new(1, 1.0, f64::INFINITY), None);
    assert!(Purchases::new(2, 9.0, 9.0).is_some());
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e7] {
        let problem = BgNbd {
            alpha: wrong,
            ..CDNOW
        }
        .validate()
        .unwrap_err()
        .to_string();
        assert!(problem.starts_with("alpha is "), "{problem}");
    }
    assert_eq!(CDNOW.validate(), Ok(()));
    let json = r#"{"r": 0.2, "alpha": 30.0, "a": 0.8, "b": 2.4, "c": 1.0}"#;
    assert!(serde_json::from_str::<BgNbd>(json).is_err());
    assert!(serde_json::from_str::<BgNbd>(&json.replace(r#", "c": 1.0"#, "")).is_ok());
}

#[test]
fn days_are_counted_once_and_before_the_as_of_day() {
    let days = |numbers: &[i32]| {
        numbers
            .iter()
            .map(|n| Day::new(*n).unwrap())
            .collect::<Vec<_>>()
    };
    let as_of = Day::new(50).unwrap();
    let counted = Purchases::of_days(days(&[10, 10, 20, 49, 50, 60]), as_of).unwrap();
    assert_eq!(
        (counted.frequency(), counted.last_day(), counted.age_days()),
        (2, 39.0, 40.0)
    );
    assert_eq!(
        Purchases::of_days(days(&[49]), as_of),
        Purchases::new(0, 0.0, 1.0)
    );
    assert_eq!(Purchases::of_days(days(&[50, 51]), as_of), None);
}

/// A new user's expected active days by the day, and how many users come back so often: figures of the paper, the R packages
/// BTYD and CLVTools and the Python package lifetimes for the published fit of the CDNOW sample.
#[test]
fn new_users_come_back_as_published() {
    let newcomer = user(0, 0.0, 0.0);
    // Before they were rounded for the paper.
    let unrounded = BgNbd {
        r: 0.242_592_9,
        alpha: 4.413_531_58 * 7.0,
        a: 0.792_886_22,
        b: 2.425_754_05,
    };
    for (days, expected) in [
        (1, 0.0078),
        (7, 0.0532),
        (21, 0.1506),
        (223, 1.0405),
        (224, 1.0437),
    ] {
        let got = unrounded.expected_active_days(&newcomer, days);
        assert!((got - expected).abs() < 6e-5, "{days}: {got}");
    }
    // The longest one is printed two ten-thousandths lower.
    let of_78_weeks = unrounded.expected_active_days(&newcomer, 546);
    assert!(close(of_78_weeks, 1.8576, 3e-4), "{of_78_weeks}");
    let of_a_year = unrounded.expected_active_days(&newcomer, 364);
    assert!(close(of_a_year, 1.444_004, 2e-5), "{of_a_year}");
    for (weeks, count, expected) in [
        (2.0, 10, 1.07869e-7),
        (39.0, 0, 0.573_786_4),
        (30.0, 11, 0.001_999_521_4),
        (30.0, 12, 0.001_517_023_6),
        (30.0, 20, 0.000_222_226),
    ] {
        let got = CDNOW.p_active_days(count, 7.0 * weeks);
        assert!(close(got, expected, 5e-6), "{weeks} {count}: {got}");
    }
    // Equivalence: all counts together are certain, and their mean is the expectation.
    let (mut all, mut mean) = (0.0, 0.0);
    for count in 0..2_000 {
        let p = unrounded.p_active_days(count, 364.0);
        all += p;
        mean += f64::from(count) * p;
    }
    assert!(
        (all - 1.0).abs() < 1e-10 && close(mean, of_a_year, 1e-9),
        "{all} {mean}"
    );
    assert!(close(
        CDNOW.p_active_days(0, 60.0),
        CDNOW.p_silent(&newcomer, 60),
        1e-14
    ));
}

/// The manual of the R package BTYD.
#[test]
fn conditional_expectations_are_the_printed_ones() {
    for (x, last, age, expected) in [
        (26, 216.0, 217.0, 25.756_59),
        (10, 140.0, 273.0, 0.347_460_6),
        (15, 140.0, 273.0, 0.042_833_91),
        (20, 140.0, 273.0, 0.004_158_973),
        (25, 140.0, 273.0, 0.000_358_368_5),
    ] {
        let got = CDNOW.expected_active_days(&user(x, last, age), 364);
        assert!(close(got, expected, 1e-3), "{x}: {got}");
    }
    assert!((CDNOW.p_alive(&user(26, 216.0, 217.0)) - 0.968_852_3).abs() < 2e-6);
}

/// States at which the R package CLVTools gave NaN for the Pareto/NBD, and the Python package lifetimes lost an answer.
#[test]
fn frequent_users_stay_finite() {
    for (x, last, age) in [
        (221, 724.0, 725.0),
        (254, 680.0, 681.0),
        (161, 663.0, 686.0),
        (204, 690.0, 696.0),
        (132, 1_400.0, 1_400.0),
        (133, 1_400.0, 1_400.0),
    ] {
        let user = user(x, last, age);
        let expected = CDNOW.expected_active_days(&user, 70);
        assert!((0.0..=1.0).contains(&CDNOW.p_alive(&user)));
        assert!(expected.is_finite() && expected >= 0.0, "{x}: {expected}");
        assert!(CDNOW.log_likelihood(&user).is_finite());
    }
}
