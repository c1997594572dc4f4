//! The churn model of one horizon: logistic regression with hinge and interaction terms, calibrated.

use serde::{Deserialize, Serialize};

use super::expansion::Expansion;
use super::{FigureError, all_finite};
use crate::math::dot;

/// A line through the log-odds, fitted on later data than the weights: `intercept + slope * log_odds`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Added to the log-odds.
    pub intercept: f64,
    /// Multiplies the log-odds; positive.
    pub slope: f64,
}

impl Calibration {
    /// Leaves the log-odds as they are.
    pub const IDENTITY: Self = Self {
        intercept: 0.0,
        slope: 1.0,
    };
}

/// A logistic churn model of one horizon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChurnModel {
    /// The horizon in days.
    pub horizon_days: u16,
    /// Log-odds of the average user, before calibration.
    pub intercept: f64,
    /// What is weighed beyond the columns of the preprocessing.
    pub expansion: Expansion,
    /// One weight for each column of the preprocessing, then for each hinge and each interaction of the expansion.
    pub weights: Vec<f64>,
    /// The calibration on top.
    pub calibration: Calibration,
}

impl ChurnModel {
    /// What each column adds to the log-odds of a user with the standardised numbers `z`, before calibration: its own
    /// weight's part, its hinges', and half of its interactions'.
    pub fn contributions(&self, z: &[f64]) -> Vec<f64> {
        let (own, more) = self.weights.split_at(z.len());
        let mut shares: Vec<f64> = own.iter().zip(z).map(|(w, z)| w * z).collect();
        self.expansion.share(z, more, &mut shares);
        shares
    }

    /// Whether the figures are legal for a number of columns.
    pub(crate) fn validate(&self, columns: usize) -> Result<(), FigureError> {
        let expected = columns + self.expansion.len();
        if self.weights.len() != expected {
            return Err(FigureError::Weights {
                found: self.weights.len(),
                expected,
            });
        }
        let Calibration { intercept, slope } = self.calibration;
        let finite = all_finite(&self.weights) && all_finite(&[self.intercept, intercept, slope]);
        if finite && slope > 0.0 {
            Ok(())
        } else {
            Err(FigureError::Churn)
        }
    }

    /// The log-odds, before calibration, of a row of columns, hinges and interactions.
    pub fn log_odds(&self, row: &[f64]) -> f64 {
        self.intercept + dot(&self.weights, row)
    }
}
