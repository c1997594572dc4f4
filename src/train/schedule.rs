//! At which dates users are described and labelled.

use crate::history::Day;

use super::TrainError;

/// The dates at which users are described and labelled for one horizon, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Dates of the final fit: every one has a fully observed label window.
    pub fit: Vec<Day>,
    /// The latest of them, on which the model is judged; `None` when no earlier date could train for it.
    pub test: Option<Day>,
    /// Days from a date to the end of its label window: lead + horizon, the embargo between parts.
    pub window_days: i32,
}

/// What a schedule depends on.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    /// The first day with an event.
    pub first: Day,
    /// The day after the last one that was fully seen.
    pub until: Day,
}

/// How dates are laid out.
#[derive(Clone, Copy, Debug)]
pub struct Spacing {
    /// Days between neighbouring dates; `None` for half of lead + horizon.
    pub days: Option<u16>,
    /// The most dates.
    pub most: usize,
}

impl Schedule {
    /// Lays out dates backwards from the latest one whose label window `[date + lead, date + lead + horizon)`
    /// is fully observed, as long as a whole horizon of past (at least half, if need be) lies before them.
    ///
    pub fn new(observed: Observed, lead_days: u32, horizon_days: u16, spacing: Spacing) -> Result<Self, TrainError> {
        let span = observed.until.since(observed.first);
        let window = lead_days as i32 + i32::from(horizon_days);
        let latest = observed.until.plus(-window);
        if latest.since(observed.first) < 1 {
            let longest = (span - 1 - lead_days as i32).max(0);
            return Err(TrainError::HorizonNotObserved { horizon_days, lead_days, span_days: span, longest });
        }
        // Halves of the window, so that every second date is a whole window away.
        let back = |k: i32| spacing.days.map_or(k * window / 2, |days| k * i32::from(days));
        let reaching_back = |past: i32| -> Vec<Day> {
            let dates = (0..spacing.most as i32).map(|k| latest.plus(-back(k)));
            let mut dates: Vec<Day> = dates.take_while(|d| d.since(observed.first) >= past).collect();
            dates.reverse();
            dates.dedup();
            dates
        };
        let horizon = i32::from(horizon_days);
        let fit = [horizon, horizon.div_euclid(2), 1].into_iter().map(reaching_back).find(|d| !d.is_empty());
        let fit = fit.unwrap_or_else(|| vec![latest]);
        let mut schedule = Self { fit, test: Some(latest), window_days: window };
        if schedule.before(latest).is_empty() {
            schedule.test = None;
        }
        Ok(schedule)
    }

    /// The dates whose label windows end by `date`: all that could be learnt from on that day.
    pub fn before(&self, date: Day) -> Vec<Day> {
        self.fit.iter().copied().filter(|d| date.since(*d) >= self.window_days).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(span: i32, lead: u32, horizon: u16, most: usize) -> Result<Schedule, TrainError> {
        let observed = Observed { first: Day::new(0).unwrap(), until: Day::new(span).unwrap() };
        Schedule::new(observed, lead, horizon, Spacing { days: None, most })
    }

    #[test]
    fn parts_are_ordered_in_time_with_an_embargo_between_them() {
        for (span, lead, horizon) in [(400, 0, 30), (400, 7, 30), (313, 0, 60), (1_000, 3, 90)] {
            let s = schedule(span, lead, horizon, 100).unwrap();
            let window = lead as i32 + i32::from(horizon);
            let test = s.test.unwrap();
            assert_eq!(test.number() + window, span, "the last label window ends where the log does");
            let train = s.before(test);
            assert!(train.iter().all(|d| d.number() + window <= test.number()));
            let calibration = *train.last().unwrap();
            assert_eq!(test.since(calibration), window, "no day is wasted");
            assert!(s.before(calibration).iter().all(|d| d.number() + window <= calibration.number()));
            // The negative control: dates between are there, and only the embargo keeps them out.
            assert!(s.fit.iter().any(|d| *d < test && d.number() + window > test.number()));
            assert!(s.fit.is_sorted() && s.fit.contains(&test));
            assert!(s.fit.iter().all(|d| d.number() >= i32::from(horizon)), "a horizon of past before each");
        }
    }

    #[test]
    fn short_logs_lose_the_test_and_then_fail_with_what_would_do() {
        let s = schedule(35 * 3, 0, 35, 100).unwrap();
        assert!(s.test.is_some_and(|test| s.before(test).len() == 1));
        let s = schedule(50, 0, 35, 100).unwrap();
        assert!(s.test.is_none() && s.fit.len() == 1);
        let message = schedule(35, 0, 35, 100).unwrap_err().to_string();
        assert!(message.contains("34 days"), "{message}");
    }
}
