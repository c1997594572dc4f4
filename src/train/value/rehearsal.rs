//! Dates in the past on which spend is predicted as it would have been, beside what was spent.

use std::collections::BTreeMap;

use super::blend::Expected;
use super::orders::OrderModels;
use super::regression::SpendRows;
use crate::card::{ForecastMethod, Hyperparameters};
use crate::history::Day;
use crate::train::TrainError;
use crate::math::evenly;
use crate::train::data::dataset::MIN_ROWS;
use crate::train::estimators::training_rows::Sample;
use crate::train::metrics::value::poisson_deviance;
use crate::train::selection::forecast::{KnownShifts, ShiftedFold, forecasts};

/// The mean gradient at which a fit is close enough to its optimum to be compared.
pub(super) const TOLERANCE: f64 = 1e-5;

/// Rows of a fit of a rehearsal at most.
const MOST_ROWS: usize = 12_000;

/// Spend at a date below this many rows with any says nothing of the level.
const LEAST_SPENDERS: usize = 10;

/// What was expected at a date from what was known by then, and what was spent.
#[derive(Clone, Debug)]
pub(super) struct SpendFold {
    pub(super) date: Day,
    pub(super) expected: Vec<Expected>,
    pub(super) spend: Vec<f64>,
    /// The logarithm of the spend of a new customer by orders alone.
    pub(super) new_customer: f64,
    /// The logarithm of the factor that makes the expected total the actual one, by the blend.
    pub(super) shift: f64,
    /// What each method would have forecast for it.
    pub(super) forecasts: BTreeMap<ForecastMethod, f64>,
    /// By known date, the shift of the fit of this fold.
    known: BTreeMap<Day, (Vec<Expected>, Vec<f64>)>,
}

impl ShiftedFold for SpendFold {
    fn date(&self) -> Day {
        self.date
    }

    fn shift(&self) -> f64 {
        self.shift
    }

    fn forecasts(&self) -> &BTreeMap<ForecastMethod, f64> {
        &self.forecasts
    }
}

impl SpendFold {
    /// Predicts the rows of a date as it would have been done then, with a regression where there is a candidate; `None` where too little was known, or too few spent.
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
        let mut by_date: BTreeMap<Day, (Vec<Expected>, Vec<f64>)> = BTreeMap::new();
        for row in sample.rows {
            let (seen, spent) = by_date.entry(dates[row]).or_default();
            seen.push(expected(row));
            spent.push(rows.spend[row]);
        }
        Ok(Some(Self {
            date,
            expected: predicted.iter().map(|row| expected(*row)).collect(),
            spend: predicted.iter().map(|row| rows.spend[*row]).collect(),
            new_customer: orders.new_customer(),
            shift: 0.0,
            forecasts: BTreeMap::new(),
            known: by_date,
        }))
    }

    /// The spend that a blend expects of each row.
    pub(super) fn blended(&self, share: f64) -> Vec<f64> {
        blended(&self.expected, share, self.new_customer)
    }

    /// Sets the shift under a blend, and what was to be forecast of it. `window_days` is the length of label windows.
    pub(super) fn set_shift(&mut self, share: f64, window_days: i32) {
        self.shift = shift(&self.blended(share), &self.spend).unwrap_or_default();
        let known = self.known.iter().filter_map(|(date, (expected, spend))| {
            let blend = blended(expected, share, self.new_customer);
            Some((*date, shift(&blend, spend)?))
        });
        let known: KnownShifts = known.collect();
        self.forecasts = forecasts(&known, self.date, window_days);
    }

    /// The deviance of each row under a blend whose total is the actual one: of the level another rule decides.
    pub(super) fn deviances(&self, share: f64) -> Vec<f64> {
        let blend = self.blended(share);
        let factor = shift(&blend, &self.spend).map_or(1.0, libm::exp);
        let mean = self.spend.iter().sum::<f64>() / self.spend.len().max(1) as f64;
        let of = |(expected, spend): (&f64, &f64)| poisson_deviance(expected * factor, *spend) / mean;
        blend.iter().zip(&self.spend).map(of).collect()
    }
}

/// The spend that a blend expects of each row.
pub(super) fn blended(expected: &[Expected], share: f64, new_customer: f64) -> Vec<f64> {
    let spend = |e: &Expected| libm::exp(e.log_spend(share, new_customer));
    expected.iter().map(spend).collect()
}

/// The logarithm of the actual over the expected total; `None` where hardly anybody spent.
pub(super) fn shift(expected: &[f64], spend: &[f64]) -> Option<f64> {
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

