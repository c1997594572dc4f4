//! Activity and churn by week of tenure.

use super::segmentation::Series;
use super::turning::{Noise, Turning, turning_points};
use crate::card::{TenureCard, TenureSeries, TurningPointCard};
use crate::history::{Block, Day, HistoryError, HistoryView};
use crate::math::splitmix::splitmix64;
use crate::train::data::context::TrainContext;

/// Weeks that are looked at, at most: two years.
const MOST_WEEKS: usize = 104;

/// Days of a week.
const WEEK: i32 = 7;

/// Events and users of each week of tenure.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Weeks {
    events: Vec<u64>,
    users: Vec<u64>,
}

impl Weeks {
    fn none() -> Self {
        Self {
            events: vec![0; MOST_WEEKS],
            users: vec![0; MOST_WEEKS],
        }
    }

    fn add(&mut self, other: &Self) {
        let sum = |to: &mut Vec<u64>, from: &Vec<u64>| {
            to.iter_mut().zip(from).for_each(|(sum, more)| *sum += more);
        };
        sum(&mut self.events, &other.events);
        sum(&mut self.users, &other.users);
    }
}

/// What of a user is known, by days since the first active one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Life {
    /// The active days, increasing from 0.
    active: Vec<i32>,
    /// Days that were observed without a hole.
    observed: i32,
    /// The day of the churn event.
    churn_event: Option<i32>,
}

impl Life {
    /// The life of a user; `None` for one without activity.
    fn of(ctx: &TrainContext<'_>, history: HistoryView<'_>) -> Option<Self> {
        let observed = &ctx.observed;
        let history = history.before(observed.until);
        let mut days = ctx.labeller.active_days(history, observed.until);
        let first = days.next()?;
        let holes = observed.holes.iter().map(|hole| hole.from);
        let until = holes
            .filter(|from| *from > first)
            .min()
            .unwrap_or(observed.until);
        let since = |day: Day| day.since(first);
        let mut active = vec![0];
        active.extend(days.map(since).take_while(|day| *day < since(until)));
        active.dedup();
        let event = ctx.config.churn.churn_event.as_ref();
        let kind = event.and_then(|event| ctx.histories.kinds().iter().position(|k| k == event));
        let mut events = history
            .records()
            .iter()
            .filter(|r| Some(usize::from(r.kind)) == kind);
        Some(Self {
            active,
            observed: since(until),
            churn_event: events.find(|r| r.day >= first).map(|r| since(r.day)),
        })
    }

    /// Adds each week that was observed as a whole, after the first: that one is there because the user was active.
    fn count_activity(&self, weeks: &mut Weeks) {
        for week in 1..MOST_WEEKS {
            let (from, until) = days_of(week);
            if until > self.observed {
                break;
            }
            let days = self.active.partition_point(|d| *d < until)
                - self.active.partition_point(|d| *d < from);
            weeks.users[week] += 1;
            weeks.events[week] += days as u64;
        }
    }

    /// Adds each week up to that in which churn begins: the last active day before the first silence of `silence_days`, or the
    /// churn event. Only weeks for which that is known of any day are counted.
    fn count_churn(&self, silence_days: i32, is_silence: bool, weeks: &mut Weeks) {
        let begun = match is_silence {
            true => self.silence(silence_days),
            false => self.churn_event,
        };
        let known_until = self.observed - if is_silence { silence_days } else { 0 };
        for week in 0..MOST_WEEKS {
            let (from, until) = days_of(week);
            if until > known_until || begun.is_some_and(|day| day < from) {
                break;
            }
            weeks.users[week] += 1;
            weeks.events[week] += u64::from(begun.is_some_and(|day| day < until));
        }
    }

    /// The last active day before the first silence of so many days that was seen.
    fn silence(&self, days: i32) -> Option<i32> {
        let next = self.active.iter().skip(1).copied().chain([self.observed]);
        let mut pairs = self.active.iter().copied().zip(next);
        pairs
            .find(|(day, next)| next - day > days)
            .map(|(day, _)| day)
    }
}

fn days_of(week: usize) -> (i32, i32) {
    let from = WEEK * week as i32;
    (from, from + WEEK)
}

/// Activity and churn by week of tenure with their turning points; churn is a silence of `silence_days`, unless it is an
/// event. Weeks from the first on in which fewer than `min_users` users were observed are left out.
pub(super) fn tenure(
    ctx: &TrainContext<'_>,
    silence_days: i32,
    min_users: u64,
) -> Result<Vec<TenureCard>, HistoryError> {
    let mut sums = [Weeks::none(), Weeks::none()];
    ctx.histories.stream_blocks::<_, HistoryError>(
        |block| of_block(ctx, block, silence_days),
        |part| {
            sums.iter_mut()
                .zip(&part)
                .for_each(|(sum, more)| sum.add(more));
            Ok(())
        },
    )?;
    let [activity, churn] = sums;
    Ok(vec![
        card(
            TenureSeries::Activity,
            &activity,
            1,
            min_users,
            ctx.config.model.seed,
        ),
        card(
            TenureSeries::Churn,
            &churn,
            0,
            min_users,
            ctx.config.model.seed,
        ),
    ])
}

