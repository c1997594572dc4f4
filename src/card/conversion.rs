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
    /// Potential users at the as-of day; `None` where they are fewer than `min_users`.
    pub users: Option<u64>,
    /// The fewest people that a figure counts: `privacy.min_users`.
    pub min_users: u64,
    /// Figures, bins and curves that are left out because they count fewer people, or would give such away.
    pub withheld: u64,
    /// One entry for each horizon. Bins of predictions are joined until each counts enough people who converted, and enough who
    /// did not; there are no curves of single users.
    pub horizons: Vec<HorizonCard>,
    /// How many feature vectors were compared with those of an altered future, and did not change.
    pub leakage_probe: LeakageProbe,
    /// Things the reader should know, one sentence each.
    pub notes: Vec<String>,
}
