//! Feature values in plain words.

mod contrast;
#[cfg(test)]
mod tests;
mod words;

pub use contrast::Contrast;
pub use words::percent;
use words::several;
pub(crate) use words::{days, number};

use super::attribute::{MISSING, OTHER};
use super::extract::trend_windows;
use super::list::with_article;
use super::{Catalogue, Feature, Quantity, Season};

impl Catalogue {
    /// One plain description on a user's value of a feature, such as "last purchase 47 days ago; usually every 12".
    /// `vector` is the user's whole feature vector; `None` when the feature's value is unknown.
    pub fn phrase(&self, position: usize, vector: &[f64]) -> Option<String> {
        let feature = self.features().get(position)?;
        let value = vector.get(position).copied().filter(|v| !v.is_nan())?;
        let known = |q| self.known(q, vector);
        let usual = || {
            known(Quantity::GapMean)
                .map(|gap| format!("; usually every {}", number(gap)))
                .unwrap_or_default()
        };
        Some(match feature.quantity {
            Quantity::Recency if known(Quantity::ActiveDays) == Some(1.0) => {
                format!("{} on one day only, {} ago", self.verb(), days(value))
            }
            Quantity::Recency => format!("last {} {} ago{}", self.verb(), days(value), usual()),
            Quantity::Overdue => {
                let recency = known(Quantity::Recency).map(days).unwrap_or_default();
                format!("last {} {recency} ago{}", self.verb(), usual())
            }
            Quantity::RecencyShare if value >= 1.0 => {
                format!("no {} since the day of the first event", self.verb())
            }
            Quantity::RecencyShare => {
                format!(
                    "last {} was {} of the way back to the first event",
                    self.verb(),
                    percent(value)
                )
            }
            Quantity::GapsExceeded => self.gaps_exceeded(value, vector),
            Quantity::ActiveAge => format!("first {} {} ago", self.verb(), days(value)),
            Quantity::RecencyAny => format!("last event of any kind {} ago", days(value)),
            Quantity::Tenure => format!("known for {}", days(value)),
            Quantity::OneDay if value > 0.0 => format!("{} on one day only", self.verb()),
            Quantity::OneDay => format!("{} on more than one day", self.verb()),
            Quantity::Trend(short, long) => self.trend(short, long, value, vector),
            Quantity::KindRecency(kind) => {
                format!("last {} {} ago", self.kind_word(kind), days(value))
            }
            Quantity::ActiveDaysInSeason(season) => self.season(season, value, vector),
            Quantity::OrderDays => several(value, "order"),
            Quantity::OrderRecency => format!("last order {} ago", days(value)),
            Quantity::OrderAge => format!("first order {} ago", days(value)),
            Quantity::OrderAmount => format!("orders of {} in all", number(value)),
            Quantity::OrderRepeatAmount => {
                format!("orders after the first of {} on average", number(value))
            }
            Quantity::AttributeLevel(attribute, _) => self.attribute(attribute, vector)?,
            Quantity::SignalAge(attribute) => {
                let name = self.attribute_name(attribute).replace('_', " ");
                format!("last {name} {} ago", days(value))
            }
            Quantity::AttributeNumber(attribute) => {
                format!("{}: {}", self.attribute_name(attribute), number(value))
            }
            Quantity::AttributeMissing(attribute) if value > 0.0 => {
                format!("{} is not known", self.attribute_name(attribute))
            }
            Quantity::AttributeMissing(attribute) => {
                format!("{} is known", self.attribute_name(attribute))
            }
            _ => plain(feature, value),
        })
    }

    /// A user's level of an attribute, whichever of its features is asked about.
    fn attribute(&self, attribute: u16, vector: &[f64]) -> Option<String> {
        let name = self.attribute_name(attribute);
        let is_level =
            |quantity| matches!(quantity, Quantity::AttributeLevel(a, _) if a == attribute);
        let mut levels = self.features().iter().zip(vector);
        let (feature, _) = levels.find(|(f, value)| is_level(f.quantity) && **value > 0.0)?;
        Some(match feature.name.strip_prefix(&format!("{name} = ")) {
            Some(MISSING) | None => format!("{name} is not known"),
            Some(OTHER) => format!("{name} is none of the frequent ones"),
            Some(level) => format!("{name} is {level}"),
        })
    }

