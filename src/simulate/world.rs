//! What every user shares: the calendar, the season, and the two days on which the shop's fortunes turn.

use super::random::Rng;
use super::rhythm::Rhythm;
use super::season::{Break, Season, Tempo, around_own_peak};
use super::{MonthFactor, Planted};
use crate::history::Day;

/// Purchases relative to an average day, Monday to Sunday: a quiet Sunday, a peak on Friday and Saturday.
const WEEKDAY: [f64; 7] = [0.95, 0.90, 0.95, 1.00, 1.20, 1.25, 0.75];

/// The share of users that the shop already has on the first day of the log.
const ALREADY_THERE: f64 = 0.25;

/// The longest that such a user has been there, in days.
const OLDEST_DAYS: i32 = 365;

/// Prices after the rise, relative to those before.
const PRICE_RISE: f64 = 1.08;

/// Days after the beginning of a term on which most users join.
const ENROLMENT_DAYS: i32 = 21;

/// Users that join on a later day of a term, relative to a day of enrolment.
const LATE_ENROLMENT: f64 = 0.08;

/// The most years after the log for which breaks are known: a user may stay for four terms after it.
const YEARS_AHEAD: i16 = 3;

/// A day for users who follow the calendar.
#[derive(Clone, Copy, Debug)]
struct CalendarDay {
    weekday: f64,
    tempo: Tempo,
    day_of_year: i32,
    /// 1 to 12.
    month: u8,
    /// Users that join relative to the best day, were there as many every day.
    joining: f64,
    rests: bool,
}

/// The window of the log and what happens in it to everybody.
#[derive(Clone, Debug)]
pub(crate) struct World {
    /// First day of the log.
    pub(crate) start: Day,
    /// First day after the log.
    pub(crate) end: Day,
    /// The day on which prices rise.
    pub(crate) price_rise: Day,
    /// The day on which a competitor opens.
    pub(crate) competitor: Day,
    /// What the time of year does.
    pub(crate) season: Season,
    /// What is planted.
    pub(crate) planted: Planted,
    /// Breaks from before the first user joins until after the last one's course, in order of time.
    breaks: Vec<Break>,
    /// The days from the oldest user's first one to the first one after the log.
    days: Vec<CalendarDay>,
}

impl World {
    /// The world of a log of `days` days: a competitor opens at two fifths of it, prices rise at three fifths.
    pub(crate) fn new(start: Day, days: u32, season: Season) -> Self {
        let at = |fifths: u32| start.plus((days * fifths / 5) as i32);
        let (first, end) = (start.plus(-OLDEST_DAYS), at(5));
        // A break may have begun in the year before.
        let breaks = season.breaks(first.date().year() - 1..=end.date().year() + YEARS_AHEAD);
        let calendar = (0..=end.since(first))
            .map(|day| CalendarDay::new(first.plus(day), season, &breaks))
            .collect();
        Self {
            start,
            end,
            competitor: at(2),
            price_rise: at(3),
            season,
            planted: Planted::default(),
            breaks,
            days: calendar,
        }
    }

    /// The same world with planted changes.
    pub(crate) fn with_planted(self, planted: Planted) -> Self {
        Self { planted, ..self }
    }

    /// How many days the log covers.
    fn length(&self) -> f64 {
        f64::from(self.end.since(self.start))
    }

    fn day(&self, day: Day) -> &CalendarDay {
        let since = day.since(self.start) + OLDEST_DAYS;
        // Lives are lived inside of the log, and begin at most a year before it.
        &self.days[since as usize]
    }

    /// A day of the log for a user with this rhythm, relative to an average one; about 1 over a year.
    pub(crate) fn tempo(&self, day: Day, rhythm: Rhythm) -> Tempo {
        let (pace, release) = (self.planted.pace(day), self.planted.release(day));
        let day = self.day(day);
        let Tempo { purchases, visits } = day.in_rhythm(rhythm);
        Tempo {
            purchases: pace * day.weekday * purchases,
            visits: pace * release * day.weekday * visits,
        }
    }

    /// Whether the business rests on this day.
    pub(crate) fn rests(&self, day: Day) -> bool {
        self.day(day).rests
    }

    /// The breaks that the log has days of, in order of time.
    pub(crate) fn breaks(&self) -> Vec<Break> {
        let in_log = |rest: &&Break| rest.until > self.start && rest.from < self.end;
        self.breaks.iter().filter(in_log).copied().collect()
    }

