//! A model with features of earlier years: offline and online alike, in every form of a subject.

use ebb::features::FeatureGroup as Group;
use ebb::model::{Prediction, Subject as Offline};

use super::inference::matrix;
use super::*;
use crate::support::{log_of_years, seasonal_spec};

fn bundle() -> Bundle {
    Bundle::new(seasonal_spec(), VERSION.into()).unwrap()
}

async fn server() -> Running {
    let users = histories(&log_of_years());
    // Answers count here, and not how soon a busy machine gives them.
    let limits = Limits {
        max_queue_wait_ms: 60_000,
        ..Limits::default()
    };
    Running::of(limited(limits), move || {
        stock_of(seasonal_spec(), Some(users))
    })
    .await
}

/// The values of a user's features of earlier years.
fn seasons(bundle: &Bundle, vector: &[f64]) -> Vec<f64> {
    let features = bundle.catalogue().features().iter().zip(vector);
    features
        .filter(|(feature, _)| feature.group == Group::Season)
        .map(|(_, value)| *value)
        .collect()
}

/// `ann` was there in earlier years and `dan` was not; a year before the end, `ann` had one earlier year.
const QUESTIONS: [(&str, &str, usize); 3] =
    [("ann", END, 10), ("dan", END, 0), ("ann", "2010-09-29", 5)];

#[tokio::test]
async fn every_form_of_a_subject_gives_the_bits_of_the_model_itself() {
    let (server, bundle, log) = (server().await, bundle(), log_of_years());
    let rolled = histories(&log);
    for (id, as_of, known) in QUESTIONS {
        let vector = vector_of(&bundle, &log, id, as_of);
        let seasons = seasons(&bundle, &vector);
        let found = seasons.iter().filter(|value| !value.is_nan()).count();
        assert_eq!((seasons.len(), found), (10, known), "{id} on {as_of}");
        let history = rolled.get(id).unwrap().unwrap();
        let day = as_of.parse().unwrap();
        let Prediction::Scored(offline) = bundle
            .predictor(rolled.kinds())
            .predict(Offline::History(history.view()), day, 3)
            .unwrap()
        else {
            panic!("{id} on {as_of} has no score");
        };
        let offline: Vec<u64> = offline
            .horizons
            .iter()
            .map(|horizon| horizon.probability.to_bits())
            .collect();
        let packed = PackedFeatures {
            values: vector.clone(),
        };
        let mut answers = Vec::new();
        for subject in [
            user(id),
            as_events(&log, id),
            as_days(&log, id),
            named(&bundle, vector.clone()),
            subject(SubjectForm::PackedFeatures(packed)),
        ] {
            let request = ScoreUserRequest {
                as_of: as_of.into(),
                feature_hash: bundle.spec().feature_hash.clone(),
                ..ask(subject)
            };
            let mut score = server.score(request).await.unwrap();
            score.events_after_as_of = 0;
            answers.push(score);
        }
        let probabilities = answers[0].horizons.iter();
        let online: Vec<u64> = probabilities
            .map(|horizon| horizon.churn_probability.to_bits())
            .collect();
        assert_eq!(online, offline, "{id} on {as_of}");
        for answer in &answers {
            // Debug prints the shortest text that reads back as the same number: equal text is equal bits.
            assert_eq!(format!("{answer:?}"), format!("{:?}", answers[0]));
        }
        let rows = server.infer(matrix(&[vector])).await.unwrap();
        assert_eq!(
            rows.raw_output_contents[0][..],
            f64::from_bits(offline[0]).to_le_bytes()
        );
    }
}

/// The negative control: a history that the client cut off after a year is another user's.
#[tokio::test]
async fn a_history_without_the_earlier_years_is_another_answer() {
    let server = server().await;
    let whole = server
        .score(ask(as_events(&log_of_years(), "ann")))
        .await
        .unwrap();
    let recent = server.score(ask(as_events(&log(), "ann"))).await.unwrap();
    assert_ne!(whole.horizons, recent.horizons);
}

#[tokio::test]
async fn the_model_lists_the_features_of_earlier_years_last_and_gives_reasons_of_them() {
    let server = server().await;
    let request = GetModelRequest::default();
    let model = server.models().get_model(request).await.unwrap();
    let model = model.into_inner().model.unwrap();
    let groups = model.features.iter().map(|feature| feature.group());
    let first = groups.clone().position(|g| g == FeatureGroup::Season);
    assert_eq!(first, Some(model.features.len() - 10));
    assert_eq!(groups.filter(|g| *g == FeatureGroup::Season).count(), 10);
    assert_eq!(model.lead_days, 7);
    let request = ScoreUserRequest {
        reason_count: Some(20),
        ..ask(user("ann"))
    };
    let score = server.score(request).await.unwrap();
    let reasons = score.horizons.iter().flat_map(|horizon| &horizon.reasons);
    let season = reasons.filter(|reason| reason.group() == FeatureGroup::Season);
    let explanations: Vec<&str> = season.map(|reason| reason.explanation.as_str()).collect();
    assert_eq!(explanations.len(), 2, "one for each horizon");
    assert!(
        explanations
            .iter()
            .all(|text| text.contains("with an activity in the")),
        "{explanations:?}"
    );
}

#[tokio::test]
async fn features_of_earlier_years_that_contradict_each_other_are_refused() {
    let (server, bundle, log) = (server().await, bundle(), log_of_years());
    let mut vector = vector_of(&bundle, &log, "ann", END);
    let position = bundle
        .catalogue()
        .position_of("active_days_30d_1y_ago")
        .unwrap();
    vector[position] = 31.0;
    let error = server.score(ask(named(&bundle, vector))).await.unwrap_err();
    assert_eq!(error.code(), tonic::Code::InvalidArgument);
    assert_eq!(
        error.message(),
        "subject.features.values[active_days_30d_1y_ago]: `active_days_30d_1y_ago` is 31: it must lie between 0 and 30"
    );
}
