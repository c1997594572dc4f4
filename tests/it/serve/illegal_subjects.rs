//! What is wrong with a subject is named: its field and the problem. A subject of a batch fails alone.

use tonic::Code;

use super::*;

fn event(kind: &str, seconds: i64, nanos: i32, amount: f64) -> Event {
    Event {
        kind: kind.into(),
        time: Some(prost_types::Timestamp { seconds, nanos }),
        amount,
    }
}

pub(super) fn activity(day: &str, kind: &str, count: u32, amount: f64) -> DayActivity {
    DayActivity {
        day: day.into(),
        kind: kind.into(),
        count,
        amount,
    }
}

fn events(list: Vec<Event>) -> Subject {
    subject(SubjectForm::History(History {
        events: list,
        days: Vec::new(),
    }))
}

pub(super) fn days(list: Vec<DayActivity>) -> Subject {
    subject(SubjectForm::History(History {
        events: Vec::new(),
        days: list,
    }))
}

pub(super) fn features(changes: &[(&str, Option<f64>)]) -> Subject {
    let Some(SubjectForm::Features(mut all)) = as_features(&log(), "ann", END).subject else {
        panic!("features")
    };
    for (name, value) in changes {
        match value {
            Some(value) => all.values.insert((*name).into(), *value),
            None => all.values.remove(*name),
        };
    }
    subject(SubjectForm::Features(all))
}

fn packed(position: usize, value: f64) -> Subject {
    let mut values = vector(&log(), "ann", END);
    values[position] = value;
    subject(SubjectForm::PackedFeatures(PackedFeatures { values }))
}

/// A subject that is not legal, the path of the field at fault below the subject's, and a part of the message.
type Illegal = (Subject, &'static str, &'static str);

fn illegal() -> Vec<Illegal> {
    let without_form = vec![
        (Subject::default(), "", "set one of user_id"),
        (user(""), ".user_id", "must not be empty"),
        (user("  "), ".user_id", "must not be empty"),
    ];
    [
        without_form,
        illegal_events(),
        illegal_days(),
        illegal_features(),
    ]
    .concat()
}

fn illegal_events() -> Vec<Illegal> {
    vec![
        (
            events(vec![event("", 0, 0, 0.0)]),
            ".history.events[0].kind",
            "must not be empty",
        ),
        (
            events(vec![Event {
                time: None,
                ..event("visit", 0, 0, 0.0)
            }]),
            ".history.events[0].time",
            "required",
        ),
        (
            events(vec![event("visit", 0, -1, 0.0)]),
            ".history.events[0].time",
            "nanoseconds",
        ),
        (
            events(vec![event("visit", i64::MAX, 0, 0.0)]),
            ".history.events[0].time",
            "calendar",
        ),
        (
            events(vec![event("visit", 0, 0, f64::NAN)]),
            ".history.events[0].amount",
            "finite",
        ),
        (
            events(vec![event("visit", 0, 0, -2e12)]),
            ".history.events[0].amount",
            "finite",
        ),
        (
            events(vec![event("book ing", 0, 0, 0.0)]),
            ".history.events[0].kind",
            "`book ing` is not a kind",
        ),
    ]
}

fn illegal_days() -> Vec<Illegal> {
    let good = || activity("2011-01-02", "visit", 1, 0.0);
    vec![
        (
            days(vec![good(), activity("2011-02-30", "visit", 1, 0.0)]),
            ".history.days[1].day",
            "`2011-02-30`",
        ),
        (
            days(vec![good(), activity("20110201", "visit", 1, 0.0)]),
            ".history.days[1].day",
            "YYYY-MM-DD",
        ),
        (
            days(vec![good(), activity("", "visit", 1, 0.0)]),
            ".history.days[1].day",
            "required",
        ),
        (
            days(vec![activity("2011-01-02", "visit", 0, 0.0)]),
            ".history.days[0].count",
            "at least 1",
        ),
        (
            days(vec![activity("2011-01-02", "visit", u32::MAX, 0.0), good()]),
            ".history",
            "visit on 2011-01-02",
        ),
        (
            days(vec![activity("2011-01-02", "visit", 1, f64::INFINITY)]),
            ".history.days[0].amount",
            "finite",
        ),
        (
            days(vec![good(); 10_001]),
            ".history",
            "there are 10001, at most 10000",
        ),
        (
            days(vec![activity("2011-01-02", " Visit", 1, 0.0)]),
            ".history.days[0].kind",
            "write `visit`",
        ),
        (
            days(vec![activity("2011-01-02", " ", 1, 0.0)]),
            ".history.days[0].kind",
            "must not be empty",
        ),
    ]
}

