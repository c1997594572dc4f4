//! At which dates users are described and labelled.

use std::collections::BTreeSet;

use crate::features::season::YEAR_DAYS;
use crate::history::{Coverage, Day, Stretch};

use crate::train::TrainError;

/// The dates at which users are described and labelled for one horizon, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// The horizon in days.
    pub(crate) horizon_days: u16,
    /// Dates at even distances: every one has a fully observed label window.
    pub(crate) regular: Vec<Day>,
    /// The latest of them, on which the model is judged; `None` when no earlier date could train for it.
    pub(crate) test: Option<Day>,
    /// Anniversaries of the as-of day and of the test date, without regular dates.
    pub(crate) anniversaries: Vec<Day>,
    /// Anniversaries of the backtest's dates alone. A backtest compares on few users, so a part of the users will do.
    pub(crate) backtest_anniversaries: Vec<Day>,
    /// Days from a date to the end of its label window: lead + horizon, the embargo between parts.
    pub(crate) window_days: i32,
}

/// The days on which activity would have been seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The first day with an event.
    pub first: Day,
    /// The day after the last one that was fully seen.
    pub until: Day,
    /// The days between that were not seen, in order.
    pub holes: Vec<Stretch>,
}

impl Observed {
    /// The days before `as_of` that a log covers, from its first event on.
    pub fn new(first: Day, coverage: &Coverage, as_of: Day) -> Self {
        let until = as_of.min(coverage.labels_until);
        let holes = coverage
            .holes
            .iter()
            .map(|hole| hole.days)
            .filter(|hole| hole.from < until)
            .collect();
        Self {
            first,
            until,
            holes,
        }
    }

    /// Whether every day of a label window was seen.
    pub fn covers(&self, window: Stretch) -> bool {
        window.until <= self.until && self.hole_in(window).is_none()
    }

    /// The first hole that a window overlaps.
    fn hole_in(&self, window: Stretch) -> Option<Stretch> {
        self.holes
            .iter()
            .copied()
            .find(|hole| hole.overlaps(window))
    }
}

/// The days that decide the label of a day: `[date + lead, date + lead + horizon)`.
pub(crate) fn label_window(date: Day, lead_days: u32, horizon_days: u16) -> Stretch {
    let from = date.plus(lead_days as i32);
    Stretch {
        from,
        until: from.plus(i32::from(horizon_days)),
    }
}

/// How dates are laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spacing {
    /// Days between neighbouring regular dates; `None` for half of lead + horizon.
    pub(crate) days: Option<u16>,
    /// The days of the log before the oldest regular date; `None` for a whole horizon, or half of one or a day where none else
    /// would be.
    pub(crate) past: Option<i32>,
    /// The most regular dates.
    pub(crate) most: usize,
    /// How many years back anniversaries are dates too.
    pub(crate) anniversaries: u8,
    /// For how many days users count as active: the fewest that the log covers before an anniversary. With fewer, all of its users
    /// are new and are no example of those of the predicted day.
    pub(crate) active_within_days: u32,
}

/// Dates that are backtested at most.
pub(crate) const BACKTEST_DATES: usize = 8;

/// The days one, two, ... years of 365 days before another: the same time of the year.
pub(crate) fn anniversaries(date: Day, years: u8) -> impl Iterator<Item = Day> {
    (1..=i32::from(years)).map(move |year| date.plus(-i32::from(YEAR_DAYS) * year))
}

