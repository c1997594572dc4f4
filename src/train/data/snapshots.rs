//! At which dates users are described and labelled.

use std::collections::BTreeSet;

use crate::features::season::YEAR_DAYS;
use crate::history::{Coverage, Day, Stretch};

use crate::train::TrainError;
use crate::train::settings::TrainConfig;

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
    /// The dates that a configuration asks for: those of [`Schedule::new`], from `model.dates_from` on.
    ///
    /// # Errors
    /// Where no label window was observed, or none from that day on.
    pub(crate) fn of_config(
        observed: &Observed,
        as_of: Day,
        config: &TrainConfig,
        horizon_days: u16,
    ) -> Result<Self, TrainError> {
        let spacing = Spacing {
            days: config.model.spacing_days,
            past: None,
            most: config.model.snapshots,
            anniversaries: config.model.most_anniversaries(),
            active_within_days: config.churn.active_within_days,
        };
        let lead_days = config.churn.lead_days;
        let all = Self::new(observed, as_of, lead_days, horizon_days, spacing)?;
        match config.model.dates_from {
            Some(day) => all.since(day),
            None => Ok(all),
        }
    }

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
                of_conversion: false,
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

    /// The dates from a day on.
    ///
    /// # Errors
    /// [`TrainError::NoDatesFrom`] where there is none.
    pub(crate) fn since(mut self, day: Day) -> Result<Self, TrainError> {
        let latest = self.regular.last().copied();
        let all = [
            &mut self.regular,
            &mut self.anniversaries,
            &mut self.backtest_anniversaries,
        ];
        for dates in all {
            dates.retain(|date| *date >= day);
        }
        if self.regular.is_empty() {
            return Err(TrainError::NoDatesFrom {
                day,
                horizon_days: self.horizon_days,
                window_days: self.window_days,
                latest,
            });
        }
        self.test = self.test.filter(|test| !self.before(*test).is_empty());
        Ok(self)
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
mod tests;