fn illegal_features() -> Vec<Illegal> {
    let mut wide = vector(&log(), "ann", END);
    wide.push(0.0);
    vec![
        (
            features(&[("recency_days", Some(f64::NAN))]),
            ".features.values[recency_days]",
            "finite",
        ),
        (
            features(&[("recency_days", Some(f64::INFINITY))]),
            ".features.values[recency_days]",
            "finite",
        ),
        (
            features(&[("recency_days", Some(-1.0))]),
            ".features.values[recency_days]",
            "not be negative",
        ),
        (
            features(&[("recency_days", Some(600.0))]),
            ".features.values[recency_days]",
            "`recency_days` is 600, `active_age_days` is 271: the first cannot be greater than the second",
        ),
        (
            features(&[("one_active_day", Some(7.0))]),
            ".features.values[one_active_day]",
            "else 0",
        ),
        (
            features(&[("active_days", Some(7.5))]),
            ".features.values[active_days]",
            "a whole number",
        ),
        (
            packed(0, 600.0),
            ".packed_features.values[0]",
            "`active_age_days` is 271",
        ),
        (
            features(&[("recency_day", Some(1.0))]),
            ".features.values[recency_day]",
            "nearest is `recency_days`",
        ),
        (
            features(&[("tenure_days", None)]),
            ".features.values[tenure_days]",
            "must have this feature",
        ),
        (
            packed(0, f64::INFINITY),
            ".packed_features.values[0]",
            "`recency_days` is inf",
        ),
        (
            packed(0, -1.0),
            ".packed_features.values[0]",
            "not be negative",
        ),
        (
            packed(2, f64::NAN),
            ".packed_features.values[2]",
            "`tenure_days`",
        ),
        (
            subject(SubjectForm::PackedFeatures(PackedFeatures { values: wide })),
            ".packed_features.values",
            "features",
        ),
    ]
}

#[tokio::test]
async fn an_illegal_subject_is_named_alone_and_in_a_batch_without_failing_the_rest() {
    let server = Running::ready().await;
    let cases = illegal();
    let good = server.score(ask(user("ann"))).await.unwrap();
    let mut subjects = Vec::new();
    for (subject, ..) in &cases {
        subjects.extend([subject.clone(), user("ann")]);
    }
    let request = BatchScoreUsersRequest {
        subjects,
        as_of: END.into(),
        feature_hash: feature_hash(),
        ..BatchScoreUsersRequest::default()
    };
    let results = server.batch(request).await.unwrap().results;
    for (i, (subject, path, part)) in cases.into_iter().enumerate() {
        let request = ScoreUserRequest {
            feature_hash: feature_hash(),
            ..ask(subject)
        };
        let status = server.score(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert!(
            status.message().starts_with(&format!("subject{path}: ")),
            "{}",
            status.message()
        );
        assert!(status.message().contains(part), "{}", status.message());
        let Some(ScoreOutcome::Error(error)) = &results[2 * i].result else {
            panic!("{path} has a score")
        };
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
        assert_eq!(error.field, format!("subjects[{}]{path}", 2 * i));
        assert!(error.message.starts_with(&error.field) && error.message.contains(part));
        assert_eq!(
            results[2 * i + 1].result,
            Some(ScoreOutcome::Score(good.clone()))
        );
    }
}
