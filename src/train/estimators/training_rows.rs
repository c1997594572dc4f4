//! Labelled rows with their design matrix, and the weighted fit of a candidate on some of them.

use std::borrow::Cow;

use linfa::ParamGuard;

use super::logistic::{Fitted, LogisticError, NewtonLogistic, Rows, fit_reference, fit_rows};
use super::transform::{Matrix, expand};
use crate::card::Hyperparameters;
use crate::history::Day;
use crate::model::{Expansion, Preprocessing};
use crate::train::data::context::TrainContext;
use crate::train::data::dataset::Dataset;
use crate::train::data::snapshots::Schedule;
use crate::train::settings::Solver;

/// Rows that are all fitted, however little the older ones count.
const UNTHINNED_ROWS: usize = 40_000;

/// Labelled rows with their design matrix.
#[derive(Clone, Debug)]
pub(crate) struct TrainingRows<'a> {
    pub(crate) data: &'a Dataset,
    pub(crate) expansion: Expansion,
    pub(crate) matrix: Matrix,
    /// Days of a label window: lead + horizon.
    pub(crate) window_days: i32,
    pub(crate) solver: Solver,
}

impl<'a> TrainingRows<'a> {
    /// Standardises the rows and adds hinges and interactions that are made from them alone.
    pub(crate) fn new(
        ctx: &TrainContext<'_>,
        schedule: &Schedule,
        data: &'a Dataset,
        preprocessing: &Preprocessing,
    ) -> Self {
        let standardised = Matrix::new(data, &ctx.catalogue, preprocessing, &Expansion::default());
        let expansion = expand(
            &ctx.catalogue,
            preprocessing,
            schedule.horizon_days,
            &standardised,
        );
        let matrix = standardised.expanded(&expansion);
        Self {
            data,
            expansion,
            matrix,
            window_days: schedule.window_days,
            solver: ctx.config.model.solver,
        }
    }

    /// The log-odds of a row by a fit of either width.
    pub(crate) fn log_odds(&self, fitted: &Fitted, row: usize) -> f64 {
        fitted.log_odds(&self.matrix.row(row)[..fitted.weights.len()])
    }

    /// Fits a candidate on some rows to a mean gradient of at most `tolerance`. A warm start of the same width decides
    /// how soon the fit is done, not where it ends.
    pub(crate) fn fit(
        &self,
        candidate: &Hyperparameters,
        rows: &[usize],
        warm_start: Option<&Fitted>,
        tolerance: f64,
    ) -> Result<Fitted, LogisticError> {
        let rows = self.of_spacing(rows, candidate.spacing);
        let (rows, weights) = self.weights(&rows, candidate.half_life);
        let width = if candidate.nonlinear_terms {
            self.matrix.width
        } else {
            self.matrix.columns
        };
        let values = self.values(&rows, width);
        let labels: Vec<bool> = rows.iter().map(|row| self.data.labels[*row]).collect();
        let rows = Rows {
            values: &values,
            width,
            labels: &labels,
            weights: &weights,
        };
        match self.solver {
            Solver::Newton => {
                let params = NewtonLogistic::default()
                    .l2(candidate.l2)
                    .tolerance(tolerance)
                    .check()?;
                fit_rows(&params, &rows, warm_start)
            }
            Solver::Linfa => fit_reference(candidate.l2, &rows),
        }
    }

