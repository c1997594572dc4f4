use rayon::prelude::*;

use super::LogisticError;

/// Rows are worked on in this many parts, however many processors there are.
const PARTS: usize = 64;
/// A part with fewer rows is not worth a hand-over.
const LEAST_PART_ROWS: usize = 1_024;

/// Rows to fit: `labels.len()` rows of `width` values each, one after another.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The values, row after row.
    pub values: &'a [f64],
    /// How many features a row has.
    pub width: usize,
    /// The label of each row.
    pub labels: &'a [bool],
    /// The weight of each row.
    pub weights: &'a [f64],
    /// The penalty of each feature's weight as a multiple of the fit's; empty for 1 of all.
    pub penalty_factors: &'a [f64],
}

impl Rows<'_> {
    pub(crate) fn check(&self) -> Result<(), LogisticError> {
        let (n, width) = (self.labels.len(), self.width);
        let factors = self.penalty_factors;
        if !factors.is_empty() && factors.len() != width {
            return Err(LogisticError::PenaltyFactors {
                factors: factors.len(),
                width,
            });
        }
        if let Some(factor) = factors.iter().find(|f| !(f.is_finite() && **f > 0.0)) {
            return Err(LogisticError::L2(*factor));
        }
        if width == 0 || self.values.len() != n * width || self.weights.len() != n {
            let (values, weights) = (self.values.len(), self.weights.len());
            return Err(LogisticError::Shape {
                values,
                labels: n,
                weights,
                width,
            });
        }
        // Without an early end, so that the processor can look at several values at a time.
        let finite = |values: &[f64]| values.iter().fold(true, |all, x| all & x.is_finite());
        let usable = |part: Rows<'_>| {
            finite(part.values) & finite(part.weights) & part.weights.iter().all(|w| *w >= 0.0)
        };
        if !self.by_part(usable).into_iter().all(|usable| usable) {
            let wrong =
                |(row, _, w): (&[f64], bool, f64)| !(w.is_finite() && w >= 0.0 && finite(row));
            return Err(LogisticError::NotFinite {
                row: self.iter().position(wrong).unwrap_or_default(),
            });
        }
        if self.labels.iter().all(|y| *y) || !self.labels.iter().any(|y| *y) {
            return Err(LogisticError::OneClass { rows: n });
        }
        Ok(())
    }

    /// What `work` gives for each of a fixed number of parts, in order. Parts run on all processors; sums over
    /// their results do not depend on how many there are.
    pub(crate) fn by_part<T: Send>(&self, work: impl Fn(Rows<'_>) -> T + Sync) -> Vec<T> {
        let size = self.labels.len().div_ceil(PARTS).max(LEAST_PART_ROWS);
        let values = self.values.chunks(size * self.width);
        let parts = values
            .zip(self.labels.chunks(size))
            .zip(self.weights.chunks(size));
        let parts: Vec<Rows<'_>> = parts
            .map(|((values, labels), weights)| Rows {
                values,
                width: self.width,
                labels,
                weights,
                penalty_factors: self.penalty_factors,
            })
            .collect();
        parts.into_par_iter().map(&work).collect()
    }

    /// A copy of every `step`-th row: values, labels and weights.
    pub(crate) fn every(&self, step: usize) -> (Vec<f64>, Vec<bool>, Vec<f64>) {
        let mut values = Vec::with_capacity(self.labels.len().div_ceil(step) * self.width);
        self.values
            .chunks_exact(self.width)
            .step_by(step)
            .for_each(|row| values.extend_from_slice(row));
        let labels = self.labels.iter().step_by(step).copied().collect();
        (
            values,
            labels,
            self.weights.iter().step_by(step).copied().collect(),
        )
    }

    /// The penalty of each feature's weight under a fit's `l2`, in order.
    pub(crate) fn penalties(&self, l2: f64) -> impl Iterator<Item = f64> + Clone {
        (0..self.width).map(move |k| l2 * self.penalty_factors.get(k).copied().unwrap_or(1.0))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[f64], bool, f64)> {
        let rows = self.values.chunks_exact(self.width);
        rows.zip(self.labels)
            .zip(self.weights)
            .map(|((row, label), weight)| (row, *label, *weight))
    }
}
