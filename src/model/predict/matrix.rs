//! Many feature vectors at once: column by column, so that the processor does several rows at a time. Every row gets the
//! bits that [`Predictor::predict`](crate::model::Predictor::predict) gives it alone.

use super::plan::{Plan, Weighing, bend, standard};
use super::score::{Ordered, contradicts};
use crate::lifecycle::is_inactive;
use crate::math::{Log1p, sigmoid};
use crate::model::bg_nbd::Purchases;
use crate::model::bundle::Bundle;
use crate::model::transform::{Derived, purchases_of};
use crate::model::{ModelError, Prediction, Subject};

/// Rows of a block: two columns for each feature, the numbers and what they add, stay in the fastest cache or nearly so.
const ROWS: usize = 64;

/// Fewer rows than this are quicker one by one.
const FEW: usize = 12;

/// One number of each row of a block.
type Lane = [f64; ROWS];

/// Whether a row of a matrix is scored, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOutcome {
    /// It has probabilities.
    Scored,
    /// No activity to judge by: [`Prediction::TooNew`].
    TooNew,
    /// No activity for longer than users count as active: [`Prediction::Inactive`].
    Inactive,
    /// A feature that every answer needs is NaN: [`ModelError::Needed`].
    Incomplete,
}

/// What a model says of the rows of a matrix.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MatrixScores {
    /// One for each row.
    pub outcomes: Vec<RowOutcome>,
    /// Churn probabilities: for each row one for each horizon, shortest first; NaN for a row that is not scored.
    pub probabilities: Vec<f64>,
    /// For each row the nearest segment's position in the bundle; `None` when it is not scored or there are no segments.
    pub segments: Vec<Option<usize>>,
}

impl Bundle {
    /// Scores feature vectors in catalogue order, one after another in `values`, NaN where unknown. Threads that share
    /// the work each take some rows. Fails when the last vector is not whole.
    pub fn assess_matrix(&self, values: &[f64]) -> Result<MatrixScores, ModelError> {
        let width = self.catalogue().len().max(1);
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
        };
        let whole = if rows % ROWS < FEW {
            rows - rows % ROWS
        } else {
            rows
        };
        let (blocks, rest) = values.split_at(whole * width);
        if whole > 0 {
            let mut block = Block::new(self);
            blocks
                .chunks(ROWS * width)
                .for_each(|rows| block.predict(rows, &mut scores));
        }
        self.assess_few(rest.chunks_exact(width), &mut scores)?;
        Ok(scores)
    }

    fn assess_few<'r>(
        &self,
        rows: impl Iterator<Item = &'r [f64]>,
        scores: &mut MatrixScores,
    ) -> Result<(), ModelError> {
        let mut predictor = self.predictor(&[]);
        for row in rows {
            let outcome =
                match predictor.predict(Subject::Features(row), self.spec().training.as_of, 0) {
                    Ok(Prediction::Scored(score)) => {
                        scores.outcomes.push(RowOutcome::Scored);
                        scores
                            .probabilities
                            .extend(score.horizons.iter().map(|h| h.probability));
                        scores.segments.push(score.segment.map(|s| s.id));
                        continue;
                    }
                    Ok(Prediction::TooNew | Prediction::AlreadyChurned) => RowOutcome::TooNew,
                    Ok(Prediction::Inactive { .. }) => RowOutcome::Inactive,
                    Err(ModelError::Needed { .. }) => RowOutcome::Incomplete,
                    Err(error) => return Err(error),
                };
            scores.outcomes.push(outcome);
            scores
                .probabilities
                .extend(self.plan().models.iter().map(|_| f64::NAN));
            scores.segments.push(None);
        }
        Ok(())
    }
}

/// Room for the numbers of some rows.
struct Block<'m> {
    bundle: &'m Bundle,
    log: Log1p,
    /// The features and derived numbers: raw, then standardised.
    columns: Vec<Lane>,
    /// What each column adds to the log-odds of a horizon.
    shares: Vec<Lane>,
    /// What each group adds.
    effects: Vec<Lane>,
    /// The log-odds of each horizon.
    log_odds: Vec<Lane>,
}

impl<'m> Block<'m> {
    fn new(bundle: &'m Bundle) -> Self {
        let lanes = |count| vec![[f64::NAN; ROWS]; count];
        let Plan {
            scales,
            groups,
            models,
            ..
        } = bundle.plan();
        Self {
            bundle,
            log: Log1p::new(),
            columns: lanes(scales.len()),
            shares: lanes(scales.len()),
            effects: lanes(groups.len()),
            log_odds: lanes(models.len()),
        }
    }

    /// Appends the answers for at most [`ROWS`] vectors.
    fn predict(&mut self, values: &[f64], scores: &mut MatrixScores) {
        let width = self.bundle.catalogue().len();
        for (row, vector) in values.chunks_exact(width).enumerate() {
            for (column, value) in self.columns.iter_mut().zip(vector) {
                if let Some(slot) = column.get_mut(row) {
                    *slot = *value;
                }
            }
        }
        let rows = values.len() / width;
        let start = scores.outcomes.len();
        scores
            .outcomes
            .extend((0..rows).map(|row| self.outcome(row)));
        let outcomes = scores.outcomes.get(start..).unwrap_or_default();
        let is_scored = |row: usize| outcomes.get(row) == Some(&RowOutcome::Scored);
        self.derive(is_scored);
        self.standardise();
        self.weigh();
        let segments = self.segments();
        for (row, segment) in segments.into_iter().enumerate().take(rows) {
            let scored = is_scored(row);
            let log_odds = self.log_odds.iter().filter_map(|lane| lane.get(row));
            scores
                .probabilities
                .extend(log_odds.map(|x| if scored { sigmoid(*x) } else { f64::NAN }));
            scores.segments.push(segment.filter(|_| scored));
        }
    }