    /// The first `width` numbers of some rows, row after row; without a copy where that is the whole matrix.
    fn values(&self, rows: &[usize], width: usize) -> Cow<'_, [f64]> {
        if rows.len() == self.data.len() && width == self.matrix.width {
            return Cow::Borrowed(&self.matrix.values);
        }
        let mut values = Vec::with_capacity(rows.len() * width);
        for row in rows {
            values.extend_from_slice(&self.matrix.row(*row)[..width]);
        }
        Cow::Owned(values)
    }

    /// The rows whose date is the newest, or a multiple of `spacing` dates before it.
    fn of_spacing<'r>(&self, rows: &'r [usize], spacing: usize) -> Cow<'r, [usize]> {
        if spacing <= 1 {
            return Cow::Borrowed(rows);
        }
        let dates = self.dates(rows);
        let kept: Vec<Day> = dates.iter().rev().step_by(spacing).copied().collect();
        Cow::Owned(
            rows.iter()
                .copied()
                .filter(|row| kept.contains(&self.data.dates[*row]))
                .collect(),
        )
    }

    fn dates(&self, rows: &[usize]) -> Vec<Day> {
        let mut dates: Vec<Day> = rows.iter().map(|row| self.data.dates[*row]).collect();
        dates.sort_unstable();
        dates.dedup();
        dates
    }

    /// The rows that are used and their weights, which halve with age and add up to the number of rows given. Of more than
    /// [`UNTHINNED_ROWS`] rows, those that would count little are left out now and then, and counted more where they stay: of rows
    /// with weight `w`, the share `sqrt(w)` stays, with that weight, whichever user it is of.
    fn weights(&self, rows: &[usize], half_life: Option<f64>) -> (Vec<usize>, Vec<f64>) {
        let latest = rows.iter().map(|row| self.data.dates[*row]).max();
        let (Some(half_life), Some(latest)) = (half_life, latest) else {
            return (rows.to_vec(), vec![1.0; rows.len()]);
        };
        let days = half_life * f64::from(self.window_days);
        let root =
            |row: usize| libm::exp2(-0.5 * f64::from(latest.since(self.data.dates[row])) / days);
        let draw = |row: usize| {
            f64::from(scatter(self.data.users[row], self.data.dates[row])) / 2_f64.powi(32)
        };
        let stays = |row: &usize| rows.len() <= UNTHINNED_ROWS || draw(*row) < root(*row);
        let kept: Vec<usize> = rows.iter().copied().filter(stays).collect();
        let weight = |row: &usize| {
            if rows.len() <= UNTHINNED_ROWS {
                root(*row).powi(2)
            } else {
                root(*row)
            }
        };
        let weights: Vec<f64> = kept.iter().map(weight).collect();
        let scale = rows.len() as f64 / weights.iter().sum::<f64>();
        (kept, weights.into_iter().map(|w| w * scale).collect())
    }
}

/// A number that is as good as drawn for a user and a date: `SplitMix64`'s mixing, Steele, Lea and Flood (2014).
fn scatter(user: u32, date: Day) -> u32 {
    let mut x = (u64::from(user) << 32 | u64::from(date.number().unsigned_abs()))
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_rows_count_less_and_are_fewer_but_add_up_as_they_should() {
        let newest = Day::new(400).unwrap();
        let dates: Vec<Day> = (0..5).map(|k| newest.plus(-30 * k)).collect();
        let pairs = || (0..10_000_u32).flat_map(|user| dates.iter().map(move |date| (user, *date)));
        let data = Dataset {
            width: 0,
            raw: Vec::new(),
            labels: vec![false; 50_000],
            users: pairs().map(|(user, _)| user).collect(),
            dates: pairs().map(|(_, date)| date).collect(),
        };
        let matrix = Matrix {
            width: 0,
            columns: 0,
            values: Vec::new(),
        };
        let rows = TrainingRows {
            data: &data,
            expansion: Expansion::default(),
            matrix,
            window_days: 30,
            solver: Solver::Newton,
        };
        let all: Vec<usize> = (0..50_000).collect();
        let (kept, weights) = rows.weights(&all, Some(1.0));
        assert!((weights.iter().sum::<f64>() - 50_000.0).abs() < 1e-6);
        let days = &data.dates;
        let of = |date: Day| {
            let own = kept
                .iter()
                .zip(&weights)
                .filter(move |(row, _)| days[**row] == date);
            own.fold((0.0, 0.0), |(n, sum), (_, w)| (n + 1.0, sum + w))
        };
        let (most, heaviest) = of(newest);
        assert_eq!(most, 10_000.0, "every user of the newest date");
        for (k, date) in dates.iter().enumerate() {
            let (n, sum) = of(*date);
            assert!(
                (n / most - 0.5_f64.powf(k as f64 / 2.0)).abs() < 0.03,
                "{k}: {n}"
            );
            assert!(
                (sum / heaviest - 0.5_f64.powi(k as i32)).abs() < 0.03,
                "{k}: {sum}"
            );
        }
        let (kept, weights) = rows.weights(&all[..40_000], Some(1.0));
        assert!(
            kept.len() == 40_000 && (weights[3] / weights[4] - 2.0).abs() < 1e-12,
            "few enough to keep all"
        );
        assert_eq!(rows.weights(&all, None), (all.clone(), vec![1.0; 50_000]));
    }
}
