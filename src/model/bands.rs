//! Churn probabilities in words.

use serde::{Deserialize, Serialize};

use super::FigureError;

/// The probabilities from which churn risk is called medium and high.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bands {
    /// From here on the risk is medium.
    pub medium: f64,
    /// From here on the risk is high.
    pub high: f64,
}

impl Default for Bands {
    fn default() -> Self {
        Self {
            medium: 0.3,
            high: 0.6,
        }
    }
}

/// A churn probability in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskBand {
    /// Below `medium`.
    Low,
    /// From `medium` to below `high`.
    Medium,
    /// From `high` on.
    High,
}

impl RiskBand {
    /// The band's name in files and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Bands {
    /// Whether `0 < medium < high < 1`.
    ///
    /// # Errors
    /// [`FigureError::Bands`] with both bounds.
    pub fn validate(self) -> Result<(), FigureError> {
        let Self { medium, high } = self;
        if 0.0 < medium && medium < high && high < 1.0 {
            Ok(())
        } else {
            Err(FigureError::Bands { medium, high })
        }
    }

    /// The band of a churn probability.
    pub fn of(self, probability: f64) -> RiskBand {
        if probability >= self.high {
            RiskBand::High
        } else if probability >= self.medium {
            RiskBand::Medium
        } else {
            RiskBand::Low
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_in_files() {
        for band in [RiskBand::Low, RiskBand::Medium, RiskBand::High] {
            assert_eq!(serde_json::to_value(band).unwrap(), band.name());
        }
    }

    #[test]
    fn a_band_starts_at_its_bound() {
        let bands = Bands::default();
        let found = [0.0, 0.299, 0.3, 0.599, 0.6, 1.0].map(|p| bands.of(p));
        use RiskBand::{High, Low, Medium};
        assert_eq!(found, [Low, Low, Medium, Medium, High, High]);
    }
}
