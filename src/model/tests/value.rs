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

/// The tests' bundle with a value model in pounds, whose regression weighs every column.
pub(crate) fn spec_with_value() -> BundleSpec {
    spec_of_kinds(&["purchase", "return"])
}

/// The same with orders of these kinds.
pub(crate) fn spec_of_kinds(value_kinds: &[&str]) -> BundleSpec {
    let spec = super::spec_of(0, 0, value_kinds);
    let tier = |name: &str, from: f64| ValueTier {
        name: name.to_owned(),
        from,
    };
    let columns = spec.preprocessing.columns.len();
    let regression = SpendRegression {
        intercept: 3.0,
        expansion: Expansion {
            hinges: Vec::new(),
            interactions: Vec::new(),
        },
        weights: (0..columns)
            .map(|i| 0.01 * ((i * 17 % 11) as f64 - 5.0))
            .collect(),
    };
    let value = ValueModel {
        currency: Some("GBP".into()),
        margin: 0.35,
        horizon_days: 365,
        learnt_days: 180,
        annual_discount: 0.1,
        residual_years: Some(3.0),
        orders: ParetoNbd {
            r: 0.55,
            alpha: 74.0,
            s: 0.6,
            beta: 82.0,
        },
        spend: SpendModel::Mean(36.0),
        regression: Some(regression),
        regression_share: 0.5,
        level: 1.0,
        intervals: SpendIntervals {
            covers: 0.8,
            bands: vec![SpendIntervalBand {
                from: 0.0,
                low: 0.25,
                high: 2.5,
            }],
        },
        tiers: vec![tier("high", 250.0), tier("medium", 40.0), tier("low", 0.0)],
        rfm: RfmCuts {
            recency_days: vec![15.0, 30.0, 60.0, 120.0],
            orders: vec![1.0, 2.0, 4.0, 8.0],
            amount: vec![20.0, 50.0, 100.0, 300.0],
        },
    };
    BundleSpec {
        value: Some(value),
        ..spec
    }
}

/// The users' vectors that have a score, with it.
fn scored_vectors(bundle: &Bundle, reasons: usize) -> Vec<(Vec<f64>, Score<'_>)> {
    let kinds = bundle.catalogue().kinds();
    let as_of = bundle.spec().training.as_of;
    let mut found = Vec::new();
    for history in super::users() {
        let mut vector = vec![f64::NAN; bundle.catalogue().len()];
        bundle
            .extractor(kinds)
            .extract(history.view(), as_of, &mut vector);
        let subject = Subject::Features(&vector);
        let mut predictor = bundle.predictor(kinds);
        if let Prediction::Scored(score) = predictor.predict(subject, as_of, reasons).unwrap() {
            found.push((vector, score));
        }
    }
    assert!(found.len() > 30, "{}", found.len());
    found
}

#[test]
fn reasons_of_spend_add_up_to_the_regression_largest_effect_first() {
    let bundle = Bundle::new(spec_with_value(), "test".into()).unwrap();
    let regression = bundle.spec().value.as_ref().unwrap().regression.as_ref();
    let weights = &regression.unwrap().weights;
    let (mut raised, mut lowered) = (0, 0);
    for (vector, score) in scored_vectors(&bundle, usize::MAX) {
        let value = score.value.unwrap();
        let sum: f64 = value.reasons.iter().map(|r| r.contribution).sum();
        let z = super::standardised(&bundle, &vector);
        let expected: f64 = z.iter().zip(weights).map(|(z, w)| z * w).sum();
        assert!((sum - expected).abs() < 1e-9, "{sum} {expected}");
        let sizes = value.reasons.iter().map(|r| r.contribution.abs());
        assert!(sizes.is_sorted_by(|a, b| a >= b));
        raised += value
            .reasons
            .iter()
            .filter(|r| r.contribution > 0.0)
            .count();
        lowered += value
            .reasons
            .iter()
            .filter(|r| r.contribution < 0.0)
            .count();
    }
    assert!(raised > 30 && lowered > 30, "{raised} {lowered}");
    for (_, score) in scored_vectors(&bundle, 2) {
        assert_eq!(score.value.unwrap().reasons.len(), 2);
    }
}

#[test]
fn much_activity_speaks_for_more_spend_and_for_less_churn() {
    // One column is weighed, by both models: more active days, less churn and more spend.
    let mut spec = spec_with_value();
    let catalogue = crate::features::Catalogue::new(spec.schema.clone()).unwrap();
    let days = catalogue.required(crate::features::Quantity::ActiveDays);
    for model in &mut spec.models {
        model.weights.fill(0.0);
        model.weights[days] = -1.0;
    }
    let regression = spec.value.as_mut().unwrap().regression.as_mut().unwrap();
    regression.weights.fill(0.0);
    regression.weights[days] = 1.0;
    let bundle = Bundle::new(spec, "test".into()).unwrap();
    for (_, score) in scored_vectors(&bundle, 1) {
        let (churn, spend) = (
            &score.horizons[0].reasons[0],
            &score.value.as_ref().unwrap().reasons[0],
        );
        assert_eq!((churn.group, churn.feature), (spend.group, spend.feature));
        assert_eq!(churn.description, spend.description);
        assert!(churn.contribution * spend.contribution <= 0.0);
    }
}

#[test]
fn a_factor_is_said_with_the_digits_that_it_has() {
    let words = |factor: f64| factor_words(libm::log(factor));
    for (factor, text) in [
        (1.8, "x 1.8"),
        (12.0, "x 12"),
        (1.04, "x 1.04"),
        (0.5, "x 0.5"),
        (0.03, "x 0.03"),
        (0.001, "x <0.01"),
    ] {
        assert_eq!(words(factor), text);
    }
    assert_eq!(estimate().rfm.unwrap().text(), "5-4-3");
}
