//! Who the users are: their segments and their lifecycle.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::history::Day;
use crate::model::SegmentKey;

/// One segment of the card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentCard {
    /// The segment's lasting name; `None` on cards of trainers that had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SegmentKey>,
    /// The segment's name.
    pub name: String,
    /// Users of the latest labelled date in it.
    pub users: u64,
    /// Their share of all users of that date.
    pub share: f64,
    /// Their churn rate over the first horizon.
    pub churn_rate: f64,
    /// The lower end of its 95 % interval.
    pub churn_low: f64,
    /// The upper end.
    pub churn_high: f64,
    /// What its users are like, one entry for each feature that segments are made of.
    pub profile: Vec<ProfileCard>,
}

/// What the users of a segment are like in one feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileCard {
    /// The feature's name.
    pub feature: String,
    /// What it is, in one sentence.
    pub description: String,
    /// The unit of its values.
    pub unit: String,
    /// The segment's median; `None` where it is unknown of all its users.
    pub median: Option<f64>,
    /// The median of all users.
    pub median_of_all: Option<f64>,
    /// The share of all users that lie below the segment's median, ties counted half.
    pub rank: Option<f64>,
}

/// How many users stood where on one date.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageSizes {
    /// The date.
    pub date: Day,
    /// Users by lifecycle stage; `inactive` and `churned` are those who can no longer be asked about.
    pub users: BTreeMap<String, u64>,
}

/// Where the users of each stage were a while later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transitions {
    /// The earlier date.
    pub from: Day,
    /// The later date.
    pub to: Day,
    /// The states in which users were, in order; `new` are those not yet active.
    pub states: Vec<String>,
    /// Users by state on the earlier date (rows) and on the later one (columns).
    pub users: Vec<Vec<u64>>,
}
