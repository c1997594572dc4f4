//! Labelled rows with their design matrix, and the weighted fit of a candidate on some of them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use linfa::ParamGuard;

use super::newton::{Fitted, Newton, NewtonError, Rows, fit_logistic, fit_reference};
use super::terms::{narrowed, widened};
use super::transform::{Design, Matrix, expand};
use crate::card::Hyperparameters;
use crate::features::{FeatureGroup, Quantity};
use crate::history::Day;
use crate::model::{Column, Derived, Expansion, Preprocessing};
use crate::train::data::context::TrainContext;
use crate::train::data::dataset::{Dataset, draw};
use crate::train::data::schema::learnable_years;
use crate::train::data::snapshots::{Schedule, anniversaries};
use crate::train::settings::{MOST_ANNIVERSARIES, Solver};

/// Rows of a final fit that are all fitted, however little the older ones count.
const UNTHINNED_ROWS: usize = 40_000;

/// Labelled rows with their design matrix.
#[derive(Clone, Debug)]
pub(crate) struct TrainingRows<'a> {
    pub(crate) data: &'a Dataset,
    pub(crate) expansion: Expansion,
    pub(crate) matrix: Matrix,
    /// For each column of the matrix whether it is of the same season in earlier years.
    pub(super) seasonal: Vec<bool>,
    /// Position of recency among the columns.
    recency: usize,
    /// BG/NBD's probability of silence over the horizon, where churn is silence: its position and how it is standardised.
    silence: Option<(usize, Column)>,
    /// The first day of the log.
    first: Day,
    /// The dates at even distances, oldest first.
    regular: Vec<Day>,
    /// Days of a label window: lead + horizon.
    pub(crate) window_days: i32,
    pub(crate) solver: Solver,
}

/// Rows to fit on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// Their positions.
    pub(crate) rows: Vec<usize>,
    /// How many rows each of them stands for.
    pub(crate) counts: Vec<f64>,
    /// Of more rows than these, some that count little are left out.
    pub(crate) unthinned_rows: usize,
}

impl<'a> TrainingRows<'a> {
    /// Standardises the rows and adds hinges and interactions that are made from them alone.
    pub(crate) fn new(
        ctx: &TrainContext<'_>,
        schedule: &Schedule,
        data: &'a Dataset,
        preprocessing: &Preprocessing,
    ) -> Self {
        let design = Design {
            catalogue: &ctx.catalogue,
            preprocessing,
            horizon_days: Some(schedule.horizon_days),
        };
        let silent = Derived::Silent(schedule.horizon_days);
        let derived = preprocessing.derived(&ctx.catalogue);
        let silence = derived.iter().position(|d| *d == silent).map(|k| {
            let position = ctx.catalogue.len() + k;
            (position, preprocessing.columns[position].clone())
        });
        Self {
            silence: silence.filter(|_| ctx.churn_is_silence()),
            ..Self::of_design(ctx, schedule, data, &design)
        }
    }

    /// The same for the spend within a schedule's windows, with the features of orders: no feature is made for another window.
    pub(crate) fn of_spend(
        ctx: &TrainContext<'_>,
        schedule: &Schedule,
        data: &'a Dataset,
        preprocessing: &Preprocessing,
    ) -> Self {
        let design = Design {
            catalogue: &ctx.bundle_catalogue,
            preprocessing,
            horizon_days: None,
        };
        Self::of_design(ctx, schedule, data, &design)
    }

    fn of_design(
        ctx: &TrainContext<'_>,
        schedule: &Schedule,
        data: &'a Dataset,
        design: &Design<'_>,
    ) -> Self {
        let catalogue = design.catalogue;
        let standardised =
            Matrix::new(data, catalogue, design.preprocessing, &Expansion::default());
        let expansion = expand(design, &standardised);
        let matrix = standardised.expanded(&expansion);
        let features = catalogue.features().iter();
        let mut seasonal: Vec<bool> = features
            .map(|feature| feature.group == FeatureGroup::Season)
            .collect();
        seasonal.resize(matrix.columns, false);
        Self {
            data,
            expansion,
            matrix,
            seasonal,
            recency: catalogue.required(Quantity::Recency),
            silence: None,
            first: ctx.observed.first,
            regular: schedule.regular.clone(),
            window_days: schedule.window_days,
            solver: ctx.config.model.solver,
        }
    }

