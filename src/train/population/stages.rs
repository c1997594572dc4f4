//! Where users stand in their lifecycle, and where they went from there.

use std::collections::BTreeMap;

use crate::card::{StageSizes, Transitions};
use crate::features::Extractor;
use crate::history::{Block, Day, HistoryError, HistoryView};
use crate::lifecycle::{Behaviour, NEW, Stage, classify, state_outside, states};
use crate::train::data::context::TrainContext;
use crate::train::data::dataset::Dataset;

/// How many users moved from where to where.
pub(crate) type Moves = BTreeMap<(&'static str, &'static str), u64>;

/// How many users have no label on a day, by where they stand.
pub(crate) type LeftOut = BTreeMap<(Day, &'static str), u64>;

/// Where users stand on two days, and which have no label on others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standings {
    pub(crate) moves: Moves,
    pub(crate) left_out: LeftOut,
}

impl Standings {
    fn add(&mut self, other: Self) {
        for (states, users) in other.moves {
            *self.moves.entry(states).or_default() += users;
        }
        for (key, users) in other.left_out {
            *self.left_out.entry(key).or_default() += users;
        }
    }
}

/// The lifecycle stage of a raw vector; `None` where its behaviour is unknown.
pub(crate) fn stage_of(ctx: &TrainContext<'_>, vector: &[f64]) -> Option<Stage> {
    let behaviour = Behaviour::of(&ctx.catalogue, vector).ok()?;
    let active_within_days = ctx.config.churn.active_within_days;
    Some(classify(&behaviour, &ctx.config.lifecycle, active_within_days).0)
}

/// Where all users stand at the starts of two days, and how many have no label on each of `dates`.
pub(crate) fn tally(
    ctx: &TrainContext<'_>,
    before: Day,
    after: Day,
    dates: &[Day],
) -> Result<Standings, HistoryError> {
    let observer = Observer {
        ctx,
        extractor: Extractor::new(&ctx.catalogue, ctx.histories.kinds())
            .only(&Behaviour::quantities(ctx.catalogue.schema())),
    };
    let mut all = Standings::default();
    for part in ctx
        .histories
        .map_blocks(|block| observer.of_block(block, before, after, dates))?
    {
        all.add(part);
    }
    Ok(all)
}

/// Looks up where users stand, by the few features that stages are made of.
struct Observer<'a> {
    ctx: &'a TrainContext<'a>,
    extractor: Extractor<'a>,
}

impl Observer<'_> {
    fn of_block(&self, block: &Block, before: Day, after: Day, dates: &[Day]) -> Standings {
        let mut extractor = self.extractor.clone();
        let mut vector = vec![f64::NAN; self.ctx.catalogue.len()];
        let mut found = Standings::default();
        for (_, _, history) in block.iter() {
            let [from, to] =
                [before, after].map(|date| self.state(history, date, &mut extractor, &mut vector));
            *found.moves.entry((from, to)).or_default() += 1;
            for date in dates {
                if let Err(reason) = self.ctx.labeller.eligible(history, *date) {
                    *found
                        .left_out
                        .entry((*date, state_outside(reason)))
                        .or_default() += 1;
                }
            }
        }
        found
    }

    fn state(
        &self,
        history: HistoryView<'_>,
        date: Day,
        extractor: &mut Extractor<'_>,
        vector: &mut [f64],
    ) -> &'static str {
        match self.ctx.labeller.eligible(history, date) {
            Ok(()) => {
                extractor.extract(history, date, vector);
                stage_of(self.ctx, vector).map_or(NEW, Stage::name)
            }
            Err(reason) => state_outside(reason),
        }
    }
}

/// How many users stood where on the dates of labelled rows: the rows give the stages, `left_out` the other users.
pub(crate) fn sizes_of_dates(
    ctx: &TrainContext<'_>,
    data: &Dataset,
    dates: &[Day],
    left_out: &LeftOut,
) -> Vec<StageSizes> {
    let mut sizes: BTreeMap<Day, BTreeMap<String, f64>> =
        dates.iter().map(|date| (*date, BTreeMap::new())).collect();
    let mut add = |date: Day, state: &str, more: f64| {
        if let Some(users) = sizes.get_mut(&date) {
            *users.entry(state.to_owned()).or_default() += more;
        }
    };
    for (row, (vector, date)) in data.rows().zip(&data.dates).enumerate() {
        if let Some(stage) = stage_of(ctx, vector) {
            // Of a large log only some rows were made.
            add(*date, stage.name(), data.users_of(row));
        }
    }
    for ((date, state), users) in left_out.iter().filter(|((_, state), _)| *state != NEW) {
        add(*date, state, *users as f64);
    }
    let rounded = |(state, users): (String, f64)| (state, users.round() as u64);
    let sizes = sizes.into_iter().map(|(date, users)| StageSizes {
        date,
        users: users.into_iter().map(rounded).collect(),
    });
    sizes.collect()
}

/// How many users stand where after some moves; those not yet active are left out.
pub(crate) fn sizes(date: Day, moves: &Moves) -> StageSizes {
    let mut users = BTreeMap::new();
    for ((_, state), more) in moves.iter().filter(|((_, state), _)| *state != NEW) {
        *users.entry((*state).to_owned()).or_default() += more;
    }
    StageSizes { date, users }
}

/// Who went where between two dates. Users not yet active on either went nowhere; states without a user are left out.
pub(crate) fn transitions(from: Day, to: Day, moves: &Moves) -> Transitions {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::INACTIVE;

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
        let sizes = sizes(day("2024-02-01"), &moves);
        assert_eq!(
            (sizes.users.get("mature"), sizes.users.get(NEW)),
            (Some(&1), None)
        );
    }
}
