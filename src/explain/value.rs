//! What a user is worth, and what supposed events change of it.

use serde::Serialize;

use super::answer::Contribution;
use super::sentences::window;
use super::what_if::{Change, changed};
use crate::features::percent;
use crate::history::Day;
use crate::math::thousands;
use crate::model::{
    Bundle, Reason, Rfm, ValueEstimate, ValueModel, ValueStatus, factor, factor_words,
};

/// Smaller effects on the logarithm of the spend are no reason worth a sentence.
const LEAST_CONTRIBUTION: f64 = 0.05;
/// Reasons of each direction in a sentence.
const REASONS: usize = 3;

/// What a user is worth as of a day; amounts are in the currency.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValueAnswer {
    /// `estimated`, `no_spend` or `unknown`.
    pub status: &'static str,
    /// The currency; `None` where it was not configured.
    pub currency: Option<String>,
    /// Days of the expected spend.
    pub horizon_days: u16,
    /// The first of them: the as-of day plus the lead.
    pub from: Day,
    /// The last of them.
    pub last: Day,
    /// The expected spend within them.
    pub expected_spend: f64,
    /// The lower end of the interval of the spend.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// The share of users whose spend lies in their interval.
    pub interval: f64,
    /// Margin times the discounted spend of all months to come.
    pub residual_value: f64,
    /// What a churn within the longest churn horizon would cost of it, times its probability.
    pub value_at_risk: f64,
    /// Days of that horizon.
    pub risk_horizon_days: u16,
    /// The probability that the user still orders at all.
    pub p_alive: f64,
    /// On how many of the days an order is expected.
    pub expected_order_days: f64,
    /// The tier; `None` where the value is unknown.
    pub tier: Option<TierAnswer>,
    /// Scores of recency, frequency and monetary value, such as `5-4-3`; `None` without an order.
    pub rfm: Option<String>,
    /// The weight of the regression in the expected spend.
    pub regression_share: f64,
    /// What each feature group multiplies the regression's spend by, by decreasing size of the effect; none without a
    /// regression.
    pub reasons: Vec<ValueReason>,
}

/// A tier of value with its bounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TierAnswer {
    /// Its name.
    pub name: String,
    /// The least residual value of the tier.
    pub from: f64,
    /// Where the next higher tier begins; `None` for the highest.
    pub below: Option<f64>,
    /// Whether the residual value lies beyond these bounds, by less than it takes to leave the tier.
    pub is_held: bool,
}

/// What a feature group multiplies the regression's spend by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValueReason {
    /// The factor, above 0.
    pub factor: f64,
    /// The group with its most influential feature; the contribution is the logarithm of the factor.
    #[serde(flatten)]
    pub reason: Contribution,
}

/// What supposed events change of a user's value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValueChange {
    /// Expected spend with the events less that without.
    pub expected_spend_change: f64,
    /// The same of the residual value.
    pub residual_value_change: f64,
    /// The same of the value at risk.
    pub value_at_risk_change: f64,
    /// The feature groups whose factor changes, by decreasing size of the change of its logarithm.
    pub reasons: Vec<Change>,
}

impl ValueAnswer {
    /// The answer for an estimate by the value model of this bundle; `None` where there is none.
    pub(crate) fn new(bundle: &Bundle, as_of: Day, estimate: ValueEstimate<'_>) -> Option<Self> {
        let spec = bundle.spec();
        let model = spec.value.as_ref()?;
        let tier = estimate
            .tier
            .map(|position| tier(model, position, estimate.residual_value));
        let from = as_of.plus(spec.lead_days as i32);
        Some(Self {
            status: estimate.status.name(),
            currency: model.currency.clone(),
            horizon_days: estimate.horizon_days,
            from,
            last: from.plus(i32::from(estimate.horizon_days) - 1),
            expected_spend: estimate.expected_spend,
            low: estimate.low,
            high: estimate.high,
            interval: model.intervals.covers,
            residual_value: estimate.residual_value,
            value_at_risk: estimate.value_at_risk,
            risk_horizon_days: spec.schema.horizon_days.last().copied()?,
            p_alive: estimate.p_alive,
            expected_order_days: estimate.expected_orders,
            tier,
            rfm: estimate.rfm.map(Rfm::text),
            regression_share: model.regression_share,
            reasons: estimate
                .reasons
                .into_iter()
                .map(ValueReason::from)
                .collect(),
        })
    }

    /// An amount in words: `512 GBP`.
    pub(crate) fn amount(&self, amount: f64) -> String {
        money(amount, self.currency.as_deref())
    }

