//! Estimates, and a value model, to test with what is made of them.

use crate::features::FeatureGroup;
use crate::lifecycle::{Rule, Stage};
use crate::model::*;

/// A score of two horizons with this probability and without a value.
pub(crate) fn scored(probability: f64) -> Score<'static> {
    let horizon = |horizon_days| HorizonScore {
        horizon_days,
        probability,
        band: Bands::default().of(probability),
        log_odds: crate::math::logit(probability),
        base_log_odds: -0.5,
        reasons: Vec::new(),
        other_contribution: 0.0,
    };
    Score {
        horizons: vec![horizon(30), horizon(60)],
        stage: Stage::Mature,
        rule: Rule::Established,
        segment: None,
        value: None,
    }
}

/// What a regular customer is worth.
pub(crate) fn estimate() -> ValueEstimate<'static> {
    ValueEstimate {
        status: ValueStatus::Estimated,
        horizon_days: 365,
        expected_spend: 620.5,
        low: 120.25,
        high: 1_400.0,
        residual_value: 512.125,
        value_at_risk: 101.5,
        p_alive: 0.875,
        expected_orders: 7.5,
        tier: Some(0),
        tier_name: "high",
        rfm: Some(Rfm {
            recency: 5,
            frequency: 4,
            monetary: 3,
        }),
        reasons: vec![Reason {
            group: FeatureGroup::Amount,
            contribution: 0.5877866649021191,
            feature: "amount_total",
            value: Some(900.0),
            unit: "amount",
            description: "spent 900 in all".into(),
        }],
    }
}

/// What is known without the features of orders.
pub(crate) fn unknown() -> ValueEstimate<'static> {
    let nan = f64::NAN;
    ValueEstimate {
        status: ValueStatus::Unknown,
        horizon_days: 365,
        expected_spend: nan,
        low: nan,
        high: nan,
        residual_value: nan,
        value_at_risk: nan,
        p_alive: nan,
        expected_orders: nan,
        tier: None,
        tier_name: "",
        rfm: None,
        reasons: Vec::new(),
    }
}
