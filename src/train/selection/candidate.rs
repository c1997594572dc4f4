//! One way to fit: how strong a penalty, with hinges and interactions or without, and which dates count how much.

use std::borrow::Cow;

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use crate::history::Day;
use crate::train::TrainError;
use crate::train::data::dataset::Dataset;
use crate::train::estimators::logistic::{Fitted, NewtonLogistic, Rows, fit_reference, fit_rows};
use crate::train::estimators::transform::Matrix;
use crate::train::settings::Solver;

/// One way to fit a model on labelled rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hyperparameters {
    /// The strength of the L2 penalty on the summed loss.
    pub l2: f64,
    /// Whether hinges and interactions are weighed, or only the columns.
    pub nonlinear_terms: bool,
    /// How many label windows ago a row counts half; `None` when all rows count the same.
    pub half_life: Option<f64>,
    /// Every so many dates one is used, counted back from the newest.
    pub spacing: usize,
}

impl Hyperparameters {
    /// Taken for some 60,000 rows unless dates in the past speak clearly for another.
    pub const DEFAULT: Self = Self {
        l2: 1_000.0,
        nonlinear_terms: true,
        half_life: Some(1.0),
        spacing: 1,
    };
    /// The same for a solver that knows no row weights and takes long.
    pub const REFERENCE: Self = Self {
        l2: 10.0,
        nonlinear_terms: false,
        half_life: None,
        spacing: 1,
    };

    /// The default for a number of rows: the penalty grows with their square root, between one that is always the same
    /// and one that is the same for every row. On public logs this did as well as the best of both with few rows and
    /// with many.
    pub fn usual(rows: usize) -> Self {
        let l2 = 4.0 * (rows as f64).sqrt();
        // Two digits are as much as can be meant.
        let digit = 10.0_f64.powi(if l2 >= 1_000.0 {
            2
        } else {
            i32::from(l2 >= 100.0)
        });
        Self {
            l2: ((l2 / digit).round() * digit).max(1.0),
            ..Self::DEFAULT
        }
    }

    /// In words.
    pub fn name(&self) -> String {
        self.parts().join(", ")
    }

    /// In words, but only what differs from another hyperparameters; empty when nothing does.
    pub fn apart_from(&self, other: &Self) -> String {
        let (own, theirs) = (self.parts(), other.parts());
        let apart: Vec<String> = own
            .into_iter()
            .zip(theirs)
            .filter(|(a, b)| a != b)
            .map(|(a, _)| a)
            .collect();
        apart.join(", ")
    }

    fn parts(&self) -> [String; 4] {
        let terms = if self.nonlinear_terms {
            "hinges and interactions"
        } else {
            "columns only"
        };
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

/// Rows that are all fitted, however little the older ones count.
const MANY: usize = 40_000;

/// Labelled rows with what is weighed in them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    pub(crate) data: &'a Dataset,
    pub(crate) matrix: &'a Matrix,
    /// Days of a label window: lead + horizon.
    pub(crate) window_days: i32,
    pub(crate) horizon_days: u16,
    pub(crate) solver: Solver,
}

impl Table<'_> {
    /// How many numbers a hyperparameters weighs.
    pub(crate) fn width(&self, hyperparameters: &Hyperparameters) -> usize {
        if hyperparameters.nonlinear_terms {
            self.matrix.width
        } else {
            self.matrix.columns
        }
    }

    /// The log-odds of a row by a fit of either width.
    pub(crate) fn log_odds(&self, fitted: &Fitted, row: usize) -> f64 {
        fitted.log_odds(&self.matrix.row(row)[..fitted.weights.len()])
    }

