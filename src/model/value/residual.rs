//! The months of the residual value, and what a churn within the churn horizon would cost of it.

use crate::model::pareto_nbd::OrderState;
use crate::model::{ParetoNbd, Purchases, ValueModel};

/// Days of a year.
const YEAR_LENGTH_DAYS: f64 = 365.25;

/// Days of a month: a twelfth of a year of 365.25 days.
const MONTH_DAYS: f64 = YEAR_LENGTH_DAYS / 12.0;

/// The months that a residual value adds up, each discounted from its middle.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ResidualMonths {
    /// The continuous discount of a day.
    daily_discount: f64,
    /// Without an end the sum has a closed form, and no month is listed.
    months: Option<Vec<Month>>,
    /// What is left after the churn horizon of a value that begins there.
    after_risk: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Month {
    /// Days from the as-of day to the end of the month.
    until: f64,
    discount: f64,
}

impl ResidualMonths {
    /// The months of a model; `risk_days` are those from the as-of day to the end of the churn horizon.
    pub(crate) fn new(model: &ValueModel, lead_days: u32, risk_days: f64) -> Self {
        let daily_discount = libm::log1p(model.annual_discount) / YEAR_LENGTH_DAYS;
        let horizon = f64::from(lead_days) + f64::from(model.horizon_days);
        let months = model.residual_years.map(|years| {
            let end = (years * YEAR_LENGTH_DAYS).max(horizon);
            let count = libm::ceil(end / MONTH_DAYS) as u32;
            let month = |k| {
                let from = f64::from(k) * MONTH_DAYS;
                let until = (from + MONTH_DAYS).min(end);
                let discount = libm::exp(-daily_discount * 0.5 * (from + until));
                Month { until, discount }
            };
            (0..count).map(month).collect()
        });
        Self {
            daily_discount,
            months,
            after_risk: libm::exp(-daily_discount * risk_days),
        }
    }

    /// The discounted orders of all months.
    fn orders(&self, model: &ParetoNbd, state: &OrderState) -> f64 {
        let Some(months) = &self.months else {
            return state.discounted_orders(model, self.daily_discount);
        };
        let (mut sum, mut before) = (0.0, 0.0);
        for month in months {
            let until = state.expected_orders(model, month.until);
            sum += (until - before) * month.discount;
            before = until;
        }
        sum
    }
}

/// Discounted orders to come of a user, and how they divide by whether the user is silent over the churn horizon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DiscountedOrders {
    /// All of them.
    pub(crate) all: f64,
    /// Those that are still expected of the user after a silence over the churn horizon.
    pub(crate) lost: f64,
    /// Those that are expected of the user who is not silent.
    pub(crate) kept: f64,
}

impl DiscountedOrders {
    /// The orders to come of a user with `state`. Where churn is an event (`silence_days` is `None`), nothing comes after it.
    pub(crate) fn new(
        months: &ResidualMonths,
        model: &ParetoNbd,
        user: &Purchases,
        state: &OrderState,
        silence_days: Option<f64>,
    ) -> Self {
        let all = months.orders(model, state);
        let silent = silence_days.and_then(|days| {
            let later =
                Purchases::new(user.frequency(), user.last_day(), user.age_days() + days)?;
            Some(model.state(&later))
        });
        let Some(silent) = silent else {
            return Self {
                all,
                lost: 0.0,
                kept: all,
            };
        };
        let lost = months.after_risk * months.orders(model, &silent);
        let p_silent = libm::exp(silent.log_likelihood - state.log_likelihood).min(1.0);
        let p_active = 1.0 - p_silent;
        // Of a user who is silent for certain by Pareto/NBD nothing is known of the contrary.
        let kept = if p_active > 1e-9 {
            (all - p_silent * lost) / p_active
        } else {
            all
        };
        // Equal in theory where rounding leaves a difference.
        Self {
            all,
            lost: lost.min(all),
            kept: kept.max(all),
        }
    }

    /// Of a residual value, the part that a churn with the probability `p` puts at risk: `p (kept - lost)`, with kept and lost
    /// scaled for `p lost + (1 - p) kept` to be the residual value.
    pub(crate) fn at_risk(&self, residual_value: f64, p: f64) -> f64 {
        let mixture = p * self.lost + (1.0 - p) * self.kept;
        if mixture > 0.0 {
            residual_value * p * (self.kept - self.lost) / mixture
        } else {
            0.0
        }
    }
}
