//! Requests for indicators, and rows of them.

use crate::history::Day;
use crate::kpi::{KpiError, PeriodKind, Row, SliceBy};
use crate::serve::errors::CallError;
use crate::serve::wire;

/// What is asked of the known users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KpiQuestion {
    /// How long periods are.
    pub(crate) period: PeriodKind,
    /// What users are grouped by.
    pub(crate) by: Vec<SliceBy>,
    /// A day of the first period.
    pub(crate) from: Option<Day>,
    /// The day after one of the last period.
    pub(crate) to: Option<Day>,
    /// The name or label of the model.
    pub(crate) model: String,
}

impl TryFrom<wire::GetKpisRequest> for KpiQuestion {
    type Error = CallError;

    fn try_from(request: wire::GetKpisRequest) -> Result<Self, CallError> {
        let wire::GetKpisRequest {
            period,
            by,
            from,
            to,
            model,
        } = request;
        let groupings = by.iter().enumerate().map(|(i, number)| {
            let problem = || format!("{number} is not a grouping of this version");
            grouping(*number).ok_or_else(|| CallError::field(format!("by[{i}]"), problem()))
        });
        let mut by: Vec<SliceBy> = groupings.collect::<Result<_, _>>()?;
        by.sort_unstable();
        by.dedup();
        Ok(Self {
            period: period_kind(period)?,
            by,
            from: day("from", &from)?,
            to: day("to", &to)?,
            model,
        })
    }
}

fn period_kind(number: i32) -> Result<PeriodKind, CallError> {
    match wire::KpiPeriod::try_from(number) {
        Ok(wire::KpiPeriod::Unspecified | wire::KpiPeriod::Month) => Ok(PeriodKind::Month),
        Ok(wire::KpiPeriod::Week) => Ok(PeriodKind::Week),
        Ok(wire::KpiPeriod::Quarter) => Ok(PeriodKind::Quarter),
        Err(_) => {
            let problem = format!("{number} is not a period of this version");
            Err(CallError::field("period", problem))
        }
    }
}

fn grouping(number: i32) -> Option<SliceBy> {
    match wire::KpiGrouping::try_from(number).ok()? {
        wire::KpiGrouping::Unspecified => None,
        wire::KpiGrouping::Stage => Some(SliceBy::Stage),
        wire::KpiGrouping::Tier => Some(SliceBy::Tier),
        wire::KpiGrouping::Segment => Some(SliceBy::Segment),
        wire::KpiGrouping::Cohort => Some(SliceBy::Cohort),
    }
}

fn day(field: &str, text: &str) -> Result<Option<Day>, CallError> {
    let parsed = (!text.is_empty()).then(|| text.parse::<Day>());
    parsed
        .transpose()
        .map_err(|error| CallError::field(field, error.to_string()))
}

/// Why indicators cannot be computed, as the error of a call.
pub(crate) fn refusal(error: KpiError) -> CallError {
    match error {
        KpiError::History(error) => error.into(),
        KpiError::Model(error) => error.into(),
        KpiError::NeedsModel { .. } => CallError::field("by", error.to_string()),
        KpiError::NoDays { .. } | KpiError::TooManyCells { .. } => {
            CallError::field("from", error.to_string())
        }
    }
}

impl From<Row> for wire::Kpi {
    fn from(row: Row) -> Self {
        let (from, until) = (row.from().to_string(), row.until().to_string());
        Self {
            kpi: row.kpi,
            period: row.period,
            from,
            until,
            slice: row.slice,
            value: row.value,
            numerator: row.numerator,
            denominator: row.denominator,
            low: row.low,
            high: row.high,
            complete: row.complete,
            problem: row
                .problem
                .map_or_else(String::new, |problem| problem.name().to_owned()),
        }
    }
}
