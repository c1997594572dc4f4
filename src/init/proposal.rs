//! What was found, for people and for machines.

use serde::Serialize;

use super::horizon::{Outlook, Windows};
use super::kinds::KindFound;
use super::roles::Finding;
use super::text;
use super::value::ValueFound;
use crate::history::Day;

/// A configuration proposed for a log, with what it was made from.
#[derive(Clone, Debug, Serialize)]
pub struct Proposal {
    /// The paths as the configuration names them.
    pub paths: Vec<String>,
    /// How the files are written.
    pub layout: LayoutFound,
    /// The user; `None` for a roll-up, which needs no mapping.
    pub user: Option<Finding>,
    /// The time; `None` for a roll-up.
    pub time: Option<Finding>,
    /// How times are written, and whose days are counted.
    pub times: TimesFound,
    /// The kind; `None` where all events are of one kind.
    pub kind: Option<Finding>,
    /// The amount; `None` where no column holds any.
    pub amount: Option<Finding>,
    /// The log's kinds, those with most events first.
    pub kinds: Vec<KindFound>,
    /// The kinds that count as staying.
    pub activity: Vec<String>,
    /// What a `[value]` table would hold; `None` where nothing is spent or the log is too short.
    pub value: Option<ValueFound>,
    /// The horizon and the active window.
    pub windows: Windows,
    /// Rows read.
    pub rows: u64,
    /// The share of them that could not be used, 0 to 1, those without a user apart.
    pub rejected_share: f64,
    /// The share of them that have no user, 0 to 1.
    pub without_user_share: f64,
    /// Users of the log.
    pub users: usize,
    /// Records of (user, day, kind).
    pub records: usize,
    /// The first day that the log covers.
    pub first_day: Day,
    /// The last one.
    pub last_day: Day,
    /// What a fit would have; `None` where the log is too short for any.
    pub outlook: Option<Outlook>,
    /// What is worth a look, in sentences.
    pub doubts: Vec<String>,
}

/// How the files of a log are written: settings, where they are needed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LayoutFound {
    /// The format, where the names of the files do not give it.
    pub format: Option<String>,
    /// What separates the columns, where it is not what is taken without a setting.
    pub delimiter: Option<String>,
    /// The names of the columns, where the files have no header.
    pub columns: Option<Vec<String>>,
    /// What separates fractions in amounts, where they are not plain numbers.
    pub decimal: Option<String>,
}

/// How times are written, and whose days are counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TimesFound {
    /// The format; `None` for ISO 8601 and for columns that hold times by their own type.
    pub format: Option<String>,
    /// The format with day and month exchanged, where it reads all values too.
    pub other_format: Option<String>,
    /// Why the one format and not the other.
    pub order_reason: Option<String>,
    /// Whether nothing decides between the two.
    pub is_order_doubtful: bool,
    /// Whether times are instants, so that a time zone decides on their days.
    pub are_instants: bool,
    /// The time zone, where times are instants.
    pub timezone: Option<String>,
    /// What there is to say about the time zone.
    pub zone_note: Option<String>,
}

impl Proposal {
    /// The text of the configuration, with comments that give the reasons.
    pub fn to_toml(&self) -> String {
        text::toml(self)
    }

    /// What was found, in some lines.
    pub fn summary(&self) -> String {
        text::summary(self)
    }
}
