use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Gamma};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;

/// Users whose amounts are the model's own, with up to eight orders each.
fn users(truth: &GammaGamma, count: usize, seed: u64) -> Vec<OrderAmounts> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let scales = Gamma::new(truth.q, 1.0 / truth.v).unwrap();
    (0..count)
        .map(|_| {
            let amounts = Gamma::new(truth.p, 1.0 / scales.sample(&mut random)).unwrap();
            let orders = random.gen_range(1..9);
            let first = amounts.sample(&mut random);
            let repeats: f64 = (1..orders).map(|_| amounts.sample(&mut random)).sum();
            user(orders, first + repeats, repeats / f64::from(orders - 1))
        })
        .collect()
}

fn user(orders: i32, total: f64, repeat_mean: f64) -> OrderAmounts {
    OrderAmounts::new(f64::from(orders), total, repeat_mean).unwrap()
}

const TRUTH: [GammaGamma; 3] = [
    GammaGamma {
        p: 6.25,
        q: 3.74,
        v: 15.44,
    },
    GammaGamma {
        p: 1.5,
        q: 6.0,
        v: 4e6,
    },
    GammaGamma {
        p: 20.0,
        q: 2.5,
        v: 1e-3,
    },
];

#[test]
fn users_of_known_parameters_give_them_back() {
    for (seed, truth) in TRUTH.iter().enumerate() {
        let fitted = fit(&users(truth, 6_000, seed as u64)).unwrap();
        let SpendModel::GammaGamma(model) = fitted.model else {
            panic!("{fitted:?}");
        };
        assert_eq!((fitted.reason.as_ref(), model.validate()), (None, Ok(())));
        let errors = fitted.standard_errors.unwrap();
        let figures = |m: &GammaGamma| [m.p, m.q, m.v];
        let off = figures(&model).into_iter().zip(figures(truth));
        for ((got, truth), error) in off.zip(errors) {
            assert!((got - truth).abs() < 4.0 * error, "{fitted:?}");
            // The negative control: twice the truth would be two standard errors off.
            assert!(2.0 * error < truth, "{fitted:?}");
        }
        let (got, truth) = (model.population_mean(), truth.population_mean());
        assert!((got / truth - 1.0).abs() < 0.04, "{got} {truth}");
    }
}

#[test]
fn amounts_in_another_currency_give_the_same_model() {
    let some = users(&TRUTH[0], 2_000, 5);
    let scaled: Vec<OrderAmounts> = some
        .iter()
        .map(|u| OrderAmounts::new(u.orders, u.total * 1e5, u.repeat_mean * 1e5).unwrap())
        .collect();
    let (one, other) = (fit(&some).unwrap(), fit(&scaled).unwrap());
    let (one, other) = (one.gamma_gamma.unwrap(), other.gamma_gamma.unwrap());
    for (a, b) in [(one.p, other.p), (one.q, other.q), (one.v * 1e5, other.v)] {
        assert!((a / b - 1.0).abs() < 1e-6, "{one:?} {other:?}");
    }
}

/// Scales whose reciprocals have no mean: q below 1.
#[test]
fn a_mean_that_does_not_exist_is_not_used() {
    let endless = GammaGamma {
        p: 5.0,
        q: 0.7,
        v: 10.0,
    };
    let many = fit(&users(&endless, 4_000, 8)).unwrap();
    assert_eq!(many.model, SpendModel::Mean(many.mean));
    assert!(many.reason.unwrap().contains("even with a prior"));
    assert_eq!(many.gamma_gamma, None);
    // So few that the prior decides.
    let slightly = GammaGamma { q: 1.0, ..endless };
    let by_prior = (0..40)
        .map(|seed| fit(&users(&slightly, 130, 100 + seed)).unwrap())
        .find(|fit| {
            fit.reason
                .as_ref()
                .is_some_and(|r| r.contains("a weak prior"))
        });
    let model = by_prior.unwrap().gamma_gamma.unwrap();
    assert!(
        model.q > LEAST_Q && model.population_mean() > 0.0,
        "{model:?}"
    );
}

#[test]
fn amounts_that_go_with_numbers_are_refused() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
    let mut spend = |by: f64| -> Vec<OrderAmounts> {
        (0..600)
            .map(|_| {
                let orders = random.gen_range(2..30);
                let mean = random.gen_range(40.0..60.0) + by * f64::from(orders);
                user(orders, mean * f64::from(orders), mean)
            })
            .collect()
    };
    for by in [3.0, -0.8] {
        let fitted = fit(&spend(by)).unwrap();
        assert_eq!(fitted.model, SpendModel::Mean(fitted.mean), "{fitted:?}");
        assert_eq!(fitted.correlation.unwrap() > 0.0, by > 0.0);
        assert!(fitted.reason.unwrap().contains("goes with how often"));
        // What was fitted all the same is there to be looked at.
        assert!(fitted.gamma_gamma.is_some());
    }
    let fitted = fit(&spend(0.0)).unwrap();
    assert!(
        matches!(fitted.model, SpendModel::GammaGamma(_)),
        "{fitted:?}"
    );
    assert!(fitted.correlation.unwrap().abs() < 0.1);
}

#[test]
fn too_few_repeaters_have_the_mean_of_all_orders() {
    let some = users(&TRUTH[0], 90, 1);
    let fitted = fit(&some).unwrap();
    let (orders, total) = some
        .iter()
        .fold((0.0, 0.0), |(o, t), u| (o + u.orders, t + u.total));
    assert_eq!(fitted.model, SpendModel::Mean(total / orders));
    assert!(fitted.reason.unwrap().contains("gamma-gamma needs 100"));
    assert_eq!(fit(&[]), Err(NoOrders));
    // The negative control: with more of them it is fitted.
    assert_eq!(fit(&users(&TRUTH[0], 300, 1)).unwrap().reason, None);
}

#[test]
fn steady_amounts_give_a_finite_answer() {
    let cases: [(&str, Vec<OrderAmounts>); 3] = [
        ("one price", vec![user(4, 39.96, 9.99); 500]),
        (
            "each user a price",
            (1..500)
                .map(|k| user(1 + k % 7, f64::from(k) * f64::from(1 + k % 7), f64::from(k)))
                .collect(),
        ),
        (
            "pennies and palaces",
            (0..400)
                .map(|k| {
                    let mean = if k % 2 == 0 { 1e-6 } else { 1e9 };
                    user(3, 3.0 * mean, mean)
                })
                .collect(),
        ),
    ];
    for (name, users) in cases {
        let fitted = fit(&users).unwrap();
        let amount = match fitted.model {
            SpendModel::GammaGamma(model) => model.expected_amount(3.0, 9.99),
            SpendModel::Mean(mean) => mean,
        };
        assert!(amount.is_finite() && amount > 0.0, "{name}: {fitted:?}");
        if name == "one price" {
            assert!((amount - 9.99).abs() < 0.01, "{fitted:?}");
            assert_eq!(fitted.correlation, None);
        }
    }
}

#[test]
fn amounts_that_cannot_be_are_refused() {
    for (orders, total, mean) in [
        (0.0, 5.0, f64::NAN),
        (1.5, 5.0, 5.0),
        (1.0, 0.0, f64::NAN),
        (2.0, 5.0, f64::NAN),
        (2.0, 5.0, -1.0),
        (2.0, f64::INFINITY, 5.0),
        (f64::NAN, 5.0, 5.0),
    ] {
        assert_eq!(OrderAmounts::new(orders, total, mean), None);
    }
    assert!(OrderAmounts::new(1.0, 5.0, f64::NAN).is_some());
}
