//! Whether the revenue of mature users stops growing before they are reviewed.
//!
//! Revenue per user by month of tenure, of users who are mature and still asked about. Every user counts in every month that is
//! compared, with 0 in a month without revenue: were those who come and go in different months, the curve would bend by who
//! they are. Users who have left count in none. What is left is the calendar: seasons, prices and outages move the revenue of all
//! users on the same days, so months of tenure and of the calendar get a factor each (the method of marginal totals: Bailey
//! and Simon 1960, ASTIN Bulletin 1), and the curve is that of tenure alone. Of its logarithm a line with one bend is fitted;
//! intervals are those of users drawn anew.

use rayon::prelude::*;

use crate::math::resampling::poisson_weights;
use crate::math::splitmix::splitmix64;

/// Months of a year.
const YEAR_MONTHS: f64 = 12.0;

/// Days of a year.
const YEAR_DAYS: f64 = 365.0;

/// Months of a quarter; so many are needed before a bend to say how revenue grew.
const QUARTER: u32 = 3;

/// Months after a bend: the two quarters whose growth is said.
const MONTHS_AFTER: u32 = 2 * QUARTER;

/// Months that are looked at from the review on: a bend within a quarter before it changes nothing.
const MONTHS_BEYOND: u32 = QUARTER;

/// How often users are drawn anew.
const DRAWS: u64 = 200;

/// Of a normal distribution, 99 % lie within so many standard deviations. An interval of 95 % leaves out what is true often enough
/// to miss a twentieth of all stalls.
const Z: f64 = 2.575_829;

/// How many standard errors a bend has to be away from a straight line. One of some bends is chosen, and this trigger is one of
/// several that must seldom be wrong together.
const BEND_Z: f64 = 2.8;

/// Steps of the factors of months; more of them change the fourth digit.
const STEPS: usize = 60;

/// The revenue of a user by month of tenure.
#[derive(Clone, Debug, PartialEq)]
pub struct Spender {
    /// The day of the first event.
    pub first: i32,
    /// Revenue in each month, from [`Months::first`] on.
    pub months: Vec<f64>,
}

/// The months of tenure that are compared; the first month of tenure has the number 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Months {
    /// The first one.
    pub first: u32,
    /// The one after the last.
    pub until: u32,
}

impl Months {
    /// The months from the end of exploration on until a quarter after the review; `None` where no bend can lie between.
    pub fn new(exploration_days: u32, review_days: u32) -> Option<Self> {
        let months = |days: u32| f64::from(days) * YEAR_MONTHS / YEAR_DAYS;
        let first = months(exploration_days).ceil() as u32;
        // A number of days that was rounded from whole months is that many months.
        let review = (months(review_days) + 0.5 * YEAR_MONTHS / YEAR_DAYS).floor() as u32;
        let until = review + MONTHS_BEYOND;
        (first + QUARTER + MONTHS_AFTER <= until).then_some(Self { first, until })
    }

    /// The months at whose begin the curve may bend.
    fn bends(self) -> std::ops::RangeInclusive<u32> {
        self.first + QUARTER..=self.until - MONTHS_AFTER
    }

    /// How many there are.
    fn count(self) -> usize {
        (self.until - self.first) as usize
    }

    /// The revenue in each month of a user with these days of revenue.
    pub fn revenue(self, first: i32, days: impl Iterator<Item = (i32, f64)>) -> Spender {
        let mut months = vec![0.0; self.count()];
        for (day, amount) in days {
            let month = month_of(day - first);
            let at = month.checked_sub(self.first).map(|month| month as usize);
            if let Some(sum) = at.and_then(|at| months.get_mut(at)) {
                *sum += amount;
            }
        }
        Spender { first, months }
    }
}

/// The month of a tenure in days.
fn month_of(tenure: i32) -> u32 {
    // The last day d with month_start(m) <= d belongs to m.
    let guess = (f64::from(tenure.max(0)) * YEAR_MONTHS / YEAR_DAYS) as u32;
    if month_start(guess + 1) <= tenure {
        guess + 1
    } else if month_start(guess) > tenure {
        guess.saturating_sub(1)
    } else {
        guess
    }
}

/// The tenure in days with which a month begins.
pub fn month_start(month: u32) -> i32 {
    (f64::from(month) * YEAR_DAYS / YEAR_MONTHS).round() as i32
}

/// The growth from a quarter to the next one, as a factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// The factor.
    pub factor: f64,
    /// The lower end of its 99 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Growth {
    /// The growth of a difference of logarithms with its standard error.
    fn new(difference: f64, error: f64) -> Self {
        Self {
            factor: libm::exp(difference),
            low: libm::exp(difference - Z * error),
            high: libm::exp(difference + Z * error),
        }
    }
}

