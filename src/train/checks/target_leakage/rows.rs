use super::LeakageFinding;
use crate::features::{Catalogue, Feature, FeatureGroup, Quantity};
use crate::math::evenly;
use crate::train::data::dataset::Dataset;

/// The area under the ROC curve from which on a feature is too good.
const TOO_GOOD: f64 = 0.985;
/// By how much it must beat the best feature of activity, at least and as a part of what that one leaves to beat:
/// where activity answers the question by itself, whatever goes along with it does too.
const LEAD: f64 = 0.005;
const LEAD_SHARE: f64 = 0.5;
/// The fewest rows of each class, and the fewest users behind a leaky event type.
const LEAST: usize = 30;
/// The most rows on which a verdict rests, and on which features are looked through for candidates.
const MOST_ROWS: usize = 20_000;
const SCREENED_ROWS: usize = 4_000;
/// What a candidate must reach among those.
const CANDIDATE: f64 = 0.95;

/// Features that are too good on their own, best first; and a note when activity itself is.
pub(crate) fn too_good(
    data: &Dataset,
    catalogue: &Catalogue,
    horizon_days: u16,
) -> (Vec<LeakageFinding>, Option<String>) {
    let strengths = strengths(data, catalogue);
    let activity = catalogue.schema().activity.len();
    let best = strengths
        .iter()
        .find(|(_, f)| is_activity(f.quantity, activity));
    let own = best.map_or(CANDIDATE, |(auc, _)| *auc);
    let stands_out = |auc: f64| auc >= TOO_GOOD && auc - own > LEAD.max(LEAD_SHARE * (1.0 - own));
    let suspicion = |(auc, feature): &(f64, &Feature)| LeakageFinding::TooGood {
        feature: feature.name.clone(),
        name: kind_of(feature.quantity, catalogue)
            .or_else(|| attribute_of(feature.quantity, catalogue))
            .unwrap_or(&feature.name)
            .to_owned(),
        column: match feature.group {
            FeatureGroup::Amount => "events.amount",
            FeatureGroup::Attribute => "attributes.columns",
            _ => "events.kind",
        },
        horizon_days,
        auc: *auc,
        own,
    };
    let others = strengths
        .iter()
        .filter(|(auc, f)| !is_activity(f.quantity, activity) && stands_out(*auc));
    let easy = best.filter(|(auc, _)| *auc >= TOO_GOOD).map(|(auc, feature)| {
        format!(
            "The {horizon_days}-day question is all but answered by `{}` (AUC {auc:.4}): a shorter \
             churn.active_within_days asks about users whose fate is still open.",
            feature.name
        )
    });
    (others.map(suspicion).collect(), easy)
}

/// The feature that tells best alone who converts, with its AUC, where that is too good.
pub(crate) fn tells_conversion<'c>(
    data: &Dataset,
    catalogue: &'c Catalogue,
) -> Option<(&'c str, f64)> {
    let strengths = strengths(data, catalogue);
    let (auc, feature) = strengths.first()?;
    (*auc >= TOO_GOOD).then_some((feature.name.as_str(), *auc))
}

/// The features that come near to answering the question alone, with their AUC, best first.
fn strengths<'c>(data: &Dataset, catalogue: &'c Catalogue) -> Vec<(f64, &'c Feature)> {
    let few = Sample::of(data, SCREENED_ROWS);
    let many = Sample::of(data, MOST_ROWS);
    let candidate = |position: &usize| {
        few.strength(data, *position)
            .is_none_or(|auc| auc >= CANDIDATE)
    };
    let strength = |position: usize| {
        Some((
            many.strength(data, position)?,
            catalogue.features().get(position)?,
        ))
    };
    let mut strengths: Vec<(f64, &Feature)> = (0..catalogue.len())
        .filter(candidate)
        .filter_map(strength)
        .filter(|(auc, _)| *auc >= CANDIDATE)
        .collect();
    strengths.sort_by(|a, b| b.0.total_cmp(&a.0));
    strengths
}

/// Some rows of a dataset.
struct Sample {
    rows: Vec<usize>,
    churners: usize,
}

