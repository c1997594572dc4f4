use crate::serve::convert::{request, score};
use crate::serve::errors::CallError;
use crate::serve::state::ServerState;
use crate::serve::wire;

/// Answers one batch, of a call of its own or of a stream.
pub(super) fn answer(
    state: &ServerState,
    request: wire::BatchScoreUsersRequest,
) -> Result<wire::BatchScoreUsersResponse, CallError> {
    let (options, subjects) = request::batch(request, &state.limits)?;
    let context = state.context(options)?;
    let results = state.engine.score_batch(&context, subjects);
    Ok(score::batch(&context, results))
}
