//! Potential users, in every form of an answer: the bits of the file of scores.

use std::collections::BTreeMap;

use ebb::batch::scores::{Target, write_scores};
use ebb::features::FeatureSchema;
use ebb::model::{Segments, save};
use ebb::phases::Phases;

use super::*;
use crate::support::spec_of_schema;

/// The tests' bundle with a part for potential users: whoever never answered a survey, but did anything else.
fn conversion_spec() -> BundleSpec {
    let schema = FeatureSchema {
        activity: ["booking", "purchase", "return", "visit"]
            .map(str::to_owned)
            .to_vec(),
        other_kinds: Vec::new(),
        ..spec().schema
    };
    let model = BundleSpec {
        active_within_days: 120,
        segments: Segments::default(),
        ..spec_of_schema(schema, 0)
    };
    let part = ebb::model::ConversionModel {
        event: vec!["survey".into()],
        repeat: false,
        model: Box::new(model),
    };
    BundleSpec {
        conversion: Some(part),
        ..spec()
    }
}

async fn server() -> Running {
    let load = || stock_of(conversion_spec(), Some(histories(&log())));
    Running::of(limited(Limits::default()), load).await
}

/// The rows of the file of potential users by user and horizon.
fn file() -> BTreeMap<(String, u32), BTreeMap<String, String>> {
    let bundle = Bundle::new(conversion_spec(), VERSION.into()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let target = Target::new(&folder.path().join("scores.csv")).unwrap();
    let as_of = END.parse().unwrap();
    let users = histories(&log());
    write_scores(&bundle, &users, as_of, &target, Phases::UNOBSERVED).unwrap();
    let mut reader = csv::Reader::from_path(folder.path().join("scores.conversion.csv")).unwrap();
    let rows = reader.deserialize::<BTreeMap<String, String>>();
    rows.map(Result::unwrap)
        .map(|row| {
            let key = (row["user_id"].clone(), row["horizon_days"].parse().unwrap());
            (key, row)
        })
        .collect()
}

/// Whether an answer is that of the file, to the bit.
fn assert_is_of_file(
    user: &str,
    score: &Score,
    file: &BTreeMap<(String, u32), BTreeMap<String, String>>,
) {
    let rows = file.keys().filter(|(of, _)| of == user).count();
    assert_eq!(score.conversion.len(), rows, "{user}");
    for h in &score.conversion {
        let row = &file[&(user.to_owned(), h.horizon_days)];
        let expected: f64 = row["conversion_probability"].parse().unwrap();
        assert_eq!(h.probability.to_bits(), expected.to_bits(), "{user}");
        for (k, reason) in h.reasons.iter().enumerate() {
            let words = format!("{} ({:+.2})", reason.explanation, reason.contribution);
            assert_eq!(words, row[&format!("reason_{}", k + 1)], "{user}");
        }
        let sum: f64 = h.reasons.iter().map(|r| r.contribution).sum();
        assert!((h.base_log_odds + sum + h.other_contribution - h.log_odds).abs() < 1e-9);
    }
}

#[tokio::test]
async fn answers_have_the_bits_of_the_file_for_known_users_and_for_histories() {
    let server = server().await;
    let file = file();
    for name in ["ann", "dan", "ola", "ret", "zed"] {
        for subject in [user(name), as_events(&log(), name)] {
            let request = ScoreUserRequest {
                as_of: END.into(),
                ..ask(subject)
            };
            let score = server.score(request).await.unwrap();
            assert_is_of_file(name, &score, &file);
        }
    }
    let of = |name: &str| file.keys().filter(|(user, _)| user == name).count();
    // `ann` answered a survey, `ola` was last seen long ago; `ret` has no activity of churn and is a potential user.
    assert_eq!(["ann", "dan", "ola", "ret", "zed"].map(of), [0, 2, 0, 2, 2]);
    let ret = server.score(ask(user("ret"))).await.unwrap();
    assert_eq!(ret.status(), ScoreStatus::TooNew);
    assert!(ret.horizons.is_empty() && ret.conversion.len() == 2);
}

async fn model(server: &Running) -> Model {
    let request = GetModelRequest::default();
    let answer = server.models().get_model(request).await.unwrap();
    answer.into_inner().model.unwrap()
}

#[tokio::test]
async fn a_model_names_its_question_and_one_without_a_part_answers_nothing() {
    let with = server().await;
    let question = model(&with).await.conversion.unwrap();
    assert_eq!(question.event_kinds, ["survey"]);
    assert_eq!(
        question.sign_kinds,
        ["booking", "purchase", "return", "visit"]
    );
    assert_eq!(question.horizon_days, [30, 90]);
    assert_eq!((question.within_days, question.repeat), (120, false));
    let without = Running::ready().await;
    assert!(model(&without).await.conversion.is_none());
    let score = without.score(ask(user("dan"))).await.unwrap();
    assert!(score.conversion.is_empty());
    // Churn is the same bits with the part and without it.
    let same = with.score(ask(user("dan"))).await.unwrap();
    assert_eq!(same.horizons, score.horizons);
}

#[test]
fn a_saved_part_is_replayed_and_one_that_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let saved = save(&path, conversion_spec(), CARD, "<html></html>").unwrap();
    assert_eq!(ebb::model::load(&path).unwrap().bundle, saved);
    let golden = std::fs::read_to_string(path.join("golden.json")).unwrap();
    assert!(golden.contains("\"conversion\""));
    let broken = |change: &dyn Fn(&mut BundleSpec)| {
        let mut spec = conversion_spec();
        let part = spec.conversion.as_mut().unwrap();
        change(&mut part.model);
        Bundle::new(spec, VERSION.into()).unwrap_err().to_string()
    };
    let message = broken(&|model| model.models[0].weights[0] = f64::NAN);
    assert!(message.contains("conversion.model.models"), "{message}");
    let message = broken(&|model| model.lead_days = 3);
    assert!(message.contains("conversion"), "{message}");
    let message = broken(&|model| model.segments = spec().segments);
    assert!(message.contains("has segments"), "{message}");
}

#[tokio::test]
async fn users_of_a_roll_up_without_the_event_get_no_answer_and_a_history_without_it_does() {
    // Nobody answered a survey, or the feed of surveys is missing: the roll-up cannot say which.
    let mut without = log();
    without.retain(|event| event.kind != "survey");
    let load = || {
        let mut without = log();
        without.retain(|event| event.kind != "survey");
        stock_of(conversion_spec(), Some(histories(&without)))
    };
    let server = Running::of(limited(Limits::default()), load).await;
    for name in ["ann", "dan", "ret", "zed"] {
        let known = server.score(ask(user(name))).await.unwrap();
        assert!(known.conversion.is_empty(), "{name}");
    }
    // Who sends a history says all that happened: silence means not converted.
    let asked = ask(as_events(&without, "ann"));
    let silent = server.score(asked).await.unwrap();
    assert_eq!(silent.conversion.len(), 2);
    // The negative control: the same history with a survey has converted.
    let asked = ask(as_events(&log(), "ann"));
    assert!(server.score(asked).await.unwrap().conversion.is_empty());
}
