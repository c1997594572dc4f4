//! Sentences on what users are worth.

use crate::card::{AtRiskCard, OrdersCard, RegressionCard, SpendCard, ValueCard, Winsorised};
use crate::report::number::{amount, counted, decimals, percent, signed, thousands};

/// Sums over all users of the as-of day.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ValueTotals {
    /// Users.
    pub(crate) users: u64,
    /// Their expected spend within the horizon.
    pub(crate) expected_spend: f64,
    /// Their residual value.
    pub(crate) residual_value: f64,
    /// Their value at risk.
    pub(crate) value_at_risk: f64,
}

impl ValueTotals {
    /// The sums of a card: of its tiers, each user being in one of them.
    pub(crate) fn of(value: &ValueCard) -> Self {
        value.tiers.iter().fold(Self::default(), |sum, tier| Self {
            users: sum.users + tier.users,
            expected_spend: sum.expected_spend + tier.expected_spend,
            residual_value: sum.residual_value + tier.residual_value.value,
            value_at_risk: sum.value_at_risk + tier.value_at_risk,
        })
    }
}

/// An amount with its currency, if there is one.
pub(crate) fn money(value: &ValueCard, figure: f64) -> String {
    match &value.currency {
        Some(currency) => format!("{} {currency}", amount(figure)),
        None => amount(figure),
    }
}

/// What the amounts are, in a sentence without its full stop.
pub(crate) fn amounts(value: &ValueCard) -> String {
    let kinds = value.kinds.join(" + ");
    let currency = match &value.currency {
        Some(currency) => format!("in {currency}"),
        None => "without a configured currency".to_owned(),
    };
    format!("Amounts are sums of {kinds}, {currency}")
}

/// How far the residual value looks, and what of it is counted, in a sentence without its full stop.
pub(crate) fn residual(value: &ValueCard) -> String {
    let ahead = match value.residual_years {
        None => "of all time to come".to_owned(),
        Some(0.0) => format!("of the {} days of the horizon", value.horizon_days),
        Some(1.0) => "of the year to come".to_owned(),
        Some(years) => format!("of the {} years to come", plain(years)),
    };
    let margin = match value.margin {
        1.0 => "all of the spend".to_owned(),
        margin => format!("{} of the spend", percent(margin)),
    };
    format!(
        "Residual value is {margin} {ahead}, with a discount of {} a year",
        percent(value.annual_discount)
    )
}

/// A number without zeros at its end.
pub(crate) fn plain(number: f64) -> String {
    let text = decimals(number, 3);
    let whole = text.trim_end_matches('0').trim_end_matches('.');
    if text.contains('.') {
        whole.to_owned()
    } else {
        text
    }
}

/// Which models were fitted, how they were blended and what was done to the data; one sentence each. What was not used, and
/// why, is among the notes of the card.
pub(crate) fn models(value: &ValueCard) -> Vec<String> {
    let mut sentences = vec![orders(&value.orders), spend(value, &value.spend)];
    if let Some(card) = &value.regression {
        sentences.push(regression(card));
        sentences.push(winsorised(value, &card.winsorised));
    }
    sentences.push(blend(value));
    sentences
}

fn orders(orders: &OrdersCard) -> String {
    format!(
        "Orders: Pareto/NBD of {} with an order, {} of them with orders on more than one day.",
        counted(orders.customers, "user"),
        thousands(orders.repeaters)
    )
}

fn spend(value: &ValueCard, spend: &SpendCard) -> String {
    if !spend.gamma_gamma {
        let mean = money(value, spend.mean);
        return format!("Amount of an order: {mean}, the mean of all users.");
    }
    let correlation = spend.correlation.map_or_else(String::new, |r| {
        format!(
            "; their number of orders and their mean amount correlate by {}, and the model assumes none",
            signed(r, 2)
        )
    });
    format!(
        "Amount of an order: gamma-gamma of {} with more than one order{correlation}.",
        counted(spend.repeaters, "user")
    )
}

fn regression(regression: &RegressionCard) -> String {
    let half_life = regression.half_life.map_or_else(String::new, |half_life| {
        format!(
            ", rows counting half for each {} label windows of age",
            plain(half_life)
        )
    });
    let floored = match regression.floored {
        0 => String::new(),
        rows => format!(
            " In {} more was paid back than spent, which counts as no spend.",
            counted(rows, "row")
        ),
    };
    format!(
        "Regression: Poisson quasi-likelihood on {} of {}, L2 penalty {}{half_life}.{floored}",
        counted(regression.rows, "row"),
        counted(regression.snapshots.len() as u64, "date"),
        plain(regression.l2)
    )
}

fn winsorised(value: &ValueCard, cut: &Winsorised) -> String {
    if cut.rows == 0 {
        return "No spend was cut for the regression.".to_owned();
    }
    format!(
        "Spend above {} was cut to it for the regression: in {} of {}. Its level was raised by the factor {} to keep the total.",
        money(value, cut.at),
        counted(cut.rows, "row"),
        counted(cut.users, "user"),
        decimals(cut.factor, 3)
    )
}

fn blend(value: &ValueCard) -> String {
    let share = match value.regression_share {
        0.0 => "orders times amount alone".to_owned(),
        1.0 => "the regression alone".to_owned(),
        share => format!(
            "the geometric mean of the regression, with the weight {}, and of orders times amount",
            plain(share)
        ),
    };
    let rule = value.share_rule.trim_end_matches('.');
    let rule = if rule.is_empty() {
        String::new()
    } else {
        format!(" {rule}.")
    };
    format!(
        "Expected spend: {share}, times {} for its level, learnt on windows of {} days.{rule}",
        decimals(value.level, 3),
        value.learnt_days
    )
}

/// Why the estimates were not judged.
pub(crate) fn untested(value: &ValueCard) -> String {
    let reason = value.untested.as_deref();
    reason
        .unwrap_or("The log is too short to judge the value of users out of time.")
        .to_owned()
}

/// The risk bands of a card, in the order in which they come.
pub(crate) fn bands(at_risk: &[AtRiskCard]) -> Vec<&str> {
    let mut bands: Vec<&str> = Vec::new();
    for cell in at_risk {
        if !bands.contains(&cell.band.as_str()) {
            bands.push(&cell.band);
        }
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::html::fixture::value::value;
    use crate::report::number::THIN;

    fn sentences(value: &ValueCard) -> String {
        models(value).join("\n").replace(THIN, " ")
    }

    #[test]
    fn models_are_described_as_they_were_fitted() {
        insta::assert_snapshot!(sentences(&value()));
    }

    #[test]
    fn a_value_by_orders_alone_is_described_without_a_regression() {
        let mut v = value();
        v.spend.gamma_gamma = false;
        v.regression = None;
        v.regression_share = 0.0;
        insta::assert_snapshot!(sentences(&v));
    }

    #[test]
    fn amounts_have_their_currency_discount_and_years() {
        let mut v = value();
        let of = |v: &ValueCard| residual(v).replace(THIN, " ");
        assert_eq!(
            of(&v),
            "Residual value is 35 % of the spend of the 3 years to come, with a discount of 10 % a year"
        );
        (v.margin, v.residual_years) = (1.0, None);
        assert_eq!(
            of(&v),
            "Residual value is all of the spend of all time to come, with a discount of 10 % a year"
        );
        v.residual_years = Some(0.0);
        assert!(of(&v).contains("of the 365 days of the horizon"));
        assert_eq!(money(&v, 1_234.5), "1,235 <b>GBP");
        v.currency = None;
        assert_eq!(money(&v, 0.5), "0.50");
    }
}
