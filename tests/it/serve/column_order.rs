//! A matrix is read in the order of the model that it was made for, or not at all.

use ebb::serve::client::inference::*;
use tonic::Code;

use super::inference::{matrix, raw, request, rows, tensor};
use super::*;

fn with_hash(request: &ModelInferRequest, hash: ParameterChoice) -> ModelInferRequest {
    let parameter = InferParameter {
        parameter_choice: Some(hash),
    };
    ModelInferRequest {
        parameters: [("feature_hash".to_owned(), parameter)].into(),
        ..request.clone()
    }
}

#[tokio::test]
async fn a_matrix_can_name_the_order_that_it_is_in() {
    let server = Running::ready().await;
    let request = matrix(&rows());
    let text = |hash: &str| with_hash(&request, ParameterChoice::StringParam(hash.into()));
    let (plain, named) = (
        server.infer(request.clone()).await.unwrap(),
        server.infer(text(&feature_hash())).await,
    );
    assert_eq!(plain, named.unwrap());
    let status = server.infer(text("beef")).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(
        status
            .message()
            .contains("feature_hash: the features are for beef"),
        "{}",
        status.message()
    );
    let status = server
        .infer(with_hash(&request, ParameterChoice::Int64Param(1)))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(
        status.message().starts_with("parameters[feature_hash]: "),
        "{}",
        status.message()
    );
}

/// A bundle whose features of other kinds come in this order of kinds, and its features.
fn spec_with_kinds(kinds: [&str; 2]) -> (BundleSpec, ebb::features::Catalogue) {
    let mut spec = spec();
    spec.schema.other_kinds = kinds.map(str::to_owned).to_vec();
    let catalogue = ebb::features::Catalogue::new(spec.schema.clone()).unwrap();
    let column = spec.preprocessing.columns[0].clone();
    let derived = spec
        .preprocessing
        .columns
        .split_off(spec.preprocessing.columns.len() - 4);
    let features = catalogue.features().iter();
    spec.preprocessing.columns = features
        .map(|f| ebb::model::Column {
            feature: f.name.clone(),
            scale: f.scale,
            ..column.clone()
        })
        .chain(derived)
        .collect();
    let more = spec.models[0].expansion.len();
    for model in &mut spec.models {
        model.weights = (0..spec.preprocessing.columns.len() + more)
            .map(|i| (i * 5 % 7) as f64 / 30.0 - 0.1)
            .collect();
    }
    spec.feature_hash = catalogue.hash();
    (spec, catalogue)
}

/// A reload that swaps two columns: the same bytes are never read in another order without an error.
#[tokio::test]
async fn a_matrix_is_not_read_in_an_order_that_changed_under_it() {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("live");
    let save = |spec: BundleSpec| ebb::model::save(&live, spec, CARD, "<html></html>").unwrap();
    let (first, catalogue) = spec_with_kinds(["return", "survey"]);
    let hash = first.feature_hash.clone();
    let version = save(first).version().to_owned();
    let path = live.clone();
    let load = move || {
        InitialState::load(&Config {
            model: Some(path),
            ..Config::default()
        })
    };
    let server = Running::of(Config::default(), load).await;
    let user = [
        ("recency_days", 4.0),
        ("tenure_days", 90.0),
        ("active_days", 3.0),
        ("active_days_30d", 2.0),
    ];
    let row = catalogue
        .vector(user.into_iter().chain([("survey_count", 7.0)]))
        .unwrap();
    let unnamed = matrix(&[row]);
    let guarded = with_hash(&unnamed, ParameterChoice::StringParam(hash));
    let pinned = ModelInferRequest {
        model_version: version.clone(),
        ..unnamed.clone()
    };
    for request in [&unnamed, &guarded, &pinned] {
        assert!(server.infer(request.clone()).await.is_ok());
    }
    let (second, _) = spec_with_kinds(["survey", "return"]);
    let next = save(second.clone()).version().to_owned();
    server.reload.send(()).await.unwrap();
    until(async || server.infer(pinned.clone()).await.is_err()).await;
    for request in [&unnamed, &guarded] {
        let status = server.infer(request.clone()).await.unwrap_err();
        assert_eq!(
            status.code(),
            Code::FailedPrecondition,
            "{}",
            status.message()
        );
    }
    // By name, by version and with the new hash there is no doubt.
    let by_name = tensor("recency_days", &[0]);
    let by_version = ModelInferRequest {
        model_version: next,
        ..unnamed.clone()
    };
    let hash = ParameterChoice::StringParam(second.feature_hash);
    for certain in [
        request(vec![by_name], vec![raw([])]),
        by_version,
        with_hash(&unnamed, hash),
    ] {
        assert!(server.infer(certain).await.is_ok());
    }
}
