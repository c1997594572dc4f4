use std::collections::BTreeMap;

use super::Stretch;
use crate::history::Day;

/// Weeks on either side of a day whose median is what a week usually holds.
const BASELINE_WEEKS: i32 = 26;
/// Weeks that must lie within the log for that median to be known.
const LEAST_BASELINE_WEEKS: i32 = 13;
/// The share of a usual week up to which a week counts as silent.
pub(crate) const QUIET_SHARE: f64 = 0.1;
/// Days on either side of a silence whose mean is its expectation.
const RATE_DAYS: i32 = 56;
/// Days that must be there for that mean to be taken.
const LEAST_RATE_DAYS: i32 = 14;
/// By how much weeks vary, as a share of their mean, where too few of them are there to measure it.
const ASSUMED_VARIATION: f64 = 0.3;
/// Pairs of neighbouring weeks that are enough to measure it.
const LEAST_PAIRS: usize = 4;

/// The share of all users before and after the core of a log.
const OUTSIDE_CORE: f64 = 0.02;
/// How many times the users of a usual day a day counts for the core at most: placeholders are dates of many rows.
const MOST_OF_A_DAY: u64 = 2;

/// Users by day of one feed; only days with users are held, so that a span of centuries costs nothing.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    days: Vec<Day>,
    /// Users up to and including each of the days.
    sums: Vec<u64>,
    core: Stretch,
    middle: Day,
}

impl Series {
    /// The series of these counts, none of which is 0; `None` when there are none.
    pub(crate) fn new(counts: &BTreeMap<Day, u64>) -> Option<Self> {
        let days: Vec<Day> = counts.keys().copied().collect();
        let most =
            MOST_OF_A_DAY * median(counts.values().map(|users| *users as f64).collect()) as u64;
        let sums = running_sums(counts.values().copied());
        let bounded = running_sums(counts.values().map(|users| (*users).min(most)));
        let all = *bounded.last()? as f64;
        let by = |share: f64| {
            days.get(bounded.partition_point(|sum| (*sum as f64) < share * all))
                .copied()
        };
        let core = Stretch {
            from: by(OUTSIDE_CORE)?,
            until: by(1.0 - OUTSIDE_CORE)?.plus(1),
        };
        let middle = by(0.5)?;
        Some(Self {
            days,
            sums,
            core,
            middle,
        })
    }

    /// The first day with users and the day after the last one.
    pub(crate) fn span(&self) -> Option<Stretch> {
        let (first, last) = self.days.first().zip(self.days.last())?;
        Some(Stretch {
            from: *first,
            until: last.plus(1),
        })
    }

    /// All users.
    pub(crate) fn all_users(&self) -> u64 {
        self.sums.last().copied().unwrap_or(0)
    }

    /// The days between the first and the last fiftieth of the users, where strays are few.
    pub(crate) fn core(&self) -> Stretch {
        self.core
    }

    /// The day by which half of the users had come.
    pub(crate) fn middle(&self) -> Day {
        self.middle
    }

    /// The users in the days `[from, until)`.
    pub(crate) fn users(&self, from: Day, until: Day) -> u64 {
        let before = |day: Day| {
            let at = self.days.partition_point(|other| *other < day);
            at.checked_sub(1)
                .and_then(|last| self.sums.get(last))
                .copied()
                .unwrap_or(0)
        };
        before(until).saturating_sub(before(from))
    }

    /// The days on which the feed was alive: with users, and not in a week that is all but empty beside what weeks before
    /// and after it usually hold.
    pub(crate) fn loud_days(&self) -> Vec<Day> {
        self.days
            .iter()
            .copied()
            .filter(|day| !self.is_quiet(*day))
            .collect()
    }

    fn is_quiet(&self, day: Day) -> bool {
        // A log that grows is quiet at its beginning only beside its future, so its past must be known.
        let Some(before) = self.usual_week(day, -7, day.since(self.core.from)) else {
            return false;
        };
        let usual = self
            .usual_week(day, 7, self.core.until.since(day))
            .map_or(before, |after| after.min(before));
        self.users(day.plus(-3), day.plus(4)) as f64 <= QUIET_SHARE * usual
    }

    /// The median of the weeks around the days that lie one, two, ... `step`s from `day`; `None` when less of the log lies
    /// on that side than it takes.
    fn usual_week(&self, day: Day, step: i32, days_on_side: i32) -> Option<f64> {
        let weeks = (days_on_side / 7).min(BASELINE_WEEKS);
        if weeks < LEAST_BASELINE_WEEKS {
            return None;
        }
        let around =
            |week: i32| self.users(day.plus(week * step - 3), day.plus(week * step + 4)) as f64;
        Some(median((1..=weeks).map(around).collect()))
    }

    /// How many users the days of a silence would have had, by the mean of each weekday in the eight weeks before `day`, or the
    /// two if they had fewer: a season may be on its way down. `None` when hardly any of them lie within the log.
    pub(crate) fn expected_before(&self, day: Day, silence: Stretch) -> Option<f64> {
        let first = self.span()?.from;
        let by = |days: i32| Stretch {
            from: day.plus(-days).max(first),
            until: day,
        };
        Some(
            self.surely(by(RATE_DAYS), silence)?
                .min(self.expected_from(by(LEAST_RATE_DAYS), silence)?),
        )
    }