    /// Fits a hyperparameters on some rows, starting from `start` if that is as wide, to a mean gradient
    /// of at most `tolerance`.
    pub(crate) fn fit(
        &self,
        hyperparameters: &Hyperparameters,
        rows: &[usize],
        start: Option<&Fitted>,
        tolerance: f64,
    ) -> Result<Fitted, TrainError> {
        let rows = self.of_spacing(rows, hyperparameters.spacing);
        let (rows, weights) = self.weights(&rows, hyperparameters.half_life);
        let width = self.width(hyperparameters);
        let values: Cow<'_, [f64]> = if rows.len() == self.data.len() && width == self.matrix.width
        {
            Cow::Borrowed(&self.matrix.values)
        } else {
            let mut values = Vec::with_capacity(rows.len() * width);
            rows.iter()
                .for_each(|row| values.extend_from_slice(&self.matrix.row(*row)[..width]));
            Cow::Owned(values)
        };
        let labels: Vec<bool> = rows.iter().map(|row| self.data.labels[*row]).collect();
        let rows = Rows {
            values: &values,
            width,
            labels: &labels,
            weights: &weights,
        };
        let fitted = match self.solver {
            Solver::Newton => {
                let params = NewtonLogistic::default()
                    .l2(hyperparameters.l2)
                    .tolerance(tolerance)
                    .check();
                params.and_then(|params| fit_rows(&params, &rows, start))
            }
            Solver::Linfa => fit_reference(hyperparameters.l2, &rows),
        };
        fitted.map_err(|source| TrainError::Logistic {
            horizon_days: self.horizon_days,
            source,
        })
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
    /// [`MANY`] rows, those that would count little are left out now and then, and counted more where they stay: of rows
    /// with weight `w`, the share `sqrt(w)` stays, with that weight, whoever the user is.
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
        let stays = |row: &usize| rows.len() <= MANY || draw(*row) < root(*row);
        let kept: Vec<usize> = rows.iter().copied().filter(stays).collect();
        let weight = |row: &usize| {
            if rows.len() <= MANY {
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

/// The fewest rows that a model is fitted on or judged on.
pub(crate) const LEAST_ROWS: usize = 50;

/// Rows of both classes, enough to fit or judge on.
pub(crate) fn usable(data: &Dataset, rows: &[usize]) -> bool {
    let churned = rows.iter().filter(|row| data.labels[**row]).count();
    rows.len() >= LEAST_ROWS && churned > 0 && churned < rows.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_rows_count_less_and_are_fewer_but_add_up_as_they_should() {
        let newest = Day::new(400).unwrap();
        let dates: Vec<Day> = (0..5).map(|k| newest.plus(-30 * k)).collect();
        let rows = || (0..10_000_u32).flat_map(|user| dates.iter().map(move |date| (user, *date)));
        let data = Dataset {
            width: 0,
            raw: Vec::new(),
            labels: vec![false; 50_000],
            users: rows().map(|(user, _)| user).collect(),
            dates: rows().map(|(_, date)| date).collect(),
        };
        let matrix = Matrix {
            width: 0,
            columns: 0,
            values: Vec::new(),
        };
        let table = Table {
            data: &data,
            matrix: &matrix,
            window_days: 30,
            horizon_days: 30,
            solver: Solver::Newton,
        };
        let all: Vec<usize> = (0..50_000).collect();
        let (kept, weights) = table.weights(&all, Some(1.0));
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
        let (kept, weights) = table.weights(&all[..40_000], Some(1.0));
        assert!(
            kept.len() == 40_000 && (weights[3] / weights[4] - 2.0).abs() < 1e-12,
            "few enough to keep all"
        );
        assert_eq!(table.weights(&all, None), (all.clone(), vec![1.0; 50_000]));
    }

    #[test]
    fn the_usual_penalty_grows_with_the_root_of_the_rows() {
        let l2 = |rows| Hyperparameters::usual(rows).l2;
        assert_eq!(
            (l2(50), l2(2_240), l2(62_500), l2(200_000)),
            (28.0, 190.0, 1_000.0, 1_800.0)
        );
        assert_eq!(Hyperparameters::usual(62_500), Hyperparameters::DEFAULT);
        assert!(l2(0) > 0.0);
    }

    #[test]
    fn a_recipe_is_told_whole_or_by_what_differs() {
        let other = Hyperparameters {
            half_life: Some(3.0),
            spacing: 2,
            ..Hyperparameters::DEFAULT
        };
        assert_eq!(
            Hyperparameters::DEFAULT.name(),
            "L2 1000, hinges and interactions, half-life 1 window, every date"
        );
        assert_eq!(
            other.apart_from(&Hyperparameters::DEFAULT),
            "half-life 3 windows, one date in 2"
        );
        assert_eq!(
            Hyperparameters::REFERENCE.apart_from(&Hyperparameters::DEFAULT),
            "L2 10, columns only, all rows alike"
        );
        assert_eq!(other.apart_from(&other), "");
    }
}
