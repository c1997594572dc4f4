//! Who the users are: their segments, where they stand in their lifecycle, and where they went from there.

pub mod retention;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::data::dataset::Dataset;
use super::data::labels::Labeller;
use super::data::snapshots::Observed;
use super::evaluation::metrics::share_interval;
use super::evaluation::slices::Slicer;
use super::population::retention::{Retention, retention};
use crate::features::Extractor;
use crate::history::{Block, Day, Histories, HistoryError};
use crate::lifecycle::{Behaviour, NotEligible, Stage};
use crate::math::quantile_sorted;

/// One segment of the card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentCard {
    /// The segment's name.
    pub name: String,
    /// Users of the latest labelled date in it.
    pub users: u64,
    /// Their share of all users of that date.
    pub share: f64,
    /// Their churn rate over the first horizon.
    pub churn_rate: f64,
    /// The lower end of its 95 % interval.
    pub churn_low: f64,
    /// The upper end.
    pub churn_high: f64,
    /// What its users are like, one entry for each feature that segments are made of.
    pub profile: Vec<ProfileCard>,
}

/// What the users of a segment are like in one feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileCard {
    /// The feature's name.
    pub feature: String,
    /// What it is, in one sentence.
    pub description: String,
    /// The unit of its values.
    pub unit: String,
    /// The segment's median; `None` where it is unknown of all its users.
    pub median: Option<f64>,
    /// The median of all users.
    pub median_of_all: Option<f64>,
    /// The share of all users that lie below the segment's median, ties counted half.
    pub rank: Option<f64>,
}

/// How many users stood where on one date.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageSizes {
    /// The date.
    pub date: Day,
    /// Users by lifecycle stage; `inactive` and `churned` are those who can no longer be asked about.
    pub users: BTreeMap<String, u64>,
}

/// Where the users of each stage were a while later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transitions {
    /// The earlier date.
    pub from: Day,
    /// The later date.
    pub to: Day,
    /// The states in which users were, in order; `new` are those not yet active.
    pub states: Vec<String>,
    /// Users by state on the earlier date (rows) and on the later one (columns).
    pub users: Vec<Vec<u64>>,
}

/// Users not yet active.
pub const NEW: &str = "new";
/// Users whose last activity is too long ago.
pub const INACTIVE: &str = "inactive";
/// Users for whom the churn event has happened.
pub const CHURNED: &str = "churned";

/// What positions on dates are found from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Population<'a> {
    pub(crate) histories: &'a Histories,
    pub(crate) labeller: &'a Labeller,
    pub(crate) slicer: &'a Slicer<'a>,
}

/// Where a user stands who can't be asked about.
fn outside(reason: NotEligible) -> &'static str {
    match reason {
        NotEligible::NotYetSeen | NotEligible::NoActivity => NEW,
        NotEligible::Inactive => INACTIVE,
        NotEligible::AlreadyChurned => CHURNED,
    }
}

/// Who the users are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Described {
    pub(crate) segments: Vec<SegmentCard>,
    pub(crate) stages: BTreeMap<String, u64>,
    pub(crate) stage_sizes: Vec<StageSizes>,
    pub(crate) transitions: Option<Transitions>,
    pub(crate) retention: Retention,
}

/// How many users moved from where to where.
type Moves = BTreeMap<(&'static str, &'static str), u64>;

