//! Whether potential users convert: what was asked, of whom, and how good the model is.

use serde::{Deserialize, Serialize};

use super::{HorizonCard, LeakageProbe};

/// The part of the card on potential users. Where the fields of a horizon speak of churn, conversion is meant here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConversionCard {
    /// The kinds of events of which any is conversion.
    pub event: Vec<String>,
    /// The kinds of events that make a potential user known.
    pub signs: Vec<String>,
    /// Potential users with a sign in this many days before a date are asked about at that date.
    pub within_days: u32,
    /// Whether those are asked about, too, whose last conversion is longer ago.
    pub repeat: bool,
    /// Potential users at the as-of day.
    pub users: u64,
    /// One entry for each horizon.
    pub horizons: Vec<HorizonCard>,
    /// How many feature vectors were compared with those of an altered future, and did not change.
    pub leakage_probe: LeakageProbe,
    /// Things the reader should know, one sentence each.
    pub notes: Vec<String>,
}
