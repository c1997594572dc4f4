//! What a user did in a longer time, beside what the user did lately.

use super::words::{days, number, several};
use crate::features::list::with_article;
use crate::features::{Catalogue, Quantity};

/// What a user did in a longer time, and lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contrast {
    /// Both in words.
    pub words: String,
    /// Whether it was clearly less lately.
    pub is_fall: bool,
    /// Whether it was clearly more lately.
    pub is_rise: bool,
}

impl Catalogue {
    /// A user's value of a feature that counts over a long time, beside what the user did lately: "86 visits, none in the
    /// last 30 days"; or the usual gap beside the present one. `None` where there is nothing to contrast it with.
    pub fn phrase_by_contrast(&self, position: usize, vector: &[f64]) -> Option<Contrast> {
        use Quantity as Q;
        let quantity = self.features().get(position)?.quantity;
        let short = self.schema().horizon_days.first().copied()?;
        let (all, lately, window) = match quantity {
            Q::GapMean => return self.gap_by_contrast(vector),
            // What is left of old days is no number of days that anybody could check.
            Q::ActiveDays | Q::DecayedDays(_) => (Q::ActiveDays, Q::ActiveDaysIn(short), None),
            Q::ActiveDaysIn(w) => (quantity, Q::ActiveDaysIn(short), Some(w)),
            Q::Events => (quantity, Q::EventsIn(short), None),
            Q::EventsIn(w) => (quantity, Q::EventsIn(short), Some(w)),
            Q::Amount => (quantity, Q::AmountIn(short), None),
            Q::AmountIn(w) => (quantity, Q::AmountIn(short), Some(w)),
            Q::KindCount(kind) => (quantity, Q::KindCountIn(kind, short), None),
            Q::KindCountIn(kind, w) => (quantity, Q::KindCountIn(kind, short), Some(w)),
            _ => return None,
        };
        let (total, recent) = (self.known(all, vector)?, self.known(lately, vector)?);
        if window.is_some_and(|window| window <= short) || total <= 0.0 {
            return None;
        }
        let tenure = self.known(Q::Tenure, vector)?.max(1.0);
        let length = window.map_or(tenure, |window| tenure.min(f64::from(window)));
        let expected = total * f64::from(short).min(length) / length;
        let part = match quantity {
            Q::Amount | Q::AmountIn(_) if recent == 0.0 => "nothing ",
            Q::Amount | Q::AmountIn(_) if recent == total => "all of it ",
            Q::Amount | Q::AmountIn(_) => &format!("{} of it ", number(recent)),
            _ if recent == 0.0 => "none ",
            _ if recent == total && total > 1.0 => "all of them ",
            _ if recent == total => "",
            _ => &format!("{} of them ", number(recent)),
        };
        let window = window
            .map(|window| format!(" in the last {window} days"))
            .unwrap_or_default();
        let words = format!(
            "{}{window}, {part}in the last {short} days",
            self.counted(all, total)
        );
        Some(Contrast {
            words,
            is_fall: recent < 0.5 * expected,
            is_rise: recent > 1.5 * expected,
        })
    }

    fn gap_by_contrast(&self, vector: &[f64]) -> Option<Contrast> {
        let (gap, recency) = (
            self.known(Quantity::GapMean, vector)?,
            self.known(Quantity::Recency, vector)?,
        );
        let words = self.phrase(self.position(Quantity::Recency)?, vector)?;
        Some(Contrast {
            words,
            is_fall: recency > gap,
            is_rise: recency < gap,
        })
    }

    /// "86 visits", "40 days with a purchase", "an amount of 120".
    fn counted(&self, quantity: Quantity, value: f64) -> String {
        match quantity {
            Quantity::ActiveDays | Quantity::ActiveDaysIn(_) => {
                format!("{} with {}", days(value), with_article(&self.verb()))
            }
            Quantity::Amount | Quantity::AmountIn(_) => {
                format!("{} amount of {}", self.verb(), number(value))
            }
            Quantity::KindCount(kind) | Quantity::KindCountIn(kind, _) => {
                several(value, &self.kind_word(kind))
            }
            _ => several(value, &self.verb()),
        }
    }
}