impl Sample {
    /// At most `most` rows, one from each of as many stretches of equal length, at a place that differs between
    /// them: rows come in the rhythm of users and dates, and even distances could fall in with it.
    fn of(data: &Dataset, most: usize) -> Self {
        let n = data.len();
        let stretch = n as f64 / n.min(most).max(1) as f64;
        let golden = 0.618_033_988_749_894_9;
        let place = |(k, start): (usize, usize)| {
            (start + ((k as f64 * golden).fract() * stretch) as usize).min(n - 1)
        };
        let rows: Vec<usize> = evenly(n, most).enumerate().map(place).collect();
        let churners = rows
            .iter()
            .filter(|row| data.labels.get(**row) == Some(&true))
            .count();
        Self { rows, churners }
    }

    /// How well one feature alone ranks churners against retained users, from one half to 1; `None` with too few of either.
    fn strength(&self, data: &Dataset, position: usize) -> Option<f64> {
        let retained = self.rows.len() - self.churners;
        if self.churners.min(retained) < LEAST {
            return None;
        }
        let value = |row: &usize| {
            Some((
                *data.raw.get(row * data.width + position)?,
                *data.labels.get(*row)?,
            ))
        };
        let auc = auc(self.rows.iter().filter_map(value).collect());
        Some(auc.max(1.0 - auc))
    }
}

/// The Mann-Whitney statistic. Equal values count half, and so does every pair with an unknown one.
fn auc(mut rows: Vec<(f64, bool)>) -> f64 {
    let churners = rows.iter().filter(|r| r.1).count() as f64;
    let pairs = churners * (rows.len() as f64 - churners);
    rows.retain(|r| !r.0.is_nan());
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut wins, mut known_churners) = (0.0, 0.0, 0.0);
    for equal in rows.chunk_by(|a, b| a.0 == b.0) {
        let churned = equal.iter().filter(|r| r.1).count() as f64;
        let stayed = equal.len() as f64 - churned;
        wins += churned * (below + stayed / 2.0);
        below += stayed;
        known_churners += churned;
    }
    (wins + (pairs - known_churners * below) / 2.0) / pairs
}

/// The share of the rows of a leaky event type that churn.
const LEAKY: f64 = 0.995;
/// The share of all other rows from which on churn needs no explanation.
const USUAL: f64 = 0.9;
/// The largest probability that so many users all churned by chance.
const BY_CHANCE: f64 = 1e-6;

/// How many rows have a feature that is not 0.
#[derive(Clone, Copy, Debug, Default)]
struct Present {
    rows: usize,
    churned: usize,
    users: usize,
    last_user: Option<u32>,
}

/// Kinds, other than activity, after which practically every user churns.
pub(crate) fn leaky_event_types(
    data: &Dataset,
    catalogue: &Catalogue,
    horizon_days: u16,
) -> Vec<LeakageFinding> {
    let activity = catalogue.schema().activity.len();
    let counts = |(_, f): &(usize, &Feature)| match f.quantity {
        Quantity::KindCount(kind) | Quantity::KindCountIn(kind, _) => usize::from(kind) >= activity,
        _ => false,
    };
    let features: Vec<(usize, &Feature)> = catalogue
        .features()
        .iter()
        .enumerate()
        .filter(counts)
        .collect();
    let mut present = vec![Present::default(); features.len()];
    for ((row, churned), user) in data.rows().zip(&data.labels).zip(&data.users) {
        for ((position, _), seen) in features.iter().zip(&mut present) {
            if row.get(*position).is_some_and(|value| *value > 0.0) {
                seen.rows += 1;
                seen.churned += usize::from(*churned);
                // A user's rows lie together.
                seen.users += usize::from(seen.last_user.replace(*user) != Some(*user));
            }
        }
    }
    let all_churned = data.labels.iter().filter(|y| **y).count();
    let verdict = |((_, feature), seen): (&(usize, &Feature), &Present)| {
        let churned = seen.churned as f64 / seen.rows as f64;
        let others = (all_churned - seen.churned) as f64 / (data.len() - seen.rows) as f64;
        let by_chance = seen.users as f64 * libm::log(others) <= libm::log(BY_CHANCE);
        // Without other rows there is nothing to tell apart, and their share is not a number.
        (seen.users >= LEAST && churned >= LEAKY && others < USUAL && by_chance).then(|| {
            LeakageFinding::LeakyEventType {
                feature: feature.name.clone(),
                kind: kind_of(feature.quantity, catalogue)
                    .cloned()
                    .unwrap_or_default(),
                horizon_days,
                rows: seen.rows,
                users: seen.users,
                churned,
                others,
            }
        })
    };
    features.iter().zip(&present).filter_map(verdict).collect()
}