impl Schedule {
    /// Lays out dates backwards from the latest one whose label window `[date + lead, date + lead + horizon)`
    /// is fully observed, as long as a whole horizon of past (at least half, if need be) lies before them. Where windows
    /// would overlap a hole, it is gone on from the latest date whose window ends before the hole.
    pub(crate) fn new(
        observed: &Observed,
        as_of: Day,
        lead_days: u32,
        horizon_days: u16,
        spacing: Spacing,
    ) -> Result<Self, TrainError> {
        let span = observed.until.since(observed.first);
        let window = lead_days as i32 + i32::from(horizon_days);
        let label = |date: Day| label_window(date, lead_days, horizon_days);
        let reaching_back = |past: i32| -> Vec<Day> {
            let mut dates = Vec::new();
            // Halves of the window, so that every second date is a whole window away.
            let back = |k: i32| {
                spacing
                    .days
                    .map_or(k * window / 2, |days| k * i32::from(days))
            };
            let (mut anchor, mut k) = (observed.until.plus(-window), 0);
            while dates.len() < spacing.most {
                let date = anchor.plus(-back(k));
                if date.since(observed.first) < past {
                    break;
                }
                k += 1;
                match observed.hole_in(label(date)) {
                    Some(hole) => (anchor, k) = (hole.from.plus(-window), 0),
                    None => dates.push(date),
                }
            }
            dates.reverse();
            dates.dedup();
            dates
        };
        let horizon = i32::from(horizon_days);
        let pasts = match spacing.past {
            Some(past) => vec![past],
            None => vec![horizon, horizon.div_euclid(2), 1],
        };
        let regular = pasts.into_iter().map(reaching_back).find(|d| !d.is_empty());
        let Some((regular, latest)) = regular.and_then(|r| Some((r.clone(), *r.last()?))) else {
            let longest = (span - 1 - lead_days as i32).max(0);
            let holes = observed.holes.clone();
            return Err(TrainError::HorizonNotObserved {
                horizon_days,
                lead_days,
                span_days: span,
                longest,
                holes,
            });
        };
        let mut schedule = Self {
            horizon_days,
            regular,
            anniversaries: Vec::new(),
            backtest_anniversaries: Vec::new(),
            test: Some(latest),
            window_days: window,
        };
        if schedule.before(latest).is_empty() {
            schedule.test = None;
        }
        let past = horizon.max(spacing.active_within_days as i32);
        schedule.add_anniversaries(as_of, spacing.anniversaries, |date| {
            date.since(observed.first) >= past && observed.covers(label(date))
        });
        Ok(schedule)
    }

    /// Adds the anniversaries of every date that is predicted, as far as they can be `described` and are no dates yet.
    fn add_anniversaries(&mut self, as_of: Day, years: u8, described: impl Fn(Day) -> bool) {
        let usable = |date: &Day| described(*date) && !self.regular.contains(date);
        let of = |dates: Vec<Day>| -> BTreeSet<Day> {
            let all = dates
                .into_iter()
                .flat_map(|date| anniversaries(date, years));
            all.filter(usable).collect()
        };
        let judged = of(self.test.into_iter().chain([as_of]).collect());
        let backtested = of(self.backtest_dates());
        self.backtest_anniversaries = backtested.difference(&judged).copied().collect();
        self.anniversaries = judged.into_iter().collect();
    }

    /// The dates of both backtests: of what is known now, and of what was known on the test date.
    fn backtest_dates(&self) -> Vec<Day> {
        let known = self.test.map_or_else(Vec::new, |test| self.before(test));
        let mut dates = cutoffs(&self.regular, self.window_days);
        dates.extend(cutoffs(&known, self.window_days));
        dates
    }

    /// All dates, oldest first.
    pub(crate) fn dates(&self) -> Vec<Day> {
        let anniversaries = [&self.anniversaries, &self.backtest_anniversaries];
        let mut dates = self.regular.clone();
        dates.extend(anniversaries.into_iter().flatten());
        dates.sort_unstable();
        dates
    }

    /// The dates that a fit for predictions at the day `asked` learns from if it uses anniversaries of so many years, oldest
    /// first.
    pub(crate) fn learnt_at(&self, asked: Day, years: u8) -> Vec<Day> {
        let own: Vec<Day> = anniversaries(asked, years).collect();
        let mut dates = self.dates();
        dates.retain(|date| {
            let learnt = self.regular.contains(date) || own.contains(date);
            learnt && asked.since(*date) >= self.window_days
        });
        dates
    }

    /// The regular dates whose label windows end by `date`.
    pub(crate) fn before(&self, date: Day) -> Vec<Day> {
        self.regular
            .iter()
            .copied()
            .filter(|d| date.since(*d) >= self.window_days)
            .collect()
    }
}

