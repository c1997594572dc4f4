//! Random numbers by `libm`, so that a seed gives the same p-values on every machine.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The generator of one draw of a bootstrap: each has its own, so that threads may share them out.
pub(super) fn generator(seed: u64, draw: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed ^ (draw + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A standard normal variable (Box and Muller 1958).
pub(super) fn normal(random: &mut impl Rng) -> f64 {
    let (u, v): (f64, f64) = (random.gen_range(0.0..1.0), random.gen_range(0.0..1.0));
    libm::sqrt(-2.0 * libm::log(1.0 - u)) * libm::cos(std::f64::consts::TAU * v)
}

/// A gamma variable of a positive shape and scale 1 (Marsaglia and Tsang 2000).
pub(super) fn gamma(shape: f64, random: &mut impl Rng) -> f64 {
    if shape < 1.0 {
        let u: f64 = random.gen_range(0.0..1.0);
        let raised = gamma(shape + 1.0, random);
        return raised * libm::exp(libm::log(1.0 - u) / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let z = normal(random);
        let v = (1.0 + c * z) * (1.0 + c * z) * (1.0 + c * z);
        let u: f64 = random.gen_range(0.0..1.0);
        if v > 0.0 && libm::log(1.0 - u) < 0.5 * z * z + d - d * v + d * libm::log(v) {
            return d * v;
        }
    }
}

/// A Poisson variable of a finite mean: by its intervals where the mean is small, and by the split of Ahrens and Dieter
/// (1974) into a gamma variable where it is not.
pub(super) fn poisson(mean: f64, random: &mut impl Rng) -> f64 {
    let (mut left, mut count) = (mean, 0.0);
    // Of a whole number of arrivals the last one's time is gamma; those before it fall evenly into that time.
    while left > 30.0 {
        let arrivals = (left * 7.0 / 8.0).floor();
        let time = gamma(arrivals, random);
        if time > left {
            return count + binomial(arrivals - 1.0, left / time, random);
        }
        left -= time;
        count += arrivals;
    }
    let (floor, mut product) = (libm::exp(-left), random.gen_range(0.0..1.0));
    while product > floor {
        product *= random.gen_range(0.0..1.0);
        count += 1.0;
    }
    count
}

/// A binomial variable, halved by the median of its trials until few are left (Relles 1972).
fn binomial(trials: f64, share: f64, random: &mut impl Rng) -> f64 {
    let (mut trials, mut share, mut count) = (trials, share, 0.0);
    while trials > 20.0 {
        let middle = (trials / 2.0).floor() + 1.0;
        let (a, b) = (gamma(middle, random), gamma(trials + 1.0 - middle, random));
        let place = a / (a + b);
        if place <= share {
            count += middle;
            trials -= middle;
            share = (share - place) / (1.0 - place);
        } else {
            trials = middle - 1.0;
            share /= place;
        }
    }
    let successes = (0..trials as u32).filter(|_| random.gen_range(0.0..1.0) < share);
    count + successes.count() as f64
}

/// A count of a mean whose variance is `mean + dispersion mean^2`: negative binomial, and Poisson for no dispersion.
pub(super) fn negative_binomial(mean: f64, dispersion: f64, random: &mut impl Rng) -> f64 {
    if dispersion < 1e-9 {
        return poisson(mean, random);
    }
    let rate = mean * dispersion * gamma(1.0 / dispersion, random);
    poisson(rate, random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_the_mean_and_variance_that_are_asked_for() {
        for (mean, dispersion) in [
            (0.3, 0.0),
            (12.0, 0.0),
            (31.0, 0.0),
            (900.0, 0.0),
            (4.0, 0.5),
            (300.0, 0.02),
            (50.0, 3.0),
        ] {
            let mut random = generator(5, 0);
            let draws = 20_000;
            let all: Vec<f64> = (0..draws)
                .map(|_| negative_binomial(mean, dispersion, &mut random))
                .collect();
            let n = f64::from(draws);
            let average = all.iter().sum::<f64>() / n;
            let variance = all
                .iter()
                .map(|x| (x - average) * (x - average))
                .sum::<f64>()
                / n;
            let expected = mean + dispersion * mean * mean;
            let error = 4.0 * (expected / n).sqrt();
            assert!(
                (average - mean).abs() < error,
                "{mean} {dispersion}: {average}"
            );
            assert!(
                (variance / expected - 1.0).abs() < 0.12,
                "{mean} {dispersion}: {variance} {expected}"
            );
        }
    }
}
