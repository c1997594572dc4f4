mod explanations;
mod files;
mod scores;
pub(crate) mod value;

use crate::features::{Catalogue, FeatureSchema};
use crate::history::{Amount, Day, DayRecord, History};
use crate::lifecycle::Thresholds;
use crate::model::*;

/// A bundle with synthetic weights: two horizons that disagree for some users.
pub(crate) fn spec() -> BundleSpec {
    spec_of(0, 0, &[])
}

/// The same with features of two earlier years and a lead.
pub(crate) fn seasonal_spec() -> BundleSpec {
    spec_of(2, 7, &[])
}

/// The same with segments that keep the scales of an earlier bundle.
pub(crate) fn spec_with_segment_scales() -> BundleSpec {
    let mut spec = spec();
    let columns = &spec.preprocessing.columns;
    let of = |name: &String| columns.iter().find(|c| c.feature == *name).unwrap();
    let scaled = |name| {
        let own = of(name);
        Column {
            mean: own.mean + 1.5,
            std_dev: own.std_dev * 0.8,
            clip_max: 4.5,
            ..own.clone()
        }
    };
    spec.segments.columns = spec.segments.features.iter().map(scaled).collect();
    spec
}

#[expect(clippy::too_many_lines, reason = "one literal, a field a line")]
fn spec_of(seasonal_years: u16, lead_days: u32, value_kinds: &[&str]) -> BundleSpec {
    let schema = FeatureSchema {
        activity: vec!["purchase".into()],
        other_kinds: vec!["return".into()],
        horizon_days: vec![30, 60],
        amounts: true,
        seasonal_years,
        lead_days,
        value_kinds: value_kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        attributes: Vec::new(),
    };
    let catalogue = Catalogue::new(schema.clone()).unwrap();
    let columns = catalogue
        .features()
        .iter()
        .enumerate()
        .map(|(i, f)| Column {
            feature: f.name.clone(),
            scale: f.scale,
            mean: 0.1 * (i % 7) as f64,
            std_dev: 0.5 + 0.1 * (i % 5) as f64,
            clip_min: 0.0,
            clip_max: 7.0,
        });
    let column = |d: &Derived| Column {
        feature: d.name(),
        scale: d.scale(),
        mean: 0.2,
        std_dev: 1.1,
        clip_min: -9.0,
        clip_max: 9.0,
    };
    let bg_nbd = Some(BgNbd {
        r: 0.243,
        alpha: 30.9,
        a: 0.793,
        b: 2.426,
    });
    let derived = Preprocessing {
        columns: Vec::new(),
        bg_nbd,
    }
    .derived(&catalogue);
    let columns: Vec<Column> = columns.chain(derived.iter().map(column)).collect();
    let expansion = Expansion {
        hinges: vec![Hinge {
            column: 0,
            knot: 0.4,
            mean: 0.3,
            std_dev: 0.9,
        }],
        interactions: vec![Interaction {
            first: 0,
            second: columns.len() - 1,
            mean: 0.1,
            std_dev: 2.0,
            clip_min: -5.0,
            clip_max: 5.0,
        }],
    };
    let model = |horizon_days: u16, sign: f64| ChurnModel {
        horizon_days,
        intercept: -0.3,
        expansion: expansion.clone(),
        weights: (0..columns.len() + 2)
            .map(|i| sign * 0.05 * ((i * 31 % 13) as f64 - 6.0))
            .collect(),
        calibration: Calibration {
            intercept: 0.1,
            slope: 0.9,
        },
    };
    let day = |text: &str| text.parse::<Day>().unwrap();
    BundleSpec {
        format_version: FORMAT_VERSION,
        feature_hash: catalogue.hash(),
        models: vec![model(30, 1.0), model(60, -1.0)],
        schema,
        timezone: "Europe/London".into(),
        active_within_days: 180,
        lead_days,
        churn_event: None,
        preprocessing: Preprocessing {
            columns: columns.clone(),
            bg_nbd,
        },
        bands: Bands::default(),
        segments: Segments {
            features: vec!["recency_days".into(), "tenure_days".into()],
            columns: Vec::new(),
            last_key: 5,
            items: vec![
                Segment {
                    key: SegmentKey::at(3),
                    name: "recent".into(),
                    centroid: vec![-1.0, 0.0],
                    users: 5,
                    churn_rate: 0.2,
                },
                Segment {
                    key: SegmentKey::at(1),
                    name: "lapsed".into(),
                    centroid: vec![3.0, 1.0],
                    users: 4,
                    churn_rate: 0.7,
                },
            ],
        },
        lifecycle: Thresholds::default(),
        value: None,
        conversion: None,
        training: Training {
            as_of: day("2024-06-01"),
            first_day: day("2023-01-01"),
            last_day: day("2024-05-31"),
            snapshots: vec![],
            rows: 9,
            users: 9,
            data_hash: "0".into(),
            kinds: ["purchase", "return", "survey"].map(str::to_owned).to_vec(),
            seed: 7,
            ebb_version: "0.0.0".into(),
        },
    }
}

/// The value model of [`value::spec_with_value`].
pub(crate) fn value_model() -> ValueModel {
    value::spec_with_value().value.unwrap()
}

fn bundle() -> Bundle {
    Bundle::new(spec(), "test".into()).unwrap()
}

fn users() -> impl Iterator<Item = History> {
    (1..60_i32).map(|user| {
        let visits = (0..1 + user % 9).map(|visit| DayRecord {
            amount: Amount::new(f64::from(user * 7 % 50)).unwrap(),
            day: "2024-06-01"
                .parse::<Day>()
                .unwrap()
                .plus(-1 - user % 150 - visit * (3 + user % 20)),
            count: 1 + (user % 3) as u32,
            kind: u16::from(visit % 4 == 3),
        });
        History::new(visits.collect()).unwrap()
    })
}

fn score<'m>(bundle: &'m Bundle, history: &History) -> Option<Score<'m>> {
    let as_of = bundle.spec().training.as_of;
    match bundle
        .predictor(bundle.catalogue().kinds())
        .predict(Subject::History(history.view()), as_of, 3)
        .unwrap()
    {
        Prediction::Scored(score) => Some(score),
        _ => None,
    }
}

/// The standardised numbers of a raw vector, by the formulas.
fn standardised(bundle: &Bundle, vector: &[f64]) -> Vec<f64> {
    let mut z = Vec::new();
    let preprocessing = &bundle.spec().preprocessing;
    preprocessing.standardise(bundle.catalogue(), vector, &mut z);
    z
}
