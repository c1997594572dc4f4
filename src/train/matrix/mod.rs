//! A logistic model of features that others made: a table of numbers with a label in each row, without a log.
//!
//! Columns are standardised as those of Ebb's own features are, hinges lie at their quartiles where they are asked for, and
//! the fit is Newton's method under an L2 penalty.

pub(crate) mod table;

pub use table::{MatrixTable, read_matrix};

use std::path::PathBuf;

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use crate::features::Scale;
use crate::math::evenly;
use crate::model::{Column, Expansion};
use crate::train::estimators::newton::{Newton, NewtonError, Rows, fit_logistic};
use crate::train::estimators::transform::{Matrix, column, fit_expansion};

/// The most rows whose answers a model carries.
const GOLDEN_ROWS: usize = 32;

/// What can go wrong with a model of a table.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// A file that could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that is no Parquet table, or a damaged one.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: parquet::errors::ParquetError,
    },
    /// No column has the name of the label.
    #[error("{}: there is no column `{label}` for the label (--label); the table has: {}", path.display(), columns.join(", "))]
    NoLabel {
        /// The file.
        path: PathBuf,
        /// The name that was given.
        label: String,
        /// The names of the table's columns.
        columns: Vec<String>,
    },
    /// Two columns have one name: which of them is meant, or whether a feature is the label itself, cannot be told.
    #[error("{}: two columns are named `{column}`; give each column of the table a name of its own", path.display())]
    SameName {
        /// The file.
        path: PathBuf,
        /// The name.
        column: String,
    },
    /// A value that is no finite number.
    #[error("{}: row {row}, column `{column}`: `{value}` is no finite number", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The row, from 1.
        row: u64,
        /// The column.
        column: String,
        /// What is there.
        value: String,
    },
    /// A column of a type that no number is read from.
    #[error("{}: column `{column}` has the type {found}; a feature is a number or a boolean", path.display())]
    Type {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// A label that is not 0 or 1.
    #[error("{}: row {row}, column `{column}`: the label `{value}` is neither 0 nor 1", path.display())]
    Label {
        /// The file.
        path: PathBuf,
        /// The row, from 1.
        row: u64,
        /// The column.
        column: String,
        /// What is there.
        value: String,
    },
    /// A column whose values are too large or too small to be standardised.
    #[error(
        "column `{column}` cannot be standardised: its values, about {magnitude:e}, are at the edge of what a double holds"
    )]
    Magnitude {
        /// The column.
        column: String,
        /// The largest absolute value.
        magnitude: f64,
    },
    /// Rows that have no logistic model.
    #[error(transparent)]
    Logistic(#[from] NewtonError),
}

/// How a table is fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MatrixOptions {
    /// The L2 penalty on the summed loss, above 0.
    pub l2: f64,
    /// Whether hinges at the quartiles of every column are weighed too.
    pub nonlinear_terms: bool,
}

/// A logistic model of a table. The log-odds of a row are the intercept, and the weights times the standardised columns and
/// their hinges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatrixModel {
    /// How each column is standardised, in the table's order.
    pub columns: Vec<Column>,
    /// The hinges.
    pub expansion: Expansion,
    /// The log-odds of a row of averages.
    pub intercept: f64,
    /// One weight for each column, then one for each hinge.
    pub weights: Vec<f64>,
    /// Rows of the fit.
    pub rows: usize,
    /// Rows whose label is 1.
    pub positive_rows: usize,
    /// Answers for some of the rows, so that other programs can compare theirs.
    pub golden: Vec<GoldenRow>,
}

/// The answer for one row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenRow {
    /// The row, from 0.
    pub row: usize,
    /// Its log-odds.
    pub log_odds: f64,
}

/// Fits a model of a table.
///
/// # Errors
/// [`MatrixError::Logistic`] where the penalty is not above 0, or where all rows have the same label; and
/// [`MatrixError::Magnitude`] names the column.
pub fn fit_matrix(
    table: &MatrixTable,
    options: &MatrixOptions,
) -> Result<MatrixModel, MatrixError> {
    let params = Newton::default().l2(options.l2).check()?;
    let width = table.names.len();
    let columns = standardised_columns(table)?;
    let mut z = Vec::with_capacity(table.values.len());
    for row in table.rows() {
        z.extend(columns.iter().zip(row).map(|(c, raw)| c.standardise(*raw)));
    }
    let all: Vec<usize> = (0..width).collect();
    let expansion = if options.nonlinear_terms {
        fit_expansion(&z, width, &all, &[])
    } else {
        Expansion::default()
    };
    let design = Matrix {
        width,
        columns: width,
        values: z,
    };
    let design = design.expanded(&expansion);
    let count = table.labels.len();
    let fitted = fit_logistic(
        &params,
        &Rows {
            values: &design.values,
            width: design.width,
            targets: &table.labels,
            weights: &vec![1.0; count],
            penalty_factors: &[],
        },
        None,
    )?;
    let golden = evenly(count, GOLDEN_ROWS).map(|row| GoldenRow {
        row,
        log_odds: fitted.predictor(design.row(row)),
    });
    Ok(MatrixModel {
        columns,
        expansion,
        intercept: fitted.intercept,
        golden: golden.collect(),
        weights: fitted.weights,
        rows: count,
        positive_rows: table.labels.iter().filter(|label| **label).count(),
    })
}