/// Whether a feature is made of activity alone: what decides the label, seen in the past. It may be good.
fn is_activity(quantity: Quantity, activity: usize) -> bool {
    match quantity {
        Quantity::Recency
        | Quantity::ActiveDays
        | Quantity::ActiveDaysIn(_)
        | Quantity::Events
        | Quantity::EventsIn(_)
        | Quantity::DecayedDays(_)
        | Quantity::OneDay
        | Quantity::GapMean
        | Quantity::GapSpread
        | Quantity::GapLast
        | Quantity::GapMax
        | Quantity::Overdue
        | Quantity::RecencyShare
        | Quantity::ActiveAge
        | Quantity::GapsExceeded
        | Quantity::Trend(..)
        | Quantity::WeekdayRegularity
        | Quantity::ActiveDaysInSeason(_) => true,
        Quantity::KindCount(kind)
        | Quantity::KindCountIn(kind, _)
        | Quantity::KindRecency(kind) => usize::from(kind) < activity,
        Quantity::RecencyAny
        | Quantity::Tenure
        | Quantity::Amount
        | Quantity::AmountIn(_)
        | Quantity::AmountMean
        | Quantity::AmountSpread
        | Quantity::AmountLast
        | Quantity::AmountMax
        | Quantity::OrderDays
        | Quantity::OrderRecency
        | Quantity::OrderAge
        | Quantity::OrderAmount
        | Quantity::OrderRepeatAmount
        | Quantity::AttributeLevel(..)
        | Quantity::AttributeNumber(_)
        | Quantity::AttributeMissing(_)
        | Quantity::SignalAge(_) => false,
    }
}

/// The kind whose events a feature counts.
fn kind_of(quantity: Quantity, catalogue: &Catalogue) -> Option<&String> {
    match quantity {
        Quantity::KindCount(kind)
        | Quantity::KindCountIn(kind, _)
        | Quantity::KindRecency(kind) => catalogue.kinds().get(usize::from(kind)),
        _ => None,
    }
}

/// The attribute that a feature is of.
fn attribute_of(quantity: Quantity, catalogue: &Catalogue) -> Option<&String> {
    let position = match quantity {
        Quantity::AttributeLevel(position, _)
        | Quantity::AttributeNumber(position)
        | Quantity::AttributeMissing(position)
        | Quantity::SignalAge(position) => position,
        _ => return None,
    };
    let attribute = catalogue.schema().attributes.get(usize::from(position));
    attribute.map(|attribute| &attribute.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_auc_is_the_share_of_pairs_in_order() {
        let values = [1.0, 1.0, 2.0, 5.0, f64::NAN, 3.0, f64::NAN, 2.0, 0.0];
        let churned = [true, false, false, true, true, false, false, true, true];
        let rows: Vec<(f64, bool)> = values.into_iter().zip(churned).collect();
        let (mut wins, mut pairs) = (0.0, 0.0);
        for a in rows.iter().filter(|r| r.1) {
            for b in rows.iter().filter(|r| !r.1) {
                pairs += 1.0;
                wins +=
                    a.0.partial_cmp(&b.0)
                        .map_or(0.5, |order| (f64::from(order as i8) + 1.0) / 2.0);
            }
        }
        assert!((auc(rows) - wins / pairs).abs() < 1e-12);
    }

    #[test]
    fn a_sample_does_not_fall_in_with_the_rhythm_of_the_rows() {
        let dates = 12;
        let n = 20_000 * dates;
        let labels: Vec<bool> = (0..n).map(|row| row % dates == 0).collect();
        let data = Dataset {
            width: 0,
            labels,
            ..Dataset::default()
        };
        let sample = Sample::of(&data, 20_000);
        assert_eq!(sample.rows.len(), 20_000);
        assert!(
            sample.rows.windows(2).all(|w| w[0] < w[1]) && sample.rows.iter().all(|row| *row < n)
        );
        let share = sample.churners as f64 / 20_000.0;
        assert!((share - 1.0 / 12.0).abs() < 0.002, "{share}");
        // The negative control: even distances would take the first date of every user.
        assert_eq!(
            evenly(n, 20_000).filter(|row| row % dates == 0).count(),
            20_000
        );
        assert_eq!(Sample::of(&Dataset::default(), 9).rows.len(), 0);
    }
}
