//! Tests of what an explanation says of a user's value.

use super::*;
use crate::model::tests::value::spec_with_value;
use crate::model::{Prediction, Subject};

fn explained(histories: &Histories, user: &str, suppose: &[&str]) -> UserExplanation {
    let suppose: Vec<String> = suppose.iter().map(|&text| text.to_owned()).collect();
    let bundle = Bundle::new(spec_with_value(), "test".into()).unwrap();
    explain(&Question {
        bundle: &bundle,
        base_rates: &BTreeMap::new(),
        histories,
        first_day: day("2023-01-01"),
        user,
        as_of: as_of(),
        horizon_days: None,
        suppose: &suppose,
    })
    .unwrap()
}

#[test]
fn the_value_is_that_of_the_score_with_the_reasons_of_every_group() {
    let histories = users();
    let bundle = Bundle::new(spec_with_value(), "test".into()).unwrap();
    let mut compared = 0;
    histories
        .for_each(|_, user, history| {
            let answer = explained(&histories, user, &[]).answer;
            let mut predictor = bundle.predictor(histories.kinds());
            let prediction = predictor.predict(Subject::History(history), as_of(), 0);
            let Prediction::Scored(score) = prediction.unwrap() else {
                assert_eq!(answer.value, None, "{user} has no score");
                return;
            };
            let (value, expected) = (answer.value.unwrap(), score.value.unwrap());
            assert_eq!(value.status, expected.status.name());
            assert_eq!(value.expected_spend, expected.expected_spend);
            assert_eq!(value.residual_value, expected.residual_value);
            assert_eq!(value.value_at_risk, expected.value_at_risk);
            assert_eq!(value.tier.unwrap().name, expected.tier_name);
            for reason in &value.reasons {
                let logarithm = reason.factor.ln();
                assert!((logarithm - reason.reason.contribution).abs() < 1e-12);
            }
            compared += usize::from(value.reasons.len() >= 5);
        })
        .unwrap();
    assert!(compared > 30, "{compared}");
}

#[test]
fn a_supposed_order_changes_the_value_as_a_log_with_it_would() {
    let histories = users();
    let explanation = explained(&histories, "u20", &["purchase yesterday 80"]);
    let what_if = explanation.what_if.unwrap();
    let [before, after] = [&what_if.before, &what_if.after].map(|a| a.value.clone().unwrap());
    assert_eq!(Some(&before), explanation.answer.value.as_ref());
    let change = what_if.value.unwrap();
    assert_ne!(change.expected_spend_change, 0.0);
    assert_eq!(
        change.residual_value_change,
        after.residual_value - before.residual_value
    );
    assert!(!change.reasons.is_empty());
    let said = "The expected spend in 365 days goes from ";
    assert!(what_if.sentences.iter().any(|s| s.starts_with(said)));

    let mut events = events();
    events.push(("u20".to_owned(), "purchase", as_of().plus(-1), 80.0));
    let all: Vec<Event<'_>> = events
        .iter()
        .map(|(user, kind, day, amount)| (user.as_str(), *kind, *day, *amount))
        .collect();
    let of_log = explained(&log(&all), "u20", &[]).answer.value.unwrap();
    assert_eq!(of_log, after);
}

#[test]
fn a_model_without_a_value_part_says_nothing_of_it() {
    let histories = users();
    let explanation = Asked {
        suppose: &["purchase yesterday 80"],
        ..Asked::of(&histories, "u20")
    };
    let explanation = explanation.ok();
    assert_eq!(explanation.answer.value, None);
    let what_if = explanation.what_if.unwrap();
    assert_eq!(what_if.value, None);
    assert!(!what_if.sentences.iter().any(|s| s.contains("spend")));
}
