//! The thresholds that a card is checked against: the `[check]` table of the configuration.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::configuration::SettingError;

/// What a model must keep to be used; `None` leaves a figure unchecked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// The smallest acceptable area under the ROC curve.
    pub min_auc: Option<PerHorizon>,
    /// The largest acceptable log loss.
    pub max_log_loss: Option<PerHorizon>,
    /// The largest acceptable expected calibration error.
    pub max_ece: Option<PerHorizon>,
    /// The largest acceptable distance of the mean prediction from the churn rate, either way.
    pub max_bias: Option<PerHorizon>,
    /// By how much the log loss must at least be below that of the base rate.
    pub min_gain_over_base_rate: Option<PerHorizon>,
    /// By how much it must at least be below that of recency alone.
    pub min_gain_over_recency: Option<PerHorizon>,
    /// By how much it must at least be below that of BG/NBD.
    pub min_gain_over_bg_nbd: Option<PerHorizon>,
    /// By how much the log loss may be above that of the model in use on the same users: the upper end of the interval.
    pub max_regression: Option<PerHorizon>,
    /// The largest acceptable share of rejected rows; rows that name no user are not among them.
    pub max_rejected_share: Option<f64>,
    /// How many days ago the log of the fit may have ended at most.
    pub max_data_age_days: Option<u32>,
    /// How many users must have a score at the as-of day at least.
    pub min_users_scored: Option<u64>,
    /// The smallest acceptable normalised Gini of the expected spend.
    pub min_gini: Option<f64>,
    /// The largest acceptable distance of the expected total spend from the actual one, as a share of it, either way.
    pub max_value_bias: Option<f64>,
    /// The smallest acceptable area under the ROC curve of conversion.
    pub min_conversion_auc: Option<f64>,
    /// The largest acceptable log loss of conversion.
    pub max_conversion_log_loss: Option<f64>,
}

/// A threshold of all horizons, or one for each of some.
#[derive(Clone, Debug, PartialEq)]
pub enum PerHorizon {
    /// The same for all.
    All(f64),
    /// By the horizon in days; others are not checked.
    Each(BTreeMap<u16, f64>),
}

impl PerHorizon {
    /// The threshold of a horizon; `None` where it is not checked.
    pub fn at(&self, horizon_days: u16) -> Option<f64> {
        match self {
            Self::All(threshold) => Some(*threshold),
            Self::Each(by_horizon) => by_horizon.get(&horizon_days).copied(),
        }
    }

    /// Every threshold.
    fn values(&self) -> Vec<f64> {
        match self {
            Self::All(threshold) => vec![*threshold],
            Self::Each(by_horizon) => by_horizon.values().copied().collect(),
        }
    }
}

impl Serialize for PerHorizon {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All(threshold) => serializer.serialize_f64(*threshold),
            Self::Each(by_horizon) => {
                let named = by_horizon.iter().map(|(days, t)| (days.to_string(), *t));
                serializer.collect_map(named)
            }
        }
    }
}

impl<'de> Deserialize<'de> for PerHorizon {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PerHorizonVisitor)
    }
}

struct PerHorizonVisitor;

impl<'de> Visitor<'de> for PerHorizonVisitor {
    type Value = PerHorizon;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or numbers by horizon such as { 30 = 0.8 }")
    }

    fn visit_f64<E: Error>(self, threshold: f64) -> Result<PerHorizon, E> {
        Ok(PerHorizon::All(threshold))
    }

    fn visit_i64<E: Error>(self, threshold: i64) -> Result<PerHorizon, E> {
        Ok(PerHorizon::All(threshold as f64))
    }

    fn visit_u64<E: Error>(self, threshold: u64) -> Result<PerHorizon, E> {
        Ok(PerHorizon::All(threshold as f64))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PerHorizon, A::Error> {
        let mut by_horizon = BTreeMap::new();
        while let Some((name, threshold)) = map.next_entry::<String, f64>()? {
            let days = name.parse::<u16>().map_err(|_| {
                A::Error::custom(format_args!("`{name}` is no horizon in days, such as 30"))
            })?;
            by_horizon.insert(days, threshold);
        }
        Ok(PerHorizon::Each(by_horizon))
    }
}

