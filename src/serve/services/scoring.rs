//! `churn.v1.ScoringService`.

use std::sync::Arc;

use bytes::Bytes;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::batch;
use super::message::Method;
use super::stream::BatchStream;
use crate::serve::context::CallContext;
use crate::serve::convert::request;
use crate::serve::engine;
use crate::serve::errors::CallError;
use crate::serve::state::ServerState;
use crate::serve::wire;

/// The framed answer to `ScoreUser`.
pub(crate) async fn score_user(
    state: &Arc<ServerState>,
    call: CallContext,
    message: Bytes,
) -> Result<Bytes, CallError> {
    let method = Method {
        cost: |request: &wire::ScoreUserRequest| engine::cost(request.subject.as_slice()),
        answer: |state, request| {
            let (options, subject) = request::single(request)?;
            let context = state.context(options)?;
            let score = state.engine.score_user(&context, subject)?;
            Ok(wire::ScoreUserResponse { score: Some(score) })
        },
    };
    method.call(state, call, message).await
}

/// The framed answer to `BatchScoreUsers`.
pub(crate) async fn batch_score_users(
    state: &Arc<ServerState>,
    call: CallContext,
    message: Bytes,
) -> Result<Bytes, CallError> {
    let method = Method {
        cost: |request: &wire::BatchScoreUsersRequest| engine::cost(&request.subjects),
        answer: batch::answer,
    };
    method.call(state, call, message).await
}

/// The framed answers to `StreamScoreUsers`, and the status that ends them early.
pub(crate) fn stream_score_users(
    state: Arc<ServerState>,
    call: CallContext,
    batches: Streaming<Bytes>,
) -> Result<ReceiverStream<Result<Bytes, Status>>, CallError> {
    state.not_draining()?;
    // One answer ready while the next is computed.
    let (answers, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(BatchStream::new(state, call, answers).answer_all(batches));
    Ok(ReceiverStream::new(receiver))
}
