use rand::{Rng, SeedableRng};
use rand_distr::{Beta, Distribution, Exp1, Gamma};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::train::estimators::bg_nbd::*;
use crate::train::estimators::counts::tests::odd_customers;

/// A synthetic customer: the counts on the as-of day, and the days of activity in the 90 days after.
struct Life {
    counts: Purchases,
    later: u32,
    alive: bool,
}

const HORIZON: u16 = 90;

/// Customers who live by the model's own story, known for 60 to 360 days.
fn cohort(model: &BgNbd, customers: usize, seed: u64) -> Vec<Life> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let rates = Gamma::new(model.r, 1.0 / model.alpha).unwrap();
    let drop_outs = Beta::new(model.a, model.b).unwrap();
    let live = |_| {
        let (rate, drop_out) = (rates.sample(&mut random), drop_outs.sample(&mut random));
        let age = random.gen_range(60.0..360.0);
        let (mut now, mut last, mut frequency, mut later, mut alive) = (0.0, 0.0, 0, 0, true);
        loop {
            let wait: f64 = Exp1.sample(&mut random);
            now += wait / rate;
            if now >= age + f64::from(HORIZON) {
                break;
            }
            if now < age {
                (frequency, last) = (frequency + 1, now);
            } else {
                later += 1;
            }
            if random.gen_bool(drop_out) {
                alive = now >= age;
                break;
            }
        }
        Life {
            counts: Purchases::new(frequency, last, age).unwrap(),
            later,
            alive,
        }
    };
    (0..customers).map(live).collect()
}

fn counts(lives: &[Life]) -> Vec<Purchases> {
    lives.iter().map(|life| life.counts).collect()
}

const TRUTH: [BgNbd; 3] = [
    BgNbd {
        r: 0.8,
        alpha: 15.0,
        a: 0.9,
        b: 3.0,
    },
    BgNbd {
        r: 3.0,
        alpha: 60.0,
        a: 0.5,
        b: 6.0,
    },
    BgNbd {
        r: 0.25,
        alpha: 30.0,
        a: 1.5,
        b: 2.0,
    },
];

#[test]
fn a_cohort_of_known_parameters_gives_them_back() {
    for (seed, truth) in TRUTH.iter().enumerate() {
        let customers = counts(&cohort(truth, 6_000, seed as u64));
        let fitted = fit(&customers).unwrap();
        assert!(fitted.converged && fitted.customers == 6_000, "{fitted:?}");
        assert_eq!(fitted.params.validate(), Ok(()));
        let at = |model: &BgNbd| {
            customers
                .iter()
                .map(|c| model.log_likelihood(c))
                .sum::<f64>()
        };
        assert!(
            (at(&fitted.params) - fitted.log_likelihood).abs() < 1e-6,
            "{fitted:?}"
        );
        // Twice the gain over the truth has a chi-squared distribution with 4 degrees of freedom, whose 99.9 %
        // quantile is 18.5.
        let gain = 2.0 * (fitted.log_likelihood - at(truth));
        assert!((0.0..18.5).contains(&gain), "{fitted:?}: {gain}");
        // The means that matter: the rate, and the probability of dropping out.
        let rate = |m: &BgNbd| m.r / m.alpha;
        let drop_out = |m: &BgNbd| m.a / (m.a + m.b);
        assert!(
            (rate(&fitted.params) / rate(truth) - 1.0).abs() < 0.12,
            "{fitted:?}"
        );
        assert!(
            (drop_out(&fitted.params) / drop_out(truth) - 1.0).abs() < 0.15,
            "{fitted:?}"
        );
        // The negative control: a model in which nobody drops out is far less likely, whatever its rates.
        let likelihood = Likelihood::new(&customers);
        let mut nobody_leaves = WIDEST;
        nobody_leaves.high[2] = -12.0;
        nobody_leaves.high[3] = 0.0;
        nobody_leaves.low[3] = 0.0;
        let without = climb(&likelihood, [0.0, 3.0, 0.0, 0.0], &nobody_leaves);
        assert!(
            without.converged && 2.0 * (fitted.log_likelihood - without.point.value) > 300.0,
            "{without:?}"
        );
    }
}