/// Where the curve bends most clearly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bend {
    /// The first month after it.
    pub month: u32,
    /// Growth from quarter to quarter before it.
    pub before: Growth,
    /// Growth from the last but one quarter to the last one.
    pub newest: Growth,
    /// By how many standard errors growth is lower after it.
    pub slower_by: f64,
    /// Users.
    pub users: u64,
}

impl Bend {
    /// Whether growth has stopped: there was growth before, none is seen in the newest quarters, and the bend is not by chance.
    pub fn is_found(&self) -> bool {
        self.before.low > 1.0 && self.newest.low <= 1.0 && self.slower_by >= BEND_Z
    }

    /// The probability of so clear a bend, in the same month, of a straight line.
    pub fn p(&self) -> f64 {
        libm::erfc(self.slower_by.abs() / std::f64::consts::SQRT_2)
    }
}

/// The tenure of the review after a bend in days, lower by a quarter at most.
pub fn earlier_review_days(review_days: u32, month: u32) -> u32 {
    let least = (0.75 * f64::from(review_days)).ceil() as u32;
    let begins = u32::try_from(month_start(month)).unwrap_or(0);
    begins.max(least).min(review_days)
}

/// Why nothing can be said of the revenue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArpuUnknown {
    /// Too few users.
    #[error("{users} mature users are known for {months} months of tenure; {least} are needed")]
    FewUsers {
        /// How many there are.
        users: u64,
        /// The months that they must be known for.
        months: u32,
        /// How many are needed.
        least: u64,
    },
    /// A month without revenue.
    #[error("in one of the months of tenure users brought in nothing")]
    NoRevenue,
}

/// Looks for the bend of the revenue of users.
///
/// # Errors
/// [`ArpuUnknown`] where it cannot be seen.
pub fn find_bend(users: &[Spender], months: Months, least_users: u64) -> Result<Bend, ArpuUnknown> {
    if (users.len() as u64) < least_users.max(1) {
        return Err(ArpuUnknown::FewUsers {
            users: users.len() as u64,
            months: months.until,
            least: least_users,
        });
    }
    let table = Table::new(users, months);
    let curve = table.curve(|_| 1.0).ok_or(ArpuUnknown::NoRevenue)?;
    let fit = |month: u32| (month, Line::fit(&curve, months, month));
    let best = months
        .bends()
        .map(fit)
        .min_by(|(_, a), (_, b)| a.squares.total_cmp(&b.squares));
    let (month, line) = best.ok_or(ArpuUnknown::NoRevenue)?;
    let drawn: Vec<(Line, f64)> = (0..DRAWS)
        .into_par_iter()
        .filter_map(|draw| table.curve(|user| weight(user, draw)))
        .map(|curve| (Line::fit(&curve, months, month), newest_growth(&curve)))
        .collect();
    if (drawn.len() as u64) < DRAWS * 9 / 10 {
        return Err(ArpuUnknown::NoRevenue);
    }
    let quarter = f64::from(QUARTER);
    let slope_error = deviation(drawn.iter().map(|(line, _)| line.slope));
    let change_error = deviation(drawn.iter().map(|(line, _)| line.change));
    let newest_error = deviation(drawn.iter().map(|(_, newest)| *newest));
    Ok(Bend {
        month,
        before: Growth::new(quarter * line.slope, quarter * slope_error),
        newest: Growth::new(newest_growth(&curve), newest_error),
        slower_by: -line.change / change_error,
        users: users.len() as u64,
    })
}

/// The mean of the last quarter of a curve less that of the quarter before.
fn newest_growth(curve: &[f64]) -> f64 {
    let mut quarters = curve
        .rchunks(QUARTER as usize)
        .map(|quarter| quarter.iter().sum::<f64>());
    let (last, before) = (quarters.next(), quarters.next());
    (last.unwrap_or(0.0) - before.unwrap_or(0.0)) / f64::from(QUARTER)
}

/// How often a user is drawn.
fn weight(user: usize, draw: u64) -> f64 {
    poisson_weights(splitmix64(user as u64), draw / 4)[(draw % 4) as usize]
}

/// The standard deviation of some numbers.
fn deviation(numbers: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    let count = numbers.len() as f64;
    let mean = numbers.clone().sum::<f64>() / count;
    let squares: f64 = numbers.map(|number| (number - mean).powi(2)).sum();
    (squares / (count - 1.0)).sqrt()
}

/// Users with the months of the calendar in which their months of tenure lie.
struct Table<'a> {
    users: &'a [Spender],
    months: Months,
    /// The first month of the calendar.
    begin: i32,
    calendar: usize,
}

