//! What users spent after a date: the rows of value models.

use super::context::TrainContext;
use super::dataset::{Dataset, Outcome};
use super::labels::{Labeller, NoLabel};
use super::snapshots::{Observed, Schedule, Spacing};
use crate::features::{Extractor, Quantity};
use crate::history::{Day, HistoryError, HistoryView};
use crate::math::thousands;
use crate::train::TrainError;
use crate::train::settings::ValueConfig;

/// The shortest window that spend is learnt on, in days.
pub(crate) const LEAST_LEARNT_DAYS: u16 = 28;

/// Dates in the length of a window.
const DATES_A_WINDOW: u16 = 6;

/// The most dates.
const MOST_DATES: usize = 36;

/// The fewest days of the log before the oldest date: a third of the window within these.
const LEAST_PAST: std::ops::RangeInclusive<i32> = 21..=60;

/// Rows (user, date) of the users that are asked about at the dates of a schedule, with what they spent in the window after it.
#[derive(Clone, Debug)]
pub(crate) struct ValueRows {
    /// The dates; its horizon is the window that spend is learnt on.
    pub(crate) schedule: Schedule,
    /// The features of the bundle's catalogue. The label of a row is whether anything was spent.
    pub(crate) data: Dataset,
    /// For each row the net amount of the value kinds in `[date + lead, date + lead + window)`, at least 0.
    pub(crate) spend: Vec<f64>,
    /// What was raised to 0.
    pub(crate) floored: Floored,
}

/// Rows whose returns are worth more than their purchases, so that their spend is counted as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Floored {
    /// How many rows.
    pub(crate) rows: u64,
    /// By how much their spend was raised in sum, in the log's currency.
    pub(crate) amount: f64,
}

impl ValueRows {
    /// Describes every eligible user at every date of a schedule, under the limits of [`Dataset::build`].
    pub(crate) fn build(ctx: &TrainContext<'_>, schedule: Schedule) -> Result<Self, HistoryError> {
        let spending = Spending::new(ctx, schedule.horizon_days);
        let outcome = |history: HistoryView<'_>, date| spending.outcome(history, date);
        let catalogue = &ctx.bundle_catalogue;
        let (data, nets, _) = Dataset::describe(ctx, catalogue, &schedule, "spend", outcome)?;
        let (spend, floored) = floored(nets);
        Ok(Self {
            spend,
            schedule,
            data,
            floored,
        })
    }

    /// A note on what was raised to 0.
    pub(crate) fn note(&self) -> Option<String> {
        let Floored { rows, amount } = self.floored;
        let total: f64 = self.spend.iter().sum();
        let words = || {
            format!(
                "The returns of {} of {} rows (user, date) are worth more than the purchases of their {} days: their spend \
                 counts as 0, which raises that of all rows by {:.2} %.",
                thousands(rows),
                thousands(self.data.len() as u64),
                self.schedule.horizon_days,
                100.0 * amount / (total - amount)
            )
        };
        (rows > 0 && total > amount).then(words)
    }
}

/// Net amounts in micros as what was spent, at least 0, and what was raised to it.
fn floored(nets: Vec<i128>) -> (Vec<f64>, Floored) {
    let mut floored = Floored::default();
    let spend = nets.into_iter().map(|micros| {
        let net = micros as f64 / 1e6;
        if net < 0.0 {
            floored.rows += 1;
            floored.amount -= net;
        }
        net.max(0.0)
    });
    (spend.collect(), floored)
}

/// The dates at which users are described for what they spend in the longest window, up to the horizon, that the log allows.
/// Looks only at what decides whether users' value can be fitted at all, so it may run before everything else.
///
/// # Errors
/// [`TrainError::NoOrders`] where nobody ever ordered, and [`TrainError::SpendNotObserved`] where no window fits.
pub(crate) fn value_schedule(
    ctx: &TrainContext<'_>,
    config: &ValueConfig,
) -> Result<Schedule, TrainError> {
    if has_orders(ctx)? {
        let lead_days = ctx.config.churn.lead_days;
        return learnt_schedule(&ctx.observed, ctx.as_of, lead_days, config.horizon_days);
    }
    Err(TrainError::NoOrders {
        kinds: config.kinds.clone(),
    })
}

