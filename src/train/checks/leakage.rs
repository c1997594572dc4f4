//! A probe for leaks: a feature as of a day must not move by a single bit, whatever is done to the days from then on.
//!
//! Half-open windows make that so by construction; the probe shows it again in every fit, on the log at hand.

use std::fmt;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::card::LeakageProbe;
use crate::features::{Catalogue, Extractor, Feature};
use crate::history::{
    Amount, AttributeColumn, AttributeKind, AttributeRecord, AttributeValue, Attributes,
    AttributesView, Day, DayRecord, FiniteNumber, Histories, History, HistoryView,
};
use crate::math::evenly;
use crate::train::TrainError;

/// What is done to the future, the days from the as-of day on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherFuture {
    /// Nothing is left of it.
    Deleted,
    /// Its days, kinds and amounts are dealt out anew.
    Shuffled,
    /// Many events of every kind are added to it, the first on the as-of day itself.
    Added,
}

impl fmt::Display for OtherFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deleted => "deleted",
            Self::Shuffled => "shuffled",
            Self::Added => "added to",
        })
    }
}

/// What a probe works on.
#[derive(Clone, Copy, Debug)]
pub struct ProbeInput<'a> {
    /// All users' histories; at most 200 users at even distances are looked at.
    pub histories: &'a Histories,
    /// The as-of days; at most 12 at even distances are taken.
    pub dates: &'a [Day],
    /// The features, in the order in which they are extracted.
    pub features: &'a [Feature],
    /// Seed of the shuffling.
    pub seed: u64,
}

/// The most users that are looked at.
const MOST_USERS: usize = 200;
/// The most dates that are looked at.
const MOST_DATES: usize = 12;
/// Days after the as-of day on which events are added: its own, its neighbours, and on to a year later.
const ADDED_AFTER_DAYS: [i32; 14] = [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377];

/// Extracts every feature as of every date, from the history as it is and with each [`OtherFuture`], and compares
/// them bit by bit.
///
/// # Errors
///
/// The first feature that differs, and when there was no user or date to look at.
pub fn probe_leakage(
    input: &ProbeInput<'_>,
    mut extract: impl FnMut(HistoryView<'_>, Day, &mut [f64]),
) -> Result<LeakageProbe, TrainError> {
    let users: Vec<History> = input
        .histories
        .evenly(MOST_USERS, |history| history.to_owned())?;
    let dates: Vec<Day> = evenly(input.dates.len(), MOST_DATES)
        .filter_map(|k| input.dates.get(k))
        .copied()
        .collect();
    let kinds = input.histories.kinds().len() as u16;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(input.seed);
    let mut bits = |history: HistoryView<'_>, as_of: Day| -> Vec<u64> {
        let mut vector = vec![f64::NAN; input.features.len()];
        extract(history, as_of, &mut vector);
        // All kinds of NaN are the one unknown.
        vector
            .iter()
            .map(|value| if value.is_nan() { f64::NAN } else { *value }.to_bits())
            .collect()
    };
    let mut comparisons = 0;
    for history in &users {
        let history = history.view();
        for as_of in dates.iter().copied() {
            let as_it_is = bits(history, as_of);
            for change in [
                OtherFuture::Deleted,
                OtherFuture::Shuffled,
                OtherFuture::Added,
            ] {
                let other = change.apply(history, as_of, kinds, &mut random)?;
                if other.view() == history {
                    // An empty future cannot be deleted, and one event alone not be shuffled.
                    continue;
                }
                comparisons += 1;
                let with_other = bits(other.view(), as_of);
                let mut pairs = input.features.iter().zip(as_it_is.iter().zip(&with_other));
                if let Some((feature, _)) = pairs.find(|(_, (a, b))| a != b) {
                    return Err(TrainError::Leak {
                        feature: feature.name.clone(),
                        as_of,
                        change,
                    });
                }
            }
        }
    }
    if comparisons == 0 {
        return Err(TrainError::NothingProbed {
            users: users.len(),
            dates: dates.len(),
        });
    }
    Ok(LeakageProbe {
        users: users.len() as u64,
        dates: dates.len() as u64,
        comparisons,
    })
}

/// Probes the features of a catalogue, as they are extracted for training and scoring.
///
/// # Errors
///
/// Those of [`probe_leakage`].
pub fn probe_catalogue(
    histories: &Histories,
    catalogue: &Catalogue,
    dates: &[Day],
    seed: u64,
) -> Result<LeakageProbe, TrainError> {
    let mut dates = dates.to_vec();
    dates.sort_unstable();
    dates.dedup();
    let mut extractor = Extractor::new(catalogue, histories.kinds());
    let input = ProbeInput {
        histories,
        dates: &dates,
        features: catalogue.features(),
        seed,
    };
    probe_leakage(&input, |history, as_of, out| {
        extractor.extract(history, as_of, out);
    })
}

