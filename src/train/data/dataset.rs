use std::collections::BTreeMap;

use crate::features::{Catalogue, Extractor};
use crate::history::{Block, Day, HistoryError, HistoryView};

use super::context::TrainContext;
use super::labels::NoLabel;
use super::snapshots::Schedule;
use crate::card::DropCounts;
use crate::math::logit;
use crate::math::splitmix::splitmix64;
use crate::phases::Unit;

/// The fewest rows that a model is fitted on or judged on.
pub(crate) const MIN_ROWS: usize = 50;

/// Label windows that the base rate is taken from.
const BASE_RATE_WINDOWS: i32 = 3;

/// Of more rows than these, older dates give a part of theirs, which count more each: most fits hardly weigh old rows.
const MANY_ROWS: usize = 40_000;

/// The half-life, in label windows, of the weight whose square root is the share of a date's rows that is taken.
const HALF_LIFE_WINDOWS: f64 = 3.0;

/// Rows of a date that only a backtest learns from, at most and on average.
const MOST_BACKTEST_ROWS: usize = 4_000;

/// A number from 0 to 1 that is as good as drawn for a user and a date.
pub(crate) fn draw(user: u32, date: Day) -> f64 {
    let key = u64::from(user) << 32 | u64::from(date.number().unsigned_abs());
    (splitmix64(key) >> 32) as f64 / 2_f64.powi(32)
}

/// Which of `parts` parts of the users a user belongs to.
pub(crate) fn user_part(user: u32, parts: u32) -> u32 {
    // Knuth's multiplicative hash: neighbours in the log fall into different parts.
    (user.wrapping_mul(2_654_435_761) >> 16) % parts
}

/// Labelled rows (user, date) of one horizon, in order of user and then date.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dataset {
    /// Features per row.
    pub(crate) width: usize,
    /// Raw feature values, row after row; NaN where unknown.
    pub(crate) raw: Vec<f64>,
    /// Whether the row's user churned, or what else the rows are about.
    pub(crate) labels: Vec<bool>,
    /// The row's user, by position in the histories.
    pub(crate) users: Vec<u32>,
    /// The row's date.
    pub(crate) dates: Vec<Day>,
    /// How many rows of its date the row stands for: 1 unless only a part of them was taken.
    pub(crate) counts: Vec<f64>,
    /// One in so many users was taken.
    pub(crate) user_step: usize,
}

/// What became of a user at a date: the label of the row, and what else there is to predict.
pub(crate) type Outcome<T> = Result<(bool, T), NoLabel>;

/// How many pairs of a user and a date make no row, by date and reason.
pub(crate) type DroppedPairs = BTreeMap<Day, DropCounts>;

/// The pairs of some dates that make no row, by reason.
pub(crate) fn dropped_of(dropped: &DroppedPairs, dates: &[Day]) -> DropCounts {
    let mut sum = DropCounts::new();
    for (reason, pairs) in dates.iter().filter_map(|date| dropped.get(date)).flatten() {
        *sum.entry(reason.clone()).or_default() += pairs;
    }
    sum
}

