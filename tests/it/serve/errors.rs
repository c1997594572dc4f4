//! Requests that fail as a whole, with the reason and the details of each.

use tonic::Code;

use super::illegal_subjects::{activity, days, features};
use super::*;

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
