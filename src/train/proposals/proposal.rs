//! A proposed change of the configuration.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::history::{Day, Stretch};
use crate::model::store::sha256_hex;

/// What a proposal rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Users come more often or less often than at the last calibration.
    Cycle,
    /// Far more or far fewer users came in two weeks than were to be expected.
    Shock,
    /// The revenue of mature users stops growing before they are reviewed.
    Arpu,
    /// Users are others since a release.
    Release,
    /// The time of an earlier change is over.
    Expiry,
}

impl Trigger {
    /// The trigger's name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cycle => "cycle",
            Self::Shock => "shock",
            Self::Arpu => "arpu",
            Self::Release => "release",
            Self::Expiry => "expiry",
        }
    }
}

/// A setting with its old and its new value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Section and key, such as `lifecycle.acquisition_days`.
    pub setting: String,
    /// The value in the configuration; `None` where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<SettingValue>,
    /// The value that is proposed.
    pub new: SettingValue,
}

/// The value of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SettingValue {
    /// A number of days.
    Days(u32),
    /// A day.
    Day(Day),
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => days.fmt(f),
            Self::Day(day) => day.fmt(f),
        }
    }
}

/// What a proposal was found from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Users that were looked at.
    pub users: u64,
    /// The figure: by what the cycle was multiplied, active users in terms of the forecast, the growth of revenue from a
    /// quarter to the next as a factor, or the number of features that are others.
    pub estimate: f64,
    /// The lower end of its interval; `None` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// The probability of such a figure without a change; `None` where none is computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// The newest days that were looked at.
    pub window: Stretch,
    /// The features that are others since a release, the clearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<FeatureShift>,
}

/// How much a feature differs from the year before, before and after a release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureShift {
    /// The feature's name.
    pub feature: String,
    /// The population stability index of now and a year ago.
    pub now: f64,
    /// That of the day of the release and a year before it.
    pub before: f64,
    /// The index up to which a population counts as the same.
    pub tolerance: f64,
}

/// Users by their stage now and their new stage; `None` for a number that is withheld.
pub type UsersMoved = BTreeMap<String, BTreeMap<String, Option<u64>>>;

/// A proposed change of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// Version of the program.
    pub ebb_version: String,
    /// The day as of which it is made.
    pub as_of: Day,
    /// SHA-256 of the configuration that it was made for.
    pub config_hash: String,
    /// Version of the model that is in use.
    pub model: String,
    /// What it rests on.
    pub trigger: Trigger,
    /// Why, in one sentence.
    pub reason: String,
    /// What to change.
    pub changes: Vec<Change>,
    /// What was found; `None` for a change whose time is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The day from which the change should be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Day>,
    /// Users by their stage now and their stage after the change; `None` for cells of fewer than `privacy.min_users`. Where the
    /// review of mature users is changed, those who are due for it have a stage of their own; empty where no stage depends on
    /// the change.
    pub users_moved: UsersMoved,
}

impl Proposal {
    /// The first twelve hexadecimal digits of the hash of the whole proposal.
    ///
    /// # Errors
    /// A figure that JSON has no text for.
    pub fn hash(&self) -> Result<String, serde_json::Error> {
        let hash = sha256_hex(serde_json::to_string(self)?.as_bytes());
        Ok(hash.chars().take(12).collect())
    }
}