    /// A tier of this answer with its bounds: `medium, from 40.00 GBP to below 250 GBP`.
    pub(crate) fn tier_words(&self, tier: &TierAnswer) -> String {
        let bounds = match tier.below {
            Some(below) if tier.from > 0.0 => format!(
                "from {} to below {}",
                self.amount(tier.from),
                self.amount(below)
            ),
            Some(below) => format!("below {}", self.amount(below)),
            None => format!("from {} on", self.amount(tier.from)),
        };
        let held = if tier.is_held {
            ", held until a bound is passed by a tenth"
        } else {
            ""
        };
        format!("{}, {bounds}{held}", tier.name)
    }
}

fn tier(model: &ValueModel, position: usize, residual_value: f64) -> TierAnswer {
    let own = &model.tiers[position];
    let higher = position.checked_sub(1).map(|higher| &model.tiers[higher]);
    let below = higher.map(|tier| tier.from);
    TierAnswer {
        name: own.name.clone(),
        from: own.from,
        below,
        is_held: residual_value < own.from || below.is_some_and(|below| residual_value >= below),
    }
}

impl From<Reason<'_>> for ValueReason {
    fn from(reason: Reason<'_>) -> Self {
        Self {
            factor: factor(reason.contribution),
            reason: reason.into(),
        }
    }
}

/// A sum of money: whole from 100 on, and nothing without decimals.
pub(crate) fn money(amount: f64, currency: Option<&str>) -> String {
    let number = if amount >= 99.995 {
        thousands(amount.round() as u64)
    } else if amount == 0.0 {
        "0".to_owned()
    } else {
        format!("{amount:.2}")
    };
    match currency {
        Some(currency) => format!("{number} {currency}"),
        None => number,
    }
}

/// The sentences on a user's value.
pub(crate) fn of_answer(user: &str, value: &ValueAnswer) -> Vec<String> {
    let Some(tier) = &value.tier else {
        return vec!["What the user is worth is unknown: the orders are missing.".to_owned()];
    };
    let amount = |x: f64| value.amount(x);
    let mut sentences = Vec::new();
    if value.status == ValueStatus::NoSpend.name() {
        sentences.push(format!(
            "{user} has no order yet: the value is that of a new customer."
        ));
    }
    sentences.push(format!(
        "{user} is expected to spend {} {}; {} of such users spend between {} and {}.",
        amount(value.expected_spend),
        window(value.horizon_days, value.from, value.last),
        percent(value.interval),
        amount(value.low),
        amount(value.high)
    ));
    sentences.push(format!(
        "The residual value is {}: tier {}. Churn within {} days would cost a part of it; times its probability that is {}, the \
         value at risk.",
        amount(value.residual_value),
        value.tier_words(tier),
        value.risk_horizon_days,
        amount(value.value_at_risk)
    ));
    if let Some(rfm) = &value.rfm {
        sentences.push(format!(
            "Recency, frequency and monetary value have the scores {rfm}, of 5."
        ));
    }
    sentences.extend(reasons(&value.reasons));
    sentences
}

/// What multiplies the spend by more than one, and what by less.
fn reasons(reasons: &[ValueReason]) -> Vec<String> {
    let of = |heading: &str, raises: bool| {
        let chosen: Vec<String> = reasons
            .iter()
            .map(|reason| &reason.reason)
            .filter(|reason| reason.contribution.abs() >= LEAST_CONTRIBUTION)
            .filter(|reason| (reason.contribution > 0.0) == raises)
            .take(REASONS)
            .map(|reason| {
                format!(
                    "{}: {}",
                    factor_words(reason.contribution),
                    reason.description
                )
            })
            .collect();
        (!chosen.is_empty()).then(|| format!("{heading}: {}.", chosen.join("; ")))
    };
    [of("Raises the spend", true), of("Lowers the spend", false)]
        .into_iter()
        .flatten()
        .collect()
}

/// What changes between two answers; `None` where one of them has no value.
pub(crate) fn change(
    before: Option<&ValueAnswer>,
    after: Option<&ValueAnswer>,
) -> Option<ValueChange> {
    let (before, after) = before.zip(after)?;
    let of = |value: &ValueAnswer| -> Vec<Contribution> {
        value.reasons.iter().map(|r| r.reason.clone()).collect()
    };
    Some(ValueChange {
        expected_spend_change: after.expected_spend - before.expected_spend,
        residual_value_change: after.residual_value - before.residual_value,
        value_at_risk_change: after.value_at_risk - before.value_at_risk,
        reasons: changed(&of(before), &of(after), |a, b| a.group == b.group),
    })
}

