//! How much of a log could not be used, from the data-quality report that a card holds.

use serde_json::Value;

use super::number::{plain_percent, thousands};
use crate::card::Card;

/// Rows of a log by whether they could be used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RejectionSummary {
    /// Rows read.
    pub rows: u64,
    /// Rows rejected because they name no user. Shops have them by the nature of their log, such as guests without an
    /// account; they are no sign that the rest was misread.
    pub without_user: u64,
    /// Rows rejected for any other reason.
    pub rejected: u64,
    /// The reason with most of these rows; `None` without any.
    pub most: Option<Reason>,
}

/// A reason for rejection and its rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reason {
    /// Its name in the data-quality report.
    pub name: String,
    /// How many rows were rejected for it.
    pub rows: u64,
}

/// A share of rejected rows that is worth a caution.
pub const CAUTION_SHARE: f64 = 0.05;

/// The reason of rows without a user.
const EMPTY_USER: &str = "empty_user";

/// The reasons in a data-quality report.
pub(crate) fn reasons(quality: &Value) -> Vec<Reason> {
    let reasons = quality.get("rejected").and_then(Value::as_array);
    let reason = |value: &Value| Reason {
        name: value
            .get("reason")
            .and_then(Value::as_str)
            .unwrap_or("other")
            .to_owned(),
        rows: value.get("rows").and_then(Value::as_u64).unwrap_or(0),
    };
    reasons.into_iter().flatten().map(reason).collect()
}

impl RejectionSummary {
    /// The rows of a card's log; `None` where no report on it was kept.
    pub fn of(card: &Card) -> Option<Self> {
        let rows = card.data_quality.get("rows")?.as_u64()?;
        let (without_user, others): (Vec<Reason>, Vec<Reason>) = reasons(&card.data_quality)
            .into_iter()
            .partition(|reason| reason.name == EMPTY_USER);
        let sum = |reasons: &[Reason]| {
            let rows = reasons.iter().map(|reason| reason.rows);
            rows.fold(0, u64::saturating_add)
        };
        Some(Self {
            rows,
            without_user: sum(&without_user),
            rejected: sum(&others),
            most: others
                .into_iter()
                .filter(|reason| reason.rows > 0)
                // Of equals the first counts, as in the report.
                .reduce(|most, next| if next.rows > most.rows { next } else { most }),
        })
    }

    /// The share of rejected rows, of all rows but those without a user; 0 without rows.
    pub fn share(&self) -> f64 {
        self.rejected as f64 / self.rows.saturating_sub(self.without_user).max(1) as f64
    }

    /// The share of rows that name no user.
    pub fn share_without_user(&self) -> f64 {
        self.without_user as f64 / self.rows.max(1) as f64
    }

    /// A caution on the quality of the log; `None` up to [`CAUTION_SHARE`] of its rows.
    pub fn caution(&self) -> Option<String> {
        let most = self
            .most
            .as_ref()
            .filter(|_| self.share() > CAUTION_SHARE)?;
        Some(format!(
            "{} of the log was rejected ({} of {} rows, {} of them for {}): the model and its figures are those of the \
             rest, which may have been misread as well. See the data-quality report of the fit, and the settings in \
             [events].",
            plain_percent(self.share()),
            thousands(self.rejected),
            thousands(self.rows),
            thousands(most.rows),
            most.name,
        ))
    }

    /// A remark on rows that name no user; `None` up to [`CAUTION_SHARE`] of them.
    pub fn remark(&self) -> Option<String> {
        (self.share_without_user() > CAUTION_SHARE).then(|| {
            format!(
                "{} of the log ({} of {} rows) names no user and is left out; if that is not meant, see events.user.",
                plain_percent(self.share_without_user()),
                thousands(self.without_user),
                thousands(self.rows),
            )
        })
    }
}
