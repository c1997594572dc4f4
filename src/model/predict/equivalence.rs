//! Three ways to the same bits: the formulas written down, one row at a time, and blocks of rows.

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;

use crate::features::FeatureGroup;
use crate::math::sigmoid;
use crate::model::tests::{seasonal_spec, spec, spec_with_segment_scales};
use crate::model::*;

/// Silence or an event is churn, two horizons that disagree; the bundle that is part of the repository; and one with
/// features of earlier years, and one whose segments have scales of their own.
static BUNDLES: LazyLock<[Bundle; 5]> = LazyLock::new(|| {
    let event = BundleSpec {
        churn_event: Some("return".into()),
        ..spec()
    };
    let bundle = |spec| Bundle::new(spec, "test".into()).unwrap();
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/shop");
    [
        bundle(spec()),
        bundle(event),
        load(&shop).unwrap().bundle,
        bundle(seasonal_spec()),
        bundle(spec_with_segment_scales()),
    ]
});

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        2 => Just(f64::NAN),
        2 => Just(0.0),
        6 => (0..400_u32).prop_map(f64::from),
        4 => 0.0..60.0_f64,
        1 => -90.0..90.0_f64,
        1 => prop::sample::select(vec![-0.0, 1.0, 4_095.0, 4_096.0, 1e15, -1e15, 1e300, f64::INFINITY]),
    ]
}

/// A vector of a bundle, most often one that is scored.
fn vector(bundle: &Bundle) -> impl Strategy<Value = Vec<f64>> + use<> {
    let positions = bundle.plan().positions;
    let needed = (1..300_u32, 1..200_u32, 1..40_u32, 0..20_u32);
    (
        prop::collection::vec(value(), bundle.catalogue().len()),
        needed,
        prop::bool::weighted(0.8),
    )
        .prop_map(
            move |(mut vector, (tenure, recency, active, recent), likely)| {
                if likely {
                    for (position, value) in positions
                        .needed()
                        .into_iter()
                        .zip([tenure, recency, active, recent])
                    {
                        vector[position] = f64::from(value);
                    }
                }
                vector
            },
        )
}

fn vectors() -> impl Strategy<Value = (usize, Vec<Vec<f64>>)> {
    (0..BUNDLES.len()).prop_flat_map(|which| {
        (
            Just(which),
            prop::collection::vec(vector(&BUNDLES[which]), 0..150),
        )
    })
}

/// A horizon's log-odds and groups by decreasing effect, from the formulas.
fn formulas(
    bundle: &Bundle,
    model: &ChurnModel,
    vector: &[f64],
) -> (f64, Vec<(FeatureGroup, f64)>) {
    let mut z = Vec::new();
    bundle
        .spec()
        .preprocessing
        .standardise(bundle.catalogue(), vector, &mut z);
    let shares: Vec<f64> = model
        .contributions(&z)
        .into_iter()
        .map(|c| model.calibration.slope * c)
        .collect();
    let of: Vec<FeatureGroup> = bundle
        .catalogue()
        .features()
        .iter()
        .map(|f| f.group)
        .chain(bundle.derived().iter().map(|d| d.group()))
        .collect();
    let groups = [
        FeatureGroup::Recency,
        FeatureGroup::Frequency,
        FeatureGroup::Tenure,
        FeatureGroup::Rhythm,
        FeatureGroup::Amount,
        FeatureGroup::OtherEvents,
        FeatureGroup::Season,
        FeatureGroup::Attribute,
    ];
    let sum = |group| {
        of.iter()
            .zip(&shares)
            .filter(|(t, _)| **t == group)
            .map(|(_, c)| c)
            .sum::<f64>()
    };
    let mut effects: Vec<(FeatureGroup, f64)> = groups
        .into_iter()
        .filter(|t| of.contains(t))
        .map(|group| (group, sum(group)))
        .collect();
    effects.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let base = model.calibration.intercept + model.calibration.slope * model.intercept;
    (base + effects.iter().map(|(_, c)| c).sum::<f64>(), effects)
}

fn score<'m>(
    bundle: &'m Bundle,
    vector: &[f64],
    reason_count: usize,
) -> Result<Prediction<'m>, ModelError> {
    bundle.predictor(&[]).predict(
        Subject::Features(vector),
        bundle.spec().training.as_of,
        reason_count,
    )
}

