//! Users by stage and tier at the begin of a window, and their active days in it.

use std::collections::BTreeMap;

use super::SAMPLE_USERS;
use super::silences::UserGaps;
use crate::card::StratumName;
use crate::features::Extractor;
use crate::history::{Block, Day, HistoryView, Stretch};
use crate::lifecycle::{Behaviour, Stage};
use crate::math::splitmix::splitmix64;
use crate::model::Bundle;
use crate::train::TrainError;
use crate::train::data::context::TrainContext;
use crate::train::data::snapshots::Observed;
use crate::train::population::groups::UserGroups;
use crate::train::population::stages::stage_of;

/// The newest window of a horizon's days that was observed without a hole, with half as many days before it, and more
/// where it can be: of the longest horizon that has one.
pub(super) fn window(observed: &Observed, horizon_days: &[u16]) -> Option<Stretch> {
    let of = |days: &u16| {
        let days = i32::from(*days);
        let mut until = observed.until;
        loop {
            let window = Stretch {
                from: until.plus(-days),
                until,
            };
            if window.from.since(observed.first) < (days + 1) / 2 {
                return None;
            }
            match observed.holes.iter().find(|hole| hole.overlaps(window)) {
                Some(hole) => until = hole.from,
                None => return Some(window),
            }
        }
    };
    let mut longest_first = horizon_days.to_vec();
    longest_first.sort_by(|a, b| b.cmp(a));
    longest_first.iter().find_map(of)
}

/// The users of a stratum, and a sample of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    pub(super) users: u64,
    /// Those with the least keys, which no order of files or threads changes.
    sample: Vec<(u64, UserGaps)>,
}

impl Pool {
    fn add(&mut self, key: u64, gaps: UserGaps) {
        self.users += 1;
        self.sample.push((key, gaps));
        if self.sample.len() >= 2 * SAMPLE_USERS {
            self.cut();
        }
    }

    fn join(&mut self, other: Self) {
        self.users += other.users;
        self.sample.extend(other.sample);
        self.cut();
    }

    fn cut(&mut self) {
        self.sample.sort_unstable_by_key(|(key, _)| *key);
        self.sample.truncate(SAMPLE_USERS);
    }

    /// The gaps of the users of the sample.
    pub(super) fn into_sample(mut self) -> Vec<UserGaps> {
        self.cut();
        self.sample.into_iter().map(|(_, gaps)| gaps).collect()
    }
}

/// A stage by its number, and a tier by its number; all users of the stage come first.
type Key = (usize, Option<usize>);

/// The strata of a window in order, each with its users. Tiers are those of a bundle with a value model.
pub(super) fn strata(
    ctx: &TrainContext<'_>,
    window: Stretch,
    bundle: Option<&Bundle>,
) -> Result<Vec<(StratumName, Pool)>, TrainError> {
    let seed = ctx.config.model.seed;
    let mut pools: BTreeMap<Key, Pool> = BTreeMap::new();
    ctx.histories.stream_blocks::<_, TrainError>(
        |block| of_block(ctx, block, window, Groups::new(ctx, bundle), seed),
        |part| {
            for (key, pool) in part? {
                pools.entry(key).or_default().join(pool);
            }
            Ok(())
        },
    )?;
    let tiers = bundle.and_then(|bundle| bundle.spec().value.as_ref());
    let name = |(stage, tier): Key| StratumName {
        stage: Stage::ALL[stage].name().to_owned(),
        tier: tier.and_then(|tier| Some(tiers?.tiers.get(tier)?.name.clone())),
    };
    Ok(pools
        .into_iter()
        .map(|(key, pool)| (name(key), pool))
        .collect())
}

fn of_block(
    ctx: &TrainContext<'_>,
    block: &Block,
    window: Stretch,
    mut groups: Groups<'_>,
    seed: u64,
) -> Result<BTreeMap<Key, Pool>, TrainError> {
    let mut pools: BTreeMap<Key, Pool> = BTreeMap::new();
    for (position, _, history) in block.iter() {
        let Some((stage, tier)) = groups.of(history, window.from)? else {
            continue;
        };
        let Some(gaps) = gaps(ctx, history, window) else {
            continue;
        };
        let key = splitmix64(seed ^ splitmix64(position as u64));
        if tier.is_some() {
            pools
                .entry((stage, tier))
                .or_default()
                .add(key, gaps.clone());
        }
        pools.entry((stage, None)).or_default().add(key, gaps);
    }
    Ok(pools)
}