/// Whether any user has an order before the as-of day.
fn has_orders(ctx: &TrainContext<'_>) -> Result<bool, HistoryError> {
    let catalogue = &ctx.bundle_catalogue;
    let only = [Quantity::OrderDays];
    let extractor = Extractor::new(catalogue, ctx.histories.kinds()).only(&only);
    let position = catalogue.orders().start;
    let blocks = ctx.histories.map_blocks(|block| {
        let mut extractor = extractor.clone();
        let mut vector = vec![f64::NAN; catalogue.len()];
        block.iter().any(|(_, _, history)| {
            extractor.extract(history, ctx.as_of, &mut vector);
            vector[position] > 0.0
        })
    })?;
    Ok(blocks.into_iter().any(|any| any))
}

/// The dates of the longest window, up to the horizon, that fits into the observed days twice: once behind the newest date,
/// and once before it, so that there is a past to learn from.
fn learnt_schedule(
    observed: &Observed,
    as_of: Day,
    lead_days: u32,
    horizon_days: u16,
) -> Result<Schedule, TrainError> {
    let span_days = observed.until.since(observed.first);
    let longest = (span_days / 2 - lead_days as i32).max(0);
    let longest_asked = horizon_days.min(u16::try_from(longest).unwrap_or(u16::MAX));
    // Beside holes there may be no room for a window that the length of the log would allow.
    let fitting = (LEAST_LEARNT_DAYS..=longest_asked).rev().find_map(|days| {
        let schedule = spend_schedule(observed, as_of, lead_days, days).ok()?;
        let past = schedule.regular.last()?.since(observed.first);
        (past >= schedule.window_days).then_some(schedule)
    });
    fitting.ok_or_else(|| TrainError::SpendNotObserved {
        horizon_days,
        lead_days,
        span_days,
        longest,
        least: LEAST_LEARNT_DAYS,
        holes: observed.holes.clone(),
    })
}

/// A schedule for a window of spend. Spend varies far more than churn, so that every date helps, though neighbours share most
/// of their windows, and so does one of a young log.
fn spend_schedule(
    observed: &Observed,
    as_of: Day,
    lead_days: u32,
    days: u16,
) -> Result<Schedule, TrainError> {
    let spacing = Spacing {
        days: Some((days / DATES_A_WINDOW).max(1)),
        past: Some(i32::from(days / 3).clamp(*LEAST_PAST.start(), *LEAST_PAST.end())),
        most: MOST_DATES,
        anniversaries: 0,
        active_within_days: 0,
    };
    Schedule::new(observed, as_of, lead_days, days, spacing)
}

/// The schedule that estimates are judged on: that of the fit, where its newest date has others whose windows ended before it;
/// else that of the longest window of which the log has room for two and a past. `None` where it has none.
pub(crate) fn judged_schedule(ctx: &TrainContext<'_>, learnt: &Schedule) -> Option<Schedule> {
    if learnt.test.is_some() {
        return Some(learnt.clone());
    }
    let lead_days = ctx.config.churn.lead_days;
    (LEAST_LEARNT_DAYS..learnt.horizon_days)
        .rev()
        .find_map(|days| {
            let schedule = spend_schedule(&ctx.observed, ctx.as_of, lead_days, days).ok()?;
            schedule.test.is_some().then_some(schedule)
        })
}

/// What a user spends in the window after a date.
struct Spending<'a> {
    labeller: &'a Labeller,
    window_days: u16,
    /// For each kind whether its amounts count.
    is_value: Vec<bool>,
}

