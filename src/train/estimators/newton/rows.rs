use rayon::prelude::*;

use super::NewtonError;

/// Rows are worked on in this many parts, however many processors there are.
const PARTS: usize = 64;
/// A part with fewer rows is not worth a hand-over.
const LEAST_PART_ROWS: usize = 1_024;

/// Rows to fit, with targets of type `Y`: `targets.len()` rows of `width` values each, one after another.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, Y> {
    /// The values, row after row.
    pub values: &'a [f64],
    /// How many features a row has.
    pub width: usize,
    /// The target of each row: a label, or an amount.
    pub targets: &'a [Y],
    /// The weight of each row.
    pub weights: &'a [f64],
    /// The penalty of each feature's weight as a multiple of the fit's; empty for 1 of all.
    pub penalty_factors: &'a [f64],
}

impl<Y: Copy + Send + Sync> Rows<'_, Y> {
    pub(crate) fn check(&self) -> Result<(), NewtonError> {
        let (n, width) = (self.targets.len(), self.width);
        let factors = self.penalty_factors;
        if !factors.is_empty() && factors.len() != width {
            return Err(NewtonError::PenaltyFactors {
                factors: factors.len(),
                width,
            });
        }
        if let Some(factor) = factors.iter().find(|f| !(f.is_finite() && **f > 0.0)) {
            return Err(NewtonError::L2(*factor));
        }
        if width == 0 || self.values.len() != n * width || self.weights.len() != n {
            let (values, weights) = (self.values.len(), self.weights.len());
            return Err(NewtonError::Shape {
                values,
                targets: n,
                weights,
                width,
            });
        }
        // Without an early end, so that the processor can look at several values at a time.
        let finite = |values: &[f64]| values.iter().fold(true, |all, x| all & x.is_finite());
        let usable = |part: Rows<'_, Y>| {
            finite(part.values) & finite(part.weights) & part.weights.iter().all(|w| *w >= 0.0)
        };
        if !self.by_part(usable).into_iter().all(|usable| usable) {
            let wrong = |(row, _, w): (&[f64], Y, f64)| !(w.is_finite() && w >= 0.0 && finite(row));
            return Err(NewtonError::NotFinite {
                row: self.iter().position(wrong).unwrap_or_default(),
            });
        }
        Ok(())
    }

    /// What `work` gives for each of a fixed number of parts, in order. Parts run on all processors; sums over
    /// their results do not depend on how many there are.
    pub(crate) fn by_part<T: Send>(&self, work: impl Fn(Rows<'_, Y>) -> T + Sync) -> Vec<T> {
        let size = self.targets.len().div_ceil(PARTS).max(LEAST_PART_ROWS);
        let values = self.values.chunks(size * self.width);
        let parts = values
            .zip(self.targets.chunks(size))
            .zip(self.weights.chunks(size));
        let parts: Vec<Rows<'_, Y>> = parts
            .map(|((values, targets), weights)| Rows {
                values,
                width: self.width,
                targets,
                weights,
                penalty_factors: self.penalty_factors,
            })
            .collect();
        parts.into_par_iter().map(&work).collect()
    }

    /// A copy of every `step`-th row: values, targets and weights.
    pub(crate) fn every(&self, step: usize) -> (Vec<f64>, Vec<Y>, Vec<f64>) {
        let mut values = Vec::with_capacity(self.targets.len().div_ceil(step) * self.width);
        self.values
            .chunks_exact(self.width)
            .step_by(step)
            .for_each(|row| values.extend_from_slice(row));
        let targets = self.targets.iter().step_by(step).copied().collect();
        (
            values,
            targets,
            self.weights.iter().step_by(step).copied().collect(),
        )
    }

    /// The penalty of each feature's weight under a fit's `l2`, in order.
    pub(crate) fn penalties(&self, l2: f64) -> impl Iterator<Item = f64> + Clone {
        (0..self.width).map(move |k| l2 * self.penalty_factors.get(k).copied().unwrap_or(1.0))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[f64], Y, f64)> {
        let rows = self.values.chunks_exact(self.width);
        rows.zip(self.targets)
            .zip(self.weights)
            .map(|((row, target), weight)| (row, *target, *weight))
    }
}
