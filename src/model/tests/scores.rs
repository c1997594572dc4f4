use super::{bundle, score, spec, standardised, users};
use crate::history::{Amount, DayRecord, History};
use crate::model::*;

#[test]
fn the_contributions_are_those_of_the_scoring_model() {
    let bundle = bundle();
    let history = users().nth(20).unwrap();
    let mut vector = vec![f64::NAN; bundle.catalogue().len()];
    let as_of = bundle.spec().training.as_of;
    bundle
        .extractor(bundle.catalogue().kinds())
        .extract(history.view(), as_of, &mut vector);
    let z = standardised(&bundle, &vector);
    let model = &bundle.spec().models[0];
    let mut row = z.clone();
    model.expansion.extend(&mut row, 0);
    assert!(
        row.len() == z.len() + 2 && row.iter().all(|x| *x != 0.0),
        "every kind of number takes part"
    );
    let log_odds = 0.1 + 0.9 * model.log_odds(&row);
    assert!((score(&bundle, &history).unwrap().horizons[0].log_odds - log_odds).abs() < 1e-12);
}

#[test]
fn a_longer_silence_is_never_likelier_than_a_shorter_one() {
    let bundle = bundle();
    let mut capped = 0;
    for score in users().filter_map(|u| score(&bundle, &u)) {
        let (short, long) = (&score.horizons[0], &score.horizons[1]);
        assert!(long.probability <= short.probability);
        capped += usize::from(long.log_odds == short.log_odds);
        assert_eq!(long.horizon_days, 60);
    }
    // The synthetic horizons contradict each other, or this test would prove nothing.
    assert!(capped > 0);
}

#[test]
fn an_event_that_is_churn_is_likelier_in_a_longer_horizon() {
    let mut event = spec();
    event.churn_event = Some("return".into());
    let bundle = Bundle::new(event, "test".into()).unwrap();
    let scored: Vec<Score<'_>> = users().filter_map(|u| score(&bundle, &u)).collect();
    assert!(!scored.is_empty());
    assert!(
        scored
            .iter()
            .all(|s| s.horizons[0].probability <= s.horizons[1].probability)
    );
}

#[test]
fn a_user_without_a_probability_has_a_reason() {
    let bundle = bundle();
    let as_of = bundle.spec().training.as_of;
    let mut predictor = bundle.predictor(bundle.catalogue().kinds());
    let mut ask = |rows: &[(i32, u16)]| {
        let record = |&(age, kind): &(i32, u16)| DayRecord {
            amount: Amount::default(),
            day: as_of.plus(-age),
            count: 1,
            kind,
        };
        let history = History::new(rows.iter().map(record).collect()).unwrap();
        predictor
            .predict(Subject::History(history.view()), as_of, 3)
            .unwrap()
    };
    assert_eq!(ask(&[]), Prediction::TooNew);
    assert_eq!(
        ask(&[(0, 0)]),
        Prediction::TooNew,
        "an event on the as-of day is not seen"
    );
    assert_eq!(
        ask(&[(5, 1)]),
        Prediction::TooNew,
        "a return is no activity"
    );
    assert_eq!(
        ask(&[(181, 0)]),
        Prediction::Inactive {
            recency_days: 181.0
        }
    );
    assert!(matches!(ask(&[(180, 0)]), Prediction::Scored(_)));
}

#[test]
fn a_feature_vector_needs_what_every_answer_needs() {
    let bundle = bundle();
    let as_of = bundle.spec().training.as_of;
    let mut predictor = bundle.predictor(&[]);
    let mut ask = |vector: &[f64]| {
        predictor
            .predict(Subject::Features(vector), as_of, 3)
            .unwrap_err()
            .to_string()
    };
    assert!(ask(&[1.0]).contains("1 values"));
    let never = bundle
        .catalogue()
        .vector([("active_days", 0.0)].into_iter())
        .unwrap();
    let answer = bundle
        .predictor(&[])
        .predict(Subject::Features(&never), as_of, 0)
        .unwrap();
    assert_eq!(
        answer,
        Prediction::TooNew,
        "a user without activity, whose recency cannot be known"
    );
    assert!(ask(&vec![f64::NAN; bundle.catalogue().len()]).contains("tenure_days"));
}
