//! Users drawn anew, for intervals.

use super::splitmix::splitmix64;

/// The cumulative probabilities of Poisson(1) in parts of 2^16.
const CUMULATIVE: [u16; 8] = [
    24_109, 48_219, 60_274, 64_292, 65_296, 65_497, 65_531, 65_535,
];

/// How often a user with this key is drawn in four draws, those of the number `four`: Poisson with a mean of 1, which a
/// multinomial draw of many users tends to, so that users can be gone through one by one.
///
/// Source: Hanley and MacGibbon (2006), Statistics in Medicine 25.
pub(crate) fn poisson_weights(key: u64, four: u64) -> [f64; 4] {
    let bits = splitmix64(key ^ splitmix64(four));
    [0, 16, 32, 48].map(|shift| {
        let draw = (bits >> shift) as u16;
        CUMULATIVE.iter().filter(|bound| draw >= **bound).count() as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_have_the_distribution_of_poisson() {
        let mut counts = [0.0_f64; 5];
        for key in 0..20_000 {
            for weight in poisson_weights(splitmix64(key), key % 50) {
                counts[(weight as usize).min(4)] += 1.0 / 80_000.0;
            }
        }
        // e^-1 / k!, and what is left for 4 and more.
        for (share, expected) in counts
            .iter()
            .zip([0.367_88, 0.367_88, 0.183_94, 0.061_31, 0.018_99])
        {
            assert!((share - expected).abs() < 0.006, "{counts:?}");
        }
    }
}
