//! Whether a law is adequate: its distance from the data beside that of data that are simulated by it.
//!
//! The distance is that of Kolmogorov and Smirnov between the uniform distribution and the places of the data in the law,
//! each drawn evenly from its day's width (randomised quantile residuals, Dunn and Smyth 1996). A simulated data set is
//! fitted again before it is measured, as the real one was (Stute et al. 1993).

use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;

use super::counts::{CountLaw, Histogram, refit};
use super::gaps::{FittedGaps, GapLaw};
use super::random::generator;
use super::regularity::Slopes;
use super::silences::{Gap, GapWeights, UserGaps, edge};

/// Simulated data sets.
pub const DRAWS: u64 = 199;

/// The share of simulated distances that are as large, the real one counted with them.
fn p_value(
    observed: f64,
    simulate: impl Fn(&mut Xoshiro256PlusPlus) -> f64 + Sync,
    seed: u64,
) -> f64 {
    let simulated = |draw| simulate(&mut generator(seed, draw));
    let larger = (1..=DRAWS)
        .into_par_iter()
        .filter(|draw| simulated(*draw) >= observed)
        .count();
    (larger + 1) as f64 / (DRAWS + 1) as f64
}

/// The largest distance between the weighted distribution of places and the uniform one.
fn distance(mut places: Vec<(f64, f64)>) -> f64 {
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all: f64 = places.iter().map(|(_, weight)| weight).sum();
    let (mut below, mut largest) = (0.0, 0.0_f64);
    for (place, weight) in places {
        largest = largest.max((place - below / all).abs());
        below += weight;
        largest = largest.max((place - below / all).abs());
    }
    largest
}

/// The p-value of a law of counts; `law` is the best of its family.
pub fn of_counts(law: &CountLaw, counts: &Histogram, seed: u64) -> f64 {
    let longest = counts.present().last().map_or(0, |(k, _)| k);
    let measured = |law: &CountLaw, counts: &Histogram, random: &mut Xoshiro256PlusPlus| {
        let largest = counts.present().last().map_or(0, |(k, _)| k);
        let cumulative = law.cumulative(largest + 1);
        let mut places = Vec::new();
        for (k, users) in counts.present() {
            let low = if k == 0 { 0.0 } else { cumulative[k - 1] };
            let width = cumulative[k] - low;
            let place = |_| (low + width * random.gen_range(0.0..1.0), 1.0);
            places.extend((0..users as u64).map(place));
        }
        distance(places)
    };
    let observed = measured(law, counts, &mut generator(seed, 0));
    let (cumulative, users) = (law.cumulative(longest + 1), counts.total() as u64);
    let simulate = |random: &mut Xoshiro256PlusPlus| {
        let last = cumulative.len() - 1;
        let count = |_| {
            let u: f64 = random.gen_range(0.0..1.0);
            cumulative.partition_point(|p| *p <= u).min(last)
        };
        let simulated = Histogram::of((0..users).map(count).collect::<Vec<_>>());
        measured(&refit(law, &simulated), &simulated, random)
    };
    p_value(observed, simulate, seed)
}

/// The p-value of a law of gaps in a window of so many days; `fitted` is the best of its family. `None` where a parameter
/// lies at its bound, or the likelihood is flat.
pub fn of_gaps(fitted: &FittedGaps, users: &[UserGaps], window: usize, seed: u64) -> Option<f64> {
    let longest = users.iter().map(UserGaps::waited).max()? + window;
    let scale = GapWeights::scale(users);
    let slopes = Slopes::new(&fitted.law, longest);
    let inverse = fitted.inverse_curvature()?;
    let observed = measured(
        &survival(&fitted.law, longest),
        users,
        &mut generator(seed, 0),
    );
    let true_survival = survival(&fitted.law, longest);
    let simulate = |random: &mut Xoshiro256PlusPlus| {
        let simulated: Vec<UserGaps> = users
            .iter()
            .map(|user| simulated(user, &true_survival, window, random))
            .collect();
        // One step of Newton's method from the truth is as good as the whole way, in the limit of many users.
        let slope = slopes.sum(&GapWeights::of(&simulated)).map(|s| s * scale);
        let at = fitted.stepped(slope, inverse);
        measured(&survival(&at, longest), &simulated, random)
    };
    Some(p_value(observed, simulate, seed))
}

/// The probability of a gap of so many days or more, by days.
fn survival(law: &GapLaw, longest: usize) -> Vec<f64> {
    (0..=longest + 1)
        .map(|days| libm::exp(law.ln_survival(edge(days))))
        .collect()
}

