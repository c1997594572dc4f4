//! Numeric kernels: free functions on slices, each under its formula.
//!
//! Exponentials and logarithms come from `libm`, not from the system's C library, so that a model gives the
//! same bits on every machine.

#[cfg(feature = "train")]
mod assignment;
pub(crate) mod cholesky;
pub(crate) mod gamma;
pub(crate) mod log1p;
pub(crate) mod resampling;
#[cfg(feature = "train")]
pub(crate) mod special;
pub(crate) mod splitmix;
#[cfg(feature = "train")]
mod thousands;
pub(crate) mod wilson;

#[cfg(feature = "train")]
pub use assignment::least_cost_assignment;
pub use cholesky::{cholesky_factor, cholesky_solve, solve_factored};
pub use gamma::ln_gamma_ratio;
#[cfg(feature = "train")]
pub use gamma::{digamma, trigamma};
pub use log1p::Log1p;
#[cfg(feature = "train")]
pub use special::{hurwitz_zeta, ln_difference, ln_gamma_tail, ln_normal_tail};
#[cfg(feature = "train")]
pub(crate) use thousands::{counted, thousands};
pub use wilson::wilson_interval;

/// The sum of products of two slices, read up to the shorter length; in four interleaved sums, so that the processor
/// can work on them side by side.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let length = a.len().min(b.len());
    let (a, b) = (a[..length].chunks_exact(4), b[..length].chunks_exact(4));
    let rest: f64 = a
        .remainder()
        .iter()
        .zip(b.remainder())
        .map(|(x, y)| x * y)
        .sum();
    let mut sums = [0.0; 4];
    for (a, b) in a.zip(b) {
        for k in 0..4 {
            sums[k] += a[k] * b[k];
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// `1 / (1 + e^-x)`, without overflow for any finite `x`.
pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + libm::exp(-x))
    } else {
        let e = libm::exp(x);
        e / (1.0 + e)
    }
}

/// `ln(p / (1 - p))`, with `p` first held between 1e-12 and 1 - 1e-12.
pub fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-12, 1.0 - 1e-12);
    libm::log(p / (1.0 - p))
}

/// `ln(1 + e^x)`, without overflow.
pub fn log1p_exp(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

/// The logistic loss of a log-odds value: `-ln P(label)`.
pub fn log_loss_of_logit(log_odds: f64, churned: bool) -> f64 {
    log1p_exp(if churned { -log_odds } else { log_odds })
}

/// `ln(1 + |x|)` with the sign of `x`: tames heavy tails on both sides.
pub fn signed_log1p(x: f64) -> f64 {
    libm::log1p(x.abs()).copysign(x)
}

/// The arithmetic mean; 0 for an empty slice.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        0.0
    } else {
        values.iter().sum::<f64>() / values.len() as f64
    }
}

/// The `q`-quantile (`0 <= q <= 1`) of sorted values by linear interpolation (Hyndman and Fan's type 7);
/// `None` for an empty slice.
pub fn quantile_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = q.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let low = *sorted.get(below)?;
    let high = *sorted.get((below + 1).min(last))?;
    Some(low + (high - low) * (position - below as f64))
}

/// At most `most` positions below `len`, at even distances, increasing.
pub fn evenly(len: usize, most: usize) -> impl Iterator<Item = usize> {
    let taken = len.min(most);
    (0..taken).map(move |k| k * len / taken)
}

/// `P(X <= successes)` for `X ~ Binomial(trials, p)`.
pub fn binomial_cdf(successes: u32, trials: u32, p: f64) -> f64 {
    if successes >= trials || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    binomial_sums(successes, trials, p)
        .last()
        .unwrap_or(0.0)
        .min(1.0)
}

