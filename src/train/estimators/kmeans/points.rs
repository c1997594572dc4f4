use rayon::prelude::*;

use super::KMeansError;

/// Points are worked on in at most so many parts.
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

    /// The same points in parts, which depend on the number of points only and not on that of processors.
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
        let not_finite = |point: &[f64]| point.iter().any(|x| !x.is_finite());
        match self.iter().position(not_finite) {
            Some(row) => Err(KMeansError::NotFinite { row }),
            None => Ok(()),
        }
    }

    /// The variance of each column, averaged over the columns.
    pub(crate) fn mean_variance(&self) -> f64 {
        let n = self.len() as f64;
        let means: Vec<f64> = self
            .column_sums(|_, x| x)
            .into_iter()
            .map(|sum| sum / n)
            .collect();
        let squares = self.column_sums(|j, x| (x - means[j]) * (x - means[j]));
        squares.iter().sum::<f64>() / n / self.width as f64
    }

    /// The sum of each column's terms, by part and then over the parts in their order.
    fn column_sums(&self, term: impl Fn(usize, f64) -> f64 + Sync) -> Vec<f64> {
        let of_part = |part: Points<'_>| {
            let mut sums = vec![0.0; self.width];
            for point in part.iter() {
                for (j, (sum, x)) in sums.iter_mut().zip(point).enumerate() {
                    *sum += term(j, *x);
                }
            }
            sums
        };
        let parts: Vec<Points<'_>> = self.parts().collect();
        let parts: Vec<Vec<f64>> = parts.into_par_iter().map(of_part).collect();
        let mut total = vec![0.0; self.width];
        for part in &parts {
            add(&mut total, part);
        }
        total
    }
}

/// The squared Euclidean distance, its terms added in order.
pub(crate) fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// The centre nearest to a point, the first of equals, and the squared distance to it.
pub(crate) fn nearest(centres: &[f64], point: &[f64]) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (label, centre) in centres.chunks_exact(point.len()).enumerate() {
        let squared = squared(centre, point);
        if squared < best.1 {
            best = (label, squared);
        }
    }
    best
}

/// Adds a point to a sum of points.
pub(crate) fn add(sum: &mut [f64], point: &[f64]) {
    sum.iter_mut().zip(point).for_each(|(sum, x)| *sum += x);
}
