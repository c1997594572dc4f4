//! The question about potential users: the `[conversion]` table of the configuration.

use serde::{Deserialize, Serialize};

use crate::configuration::{SettingError, one_or_many};
use crate::features::HORIZON_LIMIT;

/// Which people without a purchase are asked about, and what is predicted of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversionConfig {
    /// The kinds of events of which any is conversion.
    #[serde(deserialize_with = "one_or_many::list")]
    pub event: Vec<String>,
    /// The horizons in days; sorted and without repeats once used.
    #[serde(
        default = "default_horizon_days",
        deserialize_with = "one_or_many::list"
    )]
    pub horizon_days: Vec<u16>,
    /// People with an event in this many days before a date are asked about at that date.
    #[serde(default = "default_within_days")]
    pub within_days: u32,
    /// Whether those are asked about, too, whose last conversion is longer ago than `within_days`.
    #[serde(default)]
    pub repeat: bool,
}

fn default_horizon_days() -> Vec<u16> {
    vec![30]
}

fn default_within_days() -> u32 {
    180
}

impl ConversionConfig {
    /// The horizons, increasing.
    pub fn horizons(&self) -> Vec<u16> {
        let mut horizons = self.horizon_days.clone();
        horizons.sort_unstable();
        horizons.dedup();
        horizons
    }

    /// Checks every key of `[conversion]` against its range.
    ///
    /// # Errors
    /// [`SettingError`] names the first key at fault.
    pub fn validate(&self) -> Result<(), SettingError> {
        let Self {
            event,
            horizon_days,
            within_days,
            repeat: _,
        } = self;
        let illegal = |key, value: String, requirement: String| {
            Err(SettingError::illegal("conversion", key, value, requirement))
        };
        let mut names = event.clone();
        names.sort_unstable();
        names.dedup();
        if event.is_empty() || names.len() < event.len() {
            let requirement = "name at least one kind of event, each once".to_owned();
            return illegal("event", format!("{event:?}"), requirement);
        }
        let legal = |horizon: &u16| (1..=HORIZON_LIMIT).contains(horizon);
        if horizon_days.is_empty() || !horizon_days.iter().all(legal) {
            let requirement = format!("hold numbers of days from 1 to {HORIZON_LIMIT}");
            return illegal("horizon_days", format!("{horizon_days:?}"), requirement);
        }
        if !(1..=36_600).contains(within_days) {
            let requirement = "lie between 1 and 36600".to_owned();
            return illegal("within_days", within_days.to_string(), requirement);
        }
        Ok(())
    }
}