/// The dates that are backtested, newest first: those with a label window before them, at least half a window apart.
pub(crate) fn cutoffs(dates: &[Day], window_days: i32) -> Vec<Day> {
    let mut cutoffs: Vec<Day> = Vec::new();
    for date in dates.iter().rev().copied() {
        let known = dates.iter().any(|d| date.since(*d) >= window_days);
        let apart = cutoffs
            .last()
            .is_none_or(|last| 2 * last.since(date) >= window_days - 1);
        if known && apart && cutoffs.len() < BACKTEST_DATES {
            cutoffs.push(date);
        }
    }
    cutoffs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(span: i32, lead: u32, horizon: u16, most: usize) -> Result<Schedule, TrainError> {
        with_holes(span, lead, horizon, most, &[])
    }

    fn with_holes(
        span: i32,
        lead: u32,
        horizon: u16,
        most: usize,
        holes: &[(i32, i32)],
    ) -> Result<Schedule, TrainError> {
        let day = |number| Day::new(number).unwrap();
        let holes = holes
            .iter()
            .map(|(from, until)| Stretch {
                from: day(*from),
                until: day(*until),
            })
            .collect();
        let observed = Observed {
            first: day(0),
            until: day(span),
            holes,
        };
        let spacing = Spacing {
            days: None,
            past: None,
            most,
            anniversaries: 0,
            active_within_days: 0,
        };
        Schedule::new(&observed, day(span), lead, horizon, spacing)
    }

    #[test]
    fn no_window_overlaps_a_hole_and_none_is_wasted_beside_it() {
        let holes = [(200, 246), (300, 320)];
        for lead in [0, 7] {
            let window = lead as i32 + 30;
            let s = with_holes(400, lead, 30, 12, &holes).unwrap();
            let overlaps = |d: &Day, (from, until): (i32, i32)| {
                d.number() + (lead as i32) < until && d.number() + window > from
            };
            for hole in holes {
                assert!(
                    !s.regular.iter().any(|d| overlaps(d, hole)),
                    "{:?}",
                    s.regular
                );
                // The negative control: without the hole, a date's window would overlap it.
                assert!(
                    schedule(400, lead, 30, 12)
                        .unwrap()
                        .regular
                        .iter()
                        .any(|d| overlaps(d, hole))
                );
                assert!(
                    s.regular.iter().any(|d| d.number() + window == hole.0),
                    "a window ends where the hole begins"
                );
            }
            assert_eq!(s.regular.len(), 12, "as many dates as without holes");
            assert_eq!(s.test.map(|d| d.number() + window), Some(400));
        }
        // A hole up to the end leaves what was observed before it.
        let s = with_holes(400, 0, 30, 12, &[(390, 399)]).unwrap();
        assert_eq!(s.test.map(|d| d.number() + 30), Some(390));
        let message = with_holes(60, 0, 30, 12, &[(20, 40)])
            .unwrap_err()
            .to_string();
        assert!(message.contains("1970-01-21 to 1970-02-09"), "{message}");
    }

    #[test]
    fn parts_are_ordered_in_time_with_an_embargo_between_them() {
        for (span, lead, horizon) in [(400, 0, 30), (400, 7, 30), (313, 0, 60), (1_000, 3, 90)] {
            let s = schedule(span, lead, horizon, 100).unwrap();
            let window = lead as i32 + i32::from(horizon);
            let test = s.test.unwrap();
            assert_eq!(
                test.number() + window,
                span,
                "the last label window ends where the log does"
            );
            let train = s.before(test);
            assert!(train.iter().all(|d| d.number() + window <= test.number()));
            let calibration = *train.last().unwrap();
            assert_eq!(test.since(calibration), window, "no day is wasted");
            assert!(
                s.before(calibration)
                    .iter()
                    .all(|d| d.number() + window <= calibration.number())
            );
            // The negative control: dates between are there, and only the embargo keeps them out.
            assert!(
                s.regular
                    .iter()
                    .any(|d| *d < test && d.number() + window > test.number())
            );
            assert!(s.regular.is_sorted() && s.regular.contains(&test));
            assert!(
                s.regular.iter().all(|d| d.number() >= i32::from(horizon)),
                "a horizon of past before each"
            );
        }
    }

    #[test]
    fn short_logs_lose_the_test_and_then_fail_with_what_would_do() {
        let s = schedule(35 * 3, 0, 35, 100).unwrap();
        assert!(s.test.is_some_and(|test| s.before(test).len() == 1));
        let s = schedule(50, 0, 35, 100).unwrap();
        assert!(s.test.is_none() && s.regular.len() == 1);
        let message = schedule(35, 0, 35, 100).unwrap_err().to_string();
        assert!(message.contains("34 days"), "{message}");
    }

    #[test]
    fn cutoffs_are_dates_with_something_to_learn_from_half_a_window_apart() {
        let dates: Vec<Day> = (0..12).map(|k| Day::new(500 + 15 * k).unwrap()).collect();
        let taken = cutoffs(&dates, 30);
        assert_eq!(taken.first(), dates.last());
        assert_eq!(taken.len(), BACKTEST_DATES);
        assert_eq!(
            cutoffs(&dates[..6], 30).last(),
            Some(&dates[2]),
            "the first date with a whole window before it"
        );
        assert!(taken.windows(2).all(|two| two[0].since(two[1]) == 15));
        assert!(
            cutoffs(&dates, 60)
                .windows(2)
                .all(|two| two[0].since(two[1]) == 30)
        );
        assert!(cutoffs(&dates[..1], 30).is_empty());
    }

    #[test]
    fn anniversaries_are_those_of_predicted_days_and_as_observed_as_other_dates() {
        let day = |number| Day::new(number).unwrap();
        let active_within = |active_within_days, first: i32, years| {
            let observed = Observed {
                first: day(first),
                until: day(1_000),
                holes: vec![Stretch {
                    from: day(640),
                    until: day(645),
                }],
            };
            let spacing = Spacing {
                days: None,
                past: None,
                most: 12,
                anniversaries: years,
                active_within_days,
            };
            Schedule::new(&observed, day(1_000), 0, 30, spacing).unwrap()
        };
        let made = |first, years| active_within(30, first, years);
        let s = made(0, 3);
        // The as-of day and the test date, 970, one and two years back; the hole swallows the window from 635 on.
        let numbers = |dates: &[Day]| dates.iter().map(|d| d.number()).collect::<Vec<_>>();
        assert_eq!(numbers(&s.anniversaries), [240, 270, 605]);
        assert!(numbers(&s.backtest_anniversaries).contains(&(955 - 365)));
        assert!(!numbers(&s.backtest_anniversaries).contains(&(1_000 - 365)));
        let window = |d: &Day| (d.number()..d.number() + 30).any(|d| (640..645).contains(&d));
        assert!(!s.dates().iter().any(window));
        assert!(s.dates().is_sorted());
        assert_eq!(s.learnt_at(day(1_000), 3).len(), 12 + 1);
        // Of the regular dates 955 and 970 are too new to be known on 970.
        assert_eq!(s.learnt_at(day(970), 1).len(), 10 + 1);
        assert_eq!(s.learnt_at(day(970), 1), s.learnt_at(day(970), 3)[1..]);
        // A horizon of past must lie before them, and none is wanted without years.
        assert_eq!(numbers(&made(250, 3).anniversaries), [605]);
        assert_eq!(numbers(&made(220, 3).anniversaries), [270, 605]);
        // Nor is one an example whose users cannot have been active for as long as those of the predicted day.
        assert_eq!(
            numbers(&active_within(50, 220, 3).anniversaries),
            [270, 605]
        );
        assert_eq!(numbers(&active_within(51, 220, 3).anniversaries), [605]);
        let none = made(0, 0);
        assert!(none.anniversaries.is_empty() && none.backtest_anniversaries.is_empty());
    }
}
