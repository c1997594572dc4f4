use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};
use tonic_types::StatusExt;

use super::*;

/// A stream under way.
struct Talk {
    batches: Option<mpsc::Sender<StreamScoreUsersRequest>>,
    answers: Streaming<StreamScoreUsersResponse>,
}

impl Talk {
    async fn begin(server: &Running) -> Result<Self, tonic::Status> {
        let (batches, receiver) = mpsc::channel(8);
        let answers = server
            .scoring()
            .stream_score_users(ReceiverStream::new(receiver))
            .await?
            .into_inner();
        Ok(Self {
            batches: Some(batches),
            answers,
        })
    }

    async fn say(&self, sequence: u64, batch: Option<BatchScoreUsersRequest>) {
        self.batches
            .as_ref()
            .unwrap()
            .send(StreamScoreUsersRequest { sequence, batch })
            .await
            .unwrap();
    }

    async fn hear(&mut self) -> (u64, StreamOutcome) {
        let StreamScoreUsersResponse { sequence, outcome } =
            self.answers.message().await.unwrap().unwrap();
        (sequence, outcome.unwrap())
    }

    async fn ends(&mut self) -> Option<(Code, String)> {
        let status = self.answers.message().await.err()?;
        Some((
            status.code(),
            status
                .get_error_details()
                .error_info()
                .unwrap()
                .reason
                .clone(),
        ))
    }
}

fn batch(ids: &[&str]) -> BatchScoreUsersRequest {
    let subjects = ids.iter().map(|id| user(id)).collect();
    BatchScoreUsersRequest {
        subjects,
        as_of: END.into(),
        ..BatchScoreUsersRequest::default()
    }
}

#[tokio::test]
async fn batches_are_answered_in_turn_as_single_calls_would_be() {
    let server = Running::ready().await;
    let mut talk = Talk::begin(&server).await.unwrap();
    for (sequence, ids) in [(1, &["ann", "dan"][..]), (5, &["ola"]), (6, &[])] {
        talk.say(sequence, Some(batch(ids))).await;
    }
    for (sequence, ids) in [(1, &["ann", "dan"][..]), (5, &["ola"]), (6, &[])] {
        let expected = server.batch(batch(ids)).await.unwrap();
        assert_eq!(
            talk.hear().await,
            (sequence, StreamOutcome::Batch(expected))
        );
    }
    talk.batches = None;
    assert!(talk.answers.message().await.unwrap().is_none());
}

#[tokio::test]
async fn a_bad_batch_fails_alone_and_a_bad_order_ends_the_stream() {
    let server = Running::ready().await;
    let mut talk = Talk::begin(&server).await.unwrap();
    talk.say(1, None).await;
    talk.say(
        2,
        Some(BatchScoreUsersRequest {
            as_of: "soon".into(),
            ..batch(&["ann"])
        }),
    )
    .await;
    talk.say(3, Some(batch(&["nobody", "ann"]))).await;
    talk.say(3, Some(batch(&["ann"]))).await;
    for (sequence, field, reason) in [(1, "batch", "FIELD_INVALID"), (2, "as_of", "FIELD_INVALID")]
    {
        let (number, StreamOutcome::Error(error)) = talk.hear().await else {
            panic!("{sequence} was answered")
        };
        assert_eq!(
            (number, error.field.as_str(), error.reason.as_str()),
            (sequence, field, reason)
        );
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
    }
    let (3, StreamOutcome::Batch(answer)) = talk.hear().await else {
        panic!("3 was not answered")
    };
    let Some(ScoreOutcome::Error(error)) = &answer.results[0].result else {
        panic!("nobody has a score")
    };
    assert_eq!(
        (error.code(), error.reason.as_str()),
        (ErrorCode::NotFound, "USER_UNKNOWN")
    );
    assert!(matches!(
        answer.results[1].result,
        Some(ScoreOutcome::Score(_))
    ));
    assert_eq!(
        talk.ends().await,
        Some((Code::InvalidArgument, "FIELD_INVALID".into()))
    );
}

#[tokio::test]
async fn a_silent_stream_and_one_too_many_are_ended() {
    let limits = Limits {
        max_streams: 1,
        stream_idle_seconds: 1,
        ..Limits::default()
    };
    let server = Running::with(limits, Some(histories(&log()))).await;
    let mut talk = Talk::begin(&server).await.unwrap();
    talk.say(1, Some(batch(&["ann"]))).await;
    talk.hear().await;
    let status = Talk::begin(&server).await.err().unwrap();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(
        status.message().contains("limits.max_streams")
            && status.get_error_details().retry_info().is_some()
    );
    assert_eq!(
        talk.ends().await,
        Some((Code::DeadlineExceeded, "DEADLINE_PASSED".into()))
    );
    // Its place is free again once it has ended.
    let again = Talk::begin(&server).await;
    assert!(again.is_ok(), "{:?}", again.err());
}

#[tokio::test]
async fn a_stream_ends_with_the_server_and_holds_nothing_up() {
    let server = Running::ready().await;
    let mut talk = Talk::begin(&server).await.unwrap();
    talk.say(1, Some(batch(&["ann"]))).await;
    talk.hear().await;
    let stopped = tokio::spawn(server.stop());
    assert_eq!(
        talk.ends().await,
        Some((Code::Unavailable, "DRAINING".into()))
    );
    drop(talk);
    let stopped = tokio::time::timeout(Duration::from_secs(5), stopped).await;
    assert_eq!(stopped.unwrap().unwrap(), Stopped::Drained);
}
