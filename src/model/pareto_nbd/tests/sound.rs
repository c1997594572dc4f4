//! Properties of all answers, over legal states and parameters.

use crate::math::splitmix::splitmix64;
use crate::model::{ParetoNbd, Purchases};

use super::close;

/// Random legal states and parameters: half of them of any size, half as logs have them.
fn random_states(seed: u64, count: usize) -> impl Iterator<Item = (ParetoNbd, Purchases, f64)> {
    let mut key = seed << 32;
    (0..count).map(move |k| {
        let range = if k % 2 == 0 {
            (1e-6, 1e6)
        } else {
            (0.05, 500.0)
        };
        let mut spread = |(low, high): (f64, f64)| {
            key += 1;
            let share = splitmix64(key) as f64 / 2.0_f64.powi(64);
            low * libm::pow(high / low, share)
        };
        let model = ParetoNbd {
            r: spread(range),
            alpha: spread(range),
            s: if k % 9 == 0 { 1.0 } else { spread(range) },
            beta: spread(range),
        };
        let age = libm::floor(spread((1.0, 36_600.0)));
        let most = if k % 4 < 2 { 100_000.0 } else { 60.0 };
        let x = if k % 3 == 0 { 0.0 } else { spread((1.0, most)) };
        let last = libm::ceil(age * spread((0.01, 1.0))).min(age);
        let user = if x == 0.0 {
            Purchases::new(0, 0.0, age)
        } else {
            Purchases::new(x as u32, last, age)
        };
        (model, user.unwrap(), spread((1.0, 2_000.0)))
    })
}

fn assert_sound(model: &ParetoNbd, user: &Purchases, days: f64) {
    let seen = format!("{model:?} {user:?} {days}");
    let state = model.state(user);
    let alive = state.p_alive();
    assert!((0.0..=1.0).contains(&alive), "{seen}: alive {alive}");
    assert!(model.log_likelihood(user).is_finite(), "{seen}");
    let (soon, late) = (
        state.expected_orders(days),
        state.expected_orders(2.0 * days),
    );
    assert!(
        0.0 <= soon && soon <= late && late.is_finite(),
        "{seen}: {soon} {late}"
    );
    let (first, second) = (state.silent(days), state.silent(2.0 * days));
    let (p, q) = (first.probability, second.probability);
    assert!(
        0.0 <= q && q <= p * (1.0 + 1e-13) && p <= 1.0,
        "{seen}: {p} {q}"
    );
    let then = first.then.p_alive();
    assert!(
        then <= alive * (1.0 + 1e-12) + 1e-300,
        "{seen}: {alive} then {then}"
    );
    // A silence of twice the days is one after the other.
    let twice = p * first.then.silent(days).probability;
    assert!(
        close(twice, q, 1e-9) || q < 1e-290 || days > 1e8,
        "{seen}: {twice} {q}"
    );
    let discount = 2.6e-4;
    let (all, within) = (
        state.discounted_orders(discount),
        state.discounted_orders_within(days, discount),
    );
    assert!(all.is_finite() && 0.0 <= within, "{seen}: {all}");
    assert!(
        within <= all * (1.0 + 1e-9) && within <= soon * (1.0 + 1e-9),
        "{seen}: {within}"
    );
}

/// Two million of them were looked at once, with seed 2.
#[test]
fn answers_are_sound_over_all_legal_states() {
    for (model, user, days) in random_states(1, 20_000) {
        assert_sound(&model, &user, days);
    }
}

#[test]
fn the_ends_of_what_is_legal_stay_finite() {
    let edges = [1e-6, 1.0, 1e6];
    let users = [
        (0, 0.0, 0.0),
        (0, 0.0, 1e300),
        (1, 1e-300, 36_600.0),
        (3_000, 3_000.0, 3_001.0),
        (100_000, 1.0, 1e12),
        (100_000, 100_000.0, 100_000.0),
    ];
    for code in 0..81_usize {
        let edge = |digit: u32| edges[code / 3_usize.pow(digit) % 3];
        let model = ParetoNbd {
            r: edge(0),
            alpha: edge(1),
            s: edge(2),
            beta: edge(3),
        };
        assert_eq!(model.validate(), Ok(()));
        for (x, last, age) in users {
            let user = Purchases::new(x, last, age).unwrap();
            for days in [0.0, 1.0, 1e9, f64::INFINITY] {
                assert_sound(&model, &user, days);
            }
            assert!(!model.discounted_orders(&user, 0.0).is_nan());
            assert!(!model.discounted_orders(&user, 1e-320).is_nan());
        }
    }
}
