/// From here on Stirling's series with the terms below is exact to the last digits of a 64-bit float.
const STIRLING_FROM: f64 = 16.0;

/// `ln(Gamma(base + step) / Gamma(base))` for a positive `base` and a `step` of at least 0. It does not cancel where both
/// logarithms are large and nearly equal.
///
/// Source: NIST Digital Library of Mathematical Functions, 5.11.1.
pub fn ln_gamma_ratio(base: f64, step: f64) -> f64 {
    let (mut low, mut high, mut product) = (base, base + step, 1.0);
    while low < STIRLING_FROM {
        product *= low / high;
        low += 1.0;
        high += 1.0;
    }
    let powers = step * libm::log(high) + (low - 0.5) * libm::log1p(step / low) - step;
    powers + (stirling_rest(high) - stirling_rest(low)) + libm::log(product)
}

/// What Stirling's series adds to `(z - 1/2) ln z - z + ln(2 pi) / 2`.
fn stirling_rest(z: f64) -> f64 {
    let square = 1.0 / (z * z);
    let odd = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
    ];
    odd.iter().rfold(0.0, |sum, term| sum * square + term) / z
}

/// From here on the series of digamma and trigamma are exact to 15 digits.
#[cfg(feature = "train")]
const SERIES_FROM: f64 = 12.0;

/// The derivative of `ln Gamma(z)`, for positive `z`.
///
/// Source: NIST Digital Library of Mathematical Functions, 5.11.2 and 5.5.2.
#[cfg(feature = "train")]
pub fn digamma(z: f64) -> f64 {
    let (mut z, mut below) = (z, 0.0);
    while z < SERIES_FROM {
        below += 1.0 / z;
        z += 1.0;
    }
    let square = 1.0 / (z * z);
    let even = [
        1.0 / 12.0,
        -1.0 / 120.0,
        1.0 / 252.0,
        -1.0 / 240.0,
        1.0 / 132.0,
        -691.0 / 32_760.0,
    ];
    let series = even.iter().rfold(0.0, |sum, term| sum * square + term) * square;
    libm::log(z) - 0.5 / z - series - below
}

/// The second derivative of `ln Gamma(z)`, for positive `z`.
///
/// Source: NIST Digital Library of Mathematical Functions, 5.15.8 and 5.15.5.
#[cfg(feature = "train")]
pub fn trigamma(z: f64) -> f64 {
    let (mut z, mut below) = (z, 0.0);
    while z < SERIES_FROM {
        below += 1.0 / (z * z);
        z += 1.0;
    }
    let square = 1.0 / (z * z);
    let odd = [
        1.0 / 6.0,
        -1.0 / 30.0,
        1.0 / 42.0,
        -1.0 / 30.0,
        5.0 / 66.0,
        -691.0 / 2_730.0,
    ];
    let series = odd.iter().rfold(0.0, |sum, term| sum * square + term) * square / z;
    1.0 / z + 0.5 * square + series + below
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, expected: f64, tolerance: f64) -> bool {
        (got - expected).abs() <= tolerance * expected.abs()
    }

    /// mpmath 1.4.1 with 30 digits: loggamma(base + step) - loggamma(base).
    #[test]
    fn ratios_of_gamma_functions_match_mpmath() {
        for (base, step, expected) in [
            (0.553, 1.0, -0.592_397_277_459_802_2),
            (0.553, 26.0, 59.325_740_629_405_62),
            (1.0e-06, 7.0, -7.236_256_895_954_919),
            (3.74, 0.25, 0.304_207_009_902_628_83),
            (20.0, 5.0, 15.444_845_210_912_826),
            (1_000_000.0, 3.0, 41.446_534_673_890_32),
            (1_000_000.0, 100_000.0, 1_386_392.205_926_087_2),
            (0.25, 100_000.0, 1_051_289.299_181_561),
            (12.5, 3.744_7, 9.837_570_640_970_444),
        ] {
            let got = ln_gamma_ratio(base, step);
            assert!(close(got, expected, 4e-15), "{base} {step}: {got}");
        }
        // The negative control: the plain difference of logarithms has lost six digits.
        let plain = libm::lgamma(1e6 + 3.0) - libm::lgamma(1e6);
        assert!(!close(plain, ln_gamma_ratio(1e6, 3.0), 1e-12));
        assert_eq!(ln_gamma_ratio(20.0, 0.0), 0.0);
    }

    /// mpmath 1.4.1 with 30 digits: psi(0, z) and psi(1, z).
    #[cfg(feature = "train")]
    #[test]
    fn derivatives_match_mpmath() {
        for (z, first, second) in [
            (1.0e-06, -1_000_000.577_214_020_1, 1_000_000_000_001.645),
            (0.25, -4.227_453_533_376_265_5, 17.197_329_154_507_11),
            (1.0, -0.577_215_664_901_532_9, 1.644_934_066_848_226_4),
            (3.74, 1.179_479_353_462_892_5, 0.306_268_109_689_563_4),
            (11.9, 2.433_933_536_882_537_7, 0.087_663_201_190_004_19),
            (12.0, 2.442_661_679_975_812, 0.086_901_872_871_768_38),
            (300.0, 5.702_114_882_064_637, 0.003_338_895_061_714_677_8),
            (
                1_000_000.0,
                13.815_510_057_964_191,
                1.000_000_500_000_166_7e-06,
            ),
        ] {
            let got = (digamma(z), trigamma(z));
            assert!(
                close(got.0, first, 1e-14) && close(got.1, second, 1e-14),
                "{z}: {got:?}"
            );
        }
    }
}
