//! What a check found.

use serde::Serialize;

use crate::card::Interval;

/// One line on a card: a figure with its threshold, or a remark.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Whether it is acceptable; a remark is.
    pub passed: bool,
    /// The line as it is printed.
    pub line: String,
    /// The figure; `None` for a remark.
    pub checked: Option<Checked>,
}

/// A checked figure, for other programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checked {
    /// The horizon; `None` for figures of the whole bundle.
    pub horizon_days: Option<u16>,
    /// The metric's name.
    pub metric: &'static str,
    /// The figure; `None` where it is not known.
    pub value: Option<f64>,
    /// The lower end of its 95 % interval; `None` without one.
    pub low: Option<f64>,
    /// The upper end; `None` without one.
    pub high: Option<f64>,
    /// Which side of the limit is acceptable; `None` without a limit.
    pub bound: Option<Bound>,
    /// The threshold; `None` for what must hold anyway, such as that a model was tested.
    pub limit: Option<f64>,
    /// Whether it is acceptable.
    pub passed: bool,
}

/// The acceptable side of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The limit or more.
    AtLeast,
    /// The limit or less.
    AtMost,
}

impl Bound {
    /// The words before the limit.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::AtLeast => "at least",
            Self::AtMost => "at most",
        }
    }

    /// Whether a figure lies on the acceptable side; what is no number does not.
    pub(crate) fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::AtLeast => value >= limit,
            Self::AtMost => value <= limit,
        }
    }
}

impl Checked {
    /// A figure without an interval that was held against a limit.
    pub(crate) fn limited(metric: &'static str, value: f64, bound: Bound, limit: f64) -> Self {
        Self {
            horizon_days: None,
            metric,
            value: finite(value),
            low: None,
            high: None,
            bound: Some(bound),
            limit: Some(limit),
            passed: bound.holds(value, limit),
        }
    }

    /// Something that must hold whatever the thresholds, and does not.
    pub(crate) fn failure(metric: &'static str, horizon_days: u16) -> Self {
        Self {
            horizon_days: Some(horizon_days),
            metric,
            value: None,
            low: None,
            high: None,
            bound: None,
            limit: None,
            passed: false,
        }
    }

    /// The same of a horizon.
    pub(crate) fn of_horizon(self, horizon_days: u16) -> Self {
        Self {
            horizon_days: Some(horizon_days),
            ..self
        }
    }

    /// The same with a value and its interval.
    pub(crate) fn with_interval(self, i: Interval) -> Self {
        Self {
            value: finite(i.value),
            low: finite(i.low),
            high: finite(i.high),
            ..self
        }
    }
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

impl Finding {
    pub(crate) fn remark(line: String) -> Self {
        Self {
            passed: true,
            line,
            checked: None,
        }
    }

    pub(crate) fn checked(checked: Checked, line: String) -> Self {
        Self {
            passed: checked.passed,
            line,
            checked: Some(checked),
        }
    }
}

/// `ok` or `FAILED`.
pub(crate) fn mark(passed: bool) -> &'static str {
    if passed { "ok" } else { "FAILED" }
}