impl<'a> Spending<'a> {
    fn new(ctx: &'a TrainContext<'_>, window_days: u16) -> Self {
        let value_kinds = &ctx.bundle_catalogue.schema().value_kinds;
        let kinds = ctx.histories.kinds().iter();
        Self {
            labeller: &ctx.labeller,
            window_days,
            is_value: kinds.map(|kind| value_kinds.contains(kind)).collect(),
        }
    }

    /// The net amount in micros, and whether it is above 0.
    fn outcome(&self, history: HistoryView<'_>, date: Day) -> Outcome<i128> {
        let eligible = self.labeller.eligible(history, date);
        eligible.map_err(NoLabel::NotEligible)?;
        let window = self.labeller.observed_window(date, self.window_days);
        let window = window.ok_or(NoLabel::NotObserved)?;
        let records = history.between(window.from, window.until).records().iter();
        let own = records.filter(|record| self.is_value[usize::from(record.kind)]);
        let net: i128 = own.map(|record| i128::from(record.amount.micros())).sum();
        Ok((net > 0, net))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Amount, DayRecord, History, Stretch};
    use crate::lifecycle::NotEligible;
    use crate::train::settings::ChurnConfig;

    fn day(number: i32) -> Day {
        Day::new(number).unwrap()
    }

    fn observed(until: i32, holes: &[(i32, i32)]) -> Observed {
        let hole = |(from, until): &(i32, i32)| Stretch {
            from: day(*from),
            until: day(*until),
        };
        Observed {
            first: day(0),
            until: day(until),
            holes: holes.iter().map(hole).collect(),
        }
    }

    /// (day, kind, amount); kinds are purchase, return and visit, of which the first two count.
    fn history(rows: &[(i32, u16, f64)]) -> History {
        let record = |&(d, kind, amount): &(i32, u16, f64)| DayRecord {
            amount: Amount::new(amount).unwrap(),
            day: day(d),
            count: 1,
            kind,
        };
        History::new(rows.iter().map(record).collect()).unwrap()
    }

    /// What is spent in 30 days after day 100 plus a lead; there is a purchase on day 90 for the user to be asked about.
    fn spent(lead_days: u32, rows: &[(i32, u16, f64)]) -> Outcome<i128> {
        let kinds = ["purchase", "return", "visit"].map(str::to_owned);
        let config = ChurnConfig {
            activity: vec!["purchase".into()],
            horizon_days: vec![10],
            active_within_days: 50,
            lead_days,
            churn_event: None,
        };
        let spending = Spending {
            labeller: &Labeller::new(&config, &kinds, observed(140, &[(60, 65)])),
            window_days: 30,
            is_value: vec![true, true, false],
        };
        let mut all = vec![(90, 0, 1_000.0)];
        all.extend_from_slice(rows);
        spending.outcome(history(&all).view(), day(100))
    }

    #[test]
    fn the_window_of_spend_is_half_open_and_starts_after_the_lead() {
        let on = |lead, d| spent(lead, &[(d, 0, 2.5)]).unwrap();
        let (none, some) = ((false, 0), (true, 2_500_000));
        assert_eq!(
            [99, 100, 129, 130].map(|d| on(0, d)),
            [none, some, some, none]
        );
        assert_eq!(
            [106, 107, 136, 137].map(|d| on(7, d)),
            [none, some, some, none]
        );
        // Visits are worth nothing, whatever amount they have.
        assert_eq!(spent(0, &[(110, 2, 50.0)]), Ok(none));
    }

    #[test]
    fn returns_on_other_days_are_taken_off_and_less_than_nothing_is_nothing() {
        let rows = [(101, 0, 80.0), (105, 1, -30.0)];
        assert_eq!(spent(0, &rows), Ok((true, 50_000_000)));
        // Bought before the date and returned after it.
        let back = spent(0, &[(110, 1, -40.0), (111, 0, 15.0)]).unwrap();
        assert_eq!(back, (false, -25_000_000));
        let (spend, floored) = floored(vec![50_000_000, -25_000_000, 0, -1]);
        assert_eq!(spend, [50.0, 0.0, 0.0, 0.0]);
        assert_eq!(floored.rows, 2);
        assert!((floored.amount - 25.000_001).abs() < 1e-12);
        assert!(spend.iter().all(|s| s.is_sign_positive()));
    }