    /// The log-odds of a row.
    pub(crate) fn log_odds(&self, fitted: &Fitted, row: usize) -> f64 {
        fitted.predictor(self.matrix.row(row))
    }

    /// A row's standardised recency.
    pub(crate) fn recency(&self, row: usize) -> f64 {
        self.matrix.row(row)[self.recency]
    }

    /// The log-odds of no activity in the horizon by BG/NBD alone; `None` where it was not fitted, or says nothing of churn.
    pub(crate) fn silence_log_odds(&self, rows: &[usize]) -> Option<Vec<f64>> {
        let (position, column) = self.silence.as_ref()?;
        let log_odds = |row: &usize| {
            let standardised = self.matrix.row(*row)[*position];
            column.mean + column.std_dev * standardised
        };
        Some(rows.iter().map(log_odds).collect())
    }

    /// Whether a fit for the day `asked` can learn from features of the same season in earlier years: they are among the columns, and
    /// were known by then. Weights that were learnt where hardly any user has them would be applied to everybody.
    pub(crate) fn learns_seasons(&self, asked: Day) -> bool {
        self.seasonal.contains(&true) && learnable_years(self.first, asked, self.window_days) > 0
    }

    /// How many years back there are rows of anniversaries of a date.
    pub(crate) fn anniversaries(&self, asked: Day) -> u8 {
        let dates = anniversaries(asked, MOST_ANNIVERSARIES).zip(1..);
        let known = dates.filter(|(date, _)| self.data.dates.contains(date));
        known.last().map_or(0, |(_, year)| year)
    }

    /// Whether the label of a date's rows was known on another day, and a fit for that day may use them: regular dates
    /// and the day's own anniversaries.
    pub(crate) fn is_known(&self, date: Day, asked: Day) -> bool {
        let own = || anniversaries(asked, MOST_ANNIVERSARIES).any(|own| own == date);
        asked.since(date) >= self.window_days && (self.is_regular(date) || own())
    }

    /// The rows that a fit for another day may use.
    pub(crate) fn known_at(&self, asked: Day) -> impl Iterator<Item = usize> {
        (0..self.data.len()).filter(move |row| self.is_known(self.data.dates[*row], asked))
    }

    /// Whether a date is one of those at even distances.
    pub(crate) fn is_regular(&self, date: Day) -> bool {
        self.regular.binary_search(&date).is_ok()
    }

    /// All of some rows.
    pub(crate) fn whole(&self, rows: Vec<usize>) -> Sample {
        let counts = rows.iter().map(|row| self.data.counts[*row]).collect();
        Sample {
            rows,
            counts,
            unthinned_rows: UNTHINNED_ROWS,
        }
    }

    /// Fits a candidate on some rows, for predictions at the day `asked`, to a mean gradient of at most `tolerance`. A
    /// warm start decides how soon the fit is done, not where it ends. Terms that the candidate leaves out have a weight
    /// of 0.
    pub(crate) fn fit(
        &self,
        candidate: &Hyperparameters,
        sample: &Sample,
        asked: Day,
        warm_start: Option<&Fitted>,
        tolerance: f64,
    ) -> Result<Fitted, NewtonError> {
        let (rows, weights) = self.weights(candidate, sample, asked);
        let terms = self.terms(candidate);
        let values = self.values(&rows, &terms.positions);
        let labels: Vec<bool> = rows.iter().map(|row| self.data.labels[*row]).collect();
        let rows = Rows {
            values: &values,
            width: terms.positions.len(),
            targets: &labels,
            weights: &weights,
            penalty_factors: &terms.penalty_factors,
        };
        let start = warm_start.map(|fitted| narrowed(fitted, &terms.positions));
        let fitted = match self.solver {
            Solver::Newton => {
                let params = Newton::default()
                    .l2(candidate.l2)
                    .tolerance(tolerance)
                    .check()?;
                fit_logistic(&params, &rows, start.as_deref())?
            }
            Solver::Linfa => fit_reference(candidate.l2, &rows)?,
        };
        Ok(widened(fitted, &terms.positions, self.matrix.width))
    }

