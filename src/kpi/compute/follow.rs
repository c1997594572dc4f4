//! Where a user stands, Monday by Monday.

use std::collections::{BTreeMap, BTreeSet};

use super::{Pass, Weekly};
use crate::history::{Day, HistoryView};
use crate::kpi::life::Life;
use crate::lifecycle::Stage;

/// Days of a week.
const WEEK: i32 = 7;

impl Pass<'_> {
    /// Adds where a user stood in the weeks of each period.
    pub(super) fn follow(&self, life: &Life, history: HistoryView<'_>, weekly: &mut [Weekly]) {
        let (Some(first), Some(begin)) = (life.first, self.plan.periods.first()) else {
            return;
        };
        let state = |day| life.state(history, day, &self.kinds, &self.rules);
        for (period, weekly) in self.plan.periods.iter().zip(weekly.iter_mut()) {
            if first < period.days.from && period.days.from <= self.observation.until {
                let at_start = state(period.days.from);
                *weekly.at_start.entry(at_start).or_default() += 1;
                if at_start == Stage::Mature.name() {
                    let tenure = i64::from(period.days.from.since(first));
                    let due = i64::from(self.rules.thresholds.mature_review_days);
                    weekly.review.count(tenure >= due);
                }
            }
        }
        // The first Monday before which something is known, but one week of those before the first period.
        let monday = monday_from(first.plus(1).max(begin.days.from.plus(-WEEK)));
        let starts_here = monday.since(first) <= WEEK;
        let weeks = (self.observation.until.since(monday)).div_euclid(WEEK);
        let states: Vec<&'static str> = (0..=weeks)
            .map(|week| state(monday.plus(WEEK * week)))
            .collect();
        let at = |day: Day| usize::try_from(day.since(monday).div_euclid(WEEK)).ok();
        for (period, weekly) in self.plan.periods.iter().zip(weekly) {
            let from = monday_from(period.days.from.max(monday));
            let until = monday_from(period.days.until);
            if let (Some(from), Some(until)) = (at(from), at(until)) {
                count_moves(&states, from..until.min(states.len()), weekly);
                count_stays(&states, from..until.min(states.len()), starts_here, weekly);
            }
        }
    }
}

/// The first Monday on or after a day.
fn monday_from(day: Day) -> Day {
    day.plus((WEEK - day.weekday() as i32) % WEEK)
}

/// The moves from one Monday of `weeks` to the next one.
fn count_moves(states: &[&'static str], weeks: std::ops::Range<usize>, weekly: &mut Weekly) {
    let mut own: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for week in weeks {
        if let (Some(from), Some(to)) = (states.get(week), states.get(week + 1)) {
            *own.entry((*from, *to)).or_default() += 1;
        }
    }
    for (states, weeks) in own {
        let all = weekly.moves.entry(states).or_default();
        all.0 += weeks;
        all.1 += 1;
    }
}

/// The stays that begin on a Monday of `weeks`; the first of all states begins there only if nothing is known from before.
fn count_stays(
    states: &[&'static str],
    weeks: std::ops::Range<usize>,
    starts_here: bool,
    weekly: &mut Weekly,
) {
    let mut own = BTreeSet::new();
    for week in weeks {
        let begins = match week.checked_sub(1) {
            Some(before) => states[before] != states[week],
            None => starts_here,
        };
        if !begins {
            continue;
        }
        let state = states[week];
        let stay = states[week..]
            .iter()
            .take_while(|next| **next == state)
            .count();
        let (durations, users) = weekly.stays.entry(state).or_default();
        let length = u32::try_from(stay).unwrap_or(u32::MAX);
        if week + stay < states.len() {
            durations.ended(length);
        } else {
            durations.open(length.saturating_sub(1));
        }
        *users += u64::from(own.insert(state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mondays_are_the_next_ones() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        assert_eq!(monday_from(day("2024-01-01")), day("2024-01-01"));
        assert_eq!(monday_from(day("2024-01-02")), day("2024-01-08"));
        assert_eq!(monday_from(day("2024-01-07")), day("2024-01-08"));
    }

    #[test]
    fn stays_and_moves_are_those_of_the_weeks_in_which_they_begin() {
        let states = ["new", "new", "growth", "new", "new", "new"];
        let mut weekly = Weekly::default();
        count_moves(&states, 1..4, &mut weekly);
        assert_eq!(weekly.moves[&("new", "growth")], (1, 1));
        assert_eq!(weekly.moves[&("growth", "new")], (1, 1));
        assert_eq!(weekly.moves[&("new", "new")], (1, 1));
        count_stays(&states, 0..6, true, &mut weekly);
        let (durations, users) = &weekly.stays["new"];
        assert_eq!((durations.counts(), *users), ((1, 2), 1));
        assert_eq!(durations.median_of_ended(), Some(2.0));
        let mut later = Weekly::default();
        count_stays(&states, 0..6, false, &mut later);
        assert_eq!(
            later.stays["new"].0.counts(),
            (0, 1),
            "when the first one began is not known"
        );
    }
}
