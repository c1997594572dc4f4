//! One way to fit: how strong a penalty, with kinks and products or without, and which dates count how much.

use std::borrow::Cow;

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use super::TrainError;
use super::dataset::Dataset;
use super::design::Matrix;
use super::fit::Solver;
use super::logistic::{Fitted, NewtonLogistic, Rows, fit_reference, fit_rows};
use crate::history::Day;

/// One way to fit a model on labelled rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The strength of the L2 penalty on the summed loss.
    pub l2: f64,
    /// Whether kinks and products are weighed, or only the columns.
    pub expanded: bool,
    /// How many label windows ago a row counts half; `None` when all rows count the same.
    pub half_life: Option<f64>,
    /// Every so many dates one is used, counted back from the newest.
    pub spacing: usize,
}

impl Recipe {
    /// Taken unless dates in the past speak clearly for another.
    pub const DEFAULT: Self = Self { l2: 1_000.0, expanded: true, half_life: Some(1.0), spacing: 1 };
    /// The same for a solver that knows no row weights and takes long.
    pub const REFERENCE: Self = Self { l2: 10.0, expanded: false, half_life: None, spacing: 1 };

    /// In words.
    pub fn name(&self) -> String {
        self.parts().join(", ")
    }

    /// In words, but only what differs from another recipe; empty when nothing does.
    pub fn apart_from(&self, other: &Self) -> String {
        let (own, theirs) = (self.parts(), other.parts());
        let apart: Vec<String> = own.into_iter().zip(theirs).filter(|(a, b)| a != b).map(|(a, _)| a).collect();
        apart.join(", ")
    }

    fn parts(&self) -> [String; 4] {
        let terms = if self.expanded { "kinks and products" } else { "columns only" };
        let half = match self.half_life {
            None => "all rows alike".to_owned(),
            Some(1.0) => "half-life 1 window".to_owned(),
            Some(windows) => format!("half-life {windows} windows"),
        };
        let dates = match self.spacing {
            0 | 1 => "every date".to_owned(),
            n => format!("one date in {n}"),
        };
        [format!("L2 {}", self.l2), terms.to_owned(), half, dates]
    }
}

/// Labelled rows with what is weighed in them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    pub(super) data: &'a Dataset,
    pub(super) matrix: &'a Matrix,
    /// Days of a label window: lead + horizon.
    pub(super) window_days: i32,
    pub(super) horizon_days: u16,
    pub(super) solver: Solver,
}

impl Table<'_> {
    /// How many numbers a recipe weighs.
    pub(super) fn width(&self, recipe: &Recipe) -> usize {
        if recipe.expanded { self.matrix.width } else { self.matrix.columns }
    }

    /// The log-odds of a row by a fit of either width.
    pub(super) fn log_odds(&self, fitted: &Fitted, row: usize) -> f64 {
        fitted.log_odds(&self.matrix.row(row)[..fitted.weights.len()])
    }

    /// Fits a recipe on some rows, starting from `start` if that is as wide, to a mean gradient
    /// of at most `tolerance`.
    pub(super) fn fit(
        &self,
        recipe: &Recipe,
        rows: &[usize],
        start: Option<&Fitted>,
        tolerance: f64,
    ) -> Result<Fitted, TrainError> {
        let rows = self.of_spacing(rows, recipe.spacing);
        let width = self.width(recipe);
        let values: Cow<'_, [f64]> = if rows.len() == self.data.len() && width == self.matrix.width {
            Cow::Borrowed(&self.matrix.values)
        } else {
            let mut values = Vec::with_capacity(rows.len() * width);
            rows.iter().for_each(|row| values.extend_from_slice(&self.matrix.row(*row)[..width]));
            Cow::Owned(values)
        };
        let labels: Vec<bool> = rows.iter().map(|row| self.data.labels[*row]).collect();
        let weights = self.weights(&rows, recipe.half_life);
        let rows = Rows { values: &values, width, labels: &labels, weights: &weights };
        let fitted = match self.solver {
            Solver::Newton => {
                let params = NewtonLogistic::default().l2(recipe.l2).tolerance(tolerance).check();
                params.and_then(|params| fit_rows(&params, &rows, start))
            }
            Solver::Linfa => fit_reference(recipe.l2, &rows),
        };
        fitted.map_err(|source| TrainError::Logistic { horizon_days: self.horizon_days, source })
    }

    /// The rows whose date is the newest, or a multiple of `spacing` dates before it.
    fn of_spacing<'r>(&self, rows: &'r [usize], spacing: usize) -> Cow<'r, [usize]> {
        if spacing <= 1 {
            return Cow::Borrowed(rows);
        }
        let dates = self.dates(rows);
        let kept: Vec<Day> = dates.iter().rev().step_by(spacing).copied().collect();
        Cow::Owned(rows.iter().copied().filter(|row| kept.contains(&self.data.dates[*row])).collect())
    }

    fn dates(&self, rows: &[usize]) -> Vec<Day> {
        let mut dates: Vec<Day> = rows.iter().map(|row| self.data.dates[*row]).collect();
        dates.sort_unstable();
        dates.dedup();
        dates
    }

    /// Weights that halve with age and add up to the number of rows.
    fn weights(&self, rows: &[usize], half_life: Option<f64>) -> Vec<f64> {
        let latest = rows.iter().map(|row| self.data.dates[*row]).max();
        let (Some(half_life), Some(latest)) = (half_life, latest) else { return vec![1.0; rows.len()] };
        let days = half_life * f64::from(self.window_days);
        let age = |row: &usize| f64::from(latest.since(self.data.dates[*row]));
        let weights: Vec<f64> = rows.iter().map(|row| libm::exp2(-age(row) / days)).collect();
        let scale = rows.len() as f64 / weights.iter().sum::<f64>();
        weights.into_iter().map(|w| w * scale).collect()
    }
}

/// Rows of both classes, enough to fit or judge on.
pub(super) fn usable(data: &Dataset, rows: &[usize]) -> bool {
    let churned = rows.iter().filter(|row| data.labels[**row]).count();
    rows.len() >= 50 && churned > 0 && churned < rows.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_told_whole_or_by_what_differs() {
        let other = Recipe { half_life: Some(3.0), spacing: 2, ..Recipe::DEFAULT };
        assert_eq!(Recipe::DEFAULT.name(), "L2 1000, kinks and products, half-life 1 window, every date");
        assert_eq!(other.apart_from(&Recipe::DEFAULT), "half-life 3 windows, one date in 2");
        assert_eq!(Recipe::REFERENCE.apart_from(&Recipe::DEFAULT), "L2 10, columns only, all rows alike");
        assert_eq!(other.apart_from(&other), "");
    }
}