/// Whether [`binomial_cdf`] is below `limit`; known before all is summed when it is not.
pub fn binomial_cdf_below(successes: u32, trials: u32, p: f64, limit: f64) -> bool {
    if successes >= trials || p <= 0.0 || p >= 1.0 || limit > 1.0 {
        return binomial_cdf(successes, trials, p) < limit;
    }
    // No term is negative, so a sum that has reached the limit stays there.
    binomial_sums(successes, trials, p).all(|sum| sum < limit)
}

/// `P(X <= k)` for each `k` up to `successes`.
fn binomial_sums(successes: u32, trials: u32, p: f64) -> impl Iterator<Item = f64> {
    let (log_p, log_q) = (libm::log(p), libm::log1p(-p));
    let (mut log_choose, mut total) = (0.0, 0.0);
    (0..=successes).map(move |k| {
        if k > 0 {
            log_choose += libm::log(f64::from(trials - k + 1) / f64::from(k));
        }
        total += libm::exp(log_choose + f64::from(k) * log_p + f64::from(trials - k) * log_q);
        total
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigmoid_and_logit_are_inverse_and_bounded() {
        for x in [-20.0, -3.0, 0.0, 0.5, 25.0] {
            assert!((logit(sigmoid(x)) - x).abs() < 1e-3, "{x}");
        }
        assert_eq!(sigmoid(1e9), 1.0);
        assert_eq!(sigmoid(-1e9), 0.0);
        assert!(logit(0.0).is_finite() && logit(1.0).is_finite());
    }

    #[test]
    fn losses_equal_the_definition() {
        let p = sigmoid(0.7);
        assert!((log_loss_of_logit(0.7, true) + p.ln()).abs() < 1e-15);
        assert!((log_loss_of_logit(0.7, false) + (1.0 - p).ln()).abs() < 1e-15);
        assert_eq!(log_loss_of_logit(-1e6, true), 1e6);
    }

    #[test]
    fn quantiles_match_numpy() {
        // numpy.quantile([1, 2, 4, 8], [0, .1, .5, 1]) -> 1, 1.3, 3, 8
        let values = [1.0, 2.0, 4.0, 8.0];
        for (q, expected) in [(0.0, 1.0), (0.1, 1.3), (0.5, 3.0), (1.0, 8.0)] {
            assert!((quantile_sorted(&values, q).unwrap() - expected).abs() < 1e-12);
        }
        assert_eq!(quantile_sorted(&[], 0.5), None);
    }

    #[test]
    fn even_positions_span_what_they_are_taken_from() {
        assert_eq!(evenly(3, 5).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(evenly(10, 4).collect::<Vec<_>>(), [0, 2, 5, 7]);
        assert_eq!(evenly(0, 4).count() + evenly(4, 0).count(), 0);
    }

    #[test]
    fn binomial_tail_matches_scipy() {
        // scipy.stats.binom.cdf(2, 5, .5) = 0.5; (3, 20, .4) = 0.015961; (0, 9, .3) = 0.040354
        for (k, n, p, expected) in [
            (2, 5, 0.5, 0.5),
            (3, 20, 0.4, 0.015_961_2),
            (0, 9, 0.3, 0.040_353_6),
        ] {
            assert!((binomial_cdf(k, n, p) - expected).abs() < 1e-6);
        }
        assert_eq!(binomial_cdf(4, 4, 0.2), 1.0);
        for (k, n, p) in [
            (2, 5, 0.5),
            (3, 20, 0.4),
            (0, 9, 0.3),
            (4, 4, 0.2),
            (1, 4, 1.0),
            (3, 9, 0.0),
            (70, 90, 0.7),
        ] {
            let cdf = binomial_cdf(k, n, p);
            for limit in [
                0.02,
                0.05,
                0.5,
                cdf,
                cdf.next_up(),
                cdf.next_down(),
                0.999,
                1.0,
                1.5,
            ] {
                assert_eq!(
                    binomial_cdf_below(k, n, p, limit),
                    cdf < limit,
                    "{k} of {n} at {p}: {cdf} below {limit}"
                );
            }
        }
        assert_eq!(binomial_cdf(1, 4, 1.0), 0.0);
    }
}