/// How many users can't be asked about on a day, by where they stand.
type LeftOut = BTreeMap<(Day, &'static str), u64>;

impl Population<'_> {
    /// The users of the labelled rows on `dates`, and of the whole log at its end and at `as_of`.
    pub(crate) fn describe(
        &self,
        data: &Dataset,
        dates: &[Day],
        seen: &Observed,
        as_of: Day,
        apart: i32,
    ) -> Result<Described, HistoryError> {
        let newest = data.at(dates.last().map(std::slice::from_ref).unwrap_or_default());
        let before = seen.until.plus(-apart);
        let (moves, left_out) = self.tally(before, seen.until, dates)?;
        let at_end = sizes(
            seen.until,
            moves.iter().map(|((_, state), users)| (*state, *users)),
        );
        let at_as_of = if as_of == seen.until {
            at_end.clone()
        } else {
            let (moves, _) = self.tally(as_of, as_of, &[])?;
            sizes(
                as_of,
                moves.iter().map(|((_, state), users)| (*state, *users)),
            )
        };
        let mut stages = at_as_of.users;
        stages.retain(|name, _| Stage::ALL.iter().any(|s| s.name() == name));
        let mut stage_sizes = self.stage_sizes(data, dates, &left_out);
        stage_sizes.push(at_end);
        Ok(Described {
            segments: segment_cards(self.slicer, &newest),
            stages,
            stage_sizes,
            transitions: (before > seen.first).then(|| transitions(before, seen.until, &moves)),
            retention: retention(self.histories, self.labeller, seen.first, seen.until)?,
        })
    }

    /// Where all users stand at the starts of two days, and how many can't be asked about on each of `dates`.
    fn tally(
        &self,
        before: Day,
        after: Day,
        dates: &[Day],
    ) -> Result<(Moves, LeftOut), HistoryError> {
        let catalogue = self.slicer.catalogue;
        let extractor = Extractor::new(catalogue, self.histories.kinds())
            .only(&Behaviour::quantities(catalogue.schema()));
        let of_block = |block: &Block| {
            let (mut extractor, mut vector) = (extractor.clone(), vec![f64::NAN; catalogue.len()]);
            let mut standing = |history, date| match self.labeller.eligible(history, date) {
                Ok(()) => {
                    extractor.extract(history, date, &mut vector);
                    self.slicer.stage(&vector).map_or(NEW, Stage::name)
                }
                Err(reason) => outside(reason),
            };
            let (mut moves, mut left_out) = (Moves::new(), LeftOut::new());
            for (_, _, history) in block.iter() {
                *moves
                    .entry((standing(history, before), standing(history, after)))
                    .or_default() += 1;
                for date in dates {
                    if let Err(reason) = self.labeller.eligible(history, *date) {
                        *left_out.entry((*date, outside(reason))).or_default() += 1;
                    }
                }
            }
            (moves, left_out)
        };
        let mut all = (Moves::new(), LeftOut::new());
        for (moves, left_out) in self.histories.map_blocks(of_block)? {
            moves
                .into_iter()
                .for_each(|(states, users)| *all.0.entry(states).or_default() += users);
            left_out
                .into_iter()
                .for_each(|(key, users)| *all.1.entry(key).or_default() += users);
        }
        Ok(all)
    }

    /// How many users stood where on the dates of labelled rows. Of the users with a row, that tells the stage.
    fn stage_sizes(&self, data: &Dataset, dates: &[Day], left_out: &LeftOut) -> Vec<StageSizes> {
        let mut sizes: BTreeMap<Day, BTreeMap<String, u64>> =
            dates.iter().map(|d| (*d, BTreeMap::new())).collect();
        let mut add = |date: Day, name: &str, more: u64| {
            if let Some(users) = sizes.get_mut(&date) {
                *users.entry(name.to_owned()).or_default() += more;
            }
        };
        for (vector, date) in data.rows().zip(&data.dates) {
            if let Some(stage) = self.slicer.stage(vector) {
                add(*date, stage.name(), 1);
            }
        }
        for ((date, name), users) in left_out.iter().filter(|((_, name), _)| *name != NEW) {
            add(*date, name, *users);
        }
        sizes
            .into_iter()
            .map(|(date, users)| StageSizes { date, users })
            .collect()
    }
}

/// How many users stand where; those not yet active are left out.
fn sizes(date: Day, standings: impl Iterator<Item = (&'static str, u64)>) -> StageSizes {
    let mut users = BTreeMap::new();
    for (standing, more) in standings.filter(|(standing, _)| *standing != NEW) {
        *users.entry(standing.to_owned()).or_default() += more;
    }
    StageSizes { date, users }
}

/// The order of all states: a user's way through them.
fn states() -> impl Iterator<Item = &'static str> {
    std::iter::once(NEW)
        .chain(Stage::ALL.map(Stage::name))
        .chain([INACTIVE, CHURNED])
}

/// Who went where between two dates. Who was not yet active on either went nowhere; states without anyone are left out.
fn transitions(from: Day, to: Day, moves: &Moves) -> Transitions {
    let counts: Moves = moves
        .iter()
        .filter(|((before, after), _)| *before != NEW || *after != NEW)
        .map(|(k, v)| (*k, *v))
        .collect();
    let states: Vec<&str> = states()
        .filter(|s| {
            counts
                .keys()
                .any(|(before, after)| before == s || after == s)
        })
        .collect();
    let count = |before: &&str, after: &&str| counts.get(&(*before, *after)).copied().unwrap_or(0);
    let users = states
        .iter()
        .map(|before| states.iter().map(|after| count(before, after)).collect())
        .collect();
    Transitions {
        from,
        to,
        states: states.into_iter().map(str::to_owned).collect(),
        users,
    }
}

