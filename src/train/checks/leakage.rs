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
mod tests;
