use tonic::Code;

use super::*;

fn event(kind: &str, seconds: i64, nanos: i32, amount: f64) -> Event {
    Event {
        kind: kind.into(),
        time: Some(prost_types::Timestamp { seconds, nanos }),
        amount,
    }
}

fn activity(day: &str, kind: &str, count: u32, amount: f64) -> DayActivity {
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

fn days(list: Vec<DayActivity>) -> Subject {
    subject(SubjectForm::History(History {
        events: Vec::new(),
        days: list,
    }))
}

fn features(changes: &[(&str, Option<f64>)]) -> Subject {
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

#[tokio::test]
async fn an_illegal_request_is_named() {
    let server = Running::ready().await;
    let ann = || ask(user("ann"));
    for (request, code, part) in [
        (
            ScoreUserRequest {
                subject: None,
                ..ann()
            },
            Code::InvalidArgument,
            "subject: is required",
        ),
        (
            ScoreUserRequest {
                as_of: "tomorrow".into(),
                ..ann()
            },
            Code::InvalidArgument,
            "as_of: `tomorrow`",
        ),
        (
            ScoreUserRequest {
                horizon_days: vec![30, 31],
                ..ann()
            },
            Code::InvalidArgument,
            "horizon_days[1]: ",
        ),
        (
            ScoreUserRequest {
                horizon_days: vec![30; 3],
                ..ann()
            },
            Code::InvalidArgument,
            "horizon_days: there are 3",
        ),
        (
            ScoreUserRequest {
                feature_hash: "beef".into(),
                ..ann()
            },
            Code::FailedPrecondition,
            "feature_hash: the features are for beef",
        ),
        (
            ask(as_packed(&log(), "ann", END)),
            Code::InvalidArgument,
            "feature_hash: is required for subject.packed",
        ),
        (
            ScoreUserRequest {
                as_of: String::new(),
                ..ask(as_events(&log(), "ann"))
            },
            Code::InvalidArgument,
            "as_of: is required for subject.history",
        ),
    ] {
        let status = server.score(request).await.unwrap_err();
        assert_eq!(status.code(), code);
        assert!(status.message().contains(part), "{}", status.message());
    }
}

#[tokio::test]
async fn a_text_of_any_size_comes_back_short() {
    let server = Running::ready().await;
    let huge = "é".repeat(1 << 20);
    for request in [
        ScoreUserRequest {
            as_of: huge.clone(),
            ..ask(user("ann"))
        },
        ScoreUserRequest {
            feature_hash: huge.clone(),
            ..ask(user("ann"))
        },
        ask(features(&[(&huge, Some(1.0))])),
        ask(days(vec![activity(&huge, "visit", 1, 0.0)])),
    ] {
        let status = server.score(request).await.unwrap_err();
        assert!(
            [Code::InvalidArgument, Code::FailedPrecondition].contains(&status.code()),
            "{status:?}"
        );
        assert!(status.message().len() < 1_000);
    }
}

#[tokio::test]
async fn a_batch_takes_a_thousand_subjects_and_no_more() {
    let server = Running::ready().await;
    let of = |n: usize| BatchScoreUsersRequest {
        subjects: vec![user("dan"); n],
        ..BatchScoreUsersRequest::default()
    };
    let answer = server.batch(of(1_000)).await.unwrap();
    assert_eq!((answer.results.len(), answer.as_of.as_str()), (1_000, END));
    let status = server.batch(of(1_001)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(
        status.message().contains("1001, at most 1000"),
        "{}",
        status.message()
    );
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_rejected_and_the_connection_stays() {
    let server = Running::with(
        Limits {
            max_message_bytes: 10_000,
            ..Limits::default()
        },
        None,
    )
    .await;
    let status = server
        .score(ask(user(&"x".repeat(10_000))))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("10000"), "{}", status.message());
    assert!(
        server
            .score(ask(as_features(&log(), "ann", END)))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn an_enum_number_from_the_future_is_named() {
    let server = Running::ready().await;
    let status = server
        .models()
        .get_model(GetModelRequest {
            view: 77,
            ..GetModelRequest::default()
        })
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(
        status.message().contains("view: 77"),
        "{}",
        status.message()
    );
}

#[tokio::test]
async fn without_a_roll_up_a_user_id_is_an_error() {
    let server = Running::with(Limits::default(), None).await;
    let status = server.score(ask(user("ann"))).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(
        status
            .message()
            .contains("subject.user_id: this server was started without --rollup")
    );
    let request = BatchScoreUsersRequest {
        subjects: vec![user("ann")],
        ..BatchScoreUsersRequest::default()
    };
    let results = server.batch(request).await.unwrap().results;
    let Some(ScoreOutcome::Error(error)) = &results[0].result else {
        panic!("a score without a roll-up")
    };
    assert_eq!(
        (error.code(), error.field.as_str()),
        (ErrorCode::FailedPrecondition, "subjects[0].user_id")
    );
    let model = server
        .models()
        .get_model(GetModelRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(model.known_users, None);
}

/// An empty roll-up has no users, which is not the same as no roll-up.
#[tokio::test]
async fn an_empty_roll_up_has_no_users() {
    let server = Running::with(Limits::default(), Some(histories(&[]))).await;
    let status = server
        .score(ScoreUserRequest {
            as_of: String::new(),
            ..ask(user("ann"))
        })
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}
