//! The data-quality report.

use std::collections::BTreeMap;

use serde::Serialize;

use super::attributes::AttributesQuality;
use super::printable::printable;
use super::rejection::RejectionReason;
use crate::events::config::{Escape, Format};
use crate::history::{Coverage, Day, Histories, KindTotals};

/// How many places are shown for each reason.
pub(crate) const PLACES_SHOWN: usize = 5;

/// The most characters that are shown of a value, and of what was expected.
const VALUE_SHOWN: usize = 80;
const EXPECTED_SHOWN: usize = 160;

/// What a log holds and what of it could not be used.
///
/// Every row read is kept as an event, rejected or set aside for one reason, or dated after the as-of day. Equal logs give equal
/// reports, whatever order the files were named in.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct QualityReport {
    /// The files, by path.
    pub files: Vec<FileQuality>,
    /// The files of the named folders and patterns that were not read, by path; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Rows read.
    pub rows: u64,
    /// Events kept; for a roll-up the sum of the counts.
    pub events: u64,
    /// Rows rejected, by reason; reasons without rows are left out.
    pub rejected: Vec<RejectedRows>,
    /// Rows set aside because the log does not cover their days, by reason; reasons without rows are left out.
    pub set_aside: Vec<RejectedRows>,
    /// The share of rows that were rejected for another reason than a missing user, 0 to 1, of those before the as-of day.
    pub rejected_share: f64,
    /// The share of rows that were rejected since they have no user.
    pub without_user_share: f64,
    /// Rows on or after the as-of day, which were not kept.
    pub rows_after_as_of: u64,
    /// Rows of users that are not read, where only a part of the users is.
    pub rows_filtered_by_user: u64,
    /// Events without an amount, where amounts are mapped; they count as 0.
    pub empty_amounts: u64,
    /// Rows of text files whose raw fields all equal those of an earlier row; they are kept.
    pub duplicates: u64,
    /// Whether `duplicates` is an estimate from a sample, as in logs of more than a million distinct rows.
    pub duplicates_estimated: bool,
    /// Rows that were compared for duplicates: those of text files. Parquet is read by column, not by row.
    pub duplicates_compared: u64,
    /// What the log covers, and what not.
    pub coverage: Option<Coverage>,
    /// The day of the first event kept.
    pub first_day: Option<Day>,
    /// The day of the last event kept.
    pub last_day: Option<Day>,
    /// The kinds of events kept, by name.
    pub kinds: Vec<KindQuality>,
    /// Users with an event kept.
    pub users: usize,
    /// Records of (user, day, kind).
    pub records: usize,
    /// The users with the most events, most first: likely bots, test accounts or placeholders.
    pub top_users: Vec<UserQuality>,
    /// What the table of attributes holds; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<AttributesQuality>,
}

/// One file of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileQuality {
    /// The path, relative to the folder of the configuration where it lies below it.
    pub file: String,
    /// How it was read.
    pub format: Format,
    /// Rows read.
    pub rows: u64,
    /// How quotes are escaped, where the beginning of the file shows it and the configuration does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escape: Option<Escape>,
}

/// A file of a named folder, or one that a pattern matches, that was not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeftOut {
    /// The path, as that of a [`FileQuality`].
    pub file: String,
    /// Why it was not read.
    pub reason: LeftOutReason,
    /// The reason in words.
    pub detail: String,
}

/// Why a file was not read. The names are stable; programs may rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutReason {
    /// The name begins with `.` or `_`, as those of hidden files and of marks of a job's success do.
    Hidden,
    /// The name is that of a backup copy, or of a file that is still being written.
    Copy,
    /// The file is compressed, or of a format, as is not read.
    NotSupported,
    /// Neither the name nor the first line shows that the file is part of the log.
    NotALog,
    /// There is nothing in it.
    Empty,
    /// It is read by another name.
    ReadAlready,
}

/// The rows rejected for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectedRows {
    /// The reason.
    pub reason: RejectionReason,
    /// How many rows.
    pub rows: u64,
    /// The first of them, five at most.
    pub first: Vec<RowLocation>,
}

impl RejectedRows {
    /// Those of a reason among all, where they may be the first.
    pub(crate) fn of_reason(all: &mut Vec<Self>, reason: RejectionReason) -> &mut Self {
        let known = all.iter().position(|rows| rows.reason == reason);
        let position = known.unwrap_or_else(|| {
            all.push(Self {
                reason,
                rows: 0,
                first: Vec::new(),
            });
            all.len() - 1
        });
        &mut all[position]
    }
}