    #[test]
    fn a_window_that_was_not_wholly_observed_has_no_spend() {
        assert_eq!(spent(10, &[(115, 0, 1.0)]), Ok((true, 1_000_000)));
        assert_eq!(spent(11, &[(115, 0, 1.0)]), Err(NoLabel::NotObserved));
        let kinds = ["purchase".to_owned()];
        let config = ChurnConfig {
            activity: kinds.to_vec(),
            horizon_days: vec![10],
            active_within_days: 50,
            lead_days: 0,
            churn_event: None,
        };
        let labeller = Labeller::new(&config, &kinds, observed(140, &[(60, 65)]));
        let spending = Spending {
            labeller: &labeller,
            window_days: 30,
            is_value: vec![true],
        };
        let user = history(&[(20, 0, 5.0), (50, 0, 3.0)]);
        let at = |d| spending.outcome(user.view(), day(d));
        assert_eq!(at(30), Ok((true, 3_000_000)), "up to the hole");
        assert_eq!(at(31), Err(NoLabel::NotObserved));
        let not_yet = Err(NoLabel::NotEligible(NotEligible::NotYetSeen));
        assert_eq!(at(20), not_yet);
    }

    fn learnt(
        until: i32,
        holes: &[(i32, i32)],
        lead_days: u32,
        horizon_days: u16,
    ) -> Result<Schedule, TrainError> {
        let observed = observed(until, holes);
        learnt_schedule(&observed, day(until), lead_days, horizon_days)
    }

    #[test]
    fn the_longest_window_that_fits_twice_is_learnt() {
        let days = |until, lead, horizon| learnt(until, &[], lead, horizon).unwrap().horizon_days;
        assert_eq!(days(730, 0, 365), 365);
        assert_eq!(days(729, 0, 365), 364);
        assert_eq!(days(545, 0, 365), 272);
        assert_eq!(days(545, 7, 365), 265);
        assert_eq!(days(545, 0, 90), 90);
        assert_eq!(days(56, 0, 365), 28);
        let schedule = learnt(545, &[], 7, 365).unwrap();
        let newest = schedule.regular.last().unwrap();
        assert_eq!(newest.number() + 7 + 265, 545);
        assert!(newest.number() >= 7 + 265);
    }

    #[test]
    fn a_log_that_is_too_short_is_refused_with_what_would_do() {
        let message = learnt(55, &[], 0, 365).unwrap_err().to_string();
        assert_eq!(
            message,
            "value.horizon_days = 365 with churn.lead_days = 0 cannot be learnt: the log spans 55 days, into which windows of \
             at most 27 days fit twice, and 28 are needed"
        );
        let message = learnt(60, &[], 30, 90).unwrap_err().to_string();
        assert!(message.contains("at most 0 days"), "{message}");
        let holes = [(20, 40), (60, 80), (100, 110)];
        let message = learnt(120, &holes, 0, 90).unwrap_err().to_string();
        assert!(message.contains("1970-01-21 to 1970-02-09"), "{message}");
    }

    #[test]
    fn beside_a_hole_a_shorter_window_is_learnt() {
        let holes = [(300, 310)];
        let schedule = learnt(500, &holes, 0, 365).unwrap();
        let days = i32::from(schedule.horizon_days);
        // After the hole 190 days are left, and before it twice 150.
        assert_eq!(days, 190);
        let clear = |d: &Day| d.number() + days <= 300 || d.number() >= 310;
        assert!(schedule.regular.iter().all(clear), "{:?}", schedule.regular);
    }
}