/// The sentence on what supposed events change.
pub(crate) fn of_change(before: &ValueAnswer, after: &ValueAnswer) -> String {
    let moved = |name: &str, of: fn(&ValueAnswer) -> f64| {
        format!(
            "{name} from {} to {}",
            before.amount(of(before)),
            after.amount(of(after))
        )
    };
    let tier = |value: &ValueAnswer| value.tier.as_ref().map(|tier| tier.name.clone());
    let tiers = match (tier(before), tier(after)) {
        (Some(before), Some(after)) if before != after => {
            format!("the tier from {before} to {after}")
        }
        (Some(tier), _) => format!("the tier stays {tier}"),
        (None, _) => "the tier is unknown".to_owned(),
    };
    format!(
        "{}, {}, {}; {tiers}.",
        moved(
            &format!("The expected spend in {} days goes", after.horizon_days),
            |value| value.expected_spend
        ),
        moved("the residual value", |value| value.residual_value),
        moved("the value at risk", |value| value.value_at_risk)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::value::{estimate, spec_with_value, unknown};

    fn answer(estimate: ValueEstimate<'_>) -> ValueAnswer {
        let bundle = Bundle::new(spec_with_value(), "test".into()).unwrap();
        let as_of = "2024-06-01".parse().unwrap();
        ValueAnswer::new(&bundle, as_of, estimate).unwrap()
    }

    #[test]
    fn the_value_is_said_with_its_interval_its_tier_and_its_reasons() {
        let sentences = of_answer("u1", &answer(estimate()));
        insta::assert_snapshot!(sentences.join("\n"), @r"
        u1 is expected to spend 621 GBP in the 365 days from 2024-06-01 to 2025-05-31; 80 % of such users spend between 120 GBP and 1,400 GBP.
        The residual value is 512 GBP: tier high, from 250 GBP on. Churn within 60 days would cost a part of it; times its probability that is 102 GBP, the value at risk.
        Recency, frequency and monetary value have the scores 5-4-3, of 5.
        Raises the spend: x 1.8: spent 900 in all.
        ");
        let new = of_answer(
            "u1",
            &answer(ValueEstimate {
                status: ValueStatus::NoSpend,
                rfm: None,
                reasons: Vec::new(),
                ..estimate()
            }),
        );
        assert_eq!(new.len(), 3);
        assert_eq!(
            new[0],
            "u1 has no order yet: the value is that of a new customer."
        );
        assert_eq!(
            of_answer("u1", &answer(unknown())),
            ["What the user is worth is unknown: the orders are missing."]
        );
    }

    #[test]
    fn a_tier_that_is_held_is_said_to_be() {
        let medium = |residual_value| {
            let value = answer(ValueEstimate {
                residual_value,
                tier: Some(1),
                tier_name: "medium",
                ..estimate()
            });
            value.tier_words(value.tier.as_ref().unwrap())
        };
        assert_eq!(medium(100.0), "medium, from 40.00 GBP to below 250 GBP");
        for held in [260.0, 38.0] {
            assert_eq!(
                medium(held),
                "medium, from 40.00 GBP to below 250 GBP, held until a bound is passed by a tenth"
            );
        }
        let lowest = answer(ValueEstimate {
            residual_value: 1.0,
            tier: Some(2),
            tier_name: "low",
            ..estimate()
        });
        assert_eq!(
            lowest.tier_words(lowest.tier.as_ref().unwrap()),
            "low, below 40.00 GBP"
        );
    }

    #[test]
    fn a_change_is_the_difference_of_two_answers_and_of_their_factors() {
        let before = answer(estimate());
        let mut more = estimate();
        more.expected_spend = 700.0;
        more.residual_value = 600.0;
        more.value_at_risk = 40.0;
        more.reasons[0].contribution += 0.25;
        let after = answer(more);
        let changes = change(Some(&before), Some(&after)).unwrap();
        assert_eq!(changes.expected_spend_change, 79.5);
        assert_eq!(changes.residual_value_change, 87.875);
        assert_eq!(changes.value_at_risk_change, -61.5);
        assert!((changes.reasons[0].change - 0.25).abs() < 1e-12);
        assert_eq!(
            of_change(&before, &after),
            "The expected spend in 365 days goes from 621 GBP to 700 GBP, the residual value from 512 GBP to 600 GBP, the value at \
             risk from 102 GBP to 40.00 GBP; the tier stays high."
        );
        assert_eq!(change(Some(&before), None), None);
        assert!(
            change(Some(&before), Some(&before))
                .unwrap()
                .reasons
                .is_empty()
        );
    }
}