    fn attribute_name(&self, attribute: u16) -> &str {
        let attribute = self.schema().attributes.get(usize::from(attribute));
        attribute.map_or("", |attribute| attribute.name.as_str())
    }

    /// The change that the counts say; the feature itself lies between it and no change.
    fn trend(&self, short: u16, long: u16, value: f64, vector: &[f64]) -> String {
        let count = |window| self.known(Quantity::ActiveDaysIn(window), vector);
        let counts = count(short)
            .zip(count(long))
            .zip(self.known(Quantity::Tenure, vector));
        let way = |above: bool| if above { "above" } else { "below" };
        let Some(((few, many), tenure)) = counts else {
            return format!(
                "activity of the last {short} days {} the longer run",
                way(value > 0.0)
            );
        };
        let [a, b] = trend_windows(short, long, tenure);
        let said = format!(
            "{} of {} days, {} of {}",
            number(few),
            number(a),
            number(many),
            number(b)
        );
        let change = if many > 0.0 {
            few / a * (b / many) - 1.0
        } else {
            0.0
        };
        let share = (change.abs() * 100.0).round();
        if share == 0.0 {
            return format!("activity of the last {short} days as in the longer run ({said})");
        }
        format!(
            "activity of the last {short} days {} % {} the longer run ({said})",
            number(share),
            way(change > 0.0)
        )
    }

    /// How many of a user's own gaps are shorter than the present one.
    fn gaps_exceeded(&self, value: f64, vector: &[f64]) -> String {
        let recency = self
            .known(Quantity::Recency, vector)
            .map(days)
            .unwrap_or_default();
        let last = format!("last {} {recency} ago", self.verb());
        let Some(gaps) = self
            .known(Quantity::ActiveDays, vector)
            .map(|active| active - 1.0)
            .filter(|gaps| *gaps > 0.0)
        else {
            return format!(
                "{last}, longer than {} of the user's own gaps",
                percent(value)
            );
        };
        // One gap of which a half is shorter was added to what was seen.
        let shorter = (value * (gaps + 1.0) - 0.5).round().clamp(0.0, gaps);
        if gaps == 1.0 {
            let longer = if shorter > 0.0 {
                "longer"
            } else {
                "not longer"
            };
            return format!("{last}, {longer} than the user's only gap");
        }
        let how_many = match shorter {
            0.0 => "none".to_owned(),
            all if all == gaps => "all".to_owned(),
            some => number(some),
        };
        format!(
            "{last}, longer than {how_many} of the user's own {} gaps",
            number(gaps)
        )
    }

    /// A season's active days, beside those of the whole year that starts with it: whether it is one in which the user is
    /// active.
    fn season(&self, season: Season, value: f64, vector: &[f64]) -> String {
        let when = season.words();
        let count = match value {
            0.0 => format!("no {} {when}", self.verb()),
            some => format!("{} with {} {when}", days(some), with_article(&self.verb())),
        };
        let year = season.whole_year();
        let of_year = self.known(Quantity::ActiveDaysInSeason(year), vector);
        // A wide window of the last weeks of a year reaches beyond it, and has no part of it to give.
        let of_year = of_year.filter(|all| *all > 0.0 && year.days().contains(season.days()));
        match of_year.filter(|_| season != year) {
            Some(all) if value > 0.0 => {
                format!("{count}, of {} in the year from then on", number(all))
            }
            Some(all) => format!("{count}, though on {} of the year from then on", days(all)),
            None => count,
        }
    }

    fn known(&self, quantity: Quantity, vector: &[f64]) -> Option<f64> {
        self.position(quantity)
            .and_then(|p| vector.get(p))
            .copied()
            .filter(|v| !v.is_nan())
    }

    /// What users do who stay: the kind of activity, if there is just one.
    pub(crate) fn verb(&self) -> String {
        match self.schema().activity.as_slice() {
            [_] => self.kind_word(0),
            _ => "activity".to_owned(),
        }
    }

    fn kind_word(&self, kind: u16) -> String {
        self.kinds()[usize::from(kind)].replace('_', " ")
    }
}

/// "Days with a purchase in the last 60 days: 3".
fn plain(feature: &Feature, value: f64) -> String {
    format!(
        "{}: {}",
        feature.description.trim_end_matches('.'),
        number(value)
    )
}