/// A user's gaps in a window; `None` for a user who was not active before it.
fn gaps(ctx: &TrainContext<'_>, history: HistoryView<'_>, window: Stretch) -> Option<UserGaps> {
    let (mut last, mut active) = (None, Vec::new());
    for day in ctx.labeller.active_days(history, window.until) {
        if day < window.from {
            last = Some(day);
            continue;
        }
        let day = day.since(window.from) as usize;
        if active.last() != Some(&day) {
            active.push(day);
        }
    }
    let waited = window.from.since(last?) as usize;
    Some(UserGaps::new(
        waited,
        &active,
        window.until.since(window.from) as usize,
    ))
}

/// What says which stage and tier a user is in.
enum Groups<'a> {
    /// By the configuration.
    Stages(Box<(&'a TrainContext<'a>, Extractor<'a>, Vec<f64>)>),
    /// By a bundle.
    OfBundle(Box<(UserGroups<'a>, Vec<Option<usize>>, usize)>),
}

impl<'a> Groups<'a> {
    fn new(ctx: &'a TrainContext<'a>, bundle: Option<&'a Bundle>) -> Self {
        let Some(bundle) = bundle else {
            let quantities = Behaviour::quantities(ctx.catalogue.schema());
            let extractor = Extractor::new(&ctx.catalogue, ctx.histories.kinds()).only(&quantities);
            let vector = vec![f64::NAN; ctx.catalogue.len()];
            return Self::Stages(Box::new((ctx, extractor, vector)));
        };
        let groups = UserGroups::new(ctx, bundle);
        let groupings = groups.groupings();
        let stage = |name: &String| Stage::ALL.iter().position(|stage| stage.name() == name);
        let stages = groupings
            .first()
            .map(|g| g.names.iter().map(stage).collect());
        let tiers = bundle
            .spec()
            .value
            .as_ref()
            .map_or(0, |value| value.tiers.len());
        Self::OfBundle(Box::new((groups, stages.unwrap_or_default(), tiers)))
    }

    /// The stage and the tier of a user at a date; `None` for one who is not asked about.
    fn of(&mut self, history: HistoryView<'_>, date: Day) -> Result<Option<Key>, TrainError> {
        match self {
            Self::Stages(of) => {
                let (ctx, extractor, vector) = of.as_mut();
                if ctx.labeller.eligible(history, date).is_err() {
                    return Ok(None);
                }
                extractor.extract(history, date, vector);
                let stage = stage_of(ctx, vector);
                let stage = Stage::ALL.iter().position(|s| Some(*s) == stage);
                Ok(stage.map(|stage| (stage, None)))
            }
            Self::OfBundle(of) => {
                let (groups, stages, tiers) = of.as_mut();
                let found = groups.of(history, date)?;
                let [state, tier, ..] = found[..] else {
                    return Ok(None);
                };
                let tier = (tier < *tiers).then_some(tier);
                Ok(stages
                    .get(state)
                    .copied()
                    .flatten()
                    .map(|stage| (stage, tier)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i32) -> Day {
        Day::new(number).unwrap()
    }

    fn observed(holes: &[(i32, i32)]) -> Observed {
        let hole = |(from, until): &(i32, i32)| Stretch {
            from: day(*from),
            until: day(*until),
        };
        Observed {
            first: day(0),
            until: day(100),
            holes: holes.iter().map(hole).collect(),
        }
    }

    #[test]
    fn the_window_is_the_newest_of_the_longest_horizon_that_was_seen() {
        let of = |holes: &[(i32, i32)], horizons: &[u16]| {
            let window = window(&observed(holes), horizons)?;
            Some((window.from.number(), window.until.number()))
        };
        assert_eq!(of(&[], &[30, 60]), Some((40, 100)));
        assert_eq!(
            of(&[], &[30, 90]),
            Some((70, 100)),
            "90 days leave 10 before them"
        );
        assert_eq!(of(&[(90, 92)], &[30]), Some((60, 90)));
        assert_eq!(of(&[(90, 92), (70, 75)], &[30]), Some((40, 70)));
        assert_eq!(of(&[(90, 92), (30, 75)], &[30]), None);
        assert_eq!(of(&[], &[70]), None);
    }

    #[test]
    fn a_sample_is_the_same_in_any_order() {
        let user = |k: usize| (splitmix64(k as u64), UserGaps::new(k + 1, &[], 5));
        let mut forward = Pool::default();
        (0..5_000).for_each(|k| {
            let (key, gaps) = user(k);
            forward.add(key, gaps);
        });
        let mut joined = Pool::default();
        for part in 0..5 {
            let mut own = Pool::default();
            (0..5_000).rev().filter(|k| k % 5 == part).for_each(|k| {
                let (key, gaps) = user(k);
                own.add(key, gaps);
            });
            joined.join(own);
        }
        assert_eq!((forward.users, joined.users), (5_000, 5_000));
        let sample = forward.into_sample();
        assert_eq!(sample.len(), SAMPLE_USERS);
        assert_eq!(joined.into_sample(), sample);
    }
}