    /// The same by the weeks after it.
    pub(crate) fn expected_after(&self, silence: Stretch) -> Option<f64> {
        let last = self.span()?.until;
        let by = |days: i32| Stretch {
            from: silence.until,
            until: silence.until.plus(days).min(last),
        };
        Some(
            self.surely(by(RATE_DAYS), silence)?
                .min(self.expected_from(by(LEAST_RATE_DAYS), silence)?),
        )
    }

    /// The expectation by the days beside a silence, if as few came on these as chance allows: two standard deviations of the
    /// root of a Poisson number.
    fn surely(&self, beside: Stretch, silence: Stretch) -> Option<f64> {
        let users = self.users(beside.from, beside.until) as f64;
        let least = (users.sqrt() - 1.0).max(0.0).powi(2);
        Some(self.expected_from(beside, silence)? * least / users.max(1.0))
    }

    fn expected_from(&self, beside: Stretch, silence: Stretch) -> Option<f64> {
        if beside.days() < LEAST_RATE_DAYS {
            return None;
        }
        let mut users = [0.0; 7];
        let mut days = [0.0_f64; 7];
        for day in beside.iter() {
            if let (Some(users), Some(days)) =
                (users.get_mut(day.weekday()), days.get_mut(day.weekday()))
            {
                *users += self.users(day, day.plus(1)) as f64;
                *days += 1.0;
            }
        }
        let rate = |day: Day| {
            let (users, days) = users
                .get(day.weekday())
                .zip(days.get(day.weekday()))
                .unwrap_or((&0.0, &1.0));
            users / days.max(1.0)
        };
        let week: f64 = Stretch {
            from: silence.from,
            until: silence.from.plus(7),
        }
        .iter()
        .map(rate)
        .sum();
        let whole_weeks = silence.days() / 7;
        let rest = Stretch {
            from: silence.from.plus(7 * whole_weeks),
            until: silence.until,
        };
        Some(f64::from(whole_weeks) * week + rest.iter().map(rate).sum::<f64>())
    }

    /// How the counts of weeks vary, by the differences of neighbouring weeks. Weeks that touch one of `silences` are left out,
    /// and so is the tenth of the pairs that differ most, or one campaign would hide every hole.
    pub(crate) fn weekly(&self, silences: &[Stretch]) -> Weekly {
        let Some(span) = self.span() else {
            return Weekly::default();
        };
        let (mut squares, mut means) = (Vec::new(), Vec::new());
        let mut at = span.from;
        let mut before: Option<f64> = None;
        while at.plus(7) <= span.until {
            let week = Stretch {
                from: at,
                until: at.plus(7),
            };
            at = week.until;
            if let Some(silence) = silences.iter().find(|silence| silence.overlaps(week)) {
                // On from the end of the silence, which may last for centuries.
                at = at.max(silence.until);
                before = None;
                continue;
            }
            let users = self.users(week.from, week.until) as f64;
            means.push(users);
            if let Some(before) = before {
                squares.push((users - before) * (users - before) / 2.0);
            }
            before = Some(users);
        }
        let mean = means.iter().sum::<f64>() / means.len().max(1) as f64;
        squares.sort_by(f64::total_cmp);
        squares.truncate(squares.len() - squares.len() / 10);
        let variance = match squares.len() {
            0..LEAST_PAIRS => mean + (ASSUMED_VARIATION * mean).powi(2),
            pairs => squares.iter().sum::<f64>() / pairs as f64,
        };
        Weekly {
            mean,
            variance: variance.max(mean),
        }
    }
}

/// The counts of weeks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weekly {
    mean: f64,
    /// At least the mean, as of independent visits.
    variance: f64,
}

impl Weekly {
    /// By how much they vary more than independent visits would.
    pub(crate) fn dispersion(self) -> f64 {
        if self.mean > 0.0 {
            self.variance / self.mean
        } else {
            1.0
        }
    }

    /// The logarithm of how much likelier `users` are on so many days if that is what was to be expected than if `expected`
    /// were: negative binomial weeks, which have the variance of the log's own, independent of each other.
    pub(crate) fn evidence(self, days: i32, expected: f64, users: f64) -> f64 {
        let weeks = f64::from(days.max(7)) / 7.0;
        let (expected, users) = (expected / weeks, users / weeks);
        if users >= expected {
            return 0.0;
        }
        let of_users = if users > 0.0 {
            users * (users / expected).ln()
        } else {
            0.0
        };
        let excess = self.variance - self.mean;
        let rest = if excess > f64::EPSILON * self.mean {
            let shape = self.mean * self.mean / excess;
            (users + shape) * ((expected + shape) / (users + shape)).ln()
        } else {
            expected - users
        };
        weeks * (of_users + rest)
    }
}

fn running_sums(users: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut sum = 0;
    users
        .map(|users| {
            sum += users;
            sum
        })
        .collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
