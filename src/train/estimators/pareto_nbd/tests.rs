use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Exp1, Gamma};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use crate::train::estimators::climb::Surface as _;
use crate::train::estimators::counts::tests::odd_customers;

/// A synthetic customer: the counts on the as-of day, and the orders in the 90 days after.
struct Life {
    counts: Purchases,
    later: u32,
    alive: bool,
}

const HORIZON: f64 = 90.0;

/// Customers who live by the model's own story, known for 60 to 360 days.
fn cohort(model: &ParetoNbd, customers: usize, seed: u64) -> Vec<Life> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let rates = Gamma::new(model.r, 1.0 / model.alpha).unwrap();
    let leaving = Gamma::new(model.s, 1.0 / model.beta).unwrap();
    let live = |_| {
        let (rate, leaves) = (rates.sample(&mut random), leaving.sample(&mut random));
        let stay: f64 = Exp1.sample(&mut random);
        let (end, age) = (stay / leaves, random.gen_range(60.0..360.0));
        let (mut now, mut last, mut frequency, mut later) = (0.0, 0.0, 0, 0);
        loop {
            let wait: f64 = Exp1.sample(&mut random);
            now += wait / rate;
            if now >= end.min(age + HORIZON) {
                break;
            }
            if now < age {
                (frequency, last) = (frequency + 1, now);
            } else {
                later += 1;
            }
        }
        Life {
            counts: Purchases::new(frequency, last, age).unwrap(),
            later,
            alive: end > age,
        }
    };
    (0..customers).map(live).collect()
}

fn counts(lives: &[Life]) -> Vec<Purchases> {
    lives.iter().map(|life| life.counts).collect()
}

const TRUTH: [ParetoNbd; 3] = [
    ParetoNbd {
        r: 0.8,
        alpha: 15.0,
        s: 0.9,
        beta: 80.0,
    },
    ParetoNbd {
        r: 3.0,
        alpha: 60.0,
        s: 2.0,
        beta: 300.0,
    },
    ParetoNbd {
        r: 0.55,
        alpha: 74.0,
        s: 0.6,
        beta: 82.0,
    },
];

#[test]
fn a_cohort_of_known_parameters_gives_them_back() {
    for (seed, truth) in TRUTH.iter().enumerate() {
        let customers = counts(&cohort(truth, 8_000, seed as u64));
        let fitted = fit(&customers).unwrap();
        assert!(fitted.converged && fitted.dropout_found, "{fitted:?}");
        assert_eq!(fitted.at_bound, [false; 4]);
        assert_eq!(fitted.params.validate(), Ok(()));
        let at = |model: &ParetoNbd| {
            customers
                .iter()
                .map(|c| model.log_likelihood(c))
                .sum::<f64>()
        };
        let alone = at(&fitted.params);
        assert!((alone - fitted.log_likelihood).abs() < 1e-6, "{fitted:?}");
        // Twice the gain over the truth has a chi-squared distribution with 4 degrees of freedom, whose 99.9 %
        // quantile is 18.5.
        let gain = 2.0 * (fitted.log_likelihood - at(truth));
        assert!((0.0..18.5).contains(&gain), "{fitted:?}: {gain}");
        let elsewhere = ParetoNbd {
            r: 1.3 * truth.r,
            ..*truth
        };
        assert!(2.0 * (fitted.log_likelihood - at(&elsewhere)) > 100.0);
        let errors = fitted.standard_errors.unwrap();
        let figures = |m: &ParetoNbd| [m.r, m.alpha, m.s, m.beta];
        let off = figures(&fitted.params).into_iter().zip(figures(truth));
        for ((got, truth), error) in off.zip(errors) {
            assert!((got - truth).abs() < 4.0 * error, "{fitted:?}");
            // The negative control: twice the truth would be two standard errors off.
            assert!(2.0 * error < truth, "{fitted:?}");
        }
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
        let mut gap_of_a_model_without_death = 0.0_f64;
        for tenth in order.chunks(2_000) {
            let mean = |of: &dyn Fn(&(f64, &Life)) -> f64| {
                tenth.iter().map(of).sum::<f64>() / tenth.len() as f64
            };
            let (silent, predicted) = (mean(&|(_, l)| f64::from(l.later == 0)), mean(&|(p, _)| *p));
            assert!((silent - predicted).abs() < 0.045, "{silent} {predicted}");
            let alive = mean(&|(_, l)| f64::from(l.alive));
            let expected = mean(&|(_, l)| model.p_alive(&l.counts));
            assert!((alive - expected).abs() < 0.045, "{alive} {expected}");
            let later = mean(&|(_, l)| f64::from(l.later));
            let orders = mean(&|(_, l)| model.expected_orders(&l.counts, HORIZON));
            assert!(
                (later - orders).abs() < 0.06 + 0.06 * orders,
                "{later} {orders}"
            );
            gap_of_a_model_without_death = gap_of_a_model_without_death.max(1.0 - alive);
        }
        // The negative control: these bounds would catch a model in which everybody is alive.
        assert!(
            gap_of_a_model_without_death > 0.2,
            "{gap_of_a_model_without_death}"
        );
    }
}