impl Dataset {
    /// Describes and labels every eligible user at every date of the schedule, in order of users, and counts the pairs
    /// of user and date that make no row. Where there would be more than `model.most_rows` rows, every second, third, ...
    /// user is taken. Of more than [`MANY_ROWS`] rows, a part of those of older dates is left out, and of the dates that only a
    /// backtest learns from all but some [`MOST_BACKTEST_ROWS`] rows each.
    pub(crate) fn build(
        ctx: &TrainContext<'_>,
        schedule: &Schedule,
    ) -> Result<(Self, DroppedPairs), HistoryError> {
        let horizon_days = schedule.horizon_days;
        let outcome = |history: HistoryView<'_>, date| {
            let label = ctx.labeller.label(history, date, horizon_days)?;
            Ok((label, ()))
        };
        let described = Self::describe(ctx, &ctx.catalogue, schedule, "labels", outcome)?;
        let (data, _, dropped) = described;
        Ok((data, dropped))
    }

    /// The same with the features of a catalogue and any outcome, which is called `what`; and the outcomes of all rows.
    pub(crate) fn describe<T: Send>(
        ctx: &TrainContext<'_>,
        catalogue: &Catalogue,
        schedule: &Schedule,
        what: &str,
        outcome: impl Fn(HistoryView<'_>, Day) -> Outcome<T> + Sync,
    ) -> Result<(Self, Vec<T>, DroppedPairs), HistoryError> {
        let mut builder = Builder {
            extractor: Extractor::new(catalogue, ctx.histories.kinds()),
            outcome,
            dates: schedule.dates().into_iter().map(|d| (d, 1.0)).collect(),
        };
        let mut dropped = vec![DropCounts::new(); builder.dates.len()];
        let mut labelled = vec![0; builder.dates.len()];
        let horizon_days = schedule.horizon_days;
        let begin = |what: &str, users: usize| {
            let name = format!("{what}, {horizon_days} days");
            ctx.phases.begin(name, users as u64, Unit::Users)
        };
        let counting = begin(what, ctx.histories.len());
        let count = |block: &Block| {
            counting.advance(block.len() as u64);
            builder.count(block)
        };
        for part in ctx.histories.map_blocks(count)? {
            for (sum, rows) in labelled.iter_mut().zip(part.labelled) {
                *sum += rows;
            }
            for ((position, reason), pairs) in part.dropped {
                *dropped[position].entry(reason.to_owned()).or_default() += pairs;
            }
        }
        let most_rows = ctx.config.model.most_rows.max(1);
        let every = builder.take_shares(schedule, &labelled, most_rows);
        let mut data = Self {
            width: catalogue.len(),
            user_step: every,
            ..Self::default()
        };
        let mut outcomes = Vec::new();
        let extracting = begin("features", ctx.histories.len().div_ceil(every));
        ctx.histories.stream_chosen(
            |position| position.is_multiple_of(every),
            |block| {
                extracting.advance(block.len() as u64);
                builder.rows(block)
            },
            |(part, more)| {
                data.append(part);
                outcomes.extend(more);
                Ok::<_, HistoryError>(())
            },
        )?;
        let mut by_date = DroppedPairs::new();
        for (((date, _), mut dropped), labelled) in
            builder.dates.into_iter().zip(dropped).zip(labelled)
        {
            let (rows, _) = data.rows_of(&[date]);
            if rows < labelled as u64 {
                dropped.insert("subsampled".to_owned(), labelled as u64 - rows);
            }
            by_date.insert(date, dropped);
        }
        Ok((data, outcomes, by_date))
    }

    fn append(&mut self, rows: Self) {
        self.raw.extend(rows.raw);
        self.labels.extend(rows.labels);
        self.users.extend(rows.users);
        self.dates.extend(rows.dates);
        self.counts.extend(rows.counts);
    }

    /// Whether some rows are enough to fit or judge on: [`MIN_ROWS`], of both classes.
    pub(crate) fn usable(&self, rows: &[usize]) -> bool {
        let churned = rows.iter().filter(|row| self.labels[**row]).count();
        rows.len() >= MIN_ROWS && churned > 0 && churned < rows.len()
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// How many rows some dates have, and the share of them that churned; 0 without rows.
    pub(crate) fn rows_of(&self, dates: &[Day]) -> (u64, f64) {
        let own = self.dates.iter().zip(&self.labels);
        let own = own.filter(|(date, _)| dates.contains(date));
        let (rows, churned) = own.fold((0, 0), |(n, m), (_, y)| (n + 1, m + u64::from(*y)));
        (rows, churned as f64 / rows.max(1) as f64)
    }

    /// The log-odds of the churn rate of some rows, of those whose dates lie within the last [`BASE_RATE_WINDOWS`] label windows
    /// before the newest: what one would say of everybody without a model.
    pub(crate) fn recent_churn_log_odds(&self, rows: &[usize], window_days: i32) -> f64 {
        let newest = rows.iter().map(|row| self.dates[*row]).max();
        let recent = |row: &&usize| {
            let age = newest.map_or(0, |newest| newest.since(self.dates[**row]));
            age < BASE_RATE_WINDOWS * window_days
        };
        let (all, churned) = rows.iter().filter(recent).fold((0.0, 0.0), |(n, m), row| {
            let count = self.counts[*row];
            (n + count, m + count * f64::from(self.labels[*row]))
        });
        // Half a user of each class, so that a rate of 0 or 1 has log-odds.
        logit((churned + 0.5) / (all + 1.0))
    }

    /// The rows of some dates.
    pub(crate) fn at(&self, dates: &[Day]) -> Self {
        let rows = 0..self.len();
        let rows: Vec<usize> = rows
            .filter(|row| dates.contains(&self.dates[*row]))
            .collect();
        self.only(&rows)
    }

    /// The rows at some positions.
    pub(crate) fn only(&self, rows: &[usize]) -> Self {
        let mut part = Self {
            width: self.width,
            user_step: self.user_step,
            ..Self::default()
        };
        for &row in rows {
            part.raw
                .extend_from_slice(&self.raw[row * self.width..][..self.width]);
            part.labels.push(self.labels[row]);
            part.users.push(self.users[row]);
            part.dates.push(self.dates[row]);
            part.counts.push(self.counts[row]);
        }
        part
    }

    /// How many users of the log a row stands for.
    pub(crate) fn users_of(&self, row: usize) -> f64 {
        self.counts[row] * self.user_step.max(1) as f64
    }

    /// The raw values of one feature.
    pub(crate) fn column(&self, position: usize) -> impl Iterator<Item = f64> {
        self.raw
            .iter()
            .skip(position)
            .step_by(self.width.max(1))
            .copied()
    }

    /// The rows as raw vectors.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.raw.chunks_exact(self.width.max(1))
    }
}

