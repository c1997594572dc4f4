//! Tails of distributions and sums of powers, for laws of frequency.

/// Terms of a series at most. Those of an incomplete gamma function grow with the root of its shape.
const MOST_TERMS: u32 = 20_000;

/// What counts as nothing beside a sum.
const PRECISION: f64 = 1e-16;

/// `ln Q(a, x)`: the logarithm of the probability that a gamma variable of shape `a` and scale 1 lies beyond `x`. 0 for
/// `x <= 0`.
///
/// Source: NIST Digital Library of Mathematical Functions, 8.7.1 (series) and 8.9.2 (continued fraction, by the method
/// of Lentz).
pub fn ln_gamma_tail(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = a * libm::log(x) - x - libm::lgamma(a);
    if x < a + 1.0 {
        let (mut term, mut sum, mut shape) = (1.0 / a, 1.0 / a, a);
        for _ in 0..MOST_TERMS {
            shape += 1.0;
            term *= x / shape;
            sum += term;
            if term < sum * PRECISION {
                break;
            }
        }
        return libm::log1p(-(libm::exp(front) * sum).min(1.0 - f64::EPSILON));
    }
    let tiny = f64::MIN_POSITIVE / PRECISION;
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1.0 / tiny, 1.0 / b);
    let mut fraction = d;
    for step in 1..MOST_TERMS {
        let n = f64::from(step);
        let numerator = n * (a - n);
        b += 2.0;
        let away = |v: f64| if v.abs() < tiny { tiny } else { v };
        d = 1.0 / away(numerator * d + b);
        c = away(b + numerator / c);
        fraction *= c * d;
        if (c * d - 1.0).abs() < PRECISION * 10.0 {
            break;
        }
    }
    front + libm::log(fraction)
}

/// `ln P(Z > z)` of a standard normal variable.
pub fn ln_normal_tail(z: f64) -> f64 {
    if z < 30.0 {
        return libm::log(0.5 * libm::erfc(z / std::f64::consts::SQRT_2));
    }
    // Abramowitz and Stegun 26.2.12; the next term is below 1e-8 of the sum here.
    let square = z * z;
    -0.5 * square - libm::log(z) - 0.5 * libm::log(std::f64::consts::TAU)
        + libm::log1p(-1.0 / square + 3.0 / (square * square))
}

/// `ln(e^high - e^low)` for `high >= low`.
pub fn ln_difference(high: f64, low: f64) -> f64 {
    high + libm::log(-libm::expm1(low - high))
}

/// Hurwitz's zeta function: the sum of `(q + k)^-s` over `k >= 0`, for `s > 1` and `q > 0`.
///
/// Source: NIST Digital Library of Mathematical Functions, 25.11.5 (Euler and Maclaurin).
pub fn hurwitz_zeta(s: f64, q: f64) -> f64 {
    // B(2k) / (2k)!
    const COEFFICIENTS: [f64; 6] = [
        1.0 / 12.0,
        -1.0 / 720.0,
        1.0 / 30_240.0,
        -1.0 / 1_209_600.0,
        1.0 / 47_900_160.0,
        -691.0 / 1_307_674_368_000.0,
    ];
    let power = |base: f64| libm::exp(-s * libm::log(base));
    let (mut base, mut sum) = (q, 0.0);
    while base < 12.0 + s {
        sum += power(base);
        base += 1.0;
    }
    let tail = power(base);
    sum += tail * base / (s - 1.0) + 0.5 * tail;
    let mut factor = tail * s / base;
    for (k, coefficient) in COEFFICIENTS.iter().enumerate() {
        sum += coefficient * factor;
        let next = 2.0 * k as f64 + 1.0;
        factor *= (s + next) * (s + next + 1.0) / (base * base);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, expected: f64, tolerance: f64) -> bool {
        (got - expected).abs() <= tolerance * expected.abs()
    }

    #[test]
    fn tails_of_gamma_variables_have_closed_forms_for_whole_shapes() {
        // Q(n, x) = e^-x (1 + x + ... + x^(n-1) / (n-1)!), and Q(1/2, x) = erfc(sqrt x).
        for x in [0.01, 0.5, 1.9, 2.1, 7.0, 80.0] {
            assert!(close(ln_gamma_tail(1.0, x), -x, 1e-12), "{x}");
            let third = -x + (1.0 + x + x * x / 2.0_f64).ln();
            assert!((ln_gamma_tail(3.0, x) - third).abs() < 1e-11, "{x}");
            let half = libm::log(libm::erfc(libm::sqrt(x)));
            assert!(close(ln_gamma_tail(0.5, x), half, 1e-11), "{x}");
        }
        assert_eq!(ln_gamma_tail(2.0, 0.0), 0.0);
        assert!(ln_gamma_tail(1e3, 1e3).is_finite() && ln_gamma_tail(0.01, 1e4) < -9_000.0);
    }

    #[test]
    fn tails_of_the_normal_distribution_join() {
        assert!((ln_normal_tail(0.0) - 0.5_f64.ln()).abs() < 1e-15);
        // 1 - Phi(1.96), from tables.
        assert!((ln_normal_tail(1.959_963_984_540_054).exp() - 0.025).abs() < 1e-12);
        let (below, above) = (ln_normal_tail(30.0 - 1e-9), ln_normal_tail(30.0));
        assert!((below - above).abs() < 1e-6, "{below} {above}");
        assert!((ln_difference(0.0, 0.5_f64.ln()) - 0.5_f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn zeta_has_its_known_values() {
        let pi = std::f64::consts::PI;
        assert!(close(hurwitz_zeta(2.0, 1.0), pi * pi / 6.0, 1e-13));
        assert!(close(hurwitz_zeta(4.0, 1.0), pi.powi(4) / 90.0, 1e-13));
        // zeta(s, 1/2) = (2^s - 1) zeta(s).
        assert!(close(hurwitz_zeta(2.0, 0.5), pi * pi / 2.0, 1e-13));
        // Neighbouring values differ by a term.
        for s in [1.01, 1.95, 3.5, 9.0] {
            let difference = hurwitz_zeta(s, 7.0) - hurwitz_zeta(s, 8.0);
            assert!(close(difference, 7.0_f64.powf(-s), 1e-9), "{s}");
        }
    }
}
