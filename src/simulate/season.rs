//! The season of a simulated business, and what it does to each day.

use std::fmt;
use std::ops::RangeInclusive;

use jiff::civil::Date;
use serde::Serialize;

use crate::history::Day;

/// What the time of year does to a simulated business.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Season {
    /// A shop's year: all users buy somewhat more before Christmas.
    #[default]
    Mild,
    /// Every day of the year is alike, as a control.
    None,
    /// Presents: most users buy around one day of the year, many of them before Christmas, others at another time.
    Yearly,
    /// A course calendar: two terms a year, nearly nothing in the breaks; many users finish with a term.
    Term,
    /// Closed for eight weeks every summer: no purchases, hardly a visit.
    Closing,
}

impl fmt::Display for Season {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mild => "mild",
            Self::None => "none",
            Self::Yearly => "yearly",
            Self::Term => "term",
            Self::Closing => "closing",
        })
    }
}

/// Days on which the business rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Break {
    /// The first day of rest.
    pub from: Day,
    /// The first day after it.
    pub until: Day,
}

/// What a day is like, relative to an average day of the year.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tempo {
    pub(crate) purchases: f64,
    pub(crate) visits: f64,
}

impl Tempo {
    pub(crate) fn both(factor: f64) -> Self {
        Self {
            purchases: factor,
            visits: factor,
        }
    }
}

/// Purchases relative to an average day in the middle of each month of a mild year, January to December.
const MONTH: [f64; 12] = [
    0.80, 0.85, 0.95, 0.95, 1.00, 0.95, 0.90, 0.85, 1.00, 1.05, 1.45, 1.60,
];

/// Days of a year.
const YEAR_DAYS: i32 = 365;

/// The day of the year around which the users of a yearly season buy that share one: 5 December.
pub(crate) const COMMON_PEAK: i32 = 339;

/// Standard deviation of these users' own peaks around it, in days.
pub(crate) const COMMON_SPREAD_DAYS: f64 = 8.0;

/// Standard deviation of a user's purchases around the user's own peak, in days.
const PEAK_WIDTH_DAYS: f64 = 14.0;

/// Purchases far from a peak.
const OFF_PEAK: f64 = 0.06;

/// A break of every year: from the first Monday at or after one date until the first one at or after another, both as
/// month and day. An earlier date lies in the next year.
struct YearlyBreak {
    from: (i8, i8),
    until: (i8, i8),
}

/// Between the terms: Christmas, and the summer.
const TERM_BREAKS: [YearlyBreak; 2] = [
    YearlyBreak {
        from: (5, 27),
        until: (9, 8),
    },
    YearlyBreak {
        from: (12, 15),
        until: (1, 7),
    },
];

/// Eight weeks from the first Monday of July on.
const CLOSING: [YearlyBreak; 1] = [YearlyBreak {
    from: (7, 1),
    until: (8, 26),
}];

/// What is left in a break between terms: some users study all the same.
const BETWEEN_TERMS: Tempo = Tempo {
    purchases: 0.03,
    visits: 0.06,
};

/// What is left while the business is closed: nothing can be bought.
const CLOSED: Tempo = Tempo {
    purchases: 0.0,
    visits: 0.05,
};

impl YearlyBreak {
    /// The break that begins in `year`.
    fn of(&self, year: i16) -> Break {
        let next = i16::from(self.until < self.from);
        Break {
            from: monday_from(year, self.from),
            until: monday_from(year + next, self.until),
        }
    }
}

/// The first Monday at or after a date.
fn monday_from(year: i16, (month, day): (i8, i8)) -> Day {
    let date = Day::from(Date::constant(year, month, day));
    date.plus((7 - date.weekday() as i32) % 7)
}