/// A value that could not be used, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowLocation {
    /// The file.
    pub file: String,
    /// The line on which the record starts, from 1, after decompression; in Parquet the row, from 1.
    pub line: u64,
    /// The column, or the expression; empty when the whole row is to blame.
    pub column: String,
    /// The value, shortened.
    pub value: String,
    /// What was expected instead.
    pub expected: String,
}

impl RowLocation {
    /// A place with its value made printable and shortened.
    pub(crate) fn new(file: &str, line: u64, column: String, value: &str, expected: &str) -> Self {
        Self {
            file: file.to_owned(),
            line,
            column,
            value: printable(value, VALUE_SHOWN),
            expected: printable(expected, EXPECTED_SHOWN),
        }
    }

    /// The file, line and column as text.
    pub fn position(&self) -> String {
        match self.column.as_str() {
            "" => format!("{}:{}", self.file, self.line),
            column => format!("{}:{}, {column}", self.file, self.line),
        }
    }

    /// What was found and expected as text.
    pub fn problem(&self) -> String {
        match self.value.as_str() {
            "" => format!("found nothing, expected {}", self.expected),
            value => format!("found `{value}`, expected {}", self.expected),
        }
    }
}

/// One kind of event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KindQuality {
    /// The kind's name.
    pub kind: String,
    /// Events of this kind.
    pub events: u64,
    /// Users with such an event.
    pub users: u64,
    /// Events of this kind with an amount below zero; unknown, and 0, in roll-ups.
    pub negative_amounts: u64,
}

/// A user with many events.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UserQuality {
    /// The user's id.
    pub user: String,
    /// How many events.
    pub events: u64,
    /// Their share of all events, 0 to 1.
    pub share: f64,
}

impl QualityReport {
    /// The report as JSON without anything that names a user or quotes a row: what a model bundle may hold.
    pub fn without_users(&self) -> serde_json::Value {
        let mut value = serde_json::json!(self);
        if let Some(report) = value.as_object_mut() {
            report.remove("top_users");
            for list in ["rejected", "set_aside"] {
                let reasons = report
                    .get_mut(list)
                    .and_then(|reasons| reasons.as_array_mut());
                for reason in reasons
                    .into_iter()
                    .flatten()
                    .filter_map(|reason| reason.as_object_mut())
                {
                    reason.remove("first");
                }
            }
        }
        value
    }

    /// Rows set aside because the log does not cover their days.
    pub fn rows_set_aside(&self) -> u64 {
        self.set_aside.iter().map(|strays| strays.rows).sum()
    }

    /// Notes which files, by their positions, have quotes escaped by backslashes without the configuration saying so.
    pub(crate) fn mark_escaped(&mut self, positions: &[usize]) {
        for position in positions {
            self.files[*position].escape = Some(Escape::Backslash);
        }
    }

    /// Rows rejected, for whatever reason.
    pub fn rejected_rows(&self) -> u64 {
        self.rejected.iter().map(|rejected| rejected.rows).sum()
    }

    /// Fills in what is counted over the histories; `negative` holds the events below zero by kind.
    pub(crate) fn describe(&mut self, histories: &Histories, negative: &BTreeMap<String, u64>) {
        let (span, totals) = (histories.span(), histories.totals());
        (self.first_day, self.last_day) = (span.map(|s| s.0), span.map(|s| s.1));
        (self.users, self.records) = (histories.len(), histories.record_count());
        let negative_of = |kind: &str| negative.get(kind).copied().unwrap_or(0);
        let kinds = histories.kinds().iter().zip(totals.kinds());
        self.kinds = kinds
            .map(|(kind, totals)| KindQuality::new(kind, *totals, negative_of(kind)))
            .collect();
        let all = self.events.max(1) as f64;
        let user = |(events, user): &(u64, String)| UserQuality {
            user: user.clone(),
            events: *events,
            share: *events as f64 / all,
        };
        self.top_users = totals.busiest().iter().map(user).collect();
        self.kinds.retain(|kind| kind.events > 0);
    }
}

impl KindQuality {
    fn new(kind: &str, totals: KindTotals, negative_amounts: u64) -> Self {
        Self {
            kind: kind.to_owned(),
            events: totals.events,
            users: totals.users,
            negative_amounts,
        }
    }
}
