//! The tables `[kpi]` and `[costs]` of the configuration.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::configuration::{SettingError, one_or_many};

/// The longest window of a setting, in days.
const LONGEST_DAYS: u32 = 3_660;

/// The most steps of activation.
const MOST_STEPS: usize = 10;

/// How indicators are defined: the `[kpi]` table of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KpiConfig {
    /// The kinds of events that are orders and whose amounts are revenue; empty for `value.kinds`, or else `churn.activity`.
    #[serde(deserialize_with = "one_or_many::list")]
    pub order_kinds: Vec<String>,
    /// The steps of activation: so many active days within so many days of a user's first event.
    pub activation: Vec<ActivationStep>,
    /// Windows in days after a user's first order in which a second one is a repurchase, 1 to 3660 each.
    #[serde(deserialize_with = "one_or_many::list")]
    pub repurchase_days: Vec<u32>,
    /// Users whose last activity is more days ago are lapsed; `None` for `churn.active_within_days`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lapsed_after_days: Option<u32>,
    /// The kind of the events whose amounts are answers, 0 to 10, to how likely a user is to recommend the product.
    pub nps_kind: String,
}

impl Default for KpiConfig {
    fn default() -> Self {
        let step = |uses, days| ActivationStep { uses, days };
        Self {
            order_kinds: Vec::new(),
            activation: vec![step(1, 7), step(3, 14), step(5, 28)],
            repurchase_days: vec![30, 90, 180],
            lapsed_after_days: None,
            nps_kind: "nps".to_owned(),
        }
    }
}

/// A step of activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivationStep {
    /// Days with activity, at least 1.
    pub uses: u32,
    /// Within so many days, the day of the first event the first of them; 1 to 3660.
    pub days: u32,
}

impl KpiConfig {
    /// Checks every key of `[kpi]` against its range.
    ///
    /// # Errors
    /// [`SettingError`] names the first key at fault.
    pub fn validate(&self) -> Result<(), SettingError> {
        let Self {
            order_kinds: _,
            activation,
            repurchase_days,
            lapsed_after_days,
            nps_kind,
        } = self;
        let legal_days = |days: &u32| (1..=LONGEST_DAYS).contains(days);
        let legal_step = |step: &ActivationStep| {
            let ActivationStep { uses, days } = step;
            legal_days(days) && (1..=*days).contains(uses)
        };
        let unlike = |at: usize| activation.iter().skip(at + 1).all(|s| *s != activation[at]);
        if activation.len() > MOST_STEPS
            || !activation.iter().all(legal_step)
            || !(0..activation.len()).all(unlike)
        {
            let requirement = format!(
                "be at most {MOST_STEPS} different steps with days from 1 to {LONGEST_DAYS} and uses from 1 to days"
            );
            let found = activation
                .iter()
                .map(|s| format!("{{ uses = {}, days = {} }}", s.uses, s.days));
            let found = format!("[{}]", found.collect::<Vec<_>>().join(", "));
            return Err(SettingError::illegal(
                "kpi",
                "activation",
                found,
                requirement,
            ));
        }
        let increasing = repurchase_days.is_sorted_by(|a, b| a < b);
        if repurchase_days.len() > MOST_STEPS
            || !increasing
            || !repurchase_days.iter().all(legal_days)
        {
            return Err(SettingError::illegal(
                "kpi",
                "repurchase_days",
                format_args!("{repurchase_days:?}"),
                format_args!(
                    "be at most {MOST_STEPS} increasing numbers of days from 1 to {LONGEST_DAYS}"
                ),
            ));
        }
        if let Some(days) = lapsed_after_days.filter(|days| !legal_days(days)) {
            let requirement = format!("lie between 1 and {LONGEST_DAYS}");
            return Err(SettingError::illegal(
                "kpi",
                "lapsed_after_days",
                days,
                requirement,
            ));
        }
        if nps_kind.is_empty() {
            return Err(SettingError::new(
                "kpi",
                "nps_kind",
                "kpi.nps_kind is empty: it must name a kind of event",
            ));
        }
        Ok(())
    }
}

/// What the acquisition of users cost: the `[costs]` table of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CostsConfig {
    /// A CSV file with the columns `month`, `channel` and `cost`, relative to the configuration; `None` for no costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The attribute of users that names the channel by which they came, as `channel` in the file does; `None` for costs of all
    /// channels together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_attribute: Option<String>,
}

impl CostsConfig {
    /// Checks every key of `[costs]`.
    ///
    /// # Errors
    /// [`SettingError`] names the key at fault.
    pub fn validate(&self) -> Result<(), SettingError> {
        match &self.file {
            Some(file) if file.as_os_str().is_empty() => Err(SettingError::new(
                "costs",
                "file",
                "costs.file is empty: it must name a CSV file",
            )),
            None if self.channel_attribute.is_some() => Err(SettingError::new(
                "costs",
                "channel_attribute",
                "costs.channel_attribute takes costs.file: it says by which channel users came that cost something",
            )),
            _ => Ok(()),
        }
    }
}
