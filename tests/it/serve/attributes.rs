//! Attributes in requests: weighed as offline, and every field checked.

use std::sync::Arc as Shared;

use ebb::features::FeatureGroup as Group;
use ebb::history::{
    AttributeColumn, AttributeKind, AttributeRecord, AttributeValue, Attributes, FiniteNumber,
};
use ebb::model::{Prediction, Subject as Offline};
use serde_json::json;
use tonic::Code;

use super::json_http::{post, with_http_of};
use super::*;
use crate::support::attribute_spec;

fn bundle() -> Bundle {
    Bundle::new(attribute_spec(), VERSION.into()).unwrap()
}

async fn server() -> Running {
    let users = histories(&log());
    Running::of(limited(Limits::default()), move || {
        stock_of(attribute_spec(), Some(users))
    })
    .await
}

fn category(name: &str, category: &str) -> Attribute {
    Attribute {
        name: name.into(),
        value: Some(AttributeValueForm::Category(category.into())),
    }
}

fn number(name: &str, number: f64) -> Attribute {
    Attribute {
        name: name.into(),
        value: Some(AttributeValueForm::Number(number)),
    }
}

fn with(subject: Subject, attributes: Vec<Attribute>) -> Subject {
    Subject {
        attributes,
        ..subject
    }
}

/// What the library answers for `ann` with a plan and an age.
fn offline(plan: Option<&str>, age: Option<f64>) -> f64 {
    let bundle = bundle();
    let users = histories(&log());
    let history = users.get("ann").unwrap().unwrap();
    let column = |name: &str, kind, categories: Vec<String>| AttributeColumn {
        name: name.into(),
        kind,
        categories,
    };
    let categories = plan.iter().map(|plan| (*plan).to_owned()).collect();
    let columns = vec![
        column("plan", AttributeKind::Category, categories),
        column("age", AttributeKind::Number, Vec::new()),
    ];
    let record = |column, value| AttributeRecord {
        from: None,
        column,
        value,
    };
    let plan = plan.map(|_| record(0, AttributeValue::Category(0)));
    let age = age.map(|age| record(1, AttributeValue::Number(FiniteNumber::new(age).unwrap())));
    let records = plan.into_iter().chain(age).collect();
    let history = history.with_attributes(Attributes::new(Shared::new(columns), records));
    let as_of = END.parse().unwrap();
    let mut predictor = bundle.predictor(users.kinds());
    match predictor
        .predict(Offline::History(history.view()), as_of, 0)
        .unwrap()
    {
        Prediction::Scored(score) => score.horizons[0].probability,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn attributes_are_weighed_as_offline_and_absent_is_missing() {
    let server = server().await;
    let log = log();
    let mut seen = Vec::new();
    for (plan, age) in [
        (None, None),
        (Some("free"), None),
        (Some("pro"), Some(41.5)),
        (Some("pro"), None),
        (Some("never seen"), Some(-3.0)),
    ] {
        let expected = offline(plan, age);
        let given: Vec<Attribute> = plan
            .map(|plan| category("plan", plan))
            .into_iter()
            .chain(age.map(|age| number("age", age)))
            .collect();
        for subject in [user("ann"), as_events(&log, "ann"), as_days(&log, "ann")] {
            let score = server
                .score(ask(with(subject, given.clone())))
                .await
                .unwrap();
            assert_eq!(
                score.horizons[0].churn_probability.to_bits(),
                expected.to_bits()
            );
            let absent = [("age", age.is_none()), ("plan", plan.is_none())];
            let absent = absent.iter().filter(|(_, absent)| *absent);
            assert!(
                score
                    .missing_attributes
                    .iter()
                    .eq(absent.map(|(name, _)| name))
            );
        }
        seen.push(expected.to_bits());
    }
    seen.dedup();
    assert_eq!(seen.len(), 5, "every one of them changes the answer");
    let group = |feature: &ebb::features::Feature| feature.group == Group::Attribute;
    assert_eq!(
        bundle()
            .catalogue()
            .features()
            .iter()
            .filter(|f| group(f))
            .count(),
        6
    );
}

#[tokio::test]
async fn what_is_no_attribute_of_the_model_is_refused_with_its_field() {
    let server = server().await;
    let log = log();
    let nothing = Attribute {
        name: "plan".into(),
        value: None,
    };
    for (given, field, problem) in [
        (
            vec![category("plam", "pro")],
            "[0].name",
            "`plam` is not an attribute of the model; it has age, plan",
        ),
        (
            vec![number("age", 4.0), number("plan", 4.0)],
            "[1].number",
            "`plan` is a category",
        ),
        (
            vec![category("age", "old")],
            "[0].category",
            "`age` is a number",
        ),
        (vec![number("age", f64::NAN)], "[0].number", "finite"),
        (
            vec![number("age", 1.0), number("age", 1.0)],
            "[1].name",
            "twice",
        ),
        (
            vec![category("plan", " ")],
            "[0].category",
            "must not be empty",
        ),
        (vec![nothing], "[0]", "set one of category and number"),
    ] {
        let asked = ask(with(as_days(&log, "ann"), given));
        let status = server.score(asked).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let message = status.message();
        assert!(
            message.contains(&format!("subject.attributes{field}")) && message.contains(problem),
            "{message}"
        );
    }
    let bundle = bundle();
    let vector = vec![f64::NAN; bundle.catalogue().len()];
    let asked = ask(with(named(&bundle, vector), vec![number("age", 1.0)]));
    let status = server.score(asked).await.unwrap_err();
    assert!(status.message().contains("subject.attributes"), "{status}");
    // A model without attributes knows none.
    let plain = Running::ready().await;
    let asked = ask(with(user("ann"), vec![number("age", 1.0)]));
    let status = plain.score(asked).await.unwrap_err();
    assert!(status.message().contains("which has none"), "{status}");
}

#[tokio::test]
async fn json_has_them_too() {
    let users = histories(&log());
    let (_server, address) = with_http_of(limited(Limits::default()), move || {
        stock_of(attribute_spec(), Some(users))
    })
    .await;
    let body = json!({
        "subject": {
            "userId": "ann",
            "attributes": [{"name": "plan", "category": "pro"}, {"name": "age", "number": 41.5}],
        },
        "asOf": END,
    });
    let answer = post(address, "/v1/score", &body).await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 200, "{text}");
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let found = answer["score"]["horizons"][0]["churnProbability"]
        .as_f64()
        .unwrap();
    assert_eq!(
        found.to_bits(),
        offline(Some("pro"), Some(41.5)).to_bits(),
        "{text}"
    );
}
