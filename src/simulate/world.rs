//! What every user shares: the calendar, the season, and the two days on which the shop's fortunes turn.

use jiff::civil::Date;

use super::chance::Chance;
use crate::history::Day;

/// Purchases relative to an average day, Monday to Sunday: a quiet Sunday, a peak on Friday and Saturday.
const WEEKDAY: [f64; 7] = [0.95, 0.90, 0.95, 1.00, 1.20, 1.25, 0.75];

/// Purchases relative to an average day in the middle of each month, January to December.
const MONTH: [f64; 12] = [
    0.80, 0.85, 0.95, 0.95, 1.00, 0.95, 0.90, 0.85, 1.00, 1.05, 1.45, 1.60,
];

/// The share of users that the shop already has on the first day of the log.
const ALREADY_THERE: f64 = 0.25;

/// The longest that such a user has been there, in days.
const OLDEST_DAYS: i32 = 365;

/// Prices after the rise, relative to those before.
const PRICE_RISE: f64 = 1.08;

/// The window of the log and what happens in it to everybody.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    /// First day of the log.
    pub(crate) start: Day,
    /// First day after the log.
    pub(crate) end: Day,
    /// The day on which prices rise.
    pub(crate) price_rise: Day,
    /// The day on which a competitor opens.
    pub(crate) competitor: Day,
}

impl World {
    /// The world of a log of `days` days: a competitor opens at two fifths of it, prices rise at three fifths.
    pub(crate) fn new(start: Day, days: u32) -> Self {
        let at = |fifths: u32| start.plus((days * fifths / 5) as i32);
        Self {
            start,
            end: at(5),
            competitor: at(2),
            price_rise: at(3),
        }
    }

    /// How many days the log covers.
    fn days(&self) -> f64 {
        f64::from(self.end.since(self.start))
    }

    /// Purchases on this day relative to an average one; about 1 over a year.
    pub(crate) fn season(&self, day: Day) -> f64 {
        let weekday = WEEKDAY.get(day.weekday()).copied().unwrap_or(1.0);
        weekday * time_of_year(day.date())
    }

    /// Prices on this day relative to those on the first.
    pub(crate) fn price(&self, day: Day) -> f64 {
        if day < self.price_rise {
            1.0
        } else {
            PRICE_RISE
        }
    }

    /// The day a user joins; before the log for those who were already there.
    pub(crate) fn join(&self, chance: &mut Chance) -> Day {
        if chance.happens(ALREADY_THERE) {
            return self.start.plus(-chance.whole(1, OLDEST_DAYS));
        }
        // Twice as many join on the last day as on the first: the inverse of the distribution with density
        // proportional to 1 + t for t in [0, 1).
        let t = (1.0 + 3.0 * chance.unit()).sqrt() - 1.0;
        self.start.plus((t * self.days()) as i32)
    }
}

/// The yearly factor, a straight line from the middle of one month to that of the next.
fn time_of_year(date: Date) -> f64 {
    if (date.month(), date.day()) == (12, 25) {
        return 0.2;
    }
    let place = f64::from(date.month()) - 1.0 + (f64::from(date.day()) - 15.0) / 30.0;
    let from = place.floor();
    let month = |number: f64| {
        MONTH
            .get(number.rem_euclid(12.0) as usize)
            .copied()
            .unwrap_or(1.0)
    };
    month(from) + (month(from + 1.0) - month(from)) * (place - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        World::new("2024-01-01".parse().unwrap(), 366)
    }

    #[test]
    fn a_year_has_an_average_of_about_one() {
        let world = world();
        let mean = (0..366)
            .map(|d| world.season(world.start.plus(d)))
            .sum::<f64>()
            / 366.0;
        assert!((0.95..1.1).contains(&mean), "{mean}");
    }

    #[test]
    fn the_season_peaks_before_christmas_and_rests_on_it() {
        let season = |text: &str| time_of_year(text.parse().unwrap());
        assert!(season("2024-12-10") > 1.4 * season("2024-06-10"));
        assert!(season("2024-01-20") < season("2024-06-10"));
        assert!(season("2024-12-25") < 0.3);
        // One month runs into the next without a jump.
        assert!((season("2024-12-31") - season("2025-01-01")).abs() < 0.05);
    }
}
