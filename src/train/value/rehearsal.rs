//! Dates in the past on which spend is predicted as it would have been, beside what was spent.

use super::blend::Expected;
use super::intervals::intervals;
use super::orders::OrderModels;
use super::regression::SpendRows;
use crate::card::Hyperparameters;
use crate::history::Day;
use crate::math::evenly;
use crate::model::SpendIntervals;
use crate::train::TrainError;
use crate::train::data::dataset::MIN_ROWS;
use crate::train::estimators::training_rows::Sample;
use crate::train::metrics::value::poisson_deviance;

/// The mean gradient at which a fit is close enough to its optimum to be compared.
pub(super) const TOLERANCE: f64 = 1e-5;

/// The share of the last window's deviation from the expected total that is taken to last.
const LASTING_SHARE: f64 = 0.5;

/// Rows of a fit of a rehearsal at most.
const MOST_ROWS: usize = 12_000;

/// Spend at a date below this many rows with any says nothing of the level.
const LEAST_SPENDERS: usize = 10;

/// What was expected at a date from what was known by then, and what was spent.
#[derive(Clone, Debug)]
pub(super) struct SpendFold {
    expected: Vec<Expected>,
    pub(super) spend: Vec<f64>,
    /// The logarithm of the spend of a new customer by orders alone.
    new_customer: f64,
    /// What the same fit expects of the newest date that it knows, and what was spent then.
    newest: Newest,
}

/// Rows of the newest date whose spend a fit knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Newest {
    pub(super) expected: Vec<Expected>,
    pub(super) spend: Vec<f64>,
}

impl Newest {
    /// Of known rows, those of the newest date.
    pub(super) fn new(
        rows: &SpendRows<'_>,
        known: &[usize],
        expected: impl Fn(usize) -> Expected,
    ) -> Self {
        let dates = &rows.rows.data.dates;
        let newest = known.iter().map(|row| dates[*row]).max();
        let own = known.iter().filter(|row| Some(dates[**row]) == newest);
        let (expected, spend) = own.map(|row| (expected(*row), rows.spend[*row])).unzip();
        Self { expected, spend }
    }

    /// The logarithm of the factor for a blend to have the level of what was spent: a geometric mean of two models lies below their
    /// totals, and spend may have drifted. Half of the way there did best on public logs. 0 where hardly anybody spent.
    pub(super) fn level(&self, share: f64, new_customer: f64) -> f64 {
        let blend = blended(&self.expected, share, new_customer);
        LASTING_SHARE * shift(&blend, &self.spend).unwrap_or_default()
    }

    /// The intervals of a blend by what was spent, whatever the level.
    pub(super) fn intervals(&self, covers: f64, share: f64, new_customer: f64) -> SpendIntervals {
        let mut blend = blended(&self.expected, share, new_customer);
        let factor = shift(&blend, &self.spend).map_or(1.0, libm::exp);
        blend.iter_mut().for_each(|spend| *spend *= factor);
        intervals(covers, &blend, &self.spend)
    }
}

impl SpendFold {
    /// Predicts the rows of a date as it would have been done then, with a regression where there is a candidate; `None`
    /// where too little was known, or too few spent.
    pub(super) fn new(
        rows: &SpendRows<'_>,
        date: Day,
        candidate: Option<&Hyperparameters>,
        orders: &OrderModels,
    ) -> Result<Option<Self>, TrainError> {
        let known: Vec<usize> = rows.rows.known_at(date).collect();
        let dates = &rows.rows.data.dates;
        let predicted: Vec<usize> = (0..dates.len()).filter(|row| dates[*row] == date).collect();
        if !rows.usable(&known) || !rows.usable(&predicted) {
            return Ok(None);
        }
        let sample = rows.sample(known);
        let fitted = candidate
            .map(|candidate| rows.fit(candidate, &sample, date, TOLERANCE))
            .transpose()?;
        let expected = |row: usize| Expected {
            log_regression: fitted.as_ref().map(|f| rows.log_spend(&f.fitted, row)),
            by_orders: orders.of(rows.raw(row)),
        };
        Ok(Some(Self {
            expected: predicted.iter().map(|row| expected(*row)).collect(),
            spend: predicted.iter().map(|row| rows.spend[*row]).collect(),
            new_customer: orders.new_customer(),
            newest: Newest::new(rows, &sample.rows, expected),
        }))
    }

    /// The spend that a blend would have expected of each row, at the level of the newest date that was known.
    pub(super) fn predicted(&self, share: f64) -> Vec<f64> {
        let factor = libm::exp(self.newest.level(share, self.new_customer));
        let blend = blended(&self.expected, share, self.new_customer);
        blend.iter().map(|spend| spend * factor).collect()
    }

    /// The deviance of each row over the mean spend.
    pub(super) fn deviances(&self, share: f64) -> Vec<f64> {
        let mean = self.spend.iter().sum::<f64>() / self.spend.len().max(1) as f64;
        let predicted = self.predicted(share);
        let of = |(expected, spend): (&f64, &f64)| poisson_deviance(*expected, *spend) / mean;
        predicted.iter().zip(&self.spend).map(of).collect()
    }
}

/// The spend that a blend expects of each row.
pub(super) fn blended(expected: &[Expected], share: f64, new_customer: f64) -> Vec<f64> {
    let spend = |e: &Expected| libm::exp(e.log_spend(share, new_customer));
    expected.iter().map(spend).collect()
}

/// The logarithm of the actual over the expected total; `None` where hardly anybody spent.
fn shift(expected: &[f64], spend: &[f64]) -> Option<f64> {
    let spenders = spend.iter().filter(|y| **y > 0.0).count();
    let total: f64 = expected.iter().sum();
    let actual: f64 = spend.iter().sum();
    (spenders >= LEAST_SPENDERS && total > 0.0).then(|| libm::log(actual / total))
}

impl SpendRows<'_> {
    /// The raw features of a row.
    pub(super) fn raw(&self, row: usize) -> &[f64] {
        let data = self.rows.data;
        &data.raw[row * data.width..][..data.width]
    }

    /// At most [`MOST_ROWS`] of some rows, evenly taken, each of which counts for those beside it.
    fn sample(&self, rows: Vec<usize>) -> Sample {
        let whole = self.rows.whole(rows);
        let (all, taken) = (whole.rows.len(), whole.rows.len().min(MOST_ROWS));
        let scale = all as f64 / taken.max(1) as f64;
        let positions = || evenly(all, MOST_ROWS);
        Sample {
            rows: positions().map(|k| whole.rows[k]).collect(),
            counts: positions().map(|k| whole.counts[k] * scale).collect(),
            unthinned_rows: MOST_ROWS,
        }
    }

    /// Whether some rows are enough to fit or judge on.
    pub(super) fn usable(&self, rows: &[usize]) -> bool {
        let spenders = rows.iter().filter(|row| self.spend[**row] > 0.0).count();
        rows.len() >= MIN_ROWS && spenders >= LEAST_SPENDERS
    }
}
