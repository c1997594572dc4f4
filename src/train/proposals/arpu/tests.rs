//! Bends of simulated users, and what is none.

use super::*;

const MONTHS: Months = Months {
    first: 2,
    until: 15,
};

fn unit(state: &mut u64) -> f64 {
    *state = splitmix64(*state);
    ((*state >> 11) as f64 + 0.5) / 2_f64.powi(53)
}

/// Users who join over a year; revenue by month of tenure is `curve` times that of the day's season and prices.
fn users(
    seed: u64,
    count: u64,
    curve: impl Fn(f64) -> f64,
    calendar: impl Fn(f64) -> f64,
) -> Vec<Spender> {
    users_joining(seed, count, 365.0, curve, calendar)
}

/// The same with users who join within so many days.
fn users_joining(
    seed: u64,
    count: u64,
    within: f64,
    curve: impl Fn(f64) -> f64,
    calendar: impl Fn(f64) -> f64,
) -> Vec<Spender> {
    let mut state = splitmix64(seed);
    let mut user = || {
        let first = (within * unit(&mut state)) as i32;
        // Users are unlike: some spend ten times as much as others.
        let own = libm::exp(2.3 * unit(&mut state));
        let mut days = Vec::new();
        for day in 0..month_start(MONTHS.until) {
            if unit(&mut state) < 1.5 / 30.0 {
                let amount = -libm::log(unit(&mut state));
                let date = first + day;
                let month = f64::from(day) * 12.0 / 365.0;
                let amount = own * amount * curve(month) * calendar(f64::from(date));
                days.push((date, amount));
            }
        }
        MONTHS.revenue(first, days.into_iter())
    };
    (0..count).map(|_| user()).collect()
}

fn flat(_: f64) -> f64 {
    1.0
}

/// Grows by 8 % a month until month 9.
fn stalls(month: f64) -> f64 {
    1.08_f64.powf(month.min(9.0))
}

/// A strong season, and prices that rise by 8 % on one day.
fn season(day: f64) -> f64 {
    let price = if day < 500.0 { 1.0 } else { 1.08 };
    price * (1.0 + 0.4 * libm::sin(day * std::f64::consts::TAU / 365.25))
}

fn found(
    seeds: std::ops::Range<u64>,
    curve: impl Fn(f64) -> f64 + Copy,
    calendar: impl Fn(f64) -> f64 + Copy,
) -> usize {
    seeds
        .filter(|seed| {
            let users = users(*seed, 1_500, curve, calendar);
            find_bend(&users, MONTHS, 100).unwrap().is_found()
        })
        .count()
}

#[test]
fn months_and_days_agree() {
    assert_eq!(Months::new(56, 365), Some(MONTHS));
    assert_eq!(Months::new(56, 274).unwrap().until, 12);
    assert_eq!(
        Months::new(56, 200),
        None,
        "no quarter and two quarters fit"
    );
    assert_eq!((month_start(9), month_start(12)), (274, 365));
    for tenure in 0..2_000 {
        let month = month_of(tenure);
        assert!(month_start(month) <= tenure && tenure < month_start(month + 1));
    }
    assert_eq!(earlier_review_days(365, 9), 274, "twelve months are nine");
    assert_eq!(earlier_review_days(365, 5), 274, "by a quarter at most");
    assert_eq!(earlier_review_days(365, 11), 335);
    assert_eq!(earlier_review_days(274, 9), 274);
    let spender = Months { first: 2, until: 4 }.revenue(
        10,
        [(10, 5.0), (71, 1.0), (72, 2.0), (101, 4.0), (132, 8.0)].into_iter(),
    );
    assert_eq!(
        spender.months,
        [3.0, 4.0],
        "months 2 and 3 begin after 61 and 91 days"
    );
}