    fn at(&self, column: usize, row: usize) -> f64 {
        self.columns
            .get(column)
            .and_then(|lane| lane.get(row))
            .copied()
            .unwrap_or(f64::NAN)
    }

    fn outcome(&self, row: usize) -> RowOutcome {
        let places = &self.bundle.plan().places;
        if self.at(places.active_days, row) == 0.0 {
            RowOutcome::TooNew
        } else if places
            .needed()
            .iter()
            .any(|column| self.at(*column, row).is_nan())
        {
            RowOutcome::Incomplete
        } else if is_inactive(
            self.at(places.recency, row),
            self.bundle.spec().active_within_days,
        ) {
            RowOutcome::Inactive
        } else {
            RowOutcome::Scored
        }
    }

    /// Puts the derived numbers of rows that are scored after their features.
    fn derive(&mut self, is_scored: impl Fn(usize) -> bool) {
        let Some(model) = &self.bundle.spec().preprocessing.bg_nbd else {
            return;
        };
        let Plan {
            places, active_age, ..
        } = self.bundle.plan();
        for row in (0..ROWS).filter(|row| is_scored(*row)) {
            let [days, recency, age] =
                [places.active_days, places.recency, *active_age].map(|c| self.at(c, row));
            let user: Option<Purchases> = purchases_of(days, recency, age);
            let columns = self.columns.iter_mut().skip(self.bundle.catalogue().len());
            for (column, value) in columns.zip(Derived::values(self.bundle.derived(), model, user))
            {
                if let Some(slot) = column.get_mut(row) {
                    *slot = value;
                }
            }
        }
    }

    fn standardise(&mut self) {
        let log = self.log;
        let scales = &self.bundle.plan().scales;
        for ((lane, column), scale) in self
            .columns
            .iter_mut()
            .zip(&self.bundle.spec().preprocessing.columns)
            .zip(scales)
        {
            lane.iter_mut()
                .for_each(|value| *value = bend(log, *scale, *value));
            for value in lane {
                *value = standard(
                    *value,
                    column.mean,
                    column.std_dev,
                    column.clip_min,
                    column.clip_max,
                );
            }
        }
    }

    /// The log-odds of every horizon; a shorter one's hold where a longer one's own contradict them.
    fn weigh(&mut self) {
        let silence = self.bundle.spec().churn_event.is_none();
        let mut shorter: Option<Lane> = None;
        for (number, weighing) in self.bundle.plan().models.iter().enumerate() {
            let mut own = self.log_odds_of(weighing);
            for (own, shorter) in own.iter_mut().zip(shorter.iter().flatten()) {
                *own = if contradicts(*shorter, *own, silence) {
                    *shorter
                } else {
                    *own
                };
            }
            shorter = Some(own);
            if let Some(lane) = self.log_odds.get_mut(number) {
                *lane = own;
            }
        }
    }

    fn log_odds_of(&mut self, weighing: &Weighing) -> Lane {
        weighing.contributions_of_block(&self.columns, &mut self.shares);
        // What every sum starts from, whichever sign the standard library gives to nothing.
        let nothing: f64 = std::iter::empty::<f64>().sum();
        for (effect, (_, members)) in self.effects.iter_mut().zip(&self.bundle.plan().groups) {
            *effect = [nothing; ROWS];
            for share in members.iter().filter_map(|member| self.shares.get(*member)) {
                effect
                    .iter_mut()
                    .zip(share)
                    .for_each(|(effect, share)| *effect += share);
            }
        }
        std::array::from_fn(|row| {
            let mut effects = Ordered::<6>::default();
            for (number, lane) in self.effects.iter().enumerate() {
                effects.insert(number, lane.get(row).copied().unwrap_or_default());
            }
            weighing.base_log_odds + effects.iter().map(|(_, effect)| effect).sum::<f64>()
        })
    }

    /// The nearest segment of each row, the first of those that are equally near.
    fn segments(&self) -> [Option<usize>; ROWS] {
        let mut nearest = [None; ROWS];
        let mut least = [f64::INFINITY; ROWS];
        for (id, segment) in self.bundle.spec().segments.items.iter().enumerate() {
            let mut squared = [0.0; ROWS];
            for (mean, position) in segment.centroid.iter().zip(self.bundle.segment_positions()) {
                let Some(column) = self.columns.get(*position) else {
                    continue;
                };
                squared
                    .iter_mut()
                    .zip(column)
                    .for_each(|(sum, x)| *sum += (mean - x) * (mean - x));
            }
            for ((nearest, least), squared) in nearest.iter_mut().zip(&mut least).zip(squared) {
                if nearest.is_none() || squared < *least {
                    (*nearest, *least) = (Some(id), squared);
                }
            }
        }
        nearest
    }
}
