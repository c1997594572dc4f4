//! Rules of features of earlier years.

use super::Builder;
use crate::features::constraints::rule::Rule;
use crate::features::season::DaysAgo;
use crate::features::{Quantity, Season};

/// A feature that counts the active days among some days.
#[derive(Clone, Copy)]
struct Window {
    feature: usize,
    days: DaysAgo,
}

impl Window {
    /// Whether the days of another window are some of its own; of two windows of the same days each is inside of the
    /// other.
    fn contains(self, other: Self) -> bool {
        self.feature != other.feature && self.days.contains(other.days)
    }
}

impl Builder<'_> {
    /// The rules of the number of active days in a season.
    pub(super) fn season(&mut self, feature: usize, season: Season) {
        let days = season.days();
        let (from, until) = (f64::from(days.from), f64::from(days.until));
        self.count(feature, 0.0);
        self.range(feature, 0.0, f64::from(days.len()));
        self.order(Some(feature), self.at(Quantity::ActiveDays));
        // Also of a client that sends none of the windows between the two.
        let year = season.whole_year();
        if year.days().contains(days) {
            self.order(Some(feature), self.at(Quantity::ActiveDaysInSeason(year)));
        }
        let least = f64::from(season.least_tenure_days());
        self.needs(feature, Quantity::Tenure, least);
        let recency = self.at(Quantity::Recency);
        if days.until == 0 {
            return self.rule(recency.map(|recency| Rule::Seen {
                count: feature,
                recency,
                window: from,
            }));
        }
        self.rule(recency.map(|recency| Rule::Unseen {
            amount: feature,
            recency,
            window: from,
        }));
        let age = self.at(Quantity::ActiveAge);
        self.rule(age.map(|age| Rule::NotYet {
            count: feature,
            age,
            until,
        }));
    }

    /// A window holds no more active days than one around it, and lacks no more than the days outside of it.
    pub(super) fn add_nested_seasons(&mut self) {
        let windows = self.windows();
        for &inner in &windows {
            for outer in narrowest_around(inner, &windows) {
                // The windows up to the as-of day have rules of their own among each other.
                if ![inner, outer].iter().any(|window| self.is_season(*window)) {
                    continue;
                }
                self.order(Some(inner.feature), Some(outer.feature));
                self.rule(Some(Rule::Lacks {
                    inner: inner.feature,
                    outer: outer.feature,
                    days: f64::from(outer.days.len() - inner.days.len()),
                }));
            }
        }
    }

    fn is_season(&self, window: Window) -> bool {
        let quantity = self.catalogue.features()[window.feature].quantity;
        matches!(quantity, Quantity::ActiveDaysInSeason(_))
    }

    /// All windows of active days.
    fn windows(&self) -> Vec<Window> {
        let days = |quantity| match quantity {
            Quantity::ActiveDaysInSeason(season) => Some(season.days()),
            Quantity::ActiveDaysIn(window) => Some(DaysAgo {
                from: u32::from(window),
                until: 0,
            }),
            _ => None,
        };
        let features = self.catalogue.features().iter().enumerate();
        features
            .filter_map(|(feature, f)| days(f.quantity).map(|days| Window { feature, days }))
            .collect()
    }
}

/// The windows around another one that have no third one between them: what holds of wider ones follows.
fn narrowest_around(inner: Window, windows: &[Window]) -> impl Iterator<Item = Window> {
    let is_between = move |between: Window, outer: Window| {
        let lengths = inner.days.len() + 1..outer.days.len();
        lengths.contains(&between.days.len()) && between.contains(inner) && outer.contains(between)
    };
    let around = windows
        .iter()
        .copied()
        .filter(move |outer| outer.contains(inner));
    around.filter(move |outer| !windows.iter().any(|between| is_between(*between, *outer)))
}