fn of_block(ctx: &TrainContext<'_>, block: &Block, silence_days: i32) -> [Weeks; 2] {
    let [mut activity, mut churn] = [Weeks::none(), Weeks::none()];
    for (_, _, history) in block.iter() {
        if let Some(life) = Life::of(ctx, history) {
            life.count_activity(&mut activity);
            life.count_churn(silence_days, ctx.churn_is_silence(), &mut churn);
        }
    }
    [activity, churn]
}

fn card(
    series: TenureSeries,
    weeks: &Weeks,
    first: usize,
    min_users: u64,
    seed: u64,
) -> TenureCard {
    let users = weeks.users.iter().skip(first).copied();
    let users: Vec<u64> = users
        .take_while(|users| *users >= min_users.max(1))
        .collect();
    let events: Vec<u64> = weeks
        .events
        .iter()
        .skip(first)
        .copied()
        .take(users.len())
        .collect();
    let numbers = |counts: &[u64]| counts.iter().map(|n| *n as f64).collect::<Vec<_>>();
    let counted = Series::new(&numbers(&events), &numbers(&users));
    let seed = splitmix64(seed ^ series as u64);
    let turning = turning_points(&counted, Noise::NegativeBinomial, seed);
    let first_week = first as u32 + 1;
    TenureCard {
        series,
        first_week,
        events,
        users,
        dispersion: turning.as_ref().map(|t| t.dispersion),
        p_any: turning.as_ref().map(|t| t.p_any),
        points: turning.map_or_else(Vec::new, |t| points(&t, first_week)),
    }
}

fn points(turning: &Turning, first_week: u32) -> Vec<TurningPointCard> {
    let week = |step: usize| first_week + step as u32;
    let points = turning.points.iter().map(|point| TurningPointCard {
        week: week(point.start),
        low: week(point.low),
        high: week(point.high),
        before: point.before,
        after: point.after,
        p: point.p,
    });
    points.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(life: &Life, silence: Option<i32>) -> (Vec<u64>, Vec<u64>) {
        let mut weeks = Weeks::none();
        match silence {
            Some(days) => life.count_churn(days, life.churn_event.is_none(), &mut weeks),
            None => life.count_activity(&mut weeks),
        }
        weeks.users.truncate(6);
        weeks.events.truncate(6);
        (weeks.users, weeks.events)
    }

    #[test]
    fn whole_weeks_after_the_first_are_counted() {
        let life = Life {
            active: vec![0, 3, 7, 13, 14, 29],
            observed: 30,
            churn_event: None,
        };
        // Days 28 and 29 are no whole week.
        assert_eq!(
            counted(&life, None),
            (vec![0, 1, 1, 1, 0, 0], vec![0, 2, 1, 0, 0, 0])
        );
    }

    #[test]
    fn churn_begins_with_the_first_silence_that_was_seen_to_its_end() {
        let life = |active: &[i32], observed| Life {
            active: active.to_vec(),
            observed,
            churn_event: None,
        };
        // Silent for the ten days 9 to 18.
        let left = life(&[0, 8, 19], 60);
        assert_eq!(
            counted(&left, Some(10)),
            (vec![1, 1, 0, 0, 0, 0], vec![0, 1, 0, 0, 0, 0])
        );
        assert_eq!(counted(&left, Some(11)).1, [0, 0, 1, 0, 0, 0]);
        // The last silence has ten days, which are all that were seen; of the week 14 to 20 it is not known yet.
        let open = life(&[0, 8, 15], 26);
        assert_eq!(open.silence(10), Some(15));
        assert_eq!(
            counted(&open, Some(10)),
            (vec![1, 1, 0, 0, 0, 0], vec![0; 6])
        );
        let event = Life {
            churn_event: Some(16),
            ..life(&[0, 8], 30)
        };
        assert_eq!(
            counted(&event, Some(10)),
            (vec![1, 1, 1, 0, 0, 0], vec![0, 0, 1, 0, 0, 0])
        );
    }

    #[test]
    fn weeks_of_few_users_are_left_out() {
        let weeks = Weeks {
            users: vec![90, 80, 50, 30, 29, 10],
            events: vec![9, 8, 5, 3, 2, 1],
        };
        let card = card(TenureSeries::Churn, &weeks, 0, 30, 1);
        assert_eq!(
            (card.users, card.events),
            (vec![90, 80, 50, 30], vec![9, 8, 5, 3])
        );
        assert_eq!(
            (card.first_week, card.p_any, card.points),
            (1, None, vec![])
        );
    }
}