/// The segments as the users of one date fill them.
fn segment_cards(slicer: &Slicer<'_>, data: &Dataset) -> Vec<SegmentCard> {
    let of = slicer.segment_of(data);
    let mut cards: Vec<SegmentCard> = Vec::with_capacity(slicer.segments.items.len());
    for (id, segment) in slicer.segments.items.iter().enumerate() {
        let mine = |row: &usize| of.get(*row) == Some(&Some(id));
        let rows: Vec<usize> = (0..data.len()).filter(mine).collect();
        let users = rows.len() as u64;
        let leavers = rows
            .iter()
            .filter(|row| data.labels.get(**row) == Some(&true))
            .count();
        let churn_rate = leavers as f64 / users.max(1) as f64;
        let (churn_low, churn_high) = share_interval(churn_rate, users);
        cards.push(SegmentCard {
            name: segment.name.clone(),
            users,
            share: users as f64 / data.len().max(1) as f64,
            churn_rate,
            churn_low,
            churn_high,
            profile: Vec::with_capacity(slicer.segments.features.len()),
        });
    }
    for (feature, position) in slicer
        .segment_positions()
        .iter()
        .filter_map(|p| Some((slicer.catalogue.features().get(*p)?, *p)))
    {
        let values: Vec<f64> = data.column(position).collect();
        let all = known(values.iter().copied());
        for (id, card) in cards.iter_mut().enumerate() {
            let own = known(
                values
                    .iter()
                    .zip(&of)
                    .filter(|(_, s)| **s == Some(id))
                    .map(|(v, _)| *v),
            );
            let median = quantile_sorted(&own, 0.5);
            card.profile.push(ProfileCard {
                feature: feature.name.clone(),
                description: feature.description.clone(),
                unit: feature.unit.to_owned(),
                median,
                median_of_all: quantile_sorted(&all, 0.5),
                rank: median.map(|m| rank(&all, m)),
            });
        }
    }
    cards
}

/// The known values, sorted.
fn known(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut known: Vec<f64> = values.filter(|v| !v.is_nan()).collect();
    known.sort_by(f64::total_cmp);
    known
}

/// The share of sorted values below one, ties counted half.
fn rank(sorted: &[f64], value: f64) -> f64 {
    let below = sorted.partition_point(|v| *v < value);
    let upto = sorted.partition_point(|v| *v <= value);
    (below + upto) as f64 / 2.0 / sorted.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn transitions_count_every_user_who_was_ever_active_once() {
        let before = [NEW, NEW, "growth", "growth", "mature", INACTIVE, NEW];
        let after = [
            "acquisition",
            "exploration",
            "mature",
            "churning",
            INACTIVE,
            "growth",
            NEW,
        ];
        let mut moves = Moves::new();
        before
            .iter()
            .zip(after)
            .for_each(|(before, after)| *moves.entry((*before, after)).or_default() += 1);
        let t = transitions(day("2024-01-01"), day("2024-02-01"), &moves);
        assert_eq!(
            t.states,
            [
                "new",
                "acquisition",
                "exploration",
                "growth",
                "mature",
                "churning",
                "inactive"
            ]
        );
        assert_eq!(
            t.users.iter().flatten().sum::<u64>(),
            6,
            "nobody who was never active"
        );
        let count = |from: &str, to: &str| {
            let at = |name: &str| t.states.iter().position(|s| s == name).unwrap();
            t.users[at(from)][at(to)]
        };
        assert_eq!(
            (
                count("growth", "mature"),
                count("growth", "churning"),
                count("mature", "growth")
            ),
            (1, 1, 0)
        );
        assert_eq!(
            (count("new", "acquisition"), count("inactive", "growth")),
            (1, 1)
        );
        let sizes = sizes(day("2024-02-01"), after.iter().map(|state| (*state, 1)));
        assert_eq!(
            (sizes.users.get("mature"), sizes.users.get(NEW)),
            (Some(&1), None)
        );
    }

    #[test]
    fn ranks_count_ties_half() {
        assert_eq!(rank(&[1.0, 2.0, 2.0, 3.0], 2.0), 0.5);
        assert_eq!(
            (
                rank(&[1.0, 2.0], 0.0),
                rank(&[1.0, 2.0], 9.0),
                rank(&[], 1.0)
            ),
            (0.0, 1.0, 0.0)
        );
    }
}
