use serde::{Deserialize, Serialize};

use super::Season;

/// What a feature is about. Features of one group measure nearly the same, so reasons name one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureGroup {
    /// How long ago the user was last active, also against the usual gap.
    Recency,
    /// How often the user is active.
    Frequency,
    /// How long the user has been known.
    Tenure,
    /// How regular the activity is.
    Rhythm,
    /// How much the user spends.
    Amount,
    /// What else the user does.
    OtherEvents,
    /// What the user did in the same season of earlier years.
    Season,
    /// What is known of the user beside events.
    Attribute,
}

impl FeatureGroup {
    /// The group's name in files and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recency => "recency",
            Self::Frequency => "frequency",
            Self::Tenure => "tenure",
            Self::Rhythm => "rhythm",
            Self::Amount => "amount",
            Self::OtherEvents => "other_events",
            Self::Season => "season",
            Self::Attribute => "attribute",
        }
    }
}

/// How a feature's raw value is transformed before it is standardised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// `ln(1 + x)`: counts, days, money. The value cannot be negative.
    Log,
    /// `ln(1 + |x|)` with the sign of `x`.
    SignedLog,
    /// As it is.
    Linear,
    /// `ln(p / (1 - p))`: probabilities.
    Logit,
}

/// What a feature measures. Windows and half-lives are in days; kinds are positions in
/// [`Catalogue::kinds`](super::Catalogue::kinds).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantity {
    /// Days from the last active day to the as-of day; at least 1.
    Recency,
    /// The same for events of any kind.
    RecencyAny,
    /// Days from the first event of any kind.
    Tenure,
    /// Days from the first active day.
    ActiveAge,
    /// Days with activity, ever.
    ActiveDays,
    /// Days with activity in a window.
    ActiveDaysIn(u16),
    /// Activity events, ever.
    Events,
    /// Activity events in a window.
    EventsIn(u16),
    /// Active days, each weighed by `2^(-age / half-life)`.
    DecayedDays(u16),
    /// 1 for a user with a single active day, else 0.
    OneDay,
    /// Mean days between neighbouring active days.
    GapMean,
    /// Standard deviation of those gaps.
    GapSpread,
    /// The last of those gaps.
    GapLast,
    /// The longest of those gaps.
    GapMax,
    /// Recency over the mean gap (plus one day each).
    Overdue,
    /// The share of the gaps between neighbouring active days that are shorter than the recency; one gap more, half
    /// shorter, is added to what was seen.
    GapsExceeded,
    /// Recency over tenure.
    RecencyShare,
    /// `ln` of the rate of active days in the short window over that in the long one, with half a day added to the long
    /// window and its share of it to the short one.
    Trend(u16, u16),
    /// How much the active days cluster on weekdays: 1 - entropy / ln 7.
    WeekdayRegularity,
    /// Sum of the amounts of activity, ever.
    Amount,
    /// Sum of the amounts of activity in a window.
    AmountIn(u16),
    /// Mean amount of an active day.
    AmountMean,
    /// Standard deviation of the amounts of active days.
    AmountSpread,
    /// Amount of the last active day.
    AmountLast,
    /// Largest amount of an active day.
    AmountMax,
    /// Events of one kind, ever.
    KindCount(u16),
    /// Events of one kind in a window.
    KindCountIn(u16, u16),
    /// Days from the last event of one kind.
    KindRecency(u16),
    /// Days with activity in a season of an earlier year; unknown for users first seen after its start.
    ActiveDaysInSeason(Season),
    /// Days with an order, ever. An order is a day on which the amounts of the schema's value kinds add up to more than 0.
    OrderDays,
    /// Days from the last order.
    OrderRecency,
    /// Days from the first order.
    OrderAge,
    /// Sum of the net amounts of all orders; above 0 once there is one.
    OrderAmount,
    /// Mean net amount of the orders after the first; unknown for fewer than two.
    OrderRepeatAmount,
    /// 1 for a user with a level of an attribute, else 0: the positions of the attribute in the schema and of the level, behind
    /// whose categories come `other` and `missing`.
    AttributeLevel(u16, u16),
    /// The number that an attribute is; unknown where it is.
    AttributeNumber(u16),
    /// 1 where the number that an attribute is is not known, else 0.
    AttributeMissing(u16),
    /// Days from the last event of an attribute that is a signal.
    SignalAge(u16),
}

impl Quantity {
    /// Whether it measures orders. Value models weigh such features, churn models do not.
    pub fn is_of_orders(self) -> bool {
        matches!(
            self,
            Self::OrderDays
                | Self::OrderRecency
                | Self::OrderAge
                | Self::OrderAmount
                | Self::OrderRepeatAmount
        )
    }

    /// What a larger value than other users' makes likelier as anyone would expect it: `Some(true)` for leaving,
    /// `Some(false)` for staying, `None` where it may be either.
    pub fn larger_means_leaving(self) -> Option<bool> {
        match self {
            Self::Recency
            | Self::RecencyAny
            | Self::Overdue
            | Self::GapsExceeded
            | Self::RecencyShare => Some(true),
            Self::OneDay | Self::GapMean => Some(true),
            Self::ActiveDays | Self::ActiveDaysIn(_) | Self::Events | Self::EventsIn(_) => {
                Some(false)
            }
            Self::DecayedDays(_) | Self::Trend(..) | Self::Amount | Self::AmountIn(_) => {
                Some(false)
            }
            Self::ActiveDaysInSeason(_) | Self::OrderDays | Self::OrderAmount => Some(false),
            Self::OrderRecency => Some(true),
            Self::OrderAge | Self::OrderRepeatAmount => None,
            Self::Tenure | Self::ActiveAge | Self::GapSpread | Self::GapLast | Self::GapMax => None,
            Self::WeekdayRegularity | Self::AmountMean | Self::AmountSpread | Self::AmountLast => {
                None
            }
            Self::AttributeLevel(..) | Self::AttributeNumber(_) => None,
            Self::AttributeMissing(_) | Self::SignalAge(_) => None,
            Self::AmountMax | Self::KindCount(_) | Self::KindCountIn(..) | Self::KindRecency(_) => {
                None
            }
        }
    }
}

/// One entry of the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// The name, unique in its catalogue, such as `active_days_60d`.
    pub name: String,
    /// The unit of the raw value: `days`, `active days`, `orders`, `events`, `amount`, `ratio`, `flag` or
    /// `number`.
    pub unit: &'static str,
    /// What it is, in one sentence.
    pub description: String,
    /// What it is about.
    pub group: FeatureGroup,
    /// How it is transformed before it is standardised.
    pub scale: Scale,
    /// What it measures.
    pub quantity: Quantity,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_in_files() {
        use FeatureGroup::{
            Amount, Attribute, Frequency, OtherEvents, Recency, Rhythm, Season, Tenure,
        };
        for group in [
            Recency,
            Frequency,
            Tenure,
            Rhythm,
            Amount,
            OtherEvents,
            Season,
            Attribute,
        ] {
            assert_eq!(serde_json::to_value(group).unwrap(), group.name());
        }
    }
}
