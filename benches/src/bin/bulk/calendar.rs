//! The days of the log, and how much happens on each.

use std::ops::Range;

use ebb::history::Day;

use crate::chance::Chance;

/// Seconds in the 24 hours of a wall-clock day.
pub const DAY_SECONDS: i32 = 86_400;

/// Sessions relative to an average day, Monday to Sunday.
const WEEKDAY: [f64; 7] = [0.95, 0.90, 0.95, 1.00, 1.20, 1.25, 0.75];

/// Sessions relative to an average day in the middle of each month, January to December.
const MONTH: [f64; 12] = [
    0.80, 0.85, 0.95, 0.95, 1.00, 0.95, 0.90, 0.85, 1.00, 1.05, 1.45, 1.60,
];

/// The share of users who are there before the log begins, and for how many days at most.
const ALREADY_THERE: f64 = 0.25;
const OLDEST_DAYS: i32 = 365;

/// The days of the log, numbered from 0, and how much happens on each.
pub struct Calendar {
    days: i32,
    /// The sum of the season's factors before each day, and before the day after the last.
    before: Vec<f64>,
}

impl Calendar {
    pub fn new(start: Day, days: u32) -> Self {
        // A log of more days than fit is refused before.
        let days = days as i32;
        let mut before = vec![0.0];
        let mut sum = 0.0;
        for day in 0..days {
            sum += season(start.plus(day));
            before.push(sum);
        }
        Self { days, before }
    }

    /// How many days the log covers.
    pub fn days(&self) -> i32 {
        self.days
    }

    /// The first day of a user inside the log, and whether the user joins on it.
    pub fn join(&self, chance: &mut Chance) -> (i32, bool) {
        let joined = if chance.happens(ALREADY_THERE) {
            -chance.whole(1, OLDEST_DAYS)
        } else {
            // Twice as many join on the last day as on the first: the inverse of the distribution with density
            // proportional to 1 + t for t in [0, 1).
            let t = (1.0 + 3.0 * chance.unit()).sqrt() - 1.0;
            (t * f64::from(self.days)) as i32
        };
        (joined.clamp(0, self.days - 1), joined >= 0)
    }

    /// How much happens before a day, and nothing before the log.
    fn before(&self, day: i32) -> f64 {
        usize::try_from(day)
            .ok()
            .and_then(|day| self.before.get(day))
            .copied()
            .unwrap_or(0.0)
    }

    /// How much happens from one day until before another, where 1 is an average day.
    pub fn weight(&self, from: i32, until: i32) -> f64 {
        self.before(until) - self.before(from)
    }

    /// One of these days, drawn in proportion to what happens on each.
    pub fn day(&self, days: &Range<i32>, chance: &mut Chance) -> i32 {
        let place = chance.between(self.before(days.start), self.before(days.end));
        let day = self.before.partition_point(|before| *before <= place) as i32 - 1;
        day.clamp(days.start, days.end - 1)
    }
}

/// Sessions on this day relative to an average one; about 1 over a year.
fn season(day: Day) -> f64 {
    WEEKDAY[day.weekday()] * time_of_year(day)
}

/// The yearly factor, a straight line from the middle of one month to that of the next.
fn time_of_year(day: Day) -> f64 {
    let date = day.date();
    if (date.month(), date.day()) == (12, 25) {
        return 0.2;
    }
    let place = f64::from(date.month()) - 1.0 + (f64::from(date.day()) - 15.0) / 30.0;
    let from = place.floor();
    let month = |number: f64| MONTH[number.rem_euclid(12.0) as usize];
    month(from) + (month(from + 1.0) - month(from)) * (place - from)
}