/// Customers of a negative binomial distribution: the drop-out is fitted away, and that is said.
#[test]
fn a_dropout_that_is_not_there_is_not_found() {
    let nobody_leaves = ParetoNbd {
        s: 1.0,
        beta: 1e9,
        ..TRUTH[0]
    };
    for seed in 0..3 {
        let customers = counts(&cohort(&nobody_leaves, 4_000, 90 + seed));
        let fitted = fit(&customers).unwrap();
        assert!(fitted.converged && !fitted.dropout_found, "{fitted:?}");
        let gain = fitted.log_likelihood - fitted.log_likelihood_without_dropout;
        assert!((-1e-3..3.0).contains(&gain), "{fitted:?}");
        // Predictions are those of the distribution without a dropout: nobody is lost.
        for customer in customers.iter().step_by(100) {
            let alive = fitted.params.p_alive(customer);
            assert!(alive > 0.8, "{customer:?} {alive} {fitted:?}");
        }
    }
    // The negative control: the same customers with a dropout.
    let leaving = fit(&counts(&cohort(&TRUTH[0], 4_000, 90))).unwrap();
    let gain = leaving.log_likelihood - leaving.log_likelihood_without_dropout;
    assert!(leaving.dropout_found && gain > 100.0, "{leaving:?}");
}

#[test]
fn nothing_to_learn_from_is_said() {
    assert_eq!(fit(&[]), Err(ParetoNbdError::Nobody));
    let once: Vec<Purchases> = (1..200)
        .map(|age| Purchases::new(0, 0.0, f64::from(age)).unwrap())
        .collect();
    let error = fit(&once).unwrap_err();
    assert_eq!(error, ParetoNbdError::NoRepeat { customers: 199 });
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
            let state = fitted.params.state(customer);
            let figures = [
                state.p_alive(),
                state.silent(60.0).probability,
                state.expected_orders(60.0),
                state.discounted_orders(2.6e-4),
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
    let of_these = fit(&by_hand).unwrap();
    assert_eq!(of_these.params, subsampled.params);
    assert_ne!(
        fit(&customers[..MOST_CUSTOMERS]).unwrap().params,
        subsampled.params
    );
    customers.truncate(5_000);
    let fitted = fit(&customers);
    customers.reverse();
    assert_eq!(fit(&customers), fitted);
}

/// On one processor as on several, bit for bit.
#[test]
fn the_number_of_processors_does_not_matter() {
    let customers = counts(&cohort(&TRUTH[2], 6_000, 12));
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| fit(&customers).unwrap())
    };
    assert_eq!(on(1), on(3));
}

/// All starts lead to the same top, so none is a matter of luck; nor is the small climb before the large one.
#[test]
fn the_top_does_not_depend_on_the_start() {
    for (seed, truth) in TRUTH.iter().enumerate() {
        let customers = counts(&cohort(truth, 5_000, 70 + seed as u64));
        let likelihood = Likelihood::new(&customers);
        let starts = [
            [0.0; 4],
            [-1.0, 2.0, 0.0, 4.0],
            [3.0, 6.0, -3.0, 3.0],
            [-3.0, -3.0, 3.0, 8.0],
        ];
        let tops = starts.map(|start| climb(&likelihood, start, &LEGAL_RANGE));
        let fitted = fit(&customers).unwrap();
        assert_eq!(fitted.customers as f64, likelihood.customers());
        for top in tops {
            let below = fitted.log_likelihood - top.point.value;
            assert!(top.converged && below.abs() < 1e-6, "{tops:?}");
            assert!(
                top.at
                    .iter()
                    .zip(tops[0].at)
                    .all(|(a, b)| (a - b).abs() < 1e-3),
                "{tops:?}"
            );
        }
    }
}
