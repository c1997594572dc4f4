//! What users spent after a date: the rows of value models.

use std::ops::AddAssign;

use super::context::TrainContext;
use super::dataset::{Dataset, Outcome};
use super::labels::{Labeller, NoLabel};
use super::snapshots::{Schedule, Spacing};
use crate::features::{Extractor, Quantity};
use crate::history::{Day, HistoryError, HistoryView};
use crate::math::thousands;
use crate::train::TrainError;
use crate::train::settings::ValueConfig;

/// The shortest window that spend is learnt on, in days.
pub(crate) const LEAST_LEARNT_DAYS: u16 = 28;

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

impl AddAssign for Floored {
    fn add_assign(&mut self, more: Self) {
        self.rows += more.rows;
        self.amount += more.amount;
    }
}

impl ValueRows {
    /// Describes every eligible user at every date of a schedule, under the limits of [`Dataset::build`].
    pub(crate) fn build(ctx: &TrainContext<'_>, schedule: Schedule) -> Result<Self, HistoryError> {
        let spending = Spending::new(ctx, schedule.horizon_days);
        let outcome = |history: HistoryView<'_>, date| spending.outcome(history, date);
        let catalogue = &ctx.bundle_catalogue;
        let (data, nets, _) = Dataset::describe(ctx, catalogue, &schedule, "spend", outcome)?;
        let mut floored = Floored::default();
        let spend = nets.into_iter().map(|micros| {
            let net = micros as f64 / 1e6;
            if net < 0.0 {
                floored += Floored {
                    rows: 1,
                    amount: -net,
                };
            }
            net.max(0.0)
        });
        Ok(Self {
            spend: spend.collect(),
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
        return learnt_schedule(ctx, config.horizon_days);
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
fn learnt_schedule(ctx: &TrainContext<'_>, horizon_days: u16) -> Result<Schedule, TrainError> {
    let observed = &ctx.observed;
    let lead_days = ctx.config.churn.lead_days;
    let spacing = Spacing {
        days: ctx.config.model.spacing_days,
        most: ctx.config.model.snapshots,
        anniversaries: 0,
        active_within_days: ctx.config.churn.active_within_days,
    };
    let span_days = observed.until.since(observed.first);
    let longest = (span_days / 2 - lead_days as i32).max(0);
    let longest_asked = horizon_days.min(u16::try_from(longest).unwrap_or(u16::MAX));
    // Beside holes there may be no room for a window that the length of the log would allow.
    let fitting = (LEAST_LEARNT_DAYS..=longest_asked).rev().find_map(|days| {
        let schedule = Schedule::new(observed, ctx.as_of, lead_days, days, spacing).ok()?;
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
