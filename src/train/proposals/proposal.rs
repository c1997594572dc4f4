//! A proposed change of the configuration.

use std::collections::BTreeMap;

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
    /// The time of an earlier change is over.
    Expiry,
}

impl Trigger {
    /// The trigger's name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cycle => "cycle",
            Self::Shock => "shock",
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
    /// The value in the configuration.
    pub old: u32,
    /// The value that is proposed.
    pub new: u32,
}

/// What a proposal was found from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Users that were looked at.
    pub users: u64,
    /// The figure: by what the cycle was multiplied, active users in terms of the forecast.
    pub estimate: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The probability of such a figure without a change; `None` where none is computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// The newest days that were looked at.
    pub window: Stretch,
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
    /// Users by their stage now and their stage after the change; `None` for cells of fewer than `privacy.min_users`.
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
