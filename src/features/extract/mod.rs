#[cfg(test)]
mod tests;

use super::attribute::Seen;
use super::summary::{ActiveDay, KindTable, Summary};
use super::{Catalogue, Quantity, Season};
use crate::history::{Day, HistoryView};

/// Computes feature vectors of one catalogue for histories whose kinds are numbered by one table.
#[derive(Clone, Debug)]
pub struct Extractor<'a> {
    catalogue: &'a Catalogue,
    table: KindTable,
    /// The features to compute, by their positions in a vector.
    wanted: Vec<(usize, Quantity)>,
    summary: Summary,
}

impl<'a> Extractor<'a> {
    /// An extractor for histories whose records refer to `kinds`. Kinds without features of their own count
    /// only where any kind does.
    pub fn new(catalogue: &'a Catalogue, kinds: &[String]) -> Self {
        let slot = |kind: &String| {
            catalogue
                .kinds()
                .iter()
                .position(|k| k == kind)
                .map(|p| p as u16)
        };
        let wanted = catalogue
            .features()
            .iter()
            .map(|feature| feature.quantity)
            .enumerate()
            .collect();
        let schema = catalogue.schema();
        let is_value = kinds.iter().map(|kind| schema.value_kinds.contains(kind));
        let table = KindTable {
            slots: kinds.iter().map(slot).collect(),
            activity: schema.activity.len() as u16,
            is_value: match schema.value_kinds.is_empty() {
                true => Vec::new(),
                false => is_value.collect(),
            },
            signals: schema
                .attributes
                .iter()
                .map(|attribute| kinds.iter().position(|kind| *kind == attribute.name))
                .map(|position| position.map(|position| position as u16))
                .collect(),
        };
        Self {
            catalogue,
            table,
            wanted,
            summary: Summary::default(),
        }
    }

    /// Restricts it to these features; the others stay unknown.
    pub fn only(mut self, quantities: &[Quantity]) -> Self {
        self.wanted
            .retain(|(_, quantity)| quantities.contains(quantity));
        if !self.wanted.iter().any(|(_, q)| q.is_of_orders()) {
            self.table.is_value.clear();
        }
        self
    }

    /// How many features a vector has.
    pub fn width(&self) -> usize {
        self.catalogue.len()
    }

    /// Writes the features of `history` as known at the start of `as_of` into `out`, one for each entry of the
    /// catalogue, NaN where a value cannot be known. Returns whether the user was ever active before `as_of`.
    pub fn extract(&mut self, history: HistoryView<'_>, as_of: Day, out: &mut [f64]) -> bool {
        self.summary.read(history, as_of, &self.table);
        let attributes = &self.catalogue.schema().attributes;
        self.summary
            .read_attributes(history, as_of, attributes, &self.table);
        for (position, quantity) in &self.wanted {
            let value = value(self.catalogue, &self.summary, *quantity);
            // Adding 0 turns -0, the sum of no floating-point numbers, into 0.
            out[*position] = value.unwrap_or(f64::NAN) + 0.0;
        }
        !self.summary.active.is_empty()
    }
}

/// The value of one quantity; `None` when it cannot be known.
fn value(catalogue: &Catalogue, s: &Summary, quantity: Quantity) -> Option<f64> {
    let recency = s.active.last().map(|d| f64::from(d.age));
    let tenure = s.first_any.map(f64::from);
    Some(match quantity {
        Quantity::Recency => recency?,
        Quantity::RecencyAny => f64::from(s.last_any?),
        Quantity::Tenure => tenure?,
        Quantity::ActiveAge => f64::from(s.active.first()?.age),
        Quantity::ActiveDays => s.active.len() as f64,
        Quantity::ActiveDaysIn(w) => s.within(w).len() as f64,
        Quantity::Events => events(&s.active),
        Quantity::EventsIn(w) => events(s.within(w)),
        Quantity::DecayedDays(half_life) => {
            catalogue.decayed(half_life, s.active.iter().map(|d| d.age))
        }
        Quantity::OneDay => f64::from(s.active.len() == 1),
        Quantity::GapMean => mean(s.gaps())?,
        Quantity::GapSpread => spread(s.gaps())?,
        Quantity::GapLast => s.gaps().last()?,
        Quantity::GapMax => s.gaps().reduce(f64::max)?,
        Quantity::Overdue => (recency? + 1.0) / (mean(s.gaps())? + 1.0),
        Quantity::GapsExceeded => gaps_exceeded(s, recency?)?,
        Quantity::RecencyShare => recency? / tenure?,
        Quantity::Trend(short, long) => {
            let days = |window| s.within(window).len() as f64;
            trend(days(short), days(long), trend_windows(short, long, tenure?))
        }
        Quantity::WeekdayRegularity => weekday_regularity(&s.active)?,
        Quantity::Amount => amount(&s.active),
        Quantity::AmountIn(w) => amount(s.within(w)),
        Quantity::AmountMean => mean(s.active.iter().map(|d| d.amount))?,
        Quantity::AmountSpread => spread(s.active.iter().map(|d| d.amount))?,
        Quantity::AmountLast => s.active.last()?.amount,
        Quantity::AmountMax => s.active.iter().map(|d| d.amount).reduce(f64::max)?,
        Quantity::KindCount(kind) => s.kind(kind).iter().map(|k| k.count).sum(),
        Quantity::KindCountIn(kind, w) => s
            .kind(kind)
            .iter()
            .rev()
            .take_while(|k| k.age <= u32::from(w))
            .map(|k| k.count)
            .sum(),
        Quantity::KindRecency(kind) => f64::from(s.kind(kind).last()?.age),
        Quantity::ActiveDaysInSeason(season) => active_days_in(s, season)?,
        Quantity::OrderDays => f64::from(s.orders.days),
        Quantity::OrderRecency => f64::from(known(s.orders.last_age)?),
        Quantity::OrderAge => f64::from(known(s.orders.first_age)?),
        Quantity::OrderAmount => units(s.orders.micros),
        Quantity::OrderRepeatAmount => {
            let again = s.orders.days.checked_sub(1).filter(|again| *again > 0)?;
            units(s.orders.micros - s.orders.first_micros) / f64::from(again)
        }
        Quantity::AttributeLevel(attribute, level) => {
            f64::from(s.attribute(attribute) == level_of(catalogue, attribute, level))
        }
        Quantity::AttributeNumber(attribute) => match s.attribute(attribute) {
            Seen::Number(number) => number,
            Seen::Level(_) | Seen::Missing => return None,
        },
        Quantity::SignalAge(attribute) => f64::from(s.signal_age(attribute)?),
        Quantity::AttributeMissing(attribute) => f64::from(s.attribute(attribute) == Seen::Missing),
    })
}

