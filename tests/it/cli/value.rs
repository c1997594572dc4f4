//! Fits of what users are worth: what `[value]` leaves as it is, and what it refuses.

use ebb::features::Catalogue;
use ebb::model::{Bundle, BundleSpec, Prediction, Subject};
use serde_json::Value;

use super::*;

/// A simulated business of 400 days with configurations with `[value]` and without.
pub(super) fn business() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let simulate = "simulate --quiet --users 500 --days 400 --seed 11 --out log";
    ebb_train(folder.path(), simulate).ok();
    let text = fs::read_to_string(folder.path().join("log/ebb.toml")).unwrap();
    let without = text.split("\n[value]").next().unwrap();
    fs::write(folder.path().join("log/without.toml"), without).unwrap();
    with_value(
        &folder,
        "kinds = [\"return\", \"purchase\"]\nhorizon_days = 90\n",
    );
    folder
}

/// Writes `with.toml`: the configuration without value, and these settings of `[value]`.
pub(super) fn with_value(folder: &TempDir, settings: &str) {
    let log = folder.path().join("log");
    let without = fs::read_to_string(log.join("without.toml")).unwrap();
    fs::write(
        log.join("with.toml"),
        format!("{without}\n[value]\n{settings}"),
    )
    .unwrap();
}

pub(super) fn fit(folder: &TempDir, name: &str) -> Run {
    let fit = format!("fit --quiet --config log/{name}.toml --out {name} --allow-below-baseline");
    ebb_train(folder.path(), &fit)
}

pub(super) fn spec(folder: &TempDir, name: &str) -> BundleSpec {
    serde_json::from_str(&bundle_json(folder.path(), name)).unwrap()
}

/// The answers of a bundle to users of every kind, as text: equal text is equal bits.
fn answers(spec: &BundleSpec, vectors: &[Vec<f64>]) -> Vec<String> {
    let bundle = Bundle::new(spec.clone(), "test".to_owned()).unwrap();
    let width = bundle.catalogue().len();
    let orders = bundle.catalogue().orders();
    let answer = |vector: &Vec<f64>| {
        let mut vector = vector.clone();
        vector.resize(width, 3.0);
        assert!(vector[orders.clone()].iter().all(|value| *value == 3.0));
        let as_of = spec.training.as_of;
        let mut predictor = bundle.predictor(&[]);
        let predicted = predictor.predict(Subject::Features(&vector), as_of, 8);
        let Ok(Prediction::Scored(score)) = predicted else {
            return format!("{predicted:?}");
        };
        format!("{:?} {:?} {:?}", score.horizons, score.stage, score.segment)
    };
    vectors.iter().map(answer).collect()
}

/// The feature vectors of the golden cases, and the same with some of their numbers unknown.
fn vectors(folder: &TempDir, name: &str) -> Vec<Vec<f64>> {
    let golden = fs::read_to_string(folder.path().join(name).join("golden.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    let of = |case: &Value| -> Vec<f64> {
        let features = case["features"].as_array().unwrap().iter();
        features.map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
    };
    let cases: Vec<Vec<f64>> = golden["cases"].as_array().unwrap().iter().map(of).collect();
    assert!(cases.len() > 8);
    cases
}

#[test]
fn value_changes_no_churn_answer_by_a_bit() {
    let folder = business();
    fit(&folder, "without").ok();
    fit(&folder, "with").ok();
    let (without, with) = (spec(&folder, "without"), spec(&folder, "with"));
    assert_eq!(with.schema.value_kinds, ["purchase", "return"]);
    assert_eq!(without.schema.value_kinds, [""; 0]);
    assert_eq!(with.segments, without.segments);
    assert_eq!(with.lifecycle, without.lifecycle);
    let n = Catalogue::new(without.schema.clone()).unwrap().len();
    let orders = n..n + 5;
    for (with, without) in with.models.iter().zip(&without.models) {
        let mut weights = with.weights.clone();
        assert!(weights.drain(orders.clone()).all(|weight| weight == 0.0));
        assert_eq!(weights, without.weights);
        assert_eq!(with.intercept.to_bits(), without.intercept.to_bits());
        assert_eq!(with.calibration, without.calibration);
    }
    let mut columns = with.preprocessing.columns.clone();
    let of_orders: Vec<String> = columns.drain(orders).map(|c| c.feature).collect();
    assert_eq!(
        of_orders,
        [
            "order_days",
            "recency_order_days",
            "order_age_days",
            "order_amount",
            "order_repeat_amount"
        ]
    );
    assert_eq!(columns, without.preprocessing.columns);
    let cases = vectors(&folder, "without");
    let expected = answers(&without, &cases);
    assert_eq!(answers(&with, &cases), expected);
    assert!(!expected.iter().any(|answer| answer.contains("order")));
    // The negative control: a weight on orders is seen.
    let mut weighed = with.clone();
    weighed.models[0].weights[n] = 0.5;
    assert_ne!(answers(&weighed, &cases), expected);
    // The card's figures of churn are the same, too.
    let horizons = |name: &str| {
        let card = fs::read_to_string(folder.path().join(name).join("card.json")).unwrap();
        serde_json::from_str::<Value>(&card).unwrap()["horizons"].clone()
    };
    assert_eq!(horizons("with"), horizons("without"));
}

#[test]
fn a_log_that_cannot_say_what_users_are_worth_is_refused() {
    let folder = business();
    let refused = |settings: &str| {
        with_value(&folder, settings);
        let run = fit(&folder, "with");
        assert!(run.code != 0 && !folder.path().join("with").exists());
        (run.code, run.error().to_owned())
    };
    let (code, message) = refused("kinds = [\"purchase\", \"retrun\"]\n");
    assert!(
        message
            .contains("no event is of the kind `retrun` of value.kinds; the nearest is `return`"),
        "{message}"
    );
    assert_eq!(code, 1);
    let (_, message) = refused("kinds = \"return\"\n");
    assert!(
        message.contains("no user has an order: on no day do the amounts of value.kinds (return)"),
        "{message}"
    );
    let (code, message) = refused("kinds = \"purchase\"\nhorizon_days = 30\n");
    assert!(
        message.contains("line ")
            && message.contains("value.horizon_days is 30: it must lie between 90 and 1095"),
        "{message}"
    );
    assert_eq!(code, 64);
    let log = folder.path().join("log");
    let text = fs::read_to_string(log.join("without.toml")).unwrap();
    let bare: String = text
        .lines()
        .filter(|line| !line.starts_with("amount = "))
        .map(|line| line.to_owned() + "\n")
        .collect();
    fs::write(log.join("without.toml"), bare).unwrap();
    let (_, message) = refused("kinds = \"purchase\"\n");
    assert!(
        message.contains("no event of the log has an amount: map `events.amount`"),
        "{message}"
    );
}