impl OtherFuture {
    /// The history with another future; its past stays as it is.
    fn apply(
        self,
        history: HistoryView<'_>,
        as_of: Day,
        kinds: u16,
        random: &mut Xoshiro256PlusPlus,
    ) -> Result<History, TrainError> {
        let attributes = self.attributes(history.attributes(), as_of, random);
        let past = history.before(as_of).records();
        let future = history.records().get(past.len()..).unwrap_or_default();
        let mut other = match self {
            Self::Deleted => Vec::new(),
            Self::Shuffled => shuffled(future, random),
            Self::Added => added(as_of, kinds).chain(future.iter().copied()).collect(),
        };
        // Of records that now share day and kind the first one stays, for a sum of amounts might overflow.
        other.sort_by_key(|r| (r.day, r.kind));
        other.dedup_by_key(|r| (r.day, r.kind));
        other.splice(..0, past.iter().copied());
        Ok(History::new(other)?.with_attributes(attributes))
    }

    /// The attributes with another future; those known before the as-of day stay as they are.
    fn attributes(
        self,
        attributes: AttributesView<'_>,
        as_of: Day,
        random: &mut Xoshiro256PlusPlus,
    ) -> Attributes {
        let past = attributes.before(as_of).records();
        let future = attributes.records().get(past.len()..).unwrap_or_default();
        let mut other = past.to_vec();
        match self {
            Self::Deleted => {}
            Self::Shuffled => other.extend(shuffled_attributes(future, random)),
            Self::Added => {
                other.extend_from_slice(future);
                other.extend(added_attributes(attributes.columns(), as_of));
            }
        }
        attributes.with_records(other)
    }
}

fn shuffled(future: &[DayRecord], random: &mut Xoshiro256PlusPlus) -> Vec<DayRecord> {
    let mut days: Vec<Day> = future.iter().map(|r| r.day).collect();
    let mut kinds: Vec<u16> = future.iter().map(|r| r.kind).collect();
    let mut sums: Vec<(u32, Amount)> = future.iter().map(|r| (r.count, r.amount)).collect();
    days.shuffle(random);
    kinds.shuffle(random);
    sums.shuffle(random);
    let deal = |((day, kind), (count, amount))| DayRecord {
        amount,
        day,
        count,
        kind,
    };
    days.into_iter().zip(kinds).zip(sums).map(deal).collect()
}

/// Each column's days and values dealt out anew.
fn shuffled_attributes(
    future: &[AttributeRecord],
    random: &mut Xoshiro256PlusPlus,
) -> Vec<AttributeRecord> {
    let mut dealt = Vec::with_capacity(future.len());
    let mut columns: Vec<u16> = future.iter().map(|record| record.column).collect();
    columns.sort_unstable();
    columns.dedup();
    for column in columns {
        let own = future.iter().filter(|record| record.column == column);
        let (mut days, mut values): (Vec<_>, Vec<_>) =
            own.map(|record| (record.from, record.value)).unzip();
        days.shuffle(random);
        values.shuffle(random);
        let pairs = days.into_iter().zip(values);
        dealt.extend(pairs.map(|(from, value)| AttributeRecord {
            from,
            column,
            value,
        }));
    }
    dealt
}

/// Values of every column that no user has, the first on the as-of day itself: the last category, and a large number.
fn added_attributes(
    columns: &[AttributeColumn],
    as_of: Day,
) -> impl Iterator<Item = AttributeRecord> {
    let on = move |after: i32| {
        let from = Some(as_of.plus(after));
        (0..).zip(columns).map(move |(column, of)| AttributeRecord {
            from,
            column,
            value: match of.kind {
                AttributeKind::Category => {
                    // One after the other, so that it differs from whatever the user has.
                    let count = of.categories.len().max(1);
                    AttributeValue::Category((after as usize % count) as u32)
                }
                AttributeKind::Number => FiniteNumber::new(1e6 + f64::from(after))
                    .map_or(AttributeValue::Unknown, AttributeValue::Number),
            },
        })
    };
    ADDED_AFTER_DAYS.into_iter().flat_map(on)
}

