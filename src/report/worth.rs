//! The figures of a user's value, for text and pages.

use crate::explain::ValueAnswer;
use crate::features::percent;
use crate::report::number::decimals;

/// Each figure with its name. What is unknown has no row but that of the status.
pub(crate) fn rows(value: &ValueAnswer) -> Vec<(&'static str, String)> {
    let Some(tier) = &value.tier else {
        return vec![("Status", value.status.replace('_', " "))];
    };
    let amount = |amount: f64| value.amount(amount);
    let mut rows = vec![
        ("Status", value.status.replace('_', " ")),
        (
            "Expected spend",
            format!(
                "{} in the {} days from {} to {}",
                amount(value.expected_spend),
                value.horizon_days,
                value.from,
                value.last
            ),
        ),
        (
            "Interval",
            format!(
                "{} to {}, for {} of such users",
                amount(value.low),
                amount(value.high),
                percent(value.interval)
            ),
        ),
        ("Residual value", amount(value.residual_value)),
        (
            "Value at risk",
            format!(
                "{} by churn within {} days",
                amount(value.value_at_risk),
                value.risk_horizon_days
            ),
        ),
        ("Tier", value.tier_words(tier)),
    ];
    if let Some(rfm) = &value.rfm {
        rows.push(("R, F and M, of 5", rfm.clone()));
    }
    rows.push(("Still a customer", percent(value.p_alive)));
    rows.push(("Days with an order", decimals(value.expected_order_days, 1)));
    if value.regression_share > 0.0 && !value.reasons.is_empty() {
        rows.push((
            "Regression",
            format!("weighs {} of the spend", percent(value.regression_share)),
        ));
    }
    rows
}
