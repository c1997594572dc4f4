use serde::{Deserialize, Serialize};

/// The rules' thresholds: the `[lifecycle]` table of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// Up to this tenure every user is in acquisition.
    pub exploration_from_days: u32,
    /// Up to this tenure a user seen on one day only is still in acquisition.
    pub acquisition_days: u32,
    /// Up to this tenure users are in exploration.
    pub exploration_days: u32,
    /// Up to this tenure users are in growth; beyond it they are mature.
    pub growth_days: u32,
    /// From this tenure on a mature user is due for review; 1 to 36600. No stage depends on it.
    pub mature_review_days: u32,
    /// Overdue when recency is more than this many times the mean gap ...
    pub overdue_factor: f64,
    /// ... of a user with at least this many active days ...
    pub overdue_active_days: u32,
    /// ... and at least this many days have passed.
    pub overdue_min_days: u32,
    /// The activity drop: the recent rate is more than this share below the earlier rate ...
    pub drop_share: f64,
    /// ... and so few active days would come about by chance with less than this probability.
    pub drop_probability: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            exploration_from_days: 14,
            acquisition_days: 28,
            exploration_days: 56,
            growth_days: 182,
            mature_review_days: 365,
            overdue_factor: 3.0,
            overdue_active_days: 3,
            overdue_min_days: 14,
            drop_share: 0.3,
            drop_probability: 0.05,
        }
    }
}

impl Thresholds {
    /// Whether the thresholds are in order and in their ranges.
    ///
    /// # Errors
    /// [`ThresholdsError`] names the first setting at fault.
    pub fn validate(&self) -> Result<(), ThresholdsError> {
        let days = [
            self.exploration_from_days,
            self.acquisition_days,
            self.exploration_days,
            self.growth_days,
        ];
        if !days.is_sorted() {
            return Err(ThresholdsError::Order);
        }
        if !REVIEW_DAYS.contains(&self.mature_review_days) {
            return Err(ThresholdsError::ReviewDays(self.mature_review_days));
        }
        for (name, value) in [
            ("drop_share", self.drop_share),
            ("drop_probability", self.drop_probability),
        ] {
            if !(value > 0.0 && value < 1.0) {
                return Err(ThresholdsError::Share { name, value });
            }
        }
        let factor = self.overdue_factor;
        if factor.is_finite() && factor >= 1.0 {
            Ok(())
        } else {
            Err(ThresholdsError::OverdueFactor(factor))
        }
    }
}

/// The tenures from which on a review can be due.
const REVIEW_DAYS: std::ops::RangeInclusive<u32> = 1..=36_600;

/// A threshold out of order or range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ThresholdsError {
    /// The limits of tenure decrease.
    #[error(
        "lifecycle: exploration_from_days, acquisition_days, exploration_days and growth_days must not decrease"
    )]
    Order,
    /// A tenure that nobody reaches, or everybody.
    #[error("lifecycle.mature_review_days is {0}: it must lie between 1 and 36600")]
    ReviewDays(u32),
    /// A share that is none.
    #[error("lifecycle.{name} is {value}: it must lie between 0 and 1")]
    Share {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// A factor below 1, or none.
    #[error("lifecycle.overdue_factor is {0}: it must be at least 1")]
    OverdueFactor(f64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_out_of_order_are_named() {
        assert_eq!(Thresholds::default().validate(), Ok(()));
        let wrong = Thresholds {
            drop_share: 1.5,
            ..Thresholds::default()
        };
        assert!(
            wrong
                .validate()
                .unwrap_err()
                .to_string()
                .contains("lifecycle.drop_share")
        );
        let wrong = Thresholds {
            mature_review_days: 0,
            ..Thresholds::default()
        };
        let message = wrong.validate().unwrap_err().to_string();
        assert!(message.contains("mature_review_days is 0"), "{message}");
        let wrong = Thresholds {
            growth_days: 3,
            ..Thresholds::default()
        };
        assert!(
            wrong
                .validate()
                .unwrap_err()
                .to_string()
                .contains("growth_days")
        );
    }
}