fn added(as_of: Day, kinds: u16) -> impl Iterator<Item = DayRecord> {
    let on = move |after: i32| {
        let (day, amount) = (
            as_of.plus(after),
            Amount::from_micros(1_000_000_000_000 + i64::from(after)),
        );
        (0..kinds).map(move |kind| DayRecord {
            amount,
            day,
            count: 1_000,
            kind,
        })
    };
    ADDED_AFTER_DAYS.into_iter().flat_map(on)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{Attribute, FeatureSchema};
    use crate::history::{AttributeTableBuilder, HistoriesBuilder};

    fn day(number: i32) -> Day {
        Day::new(number).unwrap()
    }

    /// 300 users who buy on even days only, and look around on some of them.
    fn histories() -> Histories {
        let mut builder = HistoriesBuilder::default();
        for user in 0..300 {
            let name = format!("u{user:03}");
            for visit in 0..20 {
                let kind = builder
                    .kind(if (user + visit) % 3 == 0 {
                        "visit"
                    } else {
                        "purchase"
                    })
                    .unwrap();
                let amount = Amount::new(f64::from(visit * 7 % 11)).unwrap();
                let on = day(2 * (visit * 5 + user % 13));
                builder
                    .add(
                        &name,
                        DayRecord {
                            amount,
                            day: on,
                            count: 1,
                            kind,
                        },
                    )
                    .unwrap();
            }
        }
        builder.finish().unwrap()
    }

    fn catalogue() -> Catalogue {
        Catalogue::new(FeatureSchema {
            activity: vec!["purchase".into()],
            other_kinds: vec!["visit".into()],
            horizon_days: vec![30],
            amounts: true,
            seasonal_years: 0,
            lead_days: 0,
            value_kinds: Vec::new(),
            attributes: Vec::new(),
        })
        .unwrap()
    }

    fn dates() -> Vec<Day> {
        (0..20).map(|k| day(11 + 6 * k)).collect()
    }

    /// The probe of an extraction of the catalogue's features that goes wrong in its own way.
    fn probe(
        extract: impl FnMut(HistoryView<'_>, Day, &mut [f64]),
    ) -> Result<LeakageProbe, TrainError> {
        let (histories, catalogue, dates) = (histories(), catalogue(), dates());
        let input = ProbeInput {
            histories: &histories,
            dates: &dates,
            features: catalogue.features(),
            seed: 7,
        };
        probe_leakage(&input, extract)
    }

    #[test]
    fn the_extractor_sees_nothing_of_the_future() {
        let found = probe_catalogue(&histories(), &catalogue(), &dates(), 7).unwrap();
        assert_eq!((found.users, found.dates), (200, 12));
        // Nearly every user has a future at nearly every date: 200 * 12 * 3 if all had.
        assert!((6_000..=7_200).contains(&found.comparisons), "{found:?}");
    }

    #[test]
    fn an_extractor_that_peeks_one_day_is_caught() {
        let (catalogue, histories) = (catalogue(), histories());
        let mut extractor = Extractor::new(&catalogue, histories.kinds());
        let peeking = |history: HistoryView<'_>, as_of: Day, out: &mut [f64]| {
            // As of tomorrow, less the day that everything is then older.
            extractor.extract(history, as_of.plus(1), out);
        };
        let error = probe(peeking).unwrap_err();
        // Nothing ever happens on these dates, so only an event that is added there can tell.
        let TrainError::Leak {
            feature,
            as_of,
            change,
        } = &error
        else {
            panic!("{error}")
        };
        assert_eq!(
            (feature.as_str(), *as_of, *change),
            ("recency_days", day(11), OtherFuture::Added)
        );
        let text = error.to_string();
        assert!(
            text.contains("`recency_days` as of 1970-01-12") && text.contains("added to"),
            "{text}"
        );
    }

    #[test]
    fn an_extractor_that_counts_the_whole_history_is_caught() {
        let counting = |history: HistoryView<'_>, _: Day, out: &mut [f64]| {
            out[3] = history.records().len() as f64
        };
        let error = probe(counting).unwrap_err();
        let name = catalogue().features()[3].name.clone();
        assert!(
            matches!(&error, TrainError::Leak { feature, change: OtherFuture::Deleted, .. } if *feature == name)
        );
        // The negative control: counting the past alone is no leak.
        let past = |history: HistoryView<'_>, as_of: Day, out: &mut [f64]| {
            out[3] = history.before(as_of).records().len() as f64;
        };
        assert!(probe(past).is_ok());
    }

    /// The same users, most of whom change their plan and age on some day.
    fn histories_with_attributes() -> Histories {
        let columns = [
            ("age", AttributeKind::Number),
            ("plan", AttributeKind::Category),
        ];
        let columns = columns.map(|(name, kind)| (name.to_owned(), kind));
        let mut builder = AttributeTableBuilder::new(columns);
        for user in 0..280 {
            for change in 0..3 {
                let from = Some(day(1 + (user * 7) % 40 + 37 * change));
                let plans = ["free", "basic", "pro"];
                let plan = builder.category(1, plans[((user + change) % 3) as usize]);
                let age = FiniteNumber::new(f64::from(20 + user % 50 + change)).unwrap();
                let record = |column, value| AttributeRecord {
                    from,
                    column,
                    value,
                };
                let records = [record(0, AttributeValue::Number(age)), record(1, plan)];
                builder.add(&format!("u{user:03}"), records);
            }
        }
        histories().with_attributes(builder.finish()).unwrap().0
    }

    #[test]
    fn attributes_are_seen_as_of_a_day_and_a_join_that_ignores_the_day_is_caught() {
        let histories = histories_with_attributes();
        let catalogue = Catalogue::new(FeatureSchema {
            attributes: vec![
                Attribute {
                    name: "age".into(),
                    levels: None,
                    signal: false,
                },
                Attribute {
                    name: "plan".into(),
                    levels: Some(vec!["basic".into(), "free".into()]),
                    signal: false,
                },
            ],
            ..catalogue().schema().clone()
        })
        .unwrap();
        let dates = dates();
        probe_catalogue(&histories, &catalogue, &dates, 7).unwrap();
        // The negative controls: the last row of the table, and one that is seen on its own day.
        let position = catalogue.position_of("plan = free").unwrap();
        let input = ProbeInput {
            histories: &histories,
            dates: &dates,
            features: catalogue.features(),
            seed: 7,
        };
        for days_too_late in [1, 10_000] {
            let error = probe_leakage(&input, |history, as_of, out| {
                let known = history.attributes().before(as_of.plus(days_too_late));
                let last = known.last("plan");
                let is_free = |(column, value): (&AttributeColumn, AttributeValue)| match value {
                    AttributeValue::Category(k) => column.categories[k as usize] == "free",
                    _ => false,
                };
                out[position] = f64::from(last.is_some_and(is_free));
            })
            .unwrap_err();
            assert!(
                matches!(&error, TrainError::Leak { feature, .. } if feature == "plan = free"),
                "{error}"
            );
        }
    }

    #[test]
    fn one_bit_is_enough_and_unknown_equals_unknown() {
        let last_bit = |history: HistoryView<'_>, as_of: Day, out: &mut [f64]| {
            let future = history.records().len() - history.before(as_of).records().len();
            out[0] = f64::from_bits(1.0_f64.to_bits() + u64::from(future > 0));
        };
        assert!(probe(last_bit).is_err());
        let mut sign = false;
        let unknown = |_: HistoryView<'_>, _: Day, out: &mut [f64]| {
            sign = !sign;
            out[0] = if sign { f64::NAN } else { -f64::NAN };
        };
        assert!(probe(unknown).is_ok());
    }

    #[test]
    fn a_probe_that_compared_nothing_has_not_passed() {
        let (histories, catalogue) = (histories(), catalogue());
        let nothing =
            |histories: &Histories, dates: &[Day]| probe_catalogue(histories, &catalogue, dates, 7);
        let error = nothing(&histories, &[]).unwrap_err();
        assert!(
            matches!(
                error,
                TrainError::NothingProbed {
                    users: 200,
                    dates: 0
                }
            ),
            "{error}"
        );
        assert!(nothing(&Histories::default(), &dates()).is_err());
        // After the end of the log there is no future to delete or shuffle, but one can be added to.
        let found = nothing(&histories, &[day(5_000)]).unwrap();
        assert_eq!((found.users, found.dates, found.comparisons), (200, 1, 200));
    }

    #[test]
    fn another_future_leaves_the_past_and_is_another_one() {
        let histories = histories();
        let (_, history) = histories.at(5).unwrap().unwrap();
        let history = history.view();
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let as_of = day(100);
        for change in [
            OtherFuture::Deleted,
            OtherFuture::Shuffled,
            OtherFuture::Added,
        ] {
            let other = change.apply(history, as_of, 2, &mut random).unwrap();
            assert_eq!(
                other.view().before(as_of),
                history.before(as_of),
                "{change}"
            );
            assert_ne!(other.view(), history, "{change}");
            let seen = |kind: u16| {
                other
                    .view()
                    .records()
                    .iter()
                    .any(|r| r.day == as_of && r.kind == kind)
            };
            assert_eq!(seen(0) && seen(1), change == OtherFuture::Added);
        }
    }
}
