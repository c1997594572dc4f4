//! Many feature vectors at once, without reasons: blocks of rows, so that the processor does several at a time. Every row
//! gets the bits that [`Predictor::predict`](crate::model::Predictor::predict) gives it alone.

use super::Unscored;
use super::kernel::{Kernel, contradicts};
use crate::math::sigmoid;
use crate::model::{Bundle, ModelError, ValueEstimate};

/// Rows of a block: two columns for each feature, the numbers and what they add, stay in the fastest cache or nearly so.
const ROWS: usize = 64;

/// Fewer rows than this are quicker one by one.
const FEW: usize = 12;

/// Whether a row of a matrix is scored, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOutcome {
    /// It has probabilities.
    Scored,
    /// No activity to predict from: [`Prediction::TooNew`](crate::model::Prediction::TooNew).
    TooNew,
    /// No activity for longer than users count as active:
    /// [`Prediction::Inactive`](crate::model::Prediction::Inactive).
    Inactive,
    /// A feature that every answer needs is NaN: [`ModelError::Needed`].
    Incomplete,
}

/// What a model predicts for the rows of a matrix.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MatrixScores {
    /// One for each row.
    pub outcomes: Vec<RowOutcome>,
    /// Churn probabilities: for each row one for each horizon, shortest first; NaN for a row that is not scored.
    pub probabilities: Vec<f64>,
    /// For each row the nearest segment's position in the bundle; `None` when it is not scored or there are no segments.
    pub segments: Vec<Option<usize>>,
    /// What the users of the rows are worth; `None` when the bundle has no value model.
    pub values: Option<MatrixValues>,
}

/// What the users of the rows of a matrix are worth: in each list one place for each row, NaN and `None` for a row that is
/// not scored or whose value is unknown. The figures are those of [`ValueEstimate`](crate::model::ValueEstimate).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MatrixValues {
    /// Expected spend within the horizon of the value.
    pub expected_spend: Vec<f64>,
    /// Residual value.
    pub residual_value: Vec<f64>,
    /// Value at risk.
    pub value_at_risk: Vec<f64>,
    /// The tier, by its position in the bundle.
    pub tiers: Vec<Option<usize>>,
}

impl MatrixValues {
    fn push(&mut self, estimate: &ValueEstimate<'_>) {
        self.expected_spend.push(estimate.expected_spend);
        self.residual_value.push(estimate.residual_value);
        self.value_at_risk.push(estimate.value_at_risk);
        self.tiers.push(estimate.tier);
    }
}

impl Bundle {
    /// Scores feature vectors in catalogue order, one after another in `values`, NaN where unknown. Threads that share
    /// the work each take some rows.
    ///
    /// # Errors
    /// [`ModelError::Width`] when the last vector is not whole.
    pub fn predict_matrix(&self, values: &[f64]) -> Result<MatrixScores, ModelError> {
        let width = self.catalogue().len();
        if !values.len().is_multiple_of(width) {
            return Err(ModelError::Width {
                expected: width,
                found: values.len() % width,
            });
        }
        let rows = values.len() / width;
        let mut scores = MatrixScores {
            outcomes: Vec::with_capacity(rows),
            probabilities: Vec::with_capacity(rows * self.plan().models.len()),
            segments: Vec::with_capacity(rows),
            values: self.value_parts().map(|_| MatrixValues::default()),
        };
        let in_blocks = if rows % ROWS < FEW {
            rows - rows % ROWS
        } else {
            rows
        };
        let (blocks, rest) = values.split_at(in_blocks * width);
        self.predict_rows::<ROWS>(blocks, &mut scores)?;
        self.predict_rows::<1>(rest, &mut scores)?;
        Ok(scores)
    }

    /// Appends the answers for whole vectors, `N` at a time.
    fn predict_rows<const N: usize>(
        &self,
        values: &[f64],
        scores: &mut MatrixScores,
    ) -> Result<(), ModelError> {
        if values.is_empty() {
            return Ok(());
        }
        let mut kernel = Kernel::<N>::new(self.plan());
        let width = self.catalogue().len();
        values
            .chunks(N * width)
            .try_for_each(|rows| self.predict_block(&mut kernel, rows, scores))
    }

    /// Appends the answers for at most `N` vectors.
    fn predict_block<const N: usize>(
        &self,
        kernel: &mut Kernel<N>,
        values: &[f64],
        scores: &mut MatrixScores,
    ) -> Result<(), ModelError> {
        let plan = self.plan();
        let width = self.catalogue().len();
        let first = scores.outcomes.len();
        for (row, vector) in values.chunks_exact(width).enumerate() {
            kernel.set_row(row, vector);
            let outcome = match self.behaviour(vector)? {
                Ok(_) => RowOutcome::Scored,
                Err(Unscored::TooNew) => RowOutcome::TooNew,
                Err(Unscored::Inactive { .. }) => RowOutcome::Inactive,
                Err(Unscored::Lacks(_)) => RowOutcome::Incomplete,
            };
            // BG/NBD takes longer than all the rest, and rows without a score need none of it.
            if outcome == RowOutcome::Scored {
                kernel.derive(plan, row);
            }
            scores.outcomes.push(outcome);
        }
        kernel.standardise(plan);
        let horizons = self.log_odds(kernel);
        let segments = kernel.nearest_segments(&self.spec().segments, &plan.segments);
        for (row, outcome) in scores.outcomes[first..].iter().enumerate() {
            let scored = *outcome == RowOutcome::Scored;
            let probability = |lane: &[f64; N]| if scored { sigmoid(lane[row]) } else { f64::NAN };
            scores
                .probabilities
                .extend(horizons.iter().map(probability));
            let segment = segments[row].filter(|_| scored);
            scores.segments.push(segment.map(|(id, _)| id));
        }
        if let (Some(parts), Some(all)) = (self.value_parts(), &mut scores.values) {
            parts.contribute(plan, kernel);
            for (row, vector) in values.chunks_exact(width).enumerate() {
                let churn = horizons.last().map_or(f64::NAN, |lane| sigmoid(lane[row]));
                let scored = scores.outcomes[first + row] == RowOutcome::Scored;
                let spend = parts.spend(kernel, row, vector).filter(|_| scored);
                all.push(&parts.plan.estimate(parts.model, vector, spend, churn));
            }
        }
        Ok(())
    }

    /// The log-odds of every horizon; a shorter one's hold where a longer one's own contradict them.
    fn log_odds<const N: usize>(&self, kernel: &mut Kernel<N>) -> Vec<[f64; N]> {
        let silence = self.question().is_silence();
        let mut horizons: Vec<[f64; N]> = Vec::with_capacity(self.plan().models.len());
        for model in &self.plan().models {
            kernel.contribute(self.plan(), model);
            let mut own: [f64; N] = std::array::from_fn(|row| kernel.effects(row).log_odds(model));
            for (own, shorter) in own.iter_mut().zip(horizons.last().into_iter().flatten()) {
                if contradicts(*shorter, *own, silence) {
                    *own = *shorter;
                }
            }
            horizons.push(own);
        }
        horizons
    }
}
