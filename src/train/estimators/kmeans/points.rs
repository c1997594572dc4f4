use rayon::prelude::*;

use super::KMeansError;

/// Points are worked on in at most so many parts, however many processors there are.
const PARTS: usize = 64;
/// A part with fewer points is not worth a hand-over.
const LEAST_PART_POINTS: usize = 8_192;

/// Points to cluster: rows of `width` values each, one after another.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a> {
    /// The values, point after point.
    pub values: &'a [f64],
    /// How many values a point has.
    pub width: usize,
}

impl<'a> Points<'a> {
    /// How many points there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn iter(&self) -> std::slice::ChunksExact<'a, f64> {
        self.values.chunks_exact(self.width)
    }

    /// The same points in a number of parts that depends on their number only.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Points<'a>> + use<'a> {
        let (size, width) = (
            self.len().div_ceil(PARTS).max(LEAST_PART_POINTS),
            self.width,
        );
        self.values
            .chunks(size * width)
            .map(move |values| Points { values, width })
    }

    pub(crate) fn check(&self, k: usize) -> Result<(), KMeansError> {
        let (values, width) = (self.values.len(), self.width);
        if width == 0 || !values.is_multiple_of(width) {
            return Err(KMeansError::Shape { values, width });
        }
        if self.len() < k {
            return Err(KMeansError::TooFewPoints {
                points: self.len(),
                k,
            });
        }
        // Without an early end, so that the processor can look at several values at a time.
        let finite = |values: &[f64]| values.iter().fold(true, |all, x| all & x.is_finite());
        if !self
            .parts()
            .collect::<Vec<_>>()
            .into_par_iter()
            .all(|part| finite(part.values))
        {
            let row = self
                .iter()
                .position(|point| !finite(point))
                .unwrap_or_default();
            return Err(KMeansError::NotFinite { row });
        }
        Ok(())
    }

    /// The variance of each column, averaged over the columns.
    pub(crate) fn mean_variance(&self) -> f64 {
        let (n, width) = (self.len() as f64, self.width);
        let total = |term: &(dyn Fn(usize, f64) -> f64 + Sync)| {
            let sums = |part: Points<'_>| {
                let mut sums = vec![0.0; width];
                for point in part.iter() {
                    sums.iter_mut()
                        .zip(point)
                        .enumerate()
                        .for_each(|(j, (sum, x))| *sum += term(j, *x));
                }
                sums
            };
            let mut total = vec![0.0; width];
            let parts: Vec<Vec<f64>> = self
                .parts()
                .collect::<Vec<_>>()
                .into_par_iter()
                .map(sums)
                .collect();
            parts
                .iter()
                .for_each(|part| total.iter_mut().zip(part).for_each(|(sum, x)| *sum += x));
            total
        };
        let means: Vec<f64> = total(&|_, x| x).into_iter().map(|sum| sum / n).collect();
        let squares = total(&|j, x| (x - means[j]) * (x - means[j]));
        squares.iter().sum::<f64>() / n / width as f64
    }
}