/// How each column is standardised.
fn standardised_columns(table: &MatrixTable) -> Result<Vec<Column>, MatrixError> {
    let columns = table.names.iter().enumerate();
    columns
        .map(|(position, name)| {
            let values = || table.column(position).filter(|value| !value.is_nan());
            let magnitude = values().fold(0.0_f64, |most, value| most.max(value.abs()));
            // The figures of Ebb's own columns suppose values of about 1. A power of two changes no digit.
            let unit = match power_of_two(magnitude) {
                0.0 => 1.0,
                unit => unit,
            };
            let scaled = column(name, Scale::Linear, values().map(|value| value / unit));
            let column = Column {
                mean: scaled.mean * unit,
                std_dev: scaled.std_dev * unit,
                clip_min: scaled.clip_min * unit,
                clip_max: scaled.clip_max * unit,
                ..scaled
            };
            column.validate().map_err(|_| MatrixError::Magnitude {
                column: name.clone(),
                magnitude,
            })?;
            Ok(column)
        })
        .collect()
}

/// The largest power of two that is not above a finite number; 0 below the smallest normal one.
fn power_of_two(number: f64) -> f64 {
    const EXPONENT: u64 = 0x7ff0_0000_0000_0000;
    f64::from_bits(number.to_bits() & EXPONENT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(rows: &[([f64; 2], bool)]) -> MatrixTable {
        MatrixTable {
            names: vec!["a".to_owned(), "b".to_owned()],
            values: rows.iter().flat_map(|(values, _)| *values).collect(),
            labels: rows.iter().map(|(_, label)| *label).collect(),
        }
    }

    fn noisy(count: u32) -> Vec<([f64; 2], bool)> {
        (0..count)
            .map(|i| {
                let (a, b) = (f64::from(i % 17), f64::from(i % 5) - 2.0);
                ([a, b], (i * 7919) % 23 < i % 17)
            })
            .collect()
    }

    const PLAIN: MatrixOptions = MatrixOptions {
        l2: 1.0,
        nonlinear_terms: false,
    };

    #[test]
    fn a_column_that_says_something_is_weighed_and_one_that_says_nothing_hardly() {
        let model = fit_matrix(&table(&noisy(2_000)), &PLAIN).unwrap();
        assert!(model.weights[0] > 0.5, "{:?}", model.weights);
        assert!(model.weights[1].abs() < 0.2, "{:?}", model.weights);
        assert_eq!((model.rows, model.golden.len()), (2_000, GOLDEN_ROWS));
    }

    #[test]
    fn hinges_bend_what_a_line_cannot() {
        // Only the middle of the column churns.
        let rows: Vec<([f64; 2], bool)> = (0..400)
            .map(|i| {
                let a = f64::from(i % 20);
                ([a, 0.0], (6.0..14.0).contains(&a))
            })
            .collect();
        let bent = MatrixOptions {
            nonlinear_terms: true,
            ..PLAIN
        };
        let spread = |options| {
            let golden = fit_matrix(&table(&rows), &options).unwrap().golden;
            let odds = |wanted: bool| {
                let of = golden.iter().filter(|g| rows[g.row].1 == wanted);
                of.map(|g| g.log_odds).fold(f64::NEG_INFINITY, f64::max)
            };
            odds(true) - odds(false)
        };
        assert!(spread(bent) > spread(PLAIN) + 0.5);
    }

    #[test]
    fn unknown_values_count_as_the_average() {
        let mut rows = noisy(500);
        rows.push(([f64::NAN, f64::NAN], true));
        let model = fit_matrix(&table(&rows), &PLAIN).unwrap();
        assert_eq!(model.columns[0].standardise(f64::NAN), 0.0);
        assert!(model.weights.iter().all(|weight| weight.is_finite()));
    }

    #[test]
    fn one_class_and_a_penalty_of_zero_are_errors() {
        let same: Vec<([f64; 2], bool)> = noisy(50).iter().map(|row| (row.0, true)).collect();
        let error = fit_matrix(&table(&same), &PLAIN).unwrap_err();
        assert!(matches!(
            error,
            MatrixError::Logistic(NewtonError::OneClass { .. })
        ));
        let error = fit_matrix(&table(&noisy(50)), &MatrixOptions { l2: 0.0, ..PLAIN });
        assert!(matches!(
            error,
            Err(MatrixError::Logistic(NewtonError::L2(_)))
        ));
    }

    proptest! {
        #[test]
        fn units_do_not_matter(exponent in -300_i32..300) {
            let unit = 2_f64.powi(exponent);
            let rows = noisy(200);
            let other: Vec<([f64; 2], bool)> =
                rows.iter().map(|(values, label)| (values.map(|v| v * unit), *label)).collect();
            let (one, two) = (fit_matrix(&table(&rows), &PLAIN).unwrap(), fit_matrix(&table(&other), &PLAIN).unwrap());
            prop_assert_eq!(one.weights, two.weights);
            prop_assert_eq!(one.golden, two.golden);
        }
    }
}