impl Season {
    fn yearly_breaks(self) -> &'static [YearlyBreak] {
        match self {
            Self::Mild | Self::None | Self::Yearly => &[],
            Self::Term => &TERM_BREAKS,
            Self::Closing => &CLOSING,
        }
    }

    /// The breaks that begin in these years, in order of time.
    pub(crate) fn breaks(self, years: RangeInclusive<i16>) -> Vec<Break> {
        years
            .flat_map(|year| self.yearly_breaks().iter().map(move |rest| rest.of(year)))
            .collect()
    }

    /// A day outside of the breaks, for users who follow the calendar; breaks included, a year has a mean of about 1.
    pub(crate) fn open(self, date: Date) -> Tempo {
        Tempo::both(match self {
            Self::Mild => mild(date),
            Self::None => 1.0,
            // The sum of two normal deviations: of a user's peak from the common one, of a purchase from that peak.
            Self::Yearly => around_peak(
                days_apart(date.day_of_year().into(), COMMON_PEAK),
                libm::hypot(PEAK_WIDTH_DAYS, COMMON_SPREAD_DAYS),
            ),
            Self::Term | Self::Closing => self.makes_up_for_breaks(),
        })
    }

    /// A day of a break.
    pub(crate) fn at_rest(self) -> Tempo {
        match self {
            Self::Mild | Self::None | Self::Yearly => Tempo::both(1.0),
            Self::Term => BETWEEN_TERMS,
            Self::Closing => CLOSED,
        }
    }

    /// Purchases on a day outside of the breaks that give a year with its breaks a mean of 1.
    fn makes_up_for_breaks(self) -> f64 {
        // Any year will do: its breaks vary by the days to the next Monday only.
        let breaks = self.breaks(2025..=2025);
        let rest_days: i32 = breaks.iter().map(|rest| rest.until.since(rest.from)).sum();
        let (rest_days, year_days) = (f64::from(rest_days), f64::from(YEAR_DAYS));
        (year_days - rest_days * self.at_rest().purchases) / (year_days - rest_days)
    }
}

/// The factor of a mild year, a straight line from the middle of one month to that of the next.
fn mild(date: Date) -> f64 {
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

/// Purchases of a user with a peak on the own day of the year.
pub(crate) fn around_own_peak(day_of_year: i32, peak: i32) -> f64 {
    around_peak(days_apart(day_of_year, peak), PEAK_WIDTH_DAYS)
}

/// A normal curve over what is left far from the peak, with a mean of 1 over a year.
fn around_peak(days: i32, width_days: f64) -> f64 {
    let deviations = f64::from(days) / width_days;
    let height = f64::from(YEAR_DAYS) / (width_days * (2.0 * std::f64::consts::PI).sqrt());
    OFF_PEAK + (1.0 - OFF_PEAK) * height * libm::exp(-0.5 * deviations * deviations)
}

/// Days between two days of the year, the shorter way round.
fn days_apart(one: i32, other: i32) -> i32 {
    let days = (one - other).rem_euclid(YEAR_DAYS);
    days.min(YEAR_DAYS - days)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Season; 5] = [
        Season::Mild,
        Season::None,
        Season::Yearly,
        Season::Term,
        Season::Closing,
    ];

    fn tempo(season: Season, day: Day) -> Tempo {
        let year = day.date().year();
        let rests = season.breaks(year - 1..=year);
        if rests
            .iter()
            .any(|rest| (rest.from..rest.until).contains(&day))
        {
            season.at_rest()
        } else {
            season.open(day.date())
        }
    }

    #[test]
    fn a_year_has_a_mean_of_about_one_with_its_breaks() {
        let start: Day = "2025-01-01".parse().unwrap();
        for season in ALL {
            let sum: f64 = (0..365)
                .map(|d| tempo(season, start.plus(d)).purchases)
                .sum();
            assert!((0.95..1.05).contains(&(sum / 365.0)), "{season}: {sum}");
        }
        let own: f64 = (1..=365).map(|day| around_own_peak(day, 200)).sum();
        assert!((0.99..1.01).contains(&(own / 365.0)), "{own}");
    }

    #[test]
    fn the_mild_season_peaks_before_christmas_and_rests_on_it() {
        let season = |text: &str| mild(text.parse().unwrap());
        assert!(season("2024-12-10") > 1.4 * season("2024-06-10"));
        assert!(season("2024-01-20") < season("2024-06-10"));
        assert!(season("2024-12-25") < 0.3);
        // One month runs into the next without a jump.
        assert!((season("2024-12-31") - season("2025-01-01")).abs() < 0.05);
    }

    #[test]
    fn breaks_last_from_monday_to_monday_and_come_back_every_year() {
        for (season, days) in [(Season::Closing, vec![56]), (Season::Term, vec![105, 21])] {
            let breaks = season.breaks(2025..=2034);
            assert_eq!(breaks.len(), 10 * days.len());
            assert!(breaks.is_sorted_by_key(|rest| rest.from));
            for (rest, usual) in breaks.iter().zip(days.iter().cycle()) {
                let length: i32 = rest.until.since(rest.from);
                assert!((length - usual).abs() <= 7, "{rest:?}");
                assert_eq!((rest.from.weekday(), rest.until.weekday()), (0, 0));
            }
        }
        assert!(Season::Yearly.breaks(2025..=2034).is_empty());
    }

    #[test]
    fn a_peak_is_near_across_the_turn_of_the_year() {
        assert_eq!(days_apart(364, 2), 3);
        assert_eq!(days_apart(2, 364), 3);
        assert!(around_own_peak(364, 2) > 5.0 && around_own_peak(180, 2) < 0.1);
    }
}
