//! What a user's leaving would cost, as far as past spending tells.

use crate::history::{Amount, Day, HistoryView};

/// Days before the as-of day whose amounts count.
pub const SPEND_WINDOW_DAYS: u16 = 365;

/// What a user would spend within a horizon at the rate of the past: the amounts of activity in the last
/// [`SPEND_WINDOW_DAYS`] before the as-of day, less what was paid back, per day, times the days of the horizon. `None` without
/// an event before it.
///
/// Paid back is what a day has below 0 of any kind, such as returns. A user first seen later than that has a rate over the days
/// since the first event of any kind, and over no fewer days than the horizon has: what was spent within a horizon is never
/// scaled up. A sum below 0 counts as 0.
pub fn expected_spend(
    history: HistoryView<'_>,
    is_activity: impl Fn(u16) -> bool,
    as_of: Day,
    horizon_days: u16,
) -> Option<f64> {
    let first = history.before(as_of).records().first()?.day;
    let from = as_of.plus(-i32::from(SPEND_WINDOW_DAYS));
    let recent = history.between(from, as_of).records().iter();
    let spent: i128 = recent
        .filter(|record| is_activity(record.kind) || record.amount < Amount::default())
        .map(|record| i128::from(record.amount.micros()))
        .sum();
    let known_days = as_of.since(first).min(i32::from(SPEND_WINDOW_DAYS));
    let days = known_days.max(i32::from(horizon_days));
    let spent = spent.max(0) as f64 / 1e6;
    Some(spent * f64::from(horizon_days) / f64::from(days))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{DayRecord, History};

    const PURCHASE: u16 = 0;
    const RETURN: u16 = 1;
    const CART: u16 = 2;

    fn spend(rows: &[(i32, u16, f64)], horizon_days: u16) -> Option<f64> {
        let record = |&(day, kind, amount): &(i32, u16, f64)| DayRecord {
            amount: Amount::new(amount).unwrap(),
            day: Day::new(day).unwrap(),
            count: 1,
            kind,
        };
        let history = History::new(rows.iter().map(record).collect()).unwrap();
        let as_of = Day::new(1_000).unwrap();
        expected_spend(history.view(), |kind| kind == PURCHASE, as_of, horizon_days)
    }

    #[test]
    fn the_rate_of_a_year_is_scaled_to_the_horizon() {
        // 730 within the year, whatever lies before it or is a cart that was not paid.
        let rows = [
            (100, PURCHASE, 9_999.0),
            (635, PURCHASE, 365.0),
            (999, PURCHASE, 365.0),
            (900, CART, 50.0),
        ];
        assert_eq!(spend(&rows, 30), Some(60.0));
        let with_return = [&rows[..], &[(950, RETURN, -365.0)]].concat();
        assert_eq!(spend(&with_return, 30), Some(30.0));
        // The day before the window, and the as-of day itself.
        assert_eq!(
            spend(&[(634, PURCHASE, 365.0), (1_000, PURCHASE, 365.0)], 30),
            Some(0.0)
        );
    }

    #[test]
    fn a_new_user_is_not_scaled_up_beyond_what_was_spent() {
        assert_eq!(spend(&[(990, PURCHASE, 40.0)], 30), Some(40.0));
        // Known for 60 days: half of it in 30.
        assert_eq!(
            spend(&[(940, RETURN, 0.0), (990, PURCHASE, 40.0)], 30),
            Some(20.0)
        );
        // A horizon longer than the window.
        assert_eq!(
            spend(&[(100, PURCHASE, 1.0), (990, PURCHASE, 40.0)], 400),
            Some(40.0)
        );
    }

    #[test]
    fn nothing_is_lost_with_users_that_cost_and_nothing_known_of_unseen_ones() {
        assert_eq!(spend(&[(990, PURCHASE, -40.0)], 30), Some(0.0));
        assert_eq!(spend(&[(1_000, PURCHASE, 40.0)], 30), None);
    }
}