impl Thresholds {
    /// Whether anything is checked at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The thresholds by horizon, with their keys.
    fn per_horizon(&self) -> [(&'static str, &Option<PerHorizon>); 8] {
        [
            ("min_auc", &self.min_auc),
            ("max_log_loss", &self.max_log_loss),
            ("max_ece", &self.max_ece),
            ("max_bias", &self.max_bias),
            ("min_gain_over_base_rate", &self.min_gain_over_base_rate),
            ("min_gain_over_recency", &self.min_gain_over_recency),
            ("min_gain_over_bg_nbd", &self.min_gain_over_bg_nbd),
            ("max_regression", &self.max_regression),
        ]
    }

    /// The first key with a threshold for a horizon that is none of these, with the days of that horizon: it would never be checked.
    pub fn of_no_horizon(&self, horizon_days: &[u16]) -> Option<(&'static str, u16)> {
        self.per_horizon()
            .into_iter()
            .find_map(|(key, thresholds)| {
                let Some(PerHorizon::Each(by_horizon)) = thresholds else {
                    return None;
                };
                let unknown = by_horizon
                    .keys()
                    .find(|days| !horizon_days.contains(days))?;
                Some((key, *unknown))
            })
    }

    /// The first key with a threshold on what users are worth, which only a bundle with a value part can keep.
    pub fn of_value(&self) -> Option<&'static str> {
        let keys = [
            ("min_gini", self.min_gini),
            ("max_value_bias", self.max_value_bias),
        ];
        keys.into_iter().find_map(|(key, limit)| limit.map(|_| key))
    }

    /// The first key with a threshold on conversion, which only a bundle with a part for potential users can keep.
    pub fn of_conversion(&self) -> Option<&'static str> {
        let keys = [
            ("min_conversion_auc", self.min_conversion_auc),
            ("max_conversion_log_loss", self.max_conversion_log_loss),
        ];
        keys.into_iter().find_map(|(key, limit)| limit.map(|_| key))
    }

    /// Checks every key of `[check]` against its range, and that thresholds by horizon are for horizons that there are.
    ///
    /// # Errors
    /// [`SettingError`] names the first key at fault.
    pub fn validate(&self, horizon_days: &[u16]) -> Result<(), SettingError> {
        for (key, thresholds) in self.per_horizon() {
            let Some(thresholds) = thresholds else {
                continue;
            };
            for value in thresholds.values() {
                check_range(key, value)?;
            }
        }
        if let Some((key, unknown)) = self.of_no_horizon(horizon_days) {
            let problem = format!(
                "check.{key} is for a horizon of {unknown} days, but churn.horizon_days is {horizon_days:?}"
            );
            return Err(SettingError::new("check", key, problem));
        }
        let whole = [
            ("max_rejected_share", self.max_rejected_share),
            ("min_gini", self.min_gini),
            ("max_value_bias", self.max_value_bias),
            ("min_conversion_auc", self.min_conversion_auc),
            ("max_conversion_log_loss", self.max_conversion_log_loss),
        ];
        whole
            .into_iter()
            .filter_map(|(key, limit)| Some((key, limit?)))
            .try_for_each(|(key, limit)| check_range(key, limit))
    }
}

/// Whether a number can be the threshold of a key.
fn check_range(key: &'static str, value: f64) -> Result<(), SettingError> {
    let (legal, requirement) = match key {
        "min_auc" | "max_ece" | "max_bias" | "max_rejected_share" | "min_gini"
        | "min_conversion_auc" => ((0.0..=1.0).contains(&value), "lie between 0 and 1"),
        "max_log_loss" | "max_value_bias" | "max_conversion_log_loss" => {
            (value.is_finite() && value >= 0.0, "be 0 or more")
        }
        _ => (value.is_finite(), "be a finite number"),
    };
    if legal {
        Ok(())
    } else {
        Err(SettingError::illegal("check", key, value, requirement))
    }
}
