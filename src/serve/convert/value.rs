use super::score::number;
use crate::model::{BundleSpec, Reason, Rfm, ValueEstimate, ValueModel, ValueStatus, ValueTier};
use crate::serve::wire;

/// The message for an estimate by the value model of this bundle.
pub(crate) fn estimate(spec: &BundleSpec, estimate: ValueEstimate<'_>) -> wire::ValueEstimate {
    let ValueEstimate {
        status,
        horizon_days,
        expected_spend,
        low,
        high,
        residual_value,
        value_at_risk,
        p_alive,
        expected_orders,
        tier: _,
        tier_name,
        rfm,
        reasons,
    } = estimate;
    let model = spec.value.as_ref();
    let longest = spec.schema.horizon_days.last();
    wire::ValueEstimate {
        status: wire::ValueStatus::from(status).into(),
        expected_spend: known(expected_spend),
        low: known(low),
        high: known(high),
        interval: model.map_or(0.0, |model| model.intervals.covers),
        residual_value: known(residual_value),
        value_at_risk: known(value_at_risk),
        horizon_days: u32::from(horizon_days),
        risk_horizon_days: longest.map_or(0, |days| u32::from(*days)),
        p_alive: known(p_alive),
        expected_order_days: known(expected_orders),
        tier: tier_name.to_owned(),
        rfm: rfm.map(wire::RfmScores::from),
        reasons: reasons.into_iter().map(wire::ValueReason::from).collect(),
        currency: model
            .and_then(|model| model.currency.clone())
            .unwrap_or_default(),
    }
}

/// A figure, if it is known.
fn known(figure: f64) -> Option<f64> {
    (!figure.is_nan()).then_some(figure)
}

impl From<ValueStatus> for wire::ValueStatus {
    fn from(status: ValueStatus) -> Self {
        match status {
            ValueStatus::Estimated => Self::Estimated,
            ValueStatus::NoSpend => Self::NoSpend,
            ValueStatus::Unknown => Self::Unknown,
        }
    }
}

impl From<Rfm> for wire::RfmScores {
    fn from(scores: Rfm) -> Self {
        let Rfm {
            recency,
            frequency,
            monetary,
        } = scores;
        Self {
            recency: u32::from(recency),
            frequency: u32::from(frequency),
            monetary: u32::from(monetary),
        }
    }
}

impl From<Reason<'_>> for wire::ValueReason {
    fn from(reason: Reason<'_>) -> Self {
        let Reason {
            group,
            contribution,
            feature,
            value,
            unit,
            description,
        } = reason;
        Self {
            group: wire::FeatureGroup::from(group).into(),
            factor: crate::model::factor(contribution),
            contribution,
            feature: feature.to_owned(),
            value,
            unit: unit.to_owned(),
            explanation: description,
        }
    }
}

impl From<&ValueModel> for wire::ValueModel {
    fn from(model: &ValueModel) -> Self {
        let ValueModel {
            currency,
            margin,
            horizon_days,
            learnt_days,
            annual_discount,
            residual_years,
            // Parameters are in the bundle and in the card.
            orders: _,
            spend: _,
            regression: _,
            regression_share,
            level: _,
            intervals,
            tiers,
            rfm: _,
        } = model;
        Self {
            horizon_days: u32::from(*horizon_days),
            learnt_days: u32::from(*learnt_days),
            interval: intervals.covers,
            currency: currency.clone().unwrap_or_default(),
            margin: *margin,
            annual_discount: *annual_discount,
            residual_years: *residual_years,
            regression_share: *regression_share,
            tiers: tiers.iter().map(wire::ValueTier::from).collect(),
        }
    }
}

impl From<&ValueTier> for wire::ValueTier {
    fn from(tier: &ValueTier) -> Self {
        let ValueTier { name, from } = tier;
        Self {
            name: name.clone(),
            from_residual_value: *from,
        }
    }
}

/// The positions of tiers that a request names, in order and each of them once.
///
/// # Errors
/// The place of the name that the model does not have, and the names that it has.
pub(crate) fn tiers(
    model: Option<&ValueModel>,
    names: &[String],
) -> Result<Vec<u32>, (usize, String)> {
    let tiers = model.map_or(&[][..], |model| &model.tiers);
    let position = |(i, name): (usize, &String)| {
        let found = tiers.iter().position(|tier| tier.name == *name);
        found
            .map(number)
            .ok_or_else(|| (i, unknown_tier(tiers, name)))
    };
    let mut positions = names
        .iter()
        .enumerate()
        .map(position)
        .collect::<Result<Vec<u32>, _>>()?;
    positions.sort_unstable();
    positions.dedup();
    Ok(positions)
}

fn unknown_tier(tiers: &[ValueTier], name: &str) -> String {
    if tiers.is_empty() {
        return "the model has no value part; one that was fitted with [value] in its configuration has tiers".to_owned();
    }
    let names: Vec<&str> = tiers.iter().map(|tier| tier.name.as_str()).collect();
    format!("the model has no tier `{name}`, but {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::value::{estimate as known_user, spec_with_value, unknown};

    #[test]
    fn an_estimate_keeps_its_bits_and_what_is_unknown_is_absent() {
        let spec = spec_with_value();
        let message = estimate(&spec, known_user());
        let expected = known_user();
        let bits = |x: Option<f64>| x.map(f64::to_bits);
        for (found, figure) in [
            (message.expected_spend, expected.expected_spend),
            (message.low, expected.low),
            (message.high, expected.high),
            (message.residual_value, expected.residual_value),
            (message.value_at_risk, expected.value_at_risk),
            (message.p_alive, expected.p_alive),
            (message.expected_order_days, expected.expected_orders),
        ] {
            assert_eq!(bits(found), Some(figure.to_bits()));
        }
        assert_eq!(message.status(), wire::ValueStatus::Estimated);
        assert_eq!((message.horizon_days, message.risk_horizon_days), (365, 60));
        assert_eq!(
            (message.tier.as_str(), message.currency.as_str()),
            ("high", "GBP")
        );
        assert_eq!(message.interval, 0.8);
        let rfm = message.rfm.unwrap();
        assert_eq!((rfm.recency, rfm.frequency, rfm.monetary), (5, 4, 3));
        assert!((message.reasons[0].factor - 1.8).abs() < 1e-12);

        let message = estimate(&spec, unknown());
        assert_eq!(message.status(), wire::ValueStatus::Unknown);
        let figures = [
            message.expected_spend,
            message.low,
            message.high,
            message.residual_value,
            message.value_at_risk,
            message.p_alive,
            message.expected_order_days,
        ];
        assert_eq!(figures, [None; 7]);
        assert!(message.rfm.is_none() && message.tier.is_empty() && message.reasons.is_empty());
    }

    #[test]
    fn tiers_are_named_in_any_order_and_only_those_of_the_model() {
        let spec = spec_with_value();
        let named = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            tiers(spec.value.as_ref(), &names)
        };
        assert_eq!(named(&["low", "high", "low"]), Ok(vec![0, 2]));
        let (place, problem) = named(&["low", "hihg"]).unwrap_err();
        assert_eq!(place, 1);
        assert_eq!(
            problem,
            "the model has no tier `hihg`, but high, medium, low"
        );
        assert!(
            tiers(None, &["high".to_owned()])
                .unwrap_err()
                .1
                .contains("[value]")
        );
        assert_eq!(tiers(None, &[]), Ok(vec![]));
    }
}