/// Rows 1 and 3, columns 2 and 5: revenue is exactly the product times the users.
#[test]
fn marginal_totals_find_the_factors_whatever_the_numbers_of_users() {
    let users = [vec![10.0, 1.0], vec![2.0, 30.0]];
    let revenue = [vec![20.0, 5.0], vec![12.0, 450.0]];
    let rows = marginal_totals(&revenue, &users).unwrap();
    assert!((rows[1] / rows[0] - 3.0).abs() < 1e-9, "{rows:?}");
    // The negative control: revenue per user of the rows, 25/11 and 462/32, has the columns in it.
    assert!((462.0 / 32.0 / (25.0 / 11.0) - 3.0_f64).abs() > 1.0);
    assert_eq!(
        marginal_totals(&[vec![0.0], vec![1.0]], &[vec![1.0], vec![1.0]]),
        None
    );
}

/// R 4.3: `lm(c(1, 3, 5, 6, 7, 8) ~ t + pmax(t - 3, 0))` with `t <- 0:5 + .5`; the points lie on the line but one.
#[test]
fn a_line_with_a_bend_is_the_one_of_least_squares() {
    let months = Months { first: 0, until: 6 };
    let curve = [0.5, 1.5, 2.5, 3.25, 3.75, 4.25];
    let line = Line::fit(&curve, months, 3);
    assert!(
        (line.slope - 1.0).abs() < 1e-12 && (line.change + 0.5).abs() < 1e-12,
        "{line:?}"
    );
    assert!(line.squares < 1e-20);
    assert!(Line::fit(&curve, months, 2).squares > 1e-3);
}

#[test]
fn a_stall_is_found_and_a_season_is_none() {
    assert!(found(0..12, stalls, season) >= 11);
    assert!(found(100..112, flat, season) <= 1);
    let bend = find_bend(&users(1, 2_000, stalls, season), MONTHS, 100).unwrap();
    assert!((8..=9).contains(&bend.month), "{bend:?}");
    assert!(
        bend.before.factor > 1.15 && (bend.newest.factor - 1.0).abs() < 0.1,
        "{bend:?}"
    );
}

#[test]
fn growth_that_goes_on_and_a_fall_that_was_never_growth_are_no_stall() {
    let grows = |month: f64| 1.08_f64.powf(month);
    let falls = |month: f64| 0.95_f64.powf((month - 9.0).max(0.0));
    assert!(found(200..212, grows, season) <= 1);
    assert!(found(300..312, falls, season) <= 1);
    let slower = |month: f64| 1.12_f64.powf(month.min(9.0)) * 1.05_f64.powf((month - 9.0).max(0.0));
    assert!(
        found(400..412, slower, season) <= 1,
        "growth goes on, if less"
    );
}

/// The negative control: of users who joined within four months, revenue by month of tenure follows the season; the calendar's
/// factors take it out.
#[test]
fn without_the_calendar_a_season_would_bend_the_curve() {
    let together = users_joining(7, 2_000, 120.0, flat, season);
    let raw: Vec<f64> = (0..MONTHS.count())
        .map(|month| {
            together
                .iter()
                .map(|user| user.months[month])
                .sum::<f64>()
                .ln()
        })
        .collect();
    let curve = Table::new(&together, MONTHS).curve(|_| 1.0).unwrap();
    let change = |curve: &[f64]| {
        MONTHS
            .bends()
            .map(|month| Line::fit(curve, MONTHS, month).change.abs())
            .fold(0.0, f64::max)
    };
    assert!(change(&raw) > 3.0 * change(&curve), "{raw:?} {curve:?}");
    assert!(!find_bend(&together, MONTHS, 100).unwrap().is_found());
}

#[test]
fn few_users_and_no_revenue_are_said() {
    let few = find_bend(&users(1, 20, flat, flat), MONTHS, 100).unwrap_err();
    assert!(few.to_string().starts_with("20 mature users"), "{few}");
    let poor = users(1, 100, |_| 0.0, flat);
    assert_eq!(find_bend(&poor, MONTHS, 100), Err(ArpuUnknown::NoRevenue));
}
