//! Which rules there are for the features of a catalogue.

mod orders;
mod season;

use super::rule::Rule;
use crate::features::{Catalogue, Quantity};

/// The rules that follow from what the features of a catalogue measure.
pub(crate) fn rules(catalogue: &Catalogue) -> Vec<Rule> {
    let mut builder = Builder {
        catalogue,
        rules: Vec::new(),
    };
    for (position, feature) in catalogue.features().iter().enumerate() {
        builder.add(position, feature.quantity);
    }
    builder.add_sums();
    builder.add_nested_seasons();
    builder.rules
}

struct Builder<'c> {
    catalogue: &'c Catalogue,
    rules: Vec<Rule>,
}

impl Builder<'_> {
    /// The rules of one feature.
    fn add(&mut self, feature: usize, quantity: Quantity) {
        use Quantity as Q;
        match quantity {
            Q::Recency | Q::ActiveAge => {
                self.count(feature, 1.0);
                self.order(
                    Some(feature),
                    self.at(if quantity == Q::Recency {
                        Q::ActiveAge
                    } else {
                        Q::Tenure
                    }),
                );
                self.only_for(feature, 1.0);
            }
            Q::RecencyAny | Q::Tenure => {
                self.count(feature, 1.0);
                self.order(
                    self.at(Q::RecencyAny),
                    self.at(if quantity == Q::RecencyAny {
                        Q::Recency
                    } else {
                        Q::Tenure
                    }),
                );
            }
            Q::ActiveDays | Q::ActiveDaysIn(_) => self.active_days(feature, quantity),
            Q::Events | Q::EventsIn(_) => self.events(feature, quantity),
            Q::KindCount(_) | Q::KindCountIn(..) | Q::KindRecency(_) => {
                self.kind(feature, quantity)
            }
            Q::Amount
            | Q::AmountIn(_)
            | Q::AmountMean
            | Q::AmountSpread
            | Q::AmountLast
            | Q::AmountMax => {
                self.amount(feature, quantity);
            }
            Q::GapMean | Q::GapSpread | Q::GapLast | Q::GapMax | Q::GapsExceeded => {
                self.gaps(feature, quantity)
            }
            Q::ActiveDaysInSeason(season) => self.season(feature, season),
            _ if quantity.is_of_orders() => self.order_feature(feature, quantity),
            _ => self.figure(feature, quantity),
        }
    }

    /// The rules of a feature that is computed from others.
    fn figure(&mut self, feature: usize, quantity: Quantity) {
        use Quantity as Q;
        match quantity {
            Q::DecayedDays(half_life) => {
                let half_life = f64::from(half_life);
                self.rule_of_days(|days, recency, age| Rule::Decayed {
                    value: feature,
                    days,
                    recency,
                    age,
                    half_life,
                });
            }
            Q::OneDay => {
                self.rule(self.at(Q::ActiveDays).map(|days| Rule::Single {
                    flag: feature,
                    days,
                }));
            }
            Q::Overdue => {
                self.ratio(feature, Q::Recency, Q::GapMean, 1.0);
                self.only_for(feature, 2.0);
            }
            Q::RecencyShare => {
                self.range(feature, 0.0, 1.0);
                self.ratio(feature, Q::Recency, Q::Tenure, 0.0);
                self.only_for(feature, 1.0);
            }
            Q::AttributeLevel(..) | Q::AttributeMissing(_) => self.range(feature, 0.0, 1.0),
            Q::WeekdayRegularity => {
                self.range(feature, 0.0, 1.0);
                self.only_for(feature, 2.0);
            }
            Q::Trend(a, b) => {
                let rule = |short, long, tenure| Rule::Trend {
                    value: feature,
                    short,
                    long,
                    tenure,
                    windows: [a, b],
                };
                let counts = self.at(Q::ActiveDaysIn(a)).zip(self.at(Q::ActiveDaysIn(b)));
                self.rule(
                    counts
                        .zip(self.at(Q::Tenure))
                        .map(|((short, long), tenure)| rule(short, long, tenure)),
                );
            }
            _ => {}
        }
    }

    fn active_days(&mut self, feature: usize, quantity: Quantity) {
        self.count(feature, 0.0);
        let Quantity::ActiveDaysIn(window) = quantity else {
            self.order(Some(feature), self.at(Quantity::Events));
            self.rule_of_days(|days, recency, age| Rule::Room { days, recency, age });
            self.rule_of_days(|days, recency, age| Rule::OneDay { days, recency, age });
            return;
        };
        let days = f64::from(window);
        self.order(Some(feature), self.at(Quantity::EventsIn(window)));
        self.order(Some(feature), self.at(Quantity::ActiveDays));
        self.seen(feature, Quantity::Recency, window);
        self.rule(self.at(Quantity::Recency).map(|recency| Rule::RoomWithin {
            days: feature,
            recency,
            window: days,
        }));
        if let Some(wider) = self.wider(window) {
            let outer = self.at(Quantity::ActiveDaysIn(wider));
            self.order(Some(feature), outer);
            let lacks = |outer| Rule::Lacks {
                inner: feature,
                outer,
                days: f64::from(wider - window),
            };
            self.rule(outer.map(lacks));
        }
        self.rule_of_days(|outer, _, age| Rule::LacksSince {
            inner: feature,
            outer,
            age,
            window: days,
        });
    }

    fn events(&mut self, feature: usize, quantity: Quantity) {
        self.count(feature, 0.0);
        if let Quantity::EventsIn(window) = quantity {
            self.order(Some(feature), self.at(Quantity::Events));
            self.order(
                Some(feature),
                self.wider(window)
                    .and_then(|wider| self.at(Quantity::EventsIn(wider))),
            );
            self.seen(feature, Quantity::Recency, window);
            self.all_within(feature, Quantity::Events, Quantity::ActiveAge, window);
        }
    }

    fn kind(&mut self, feature: usize, quantity: Quantity) {
        let is_activity = |kind: u16| usize::from(kind) < self.catalogue.schema().activity.len();
        match quantity {
            Quantity::KindRecency(kind) => {
                self.count(feature, 1.0);
                self.order(Some(feature), self.at(Quantity::Tenure));
                self.order(self.at(Quantity::RecencyAny), Some(feature));
                if is_activity(kind) {
                    self.order(Some(feature), self.at(Quantity::ActiveAge));
                    self.order(self.at(Quantity::Recency), Some(feature));
                }
                self.needs(feature, Quantity::KindCount(kind), 1.0);
            }
            Quantity::KindCountIn(kind, window) => {
                self.count(feature, 0.0);
                self.order(Some(feature), self.at(Quantity::KindCount(kind)));
                let horizons = &self.catalogue.schema().horizon_days;
                let wider = horizons
                    .iter()
                    .find(|h| **h > window)
                    .map(|h| Quantity::KindCountIn(kind, *h));
                self.order(Some(feature), wider.and_then(|wider| self.at(wider)));
                if is_activity(kind) {
                    self.order(Some(feature), self.at(Quantity::EventsIn(window)));
                }
                self.seen(feature, Quantity::KindRecency(kind), window);
                self.all_within(feature, Quantity::KindCount(kind), Quantity::Tenure, window);
            }
            Quantity::KindCount(kind) => {
                self.count(feature, 0.0);
                if is_activity(kind) {
                    self.order(Some(feature), self.at(Quantity::Events));
                }
            }
            _ => {}
        }
    }

    fn amount(&mut self, feature: usize, quantity: Quantity) {
        match quantity {
            Quantity::AmountIn(window) => {
                let days = f64::from(window);
                let rule = |recency| Rule::Unseen {
                    amount: feature,
                    recency,
                    window: days,
                };
                self.rule(self.at(Quantity::Recency).map(rule));
                self.all_within(feature, Quantity::Amount, Quantity::ActiveAge, window);
            }
            Quantity::AmountMean => {
                self.ratio(feature, Quantity::Amount, Quantity::ActiveDays, 0.0);
                self.order(Some(feature), self.at(Quantity::AmountMax));
                self.only_for(feature, 1.0);
            }
            Quantity::AmountSpread => {
                self.range(feature, 0.0, f64::INFINITY);
                self.only_for(feature, 2.0);
            }
            Quantity::AmountLast => {
                self.order(Some(feature), self.at(Quantity::AmountMax));
                self.only_for(feature, 1.0);
            }
            Quantity::AmountMax => self.only_for(feature, 1.0),
            _ => {}
        }
    }

    fn gaps(&mut self, feature: usize, quantity: Quantity) {
        let longest = self.at(Quantity::GapMax);
        match quantity {
            Quantity::GapMean => {
                self.range(feature, 1.0, f64::INFINITY);
                self.order(Some(feature), longest);
                self.rule_of_days(|days, recency, age| Rule::MeanGap {
                    value: feature,
                    days,
                    recency,
                    age,
                });
            }
            Quantity::GapSpread => {
                self.rule(longest.map(|longest| Rule::GapSpread {
                    spread: feature,
                    longest,
                }));
                return self.only_for(feature, 3.0);
            }
            Quantity::GapLast => {
                self.count(feature, 1.0);
                self.order(Some(feature), longest);
            }
            Quantity::GapMax => {
                self.count(feature, 1.0);
                self.rule_of_days(|days, recency, age| Rule::LongestGap {
                    gap: feature,
                    days,
                    recency,
                    age,
                });
            }
            _ => {
                self.range(feature, 0.0, 1.0);
                self.rule(self.at(Quantity::ActiveDays).map(|days| Rule::Exceeded {
                    share: feature,
                    days,
                }));
            }
        }
        self.only_for(feature, 2.0);
    }

    /// Several kinds of activity have counts of their own, which add up.
    fn add_sums(&mut self) {
        let kinds = 0..self.catalogue.schema().activity.len() as u16;
        let parts: Vec<usize> = kinds
            .clone()
            .filter_map(|kind| self.at(Quantity::KindCount(kind)))
            .collect();
        if parts.len() == kinds.len() {
            self.rule(
                self.at(Quantity::Events)
                    .map(|whole| Rule::Sum { parts, whole }),
            );
        }
    }

    fn at(&self, quantity: Quantity) -> Option<usize> {
        self.catalogue.position(quantity)
    }

    fn wider(&self, window: u16) -> Option<u16> {
        self.catalogue
            .windows()
            .iter()
            .copied()
            .find(|other| *other > window)
    }

    fn rule(&mut self, rule: Option<Rule>) {
        self.rules.extend(rule);
    }

    fn rule_of_days(&mut self, rule: impl FnOnce(usize, usize, usize) -> Rule) {
        let days = self
            .at(Quantity::ActiveDays)
            .zip(self.at(Quantity::Recency));
        self.rule(
            days.zip(self.at(Quantity::ActiveAge))
                .map(|((days, recency), age)| rule(days, recency, age)),
        );
    }

    fn count(&mut self, feature: usize, least: f64) {
        self.rule(Some(Rule::Count { feature, least }));
    }

    fn range(&mut self, feature: usize, low: f64, high: f64) {
        self.rule(Some(Rule::Range { feature, low, high }));
    }

    fn order(&mut self, low: Option<usize>, high: Option<usize>) {
        self.rule(
            low.zip(high)
                .filter(|(low, high)| low != high)
                .map(|(low, high)| Rule::Order { low, high }),
        );
    }

    fn seen(&mut self, count: usize, recency: Quantity, window: u16) {
        let window = f64::from(window);
        self.rule(self.at(recency).map(|recency| Rule::Seen {
            count,
            recency,
            window,
        }));
    }

    fn all_within(&mut self, inner: usize, outer: Quantity, age: Quantity, window: u16) {
        let rule = |(outer, age)| Rule::AllWithin {
            inner,
            outer,
            age,
            window: f64::from(window),
        };
        self.rule(self.at(outer).zip(self.at(age)).map(rule));
    }

    fn ratio(&mut self, value: usize, over: Quantity, under: Quantity, more: f64) {
        let rule = |(over, under)| Rule::Ratio {
            value,
            over,
            under,
            more,
        };
        self.rule(self.at(over).zip(self.at(under)).map(rule));
    }

    /// Known of users with so many active days, and of nobody else.
    fn only_for(&mut self, feature: usize, least: f64) {
        self.needs(feature, Quantity::ActiveDays, least);
    }

    fn needs(&mut self, feature: usize, of: Quantity, least: f64) {
        self.rule(self.at(of).map(|count| Rule::Needs {
            feature,
            count,
            least,
        }));
    }
}
