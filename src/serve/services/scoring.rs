//! `churn.v1.ScoringService`.

use std::sync::Arc;

use bytes::Bytes;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::BoxFuture;
use tonic::server::StreamingService;
use tonic::{Request, Response, Status, Streaming};

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

/// `StreamScoreUsers`.
pub(crate) struct StreamScoreUsers(pub(crate) Arc<ServerState>);

impl StreamingService<Bytes> for StreamScoreUsers {
    type Response = Bytes;
    type ResponseStream = ReceiverStream<Result<Bytes, Status>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let state = Arc::clone(&self.0);
        Box::pin(async move {
            state.not_draining()?;
            let (_, extensions, batches) = request.into_parts();
            // One answer ready while the next is computed.
            let (answers, receiver) = tokio::sync::mpsc::channel(1);
            let call = CallContext::of(&extensions).clone();
            tokio::spawn(BatchStream::new(state, call, answers).answer_all(batches));
            Ok(Response::new(ReceiverStream::new(receiver)))
        })
    }
}
