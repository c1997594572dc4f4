//! Why a row is rejected.

use crate::events::config::Field;
use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::history::Stray;

/// Why a row was rejected. The names are stable; programs may rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionReason {
    /// The row has more or fewer columns than the header.
    WrongColumnCount,
    /// A quote is opened and not closed, or closed only after other rows.
    OpenQuote,
    /// The record has more bytes than `events.max_record_bytes`.
    RecordTooLong,
    /// The line is not a JSON object.
    BadJson,
    /// A column in use holds bytes that are not UTF-8.
    NotUtf8,
    /// An expression failed for this row.
    ExpressionFailed,
    /// A value is of a type that cannot serve: a list, a map, a boolean, or a floating-point number that is not exact.
    BadType,
    /// There is no user.
    EmptyUser,
    /// There is no time.
    EmptyTime,
    /// The time is not written in the configured format.
    BadTime,
    /// The time lies outside the years 1900 to 2199, or is a number that lies within weeks of 1970: placeholders and
    /// confused units do.
    TimeOutOfRange,
    /// There is no kind.
    EmptyKind,
    /// The amount is not a finite number, or too large to be summed exactly.
    BadAmount,
    /// The number of an attribute is not finite.
    BadNumber,
    /// The day lies before those that the log covers; the row is set aside.
    BeforeCoverage,
    /// The day lies after those that the log covers; the row is set aside.
    AfterCoverage,
    /// The day has not come yet; the row is set aside.
    InTheFuture,
}

impl From<Stray> for RejectionReason {
    fn from(stray: Stray) -> Self {
        match stray {
            Stray::BeforeCoverage => Self::BeforeCoverage,
            Stray::AfterCoverage => Self::AfterCoverage,
            Stray::InTheFuture => Self::InTheFuture,
        }
    }
}

impl RejectionReason {
    /// Every reason, in the order of reports.
    pub const ALL: [Self; 17] = [
        Self::WrongColumnCount,
        Self::OpenQuote,
        Self::RecordTooLong,
        Self::BadJson,
        Self::NotUtf8,
        Self::ExpressionFailed,
        Self::BadType,
        Self::EmptyUser,
        Self::EmptyTime,
        Self::BadTime,
        Self::TimeOutOfRange,
        Self::EmptyKind,
        Self::BadAmount,
        Self::BadNumber,
        Self::BeforeCoverage,
        Self::AfterCoverage,
        Self::InTheFuture,
    ];

    /// The reason's stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::WrongColumnCount => "wrong_column_count",
            Self::OpenQuote => "open_quote",
            Self::RecordTooLong => "record_too_long",
            Self::BadJson => "bad_json",
            Self::NotUtf8 => "not_utf8",
            Self::ExpressionFailed => "expression_failed",
            Self::BadType => "bad_type",
            Self::EmptyUser => "empty_user",
            Self::EmptyTime => "empty_time",
            Self::BadTime => "bad_time",
            Self::TimeOutOfRange => "time_out_of_range",
            Self::EmptyKind => "empty_kind",
            Self::BadAmount => "bad_amount",
            Self::BadNumber => "bad_number",
            Self::BeforeCoverage => "before_coverage",
            Self::AfterCoverage => "after_coverage",
            Self::InTheFuture => "in_the_future",
        }
    }

    /// Whether the row could be read, and is set aside for its day.
    pub fn is_stray(self) -> bool {
        matches!(
            self,
            Self::BeforeCoverage | Self::AfterCoverage | Self::InTheFuture
        )
    }
}

impl fmt::Display for RejectionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One row's rejection, before it is counted.
#[derive(Debug)]
pub(crate) struct Rejection {
    pub(crate) reason: RejectionReason,
    /// The column or expression to blame; empty when the whole row is.
    pub(crate) field: Field,
    pub(crate) value: String,
    /// Borrowed for the common reasons: logs with many rejected rows must not be slow.
    pub(crate) expected: Cow<'static, str>,
}