#[test]
fn fitted_probabilities_are_what_then_happens() {
    for (seed, truth) in TRUTH.iter().enumerate() {
        let lives = cohort(truth, 20_000, 40 + seed as u64);
        let model = fit(&counts(&lives)).unwrap().params;
        // Users in tenths by their predicted silence; 4 standard errors of a share of some 2,000.
        let mut order: Vec<(f64, &Life)> = lives
            .iter()
            .map(|l| (model.p_silent(&l.counts, HORIZON), l))
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        let share = |tenth: &[(f64, &Life)], of: &dyn Fn(&(f64, &Life)) -> f64| {
            tenth.iter().map(of).sum::<f64>() / tenth.len() as f64
        };
        let mut gap_of_a_model_without_death = 0.0_f64;
        for tenth in order.chunks(2_000) {
            let silent = share(tenth, &|(_, l)| f64::from(l.later == 0));
            let predicted = share(tenth, &|(p, _)| *p);
            assert!(
                (silent - predicted).abs() < 0.045,
                "silent {silent}, predicted {predicted}"
            );
            let alive = share(tenth, &|(_, l)| f64::from(l.alive));
            let p_alive = share(tenth, &|(_, l)| model.p_alive(&l.counts));
            assert!(
                (alive - p_alive).abs() < 0.045,
                "alive {alive}, predicted {p_alive}"
            );
            let later = share(tenth, &|(_, l)| f64::from(l.later));
            let expected = share(tenth, &|(_, l)| {
                model.expected_active_days(&l.counts, HORIZON)
            });
            assert!(
                (later - expected).abs() < 0.06 + 0.06 * expected,
                "later {later}, expected {expected}"
            );
            gap_of_a_model_without_death = gap_of_a_model_without_death.max((alive - 1.0).abs());
        }
        // The negative control: these bounds would tell a model in which everybody is alive.
        assert!(
            gap_of_a_model_without_death > 0.2,
            "{gap_of_a_model_without_death}"
        );
    }
}

#[test]
fn nothing_to_learn_from_is_said() {
    assert_eq!(fit(&[]), Err(BgNbdError::Nobody));
    let once: Vec<Purchases> = (1..200)
        .map(|age| Purchases::new(0, 0.0, f64::from(age)).unwrap())
        .collect();
    let error = fit(&once).unwrap_err();
    assert_eq!(error, BgNbdError::NoRepeat { customers: 199 });
    assert!(error.to_string().contains("199 customers"));
}

#[test]
fn odd_customers_give_a_finite_answer() {
    for (name, customers) in odd_customers() {
        let fitted = fit(&customers).unwrap();
        assert!(
            fitted.log_likelihood.is_finite() && fitted.params.validate().is_ok(),
            "{name}: {fitted:?}"
        );
        assert!(fitted.converged, "{name}: {fitted:?}");
        for customer in &customers {
            let figures = [
                fitted.params.p_alive(customer),
                fitted.params.p_silent(customer, 60),
                fitted.params.expected_active_days(customer, 60),
            ];
            assert!(
                figures.iter().all(|f| f.is_finite() && *f >= 0.0),
                "{name}: {customer:?} {figures:?}"
            );
        }
    }
}

#[test]
fn many_customers_are_thinned_evenly_and_few_fit_in_any_order() {
    let mut customers = counts(&cohort(&TRUTH[0], 30_000, 9));
    let subsampled = fit(&customers).unwrap();
    assert_eq!(subsampled.customers, MOST_CUSTOMERS);
    let by_hand: Vec<Purchases> = (0..MOST_CUSTOMERS).map(|k| customers[k * 3 / 2]).collect();
    assert_eq!(fit(&by_hand), Ok(subsampled));
    assert_ne!(fit(&customers[..MOST_CUSTOMERS]), Ok(subsampled));
    customers.truncate(5_000);
    let fitted = fit(&customers);
    customers.reverse();
    assert_eq!(fit(&customers), fitted);
}

/// Both starts lead to the same top, so neither is a matter of luck.
#[test]
fn the_top_does_not_depend_on_the_start() {
    for (seed, truth) in TRUTH.iter().enumerate() {
        let likelihood = Likelihood::new(&counts(&cohort(truth, 3_000, 70 + seed as u64)));
        let starts = [
            [0.0; 4],
            [-1.0, 2.0, 0.0, 1.0],
            [3.0, 6.0, -3.0, 3.0],
            [-3.0, -3.0, 3.0, 3.0],
            [12.0; 4],
        ];
        let tops = starts.map(|start| climb(&likelihood, start, &WIDEST));
        for top in tops {
            assert!(
                top.converged && (top.point.value - tops[0].point.value).abs() < 1e-6,
                "{tops:?}"
            );
            assert!(
                top.at
                    .iter()
                    .zip(tops[0].at)
                    .all(|(a, b)| (a - b).abs() < 1e-4),
                "{tops:?}"
            );
        }
    }
}