impl<'a> Table<'a> {
    fn new(users: &'a [Spender], months: Months) -> Self {
        let earliest = users.iter().map(|user| user.first).min().unwrap_or(0);
        let latest = users.iter().map(|user| user.first).max().unwrap_or(0);
        let begin = earliest + month_start(months.first);
        let end = latest + month_start(months.until);
        Self {
            users,
            months,
            begin,
            calendar: month_of(end - begin) as usize + 1,
        }
    }

    /// The logarithm of revenue per user in each month of tenure, up to a constant; `None` where there is none.
    fn curve(&self, weight: impl Fn(usize) -> f64) -> Option<Vec<f64>> {
        let count = self.months.count();
        let mut revenue = vec![vec![0.0; self.calendar]; count];
        let mut users = vec![vec![0.0; self.calendar]; count];
        for (at, user) in self.users.iter().enumerate() {
            let times = weight(at);
            for (month, amount) in user.months.iter().enumerate() {
                let number = self.months.first + month as u32;
                let middle = (month_start(number) + month_start(number + 1)) / 2;
                let calendar = month_of(user.first + middle - self.begin) as usize;
                revenue[month][calendar] += times * amount;
                users[month][calendar] += times;
            }
        }
        let tenure = marginal_totals(&revenue, &users)?;
        Some(tenure.into_iter().map(libm::log).collect())
    }
}

/// The factors of rows for which `users` times the factors of row and column have the sums of `revenue` in each row and each
/// column; `None` where the sum of a row is not above 0.
fn marginal_totals(revenue: &[Vec<f64>], users: &[Vec<f64>]) -> Option<Vec<f64>> {
    let columns = revenue.first()?.len();
    let of_rows: Vec<f64> = revenue.iter().map(|row| row.iter().sum()).collect();
    let of_columns: Vec<f64> = (0..columns)
        .map(|column| revenue.iter().map(|row| row[column]).sum())
        .collect();
    if of_rows.iter().any(|sum| *sum <= 0.0) {
        return None;
    }
    let mut rows = vec![1.0; revenue.len()];
    let mut factors = vec![1.0; columns];
    for _ in 0..STEPS {
        for (column, factor) in factors.iter_mut().enumerate() {
            let expected: f64 = users
                .iter()
                .zip(&rows)
                .map(|(n, row)| n[column] * row)
                .sum();
            // A month whose returns exceed its orders has no revenue.
            *factor = if expected > 0.0 {
                of_columns[column].max(0.0) / expected
            } else {
                0.0
            };
        }
        for ((row, users), sum) in rows.iter_mut().zip(users).zip(&of_rows) {
            let expected: f64 = users
                .iter()
                .zip(&factors)
                .map(|(n, factor)| n * factor)
                .sum();
            if expected <= 0.0 {
                return None;
            }
            *row = sum / expected;
        }
    }
    Some(rows)
}

/// A line with one bend.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    /// The slope before the bend.
    slope: f64,
    /// What is added to it after the bend.
    change: f64,
    /// The sum of squared residuals.
    squares: f64,
}

impl Line {
    /// The least squares of a curve for a bend at the begin of a month.
    fn fit(curve: &[f64], months: Months, bend: u32) -> Self {
        let middle = |at: usize| f64::from(months.first) + at as f64 + 0.5;
        let times: Vec<f64> = (0..curve.len()).map(middle).collect();
        let beyond: Vec<f64> = times
            .iter()
            .map(|time| (time - f64::from(bend)).max(0.0))
            .collect();
        // What no straight line explains of both (Frisch and Waugh 1933, Econometrica 1).
        let (_, curve_rest) = straight(&times, curve);
        let (_, beyond_rest) = straight(&times, &beyond);
        let change = product(&beyond_rest, &curve_rest) / product(&beyond_rest, &beyond_rest);
        let without: Vec<f64> = curve
            .iter()
            .zip(&beyond)
            .map(|(value, beyond)| value - change * beyond)
            .collect();
        let (slope, rest) = straight(&times, &without);
        Self {
            slope,
            change,
            squares: product(&rest, &rest),
        }
    }
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The slope of the straight line through some points, and what it leaves of each.
fn straight(times: &[f64], values: &[f64]) -> (f64, Vec<f64>) {
    let count = times.len() as f64;
    let (time, value) = (
        times.iter().sum::<f64>() / count,
        values.iter().sum::<f64>() / count,
    );
    let centred: Vec<f64> = times.iter().map(|t| t - time).collect();
    let slope = product(&centred, values) / product(&centred, &centred);
    let rest = centred
        .iter()
        .zip(values)
        .map(|(t, v)| v - value - slope * t);
    (slope, rest.collect())
}

#[cfg(test)]
mod tests;