fn measured(survival: &[f64], users: &[UserGaps], random: &mut Xoshiro256PlusPlus) -> f64 {
    let mut place = |gap: Gap| {
        let low = survival[gap.days];
        let high = if gap.ended {
            survival[gap.days + 1]
        } else {
            0.0
        };
        let beyond = low - (low - high) * random.gen_range(0.0..1.0);
        // Where nothing is left of the law, it says nothing.
        let from = survival[gap.from].max(f64::MIN_POSITIVE);
        ((1.0 - beyond / from).clamp(0.0, 1.0), gap.weight)
    };
    distance(
        users
            .iter()
            .flat_map(UserGaps::gaps)
            .map(&mut place)
            .collect(),
    )
}

/// A user with the same wait before the window, and gaps by the law.
fn simulated(
    user: &UserGaps,
    survival: &[f64],
    window: usize,
    random: &mut Xoshiro256PlusPlus,
) -> UserGaps {
    let waited = user.waited();
    let mut active = Vec::new();
    let (mut day, mut from) = (-(waited as i64), waited);
    loop {
        let left = survival[from] * (1.0 - random.gen_range(0.0..1.0));
        // The last number of days that such a share of gaps reaches.
        let days = survival
            .partition_point(|s| *s >= left)
            .saturating_sub(1)
            .max(from);
        day += days as i64;
        if day >= window as i64 {
            return UserGaps::new(waited, &active, window);
        }
        active.push(day as usize);
        from = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::counts::fit_counts;
    use super::super::gaps::fit_gaps;
    use super::super::random::{gamma, negative_binomial};
    use super::*;

    fn counts(dispersion: f64, seed: u64) -> Histogram {
        let mut random = generator(seed, 0);
        let draw = |_| negative_binomial(3.0, dispersion, &mut random) as usize;
        Histogram::of((0..400).map(draw).collect::<Vec<_>>())
    }

    fn law_of(counts: &Histogram, name: &str) -> CountLaw {
        let fitted = fit_counts(counts);
        fitted.iter().find(|f| f.law.name() == name).unwrap().law
    }

    #[test]
    fn a_true_law_of_counts_is_adequate_and_a_false_one_is_not() {
        let spread = counts(1.0, 3);
        assert!(of_counts(&law_of(&spread, "negative_binomial"), &spread, 7) > 0.05);
        assert!(of_counts(&law_of(&spread, "poisson"), &spread, 7) <= 0.01);
        assert!(of_counts(&law_of(&spread, "normal"), &spread, 7) <= 0.01);
        let even = counts(0.0, 4);
        assert!(of_counts(&law_of(&even, "poisson"), &even, 7) > 0.05);
        // The same seed gives the same figure.
        let p = || of_counts(&law_of(&spread, "negative_binomial"), &spread, 9);
        assert_eq!(p(), p());
    }

    /// Users with independent gaps of a gamma law with a mean of 6 days, watched for 60 days.
    fn users(shape: f64, seed: u64) -> Vec<UserGaps> {
        let mut random = generator(seed, 0);
        (0..300)
            .map(|_| {
                let mut gap = || (gamma(shape, &mut random) * 6.0 / shape).round().max(1.0) as i64;
                let (mut day, mut last, mut active) = (-200_i64, -200_i64, Vec::new());
                while day < 60 {
                    if day < 0 {
                        last = day;
                    } else {
                        active.push(day as usize);
                    }
                    day += gap();
                }
                UserGaps::new((-last) as usize, &active, 60)
            })
            .collect()
    }

    fn p_of(users: &[UserGaps], name: &str) -> Option<f64> {
        let terms = GapWeights::of(users).terms(GapWeights::scale(users));
        let fitted = fit_gaps(&terms, users.len() as f64);
        let fitted = fitted.iter().find(|f| f.law.name() == name).unwrap();
        of_gaps(fitted, users, 60, 7)
    }

    #[test]
    fn a_true_law_of_gaps_is_adequate_and_a_false_one_is_not() {
        let regular = users(3.0, 5);
        assert!(p_of(&regular, "gamma").unwrap() > 0.05);
        assert!(p_of(&regular, "exponential").unwrap() <= 0.01);
        assert!(p_of(&users(0.6, 6), "exponential").unwrap() <= 0.01);
    }

    /// P-values of true laws are spread evenly, so that an adequate law is called so about 19 times in 20.
    #[test]
    #[ignore = "takes a minute"]
    fn p_values_of_true_laws_are_uniform() {
        let uniform = |mut p_values: Vec<f64>| {
            p_values.sort_by(f64::total_cmp);
            let places = p_values.iter().map(|p| (*p, 1.0)).collect();
            let (far, n) = (distance(places), p_values.len() as f64);
            println!("{far} {p_values:?}");
            assert!(far < 1.63 / n.sqrt(), "{far}");
        };
        let of_count = |seed: u64| {
            let counts = counts(0.7, 100 + seed);
            of_counts(&law_of(&counts, "negative_binomial"), &counts, seed)
        };
        uniform((0..100).map(of_count).collect());
        let of_gap = |seed: u64| p_of(&users(1.6, 300 + seed), "gamma").unwrap();
        uniform((0..100).map(of_gap).collect());
    }
}