/// The nearest segment by the formulas.
fn segment(bundle: &Bundle, vector: &[f64]) -> Option<(usize, f64)> {
    let segments = &bundle.spec().segments;
    let z = segments.features.iter().enumerate().map(|(axis, name)| {
        let position = bundle.catalogue().position_of(name).unwrap();
        let own = &bundle.spec().preprocessing.columns[position];
        segments.column(axis, own).standardise(vector[position])
    });
    segments.nearest(z)
}

/// Scales of their own put some users into another segment: the comparison with the formulas can fail.
#[test]
fn scales_of_segments_decide_which_is_nearest() {
    let [plain, .., scaled] = &*BUNDLES;
    let vector = |days: f64| vec![days; plain.catalogue().len()];
    let differs = (1..90).map(f64::from).filter(|days| {
        let of = |bundle| segment(bundle, &vector(*days)).map(|(id, _)| id);
        of(plain) != of(scaled)
    });
    assert!(differs.count() >= 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn one_row_is_the_formulas((which, vectors) in vectors(), reason_count in 0..8_usize) {
        let bundle = &BUNDLES[which];
        for vector in &vectors {
            let Ok(Prediction::Scored(score)) = score(bundle, vector, reason_count) else { continue };
            let nearest = score.segment.map(|s| (s.id, s.distance.to_bits()));
            let expected = segment(bundle, vector).map(|(id, distance)| (id, distance.to_bits()));
            prop_assert_eq!(nearest, expected);
            let mut shorter: Option<(f64, Vec<(FeatureGroup, f64)>)> = None;
            for (horizon, model) in score.horizons.iter().zip(&bundle.spec().models) {
                let own = formulas(bundle, model, vector);
                let cap = shorter.take().filter(|s| if which == 1 { s.0 > own.0 } else { s.0 < own.0 });
                let (log_odds, effects) = cap.unwrap_or(own);
                prop_assert_eq!(horizon.log_odds.to_bits(), log_odds.to_bits());
                prop_assert_eq!(horizon.probability.to_bits(), sigmoid(log_odds).to_bits());
                let explained: Vec<(FeatureGroup, f64)> = horizon.reasons.iter().map(|r| (r.group, r.contribution)).collect();
                prop_assert_eq!(&explained[..], &effects[..reason_count.min(effects.len())]);
                let others = effects.iter().skip(reason_count).fold(0.0, |sum, (_, c)| sum + c);
                prop_assert_eq!(horizon.other_contribution.to_bits(), others.to_bits());
                shorter = Some((log_odds, effects));
            }
        }
    }

    #[test]
    fn blocks_of_rows_are_rows_one_by_one((which, vectors) in vectors()) {
        let bundle = &BUNDLES[which];
        let scores = bundle.predict_matrix(&vectors.concat()).unwrap();
        prop_assert_eq!(scores.outcomes.len(), vectors.len());
        let horizons = bundle.spec().models.len();
        for (row, vector) in vectors.iter().enumerate() {
            let found = (scores.outcomes[row], scores.segments[row]);
            let probabilities = &scores.probabilities[row * horizons..(row + 1) * horizons];
            let expected = match score(bundle, vector, 0) {
                Ok(Prediction::Scored(score)) => {
                    for (found, horizon) in probabilities.iter().zip(&score.horizons) {
                        prop_assert_eq!(found.to_bits(), horizon.probability.to_bits());
                    }
                    prop_assert_eq!(found, (RowOutcome::Scored, score.segment.map(|s| s.id)));
                    continue;
                }
                Ok(Prediction::TooNew | Prediction::AlreadyChurned) => RowOutcome::TooNew,
                Ok(Prediction::Inactive { .. }) => RowOutcome::Inactive,
                Err(_) => RowOutcome::Incomplete,
            };
            prop_assert_eq!(found, (expected, None));
            prop_assert!(probabilities.iter().all(|p| p.is_nan()));
        }
    }
}

#[test]
fn vectors_that_are_not_whole_are_refused() {
    let bundle = &BUNDLES[0];
    let width = bundle.catalogue().len();
    assert_eq!(bundle.predict_matrix(&[]).unwrap(), MatrixScores::default());
    let error = bundle
        .predict_matrix(&vec![1.0; 3 * width + 2])
        .unwrap_err();
    assert!(
        matches!(error, ModelError::Width { expected, found: 2 } if expected == width),
        "{error}"
    );
}
