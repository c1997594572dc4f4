//! How much of a log could not be used, from the data-quality report that a card holds.

use serde_json::Value;

use crate::card::Card;

/// Rows of a log by whether they could be used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refused {
    /// Rows read.
    pub rows: u64,
    /// Rows refused because they name no user. Shops have them by the nature of their log, such as guests without an
    /// account; they tell nothing of how the rest was read.
    pub without_user: u64,
    /// Rows refused for any other reason.
    pub refused: u64,
    /// The reason for most of these, and its rows.
    pub most: Option<(String, u64)>,
}

/// A share of refused rows that is worth a caution.
pub const CAUTION_SHARE: f64 = 0.05;

/// The reason of rows without a user.
const EMPTY_USER: &str = "empty_user";

impl Refused {
    /// The rows of a card's log; `None` where no report on it was kept.
    pub fn of(card: &Card) -> Option<Self> {
        let quality = &card.data_quality;
        let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64);
        let rows = number(quality, "rows")?;
        let mut found = Self {
            rows,
            ..Self::default()
        };
        for reason in quality
            .get("refused")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let refused = number(reason, "rows").unwrap_or(0);
            match reason
                .get("reason")
                .and_then(Value::as_str)
                .unwrap_or("other")
            {
                EMPTY_USER => found.without_user += refused,
                name => {
                    found.refused = found.refused.saturating_add(refused);
                    if refused > found.most.as_ref().map_or(0, |most| most.1) {
                        found.most = Some((name.to_owned(), refused));
                    }
                }
            }
        }
        Some(found)
    }

    /// The share of refused rows, of those that name a user or can't be read so far; 0 without rows.
    pub fn share(&self) -> f64 {
        self.refused as f64 / self.rows.saturating_sub(self.without_user).max(1) as f64
    }

    /// The share of rows that name no user.
    pub fn share_without_user(&self) -> f64 {
        self.without_user as f64 / self.rows.max(1) as f64
    }

    /// What to be careful about; `None` while few rows were refused.
    pub fn caution(&self) -> Option<String> {
        (self.share() > CAUTION_SHARE).then(|| {
            let (reason, rows) = self.most.clone().unwrap_or_default();
            format!(
                "{} of the log was refused ({} of {} rows, {rows} of them for {reason}): the model and its figures are \
                 those of the rest, which may have been misread as well. See the data-quality report of the fit, and the \
                 settings in [events].",
                in_words(self.share()),
                self.refused,
                self.rows
            )
        })
    }

    /// That many rows name no user; `None` while few do.
    pub fn remark(&self) -> Option<String> {
        (self.share_without_user() > CAUTION_SHARE).then(|| {
            format!(
                "{} of the log ({} of {} rows) names no user and is left out; if that is not meant, see events.user.",
                in_words(self.share_without_user()),
                self.without_user,
                self.rows
            )
        })
    }
}

/// A share that is never rounded to nothing or all.
pub(crate) fn in_words(share: f64) -> String {
    match share * 100.0 {
        p if p > 0.0 && p < 0.1 => "less than 0.1 %".to_owned(),
        p if p > 99.9 && p < 100.0 => "more than 99.9 %".to_owned(),
        p => format!("{p:.1} %"),
    }
}