    /// Purchases in each month, January to December, relative to those of a mean month, of a user with this rhythm.
    pub(crate) fn by_month(&self, rhythm: Rhythm) -> [f64; 12] {
        let mut months = [(0.0, 0.0); 12];
        for day in &self.days {
            let (sum, days) = &mut months[usize::from(day.month - 1)];
            *sum += day.in_rhythm(rhythm).purchases;
            *days += 1.0;
        }
        // The calendar covers more than a year, so no month is without days.
        months.map(|(sum, days)| sum / days)
    }

    /// The months of the log, in order of time, for users who follow the calendar.
    pub(crate) fn months(&self) -> Vec<MonthFactor> {
        let mut months: Vec<MonthFactor> = Vec::new();
        let mut from = self.start;
        while from < self.end {
            let date = from.date();
            let until = Day::from(date.last_of_month()).plus(1).min(self.end);
            let days = until.since(from);
            let sum: f64 = (0..days)
                .map(|day| self.day(from.plus(day)).tempo.purchases)
                .sum();
            months.push(MonthFactor {
                from,
                factor: sum / f64::from(days),
            });
            from = until;
        }
        months
    }

    /// Prices on this day relative to those on the first.
    pub(crate) fn price(&self, day: Day) -> f64 {
        if day < self.price_rise {
            1.0
        } else {
            PRICE_RISE
        }
    }

    /// The day a user joins; before the log for users that were already there.
    pub(crate) fn join(&self, rng: &mut Rng) -> Day {
        if rng.happens(ALREADY_THERE) {
            return self.start.plus(-rng.whole(1, OLDEST_DAYS));
        }
        // Twice as many join on the last day as on the first: the inverse of the distribution with density
        // proportional to 1 + t for t in [0, 1).
        let t = (1.0 + 3.0 * rng.unit()).sqrt() - 1.0;
        self.start.plus((t * self.length()) as i32)
    }

    /// The day on which a user with this rhythm joins, who would join on `day` were there no seasons.
    pub(crate) fn join_in_season(&self, mut day: Day, rhythm: Rhythm, rng: &mut Rng) -> Day {
        // Every year has days on which nobody is refused, and a year before the log is among those drawn.
        while !self.day(day).is_joined(rhythm, rng) {
            day = self.join(rng);
        }
        day
    }

    /// The end of the `terms`-th term that ends after a user joined, and inside the log or after it.
    pub(crate) fn end_of_term(&self, joined: Day, terms: u32) -> Option<Day> {
        let known_since = joined.max(self.start);
        self.breaks
            .iter()
            .map(|rest| rest.from)
            .filter(|end| *end > known_since)
            .nth(terms.saturating_sub(1) as usize)
    }
}

impl CalendarDay {
    fn new(day: Day, season: Season, breaks: &[Break]) -> Self {
        let date = day.date();
        let rests = breaks
            .iter()
            .any(|rest| (rest.from..rest.until).contains(&day));
        let enrolment = |rest: &Break| (0..ENROLMENT_DAYS).contains(&day.since(rest.until));
        let joining = match season {
            _ if rests => 0.0,
            Season::Term if !breaks.iter().any(enrolment) => LATE_ENROLMENT,
            _ => 1.0,
        };
        Self {
            weekday: WEEKDAY[day.weekday()],
            tempo: if rests {
                season.at_rest()
            } else {
                season.open(date)
            },
            day_of_year: date.day_of_year().into(),
            month: date.month().unsigned_abs(),
            joining,
            rests,
        }
    }

    /// The day for a user with this rhythm, weekday apart.
    fn in_rhythm(&self, rhythm: Rhythm) -> Tempo {
        match rhythm {
            Rhythm::Steady => Tempo::both(1.0),
            Rhythm::Calendar => self.tempo,
            Rhythm::Peak { day_of_year, .. } => {
                Tempo::both(around_own_peak(self.day_of_year, day_of_year))
            }
        }
    }

    /// Whether a user with this rhythm joins, if this is the day drawn.
    fn is_joined(&self, rhythm: Rhythm, rng: &mut Rng) -> bool {
        let share = match rhythm {
            Rhythm::Steady | Rhythm::Calendar => self.joining,
            // A first present is bought when all the others are.
            Rhythm::Peak { day_of_year, .. } => {
                around_own_peak(self.day_of_year, day_of_year) / around_own_peak(0, 0)
            }
        };
        rng.happens(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mild_year_has_an_average_of_about_one() {
        let world = World::new("2024-01-01".parse().unwrap(), 366, Season::Mild);
        let mean = (0..366)
            .map(|d| world.tempo(world.start.plus(d), Rhythm::Calendar).purchases)
            .sum::<f64>()
            / 366.0;
        assert!((0.95..1.1).contains(&mean), "{mean}");
    }
}
