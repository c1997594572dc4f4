use crate::serve::context::CallContext;
use crate::serve::convert::{request, score};
use crate::serve::engine::Queueing;
use crate::serve::errors::CallError;
use crate::serve::state::ServerState;
use crate::serve::wire;

/// Answers one batch, of a call of its own or of a stream.
pub(super) async fn answer(
    state: &ServerState,
    call: &CallContext,
    request: wire::BatchScoreUsersRequest,
    queueing: Queueing,
) -> Result<wire::BatchScoreUsersResponse, CallError> {
    let (options, subjects) = request::batch(request, &state.limits)?;
    let context = state.context(call, options)?;
    let results = state
        .engine
        .score_batch(&context, subjects, queueing)
        .await?;
    Ok(score::batch(&context, results))
}