/// How the rows of a block of users are made.
struct Builder<'a, F> {
    extractor: Extractor<'a>,
    /// What became of a user at a date.
    outcome: F,
    /// Every date, with the share of its rows that is taken.
    dates: Vec<(Day, f64)>,
}

/// How many pairs of a user and a date make a row, by the date's position, and how many do not, by position and reason.
#[derive(Default)]
struct Counted {
    labelled: Vec<usize>,
    dropped: BTreeMap<(usize, &'static str), u64>,
}

impl<T, F: Fn(HistoryView<'_>, Day) -> Outcome<T>> Builder<'_, F> {
    /// Sets the share of each date's rows that is taken, from how many have a label; and returns how many users one is taken
    /// of, so that there are `most_rows` rows at most beside those of the backtest's anniversaries.
    fn take_shares(&mut self, schedule: &Schedule, labelled: &[usize], most_rows: usize) -> usize {
        let many = labelled.iter().sum::<usize>() > MANY_ROWS;
        let newest = schedule.regular.last().copied();
        let half_life = HALF_LIFE_WINDOWS * f64::from(schedule.window_days);
        let backtested = |date: &Day| schedule.backtest_anniversaries.contains(date);
        let mut kept = 0.0;
        for ((date, share), rows) in self.dates.iter_mut().zip(labelled) {
            if many && schedule.regular.binary_search(date).is_ok() {
                let age = newest.map_or(0, |newest| newest.since(*date));
                *share = libm::exp2(-0.5 * f64::from(age) / half_life);
            }
            if !backtested(date) {
                kept += *share * *rows as f64;
            }
        }
        let every = (kept / most_rows as f64).ceil().max(1.0) as usize;
        for ((date, share), rows) in self.dates.iter_mut().zip(labelled) {
            if backtested(date) {
                *share = (MOST_BACKTEST_ROWS * every) as f64 / (*rows).max(1) as f64;
            }
        }
        every
    }

    fn count(&self, block: &Block) -> Counted {
        let mut counted = Counted {
            labelled: vec![0; self.dates.len()],
            dropped: BTreeMap::new(),
        };
        for (_, _, history) in block.iter() {
            for (position, &(date, _)) in self.dates.iter().enumerate() {
                match (self.outcome)(history, date) {
                    Ok(_) => counted.labelled[position] += 1,
                    Err(reason) => {
                        let pairs = counted.dropped.entry((position, reason.name()));
                        *pairs.or_default() += 1;
                    }
                }
            }
        }
        counted
    }

    fn rows(&self, block: &Block) -> (Dataset, Vec<T>) {
        let mut extractor = self.extractor.clone();
        let mut vector = vec![f64::NAN; extractor.width()];
        let mut data = Dataset::default();
        let mut outcomes = Vec::new();
        for (user, _, history) in block.iter() {
            for &(date, share) in &self.dates {
                // Drawn by user and date: whatever the share, the same rows are taken again.
                if share < 1.0 && draw(user as u32, date) >= share {
                    continue;
                }
                if let Ok((label, outcome)) = (self.outcome)(history, date) {
                    extractor.extract(history, date, &mut vector);
                    data.raw.extend_from_slice(&vector);
                    data.labels.push(label);
                    data.users.push(user as u32);
                    data.dates.push(date);
                    data.counts.push(1.0 / share.min(1.0));
                    outcomes.push(outcome);
                }
            }
        }
        (data, outcomes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FeatureSchema;

    fn day(number: i32) -> Day {
        Day::new(number).unwrap()
    }

    /// The shares of dates at 1000, 970 and 910, an anniversary and one of the backtest alone, by how many rows each has.
    fn shares(rows: usize, most_rows: usize) -> (Vec<f64>, usize) {
        let schedule = Schedule {
            horizon_days: 30,
            regular: vec![day(910), day(970), day(1_000)],
            anniversaries: vec![day(665)],
            backtest_anniversaries: vec![day(605)],
            test: None,
            window_days: 30,
        };
        let activity = vec!["purchase".to_owned()];
        let schema = r#"{"activity": ["purchase"], "other_kinds": [], "horizon_days": [30], "amounts": false}"#;
        let schema: FeatureSchema = serde_json::from_str(schema).unwrap();
        let catalogue = Catalogue::new(schema).unwrap();
        let mut builder = Builder {
            extractor: Extractor::new(&catalogue, &activity),
            outcome: |_: HistoryView<'_>, _: Day| Ok((false, ())),
            dates: schedule.dates().into_iter().map(|d| (d, 1.0)).collect(),
        };
        let every = builder.take_shares(&schedule, &[rows; 5], most_rows);
        (
            builder.dates.iter().map(|(_, share)| *share).collect(),
            every,
        )
    }

    #[test]
    fn old_dates_of_large_logs_give_a_part_of_their_rows_and_small_logs_all() {
        let (small, every) = shares(8_000, 200_000);
        assert_eq!((small[1..].to_vec(), every), (vec![1.0; 4], 1));
        assert!(small[0] == 0.5, "{small:?}");
        // A weight halves after three windows of 30 days, its square root after six.
        let (large, every) = shares(16_000, 200_000);
        assert_eq!(every, 1);
        assert_eq!((large[0], large[1]), (0.25, 1.0));
        assert!(
            (large[2] - 0.5_f64.sqrt()).abs() < 1e-12 && large[4] == 1.0,
            "{large:?}"
        );
        assert!((large[3] - 0.5_f64.powf(1.0 / 6.0)).abs() < 1e-12);
        // One in two users, and of the backtest's date as many rows as before.
        let (halved, every) = shares(16_000, 40_000);
        assert_eq!((halved[0], every), (0.5, 2));
    }

    /// By hand: of the last three windows of 30 days three users of four churn, and one of them stands for two.
    #[test]
    fn the_base_rate_is_that_of_the_last_three_windows() {
        let data = Dataset {
            labels: vec![true, true, false, true, false],
            users: vec![0; 5],
            dates: [1_000, 950, 911, 950, 910].map(day).into(),
            counts: vec![1.0, 1.0, 1.0, 2.0, 50.0],
            ..Dataset::default()
        };
        assert_eq!(data.rows_of(&[day(950), day(911)]), (3, 2.0 / 3.0));
        assert_eq!(data.rows_of(&[day(1)]), (0, 0.0));
        let log_odds = data.recent_churn_log_odds(&[0, 1, 2, 3, 4], 30);
        assert!(
            (log_odds - (4.5_f64 / 1.5).ln()).abs() < 1e-12,
            "{log_odds}"
        );
        let alone = data.recent_churn_log_odds(&[4], 30);
        assert!(
            (alone - (0.5_f64 / 50.5).ln()).abs() < 1e-12,
            "the newest is of those given"
        );
    }

    #[test]
    fn pairs_without_a_row_are_added_up_over_some_dates() {
        let of = |pairs: &[(&str, u64)]| -> DropCounts {
            pairs
                .iter()
                .map(|(reason, n)| ((*reason).to_owned(), *n))
                .collect()
        };
        let dropped = DroppedPairs::from([
            (day(1), of(&[("inactive", 2), ("subsampled", 5)])),
            (day(2), of(&[("inactive", 3)])),
            (day(3), of(&[("not_yet_seen", 7)])),
        ]);
        let sum = dropped_of(&dropped, &[day(1), day(2), day(9)]);
        assert_eq!(sum, of(&[("inactive", 5), ("subsampled", 5)]));
    }

    #[test]
    fn draws_are_even_and_the_same_again() {
        let draws: Vec<f64> = (0..10_000).map(|user| draw(user, day(700))).collect();
        let below = |share: f64| draws.iter().filter(|d| **d < share).count() as f64 / 10_000.0;
        assert!((below(0.25) - 0.25).abs() < 0.02 && (below(0.8) - 0.8).abs() < 0.02);
        assert_eq!(draws[7], draw(7, day(700)));
        assert_ne!(draws[7], draw(7, day(701)));
    }
}
