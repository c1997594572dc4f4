use std::pin::Pin;
use std::sync::Arc;

use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::batch;
use super::stream::BatchStream;
use crate::serve::context::CallContext;
use crate::serve::convert::request;
use crate::serve::engine::Queueing;
use crate::serve::state::ServerState;
use crate::serve::wire;
use crate::serve::wire::scoring_service_server::ScoringService;

/// `churn.v1.ScoringService`.
pub(crate) struct ScoringServiceImpl {
    state: Arc<ServerState>,
}

impl ScoringServiceImpl {
    /// The service of this state.
    pub(crate) fn new(state: Arc<ServerState>) -> Self {
        Self { state }
    }
}

#[tonic::async_trait]
impl ScoringService for ScoringServiceImpl {
    type StreamScoreUsersStream = Pin<
        Box<dyn tokio_stream::Stream<Item = Result<wire::StreamScoreUsersResponse, Status>> + Send>,
    >;

    async fn score_user(
        &self,
        request: Request<wire::ScoreUserRequest>,
    ) -> Result<Response<wire::ScoreUserResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let (options, subject) = request::single(request)?;
        let call = CallContext::of(&extensions);
        let context = self.state.context(call, options)?;
        let score = self.state.engine.score_user(&context, subject).await?;
        Ok(Response::new(wire::ScoreUserResponse {
            score: Some(score),
        }))
    }

    async fn batch_score_users(
        &self,
        request: Request<wire::BatchScoreUsersRequest>,
    ) -> Result<Response<wire::BatchScoreUsersResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        let call = CallContext::of(&extensions);
        let answer = batch::answer(&self.state, call, request, Queueing::Bounded).await?;
        Ok(Response::new(answer))
    }

    async fn stream_score_users(
        &self,
        request: Request<Streaming<wire::StreamScoreUsersRequest>>,
    ) -> Result<Response<Self::StreamScoreUsersStream>, Status> {
        self.state.not_draining()?;
        let (_, extensions, batches) = request.into_parts();
        // One answer ready while the next is computed.
        let (answers, receiver) = tokio::sync::mpsc::channel(1);
        let stream = BatchStream::new(
            Arc::clone(&self.state),
            CallContext::of(&extensions).clone(),
            answers,
        );
        tokio::spawn(stream.answer_all(batches));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
