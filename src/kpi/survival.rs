//! How long something lasts, where for some it is not over yet.

use std::collections::BTreeMap;

/// How many ended after so many days (or weeks), and how many had lasted so long when they were last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Durations(BTreeMap<u32, (u64, u64)>);

impl Durations {
    /// One that ended after `length`.
    pub(crate) fn ended(&mut self, length: u32) {
        self.0.entry(length).or_default().0 += 1;
    }

    /// One that was not over after `length`.
    pub(crate) fn open(&mut self, length: u32) {
        self.0.entry(length).or_default().1 += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (length, (ended, open)) in &other.0 {
            let own = self.0.entry(*length).or_default();
            own.0 += ended;
            own.1 += open;
        }
    }

    /// How many ended, and how many there are.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let values = self.0.values();
        values.fold((0, 0), |(closed, all), (ended, open)| {
            (closed + ended, all + ended + open)
        })
    }

    /// The shortest length at which at most half are expected to last longer, by the product-limit estimate; `None` where
    /// more than half are not seen to end. What is still open counts as at risk up to its length. Source: Kaplan and Meier
    /// (1958), JASA 53.
    pub(crate) fn median(&self) -> Option<u32> {
        let (_, mut at_risk) = self.counts();
        let mut surviving = 1.0;
        for (length, (ended, open)) in &self.0 {
            if *ended > 0 {
                // (n - d) / n is exact where the product is 1/2 of a power of two, and within an ulp elsewhere.
                surviving *= (at_risk - ended) as f64 / at_risk as f64;
                if surviving <= 0.5 + 1e-12 {
                    return Some(*length);
                }
            }
            at_risk -= ended + open;
        }
        None
    }

    /// The median of those that ended; of an even number the mean of the two in the middle.
    pub(crate) fn median_of_ended(&self) -> Option<f64> {
        let (closed, _) = self.counts();
        let nth = |rank: u64| {
            let mut below = 0;
            self.0.iter().find_map(|(length, (ended, _))| {
                below += ended;
                (below > rank).then_some(f64::from(*length))
            })
        };
        let (low, high) = (closed.checked_sub(1)? / 2, closed / 2);
        Some((nth(low)? + nth(high)?) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durations(ended: &[u32], open: &[u32]) -> Durations {
        let mut durations = Durations::default();
        ended.iter().for_each(|n| durations.ended(*n));
        open.iter().for_each(|n| durations.open(*n));
        durations
    }

    /// Freireich et al. (1963), the 6-MP group: 9 relapses among 21 patients; survival falls below a half at week 23.
    #[test]
    fn the_median_is_the_published_one() {
        let treated = durations(
            &[6, 6, 6, 7, 10, 13, 16, 22, 23],
            &[6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35],
        );
        assert_eq!(treated.median(), Some(23));
        assert_eq!(treated.counts(), (9, 21));
        // What a median of the relapses alone would say.
        assert_eq!(treated.median_of_ended(), Some(10.0));
    }

    #[test]
    fn medians_of_few() {
        assert_eq!(durations(&[], &[]).median(), None);
        assert_eq!(durations(&[], &[]).median_of_ended(), None);
        assert_eq!(durations(&[], &[5, 9]).median(), None);
        assert_eq!(durations(&[3], &[1]).median(), Some(3));
        assert_eq!(durations(&[3], &[4, 4]).median(), None);
        assert_eq!(durations(&[3, 8], &[]).median(), Some(3));
        assert_eq!(durations(&[3, 8], &[]).median_of_ended(), Some(5.5));
        assert_eq!(durations(&[3, 8, 9], &[]).median_of_ended(), Some(8.0));
    }
}