    /// The terms of some rows, row after row; without a copy where that is the whole matrix.
    pub(crate) fn values(&self, rows: &[usize], terms: &[usize]) -> Cow<'_, [f64]> {
        let all_terms = terms.len() == self.matrix.width;
        if all_terms && rows.len() == self.data.len() {
            return Cow::Borrowed(&self.matrix.values);
        }
        let mut values = Vec::with_capacity(rows.len() * terms.len());
        for row in rows {
            let row = self.matrix.row(*row);
            if all_terms {
                values.extend_from_slice(row);
            } else {
                values.extend(terms.iter().map(|term| row[*term]));
            }
        }
        Cow::Owned(values)
    }

    /// The regular dates of some rows that a candidate uses, newest first.
    fn regular_dates(&self, rows: &[usize], candidate: &Hyperparameters) -> Vec<Day> {
        let dates: BTreeSet<Day> = rows.iter().map(|row| self.data.dates[*row]).collect();
        let regular = dates
            .into_iter()
            .rev()
            .filter(|date| self.is_regular(*date));
        regular.step_by(candidate.spacing.max(1)).collect()
    }

    /// The dates that a candidate uses for predictions at the day `asked`, each with the square root of the weight of its
    /// rows. The weight is 1 for the newest date and for anniversaries, and halves with age for others.
    fn date_roots(
        &self,
        candidate: &Hyperparameters,
        rows: &[usize],
        asked: Day,
    ) -> Vec<(Day, f64)> {
        let regular = self.regular_dates(rows, candidate);
        let own: Vec<Day> = anniversaries(asked, candidate.anniversaries).collect();
        let days = candidate
            .half_life
            .map(|windows| windows * f64::from(self.window_days));
        let root = |date: Day| match (days, regular.first()) {
            (Some(days), Some(newest)) => libm::exp2(-0.5 * f64::from(newest.since(date)) / days),
            _ => 1.0,
        };
        let others = regular.iter().filter(|date| !own.contains(date));
        let mut roots: Vec<(Day, f64)> = own.iter().map(|date| (*date, 1.0)).collect();
        roots.extend(others.map(|date| (*date, root(*date))));
        roots.sort_unstable_by_key(|(date, _)| *date);
        roots
    }

    /// The rows that are used and their weights, which add up to the number of rows that they stand for. Of more than
    /// [`Sample::unthinned_rows`] rows, those that would count little are left out now and then, and counted more where they stay: of rows
    /// with weight `w`, the share `sqrt(w)` stays, with that weight, whichever user it is of.
    pub(crate) fn weights(
        &self,
        candidate: &Hyperparameters,
        sample: &Sample,
        asked: Day,
    ) -> (Vec<usize>, Vec<f64>) {
        let roots = self.date_roots(candidate, &sample.rows, asked);
        let root = |row: usize| {
            let found = roots.binary_search_by_key(&self.data.dates[row], |(date, _)| *date);
            found.ok().map(|position| roots[position].1)
        };
        let pairs = sample.rows.iter().zip(&sample.counts);
        let used: Vec<(usize, f64, f64)> = pairs
            .filter_map(|(row, count)| Some((*row, *count, root(*row)?)))
            .collect();
        let total: f64 = used.iter().map(|(_, count, _)| count).sum();
        let thinned = used.len() > sample.unthinned_rows;
        let mut kept = Vec::with_capacity(used.len());
        let mut weights = Vec::with_capacity(used.len());
        for (row, count, root) in used {
            // Of rows of which the share 1 / count was taken already, by the same draw.
            let stays = (root * self.data.counts[row]).min(1.0);
            let drawn = draw(self.data.users[row], self.data.dates[row]);
            if thinned && drawn >= root {
                continue;
            }
            kept.push(row);
            let weight = count * root * root;
            weights.push(if thinned { weight / stays } else { weight });
        }
        let scale = total / weights.iter().sum::<f64>();
        weights.iter_mut().for_each(|weight| *weight *= scale);
        (kept, weights)
    }
}

#[cfg(test)]
mod tests;