/// What is known of users with a level of an attribute: the last one stands for what is not known.
fn level_of(catalogue: &Catalogue, attribute: u16, level: u16) -> Seen {
    let attribute = catalogue.schema().attributes.get(usize::from(attribute));
    let levels = attribute.and_then(|attribute| attribute.levels.as_ref());
    match levels.map_or(0, Vec::len) {
        others if usize::from(level) > others => Seen::Missing,
        _ => Seen::Level(level),
    }
}

/// The age of an order; unknown without one, for no order is of the as-of day.
fn known(age: u32) -> Option<u32> {
    (age > 0).then_some(age)
}

/// Micros in units of the log.
fn units(micros: i128) -> f64 {
    micros as f64 / 1e6
}

/// Unknown for a user first seen after the season's start.
fn active_days_in(s: &Summary, season: Season) -> Option<f64> {
    let is_known = s.first_any? >= season.least_tenure_days();
    is_known.then(|| s.among(season.days()).len() as f64)
}

/// Unknown for a user with a single active day.
fn gaps_exceeded(s: &Summary, recency: f64) -> Option<f64> {
    let (seen, shorter) = s.gaps().fold((0.0, 0.0), |(n, m), gap| {
        (n + 1.0, m + f64::from(gap < recency))
    });
    (seen > 0.0).then(|| (shorter + 0.5) / (seen + 1.0))
}

fn events(days: &[ActiveDay]) -> f64 {
    days.iter().map(|d| d.events).sum()
}

fn amount(days: &[ActiveDay]) -> f64 {
    days.iter().map(|d| d.amount).sum()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0_u32, 0.0), |(n, sum), v| (n + 1, sum + v));
    (count > 0).then(|| sum / f64::from(count))
}

/// Standard deviation with `n - 1` below the line; unknown for fewer than two values.
fn spread(values: impl Iterator<Item = f64>) -> Option<f64> {
    // Welford's recurrence: one pass, no cancellation.
    let (mut n, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for v in values {
        n += 1.0;
        let delta = v - mean;
        mean += delta / n;
        squares += delta * (v - mean);
    }
    (n > 1.0).then(|| (squares / (n - 1.0)).sqrt())
}

/// `ln` of the short window's rate over the long one's, for active days in both. Half a day is added to the long window
/// and as much of it to the short one as its length is of the long one's, so that it lies above 0 exactly when the
/// short window's own rate is the higher one, and nothing in either is 0.
pub(crate) fn trend(short_days: f64, long_days: f64, [short, long]: [f64; 2]) -> f64 {
    let share = short / long;
    libm::log((short_days + 0.5 * share) / ((long_days + 0.5) * share))
}

/// The lengths of a trend's windows. One longer than tenure counts as tenure, so that a new user has no downward trend
/// for lack of a past.
pub(crate) fn trend_windows(short: u16, long: u16, tenure: f64) -> [f64; 2] {
    [short, long].map(|window| f64::from(window).min(tenure.max(1.0)))
}

/// 1 - H / ln 7 for the entropy H of the active days over the weekdays, less the value expected of that many
/// days at random (Miller and Madow's correction of H); held to 0..1. Unknown for a single day.
fn weekday_regularity(days: &[ActiveDay]) -> Option<f64> {
    if days.len() < 2 {
        return None;
    }
    let mut counts = [0.0_f64; 7];
    for day in days {
        counts[day.weekday] += 1.0;
    }
    let n = days.len() as f64;
    let used = counts.iter().filter(|c| **c > 0.0);
    let entropy: f64 = used.clone().map(|c| -c / n * libm::log(c / n)).sum();
    let corrected = entropy + (used.count() as f64 - 1.0) / (2.0 * n);
    Some((1.0 - corrected / libm::log(7.0)).clamp(0.0, 1.0))
}
