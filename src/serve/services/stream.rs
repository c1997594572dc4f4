//! `StreamScoreUsers`: batch after batch, each answered before the next is read.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::Sender;
use tonic::{Status, Streaming};

use super::scoring;
use crate::serve::errors::{CallError, explained};
use crate::serve::limits::seconds;
use crate::serve::state::{Phase, ServerState};
use crate::serve::wire;
use crate::serve::wire::stream_score_users_response::Outcome;

/// Why a stream ends before its client ends it.
const IDLE: &str = "the stream was silent for longer than limits.stream_idle_seconds";
const LATE: &str = "the stream's deadline passed";

/// Answers a stream's batches until it ends, the client is gone, it is silent for too long or the server stops.
pub(crate) async fn answer_all(
    state: Arc<ServerState>,
    mut batches: Streaming<wire::StreamScoreUsersRequest>,
    answers: Sender<Result<wire::StreamScoreUsersResponse, Status>>,
    deadline: Option<Instant>,
) {
    let mut last = None;
    loop {
        let outcome = match next(&state, &mut batches, &answers, deadline).await {
            Ok(None) => return,
            Ok(Some(request)) => answer(&state, request, &mut last).await,
            Err(status) => Err(status),
        };
        let ends = outcome.is_err();
        // A client that does not read must hold up neither a stop nor others for ever.
        let heard = tell(&state, answers.send(outcome), deadline).await;
        if ends || !heard {
            return;
        }
    }
}

/// Hands an answer over; returns whether it was taken in time.
async fn tell<E>(
    state: &ServerState,
    sent: impl Future<Output = Result<(), E>>,
    deadline: Option<Instant>,
) -> bool {
    let mut phase = state.phase.subscribe();
    let until = until(state, deadline);
    tokio::select! {
        biased;
        sent = tokio::time::timeout_at(until.into(), sent) => sent.is_ok_and(|sent| sent.is_ok()),
        _ = phase.wait_for(|phase| *phase == Phase::Draining) => false,
    }
}

/// Until when a stream may be silent.
fn until(state: &ServerState, deadline: Option<Instant>) -> Instant {
    let idle = Instant::now() + seconds(state.limits.stream_idle_seconds);
    deadline.map_or(idle, |deadline| deadline.min(idle))
}

/// The next batch; `None` when there is none or nobody to answer.
async fn next(
    state: &ServerState,
    batches: &mut Streaming<wire::StreamScoreUsersRequest>,
    answers: &Sender<Result<wire::StreamScoreUsersResponse, Status>>,
    deadline: Option<Instant>,
) -> Result<Option<wire::StreamScoreUsersRequest>, Status> {
    let mut phase = state.phase.subscribe();
    let until = until(state, deadline);
    let message = tokio::select! {
        biased;
        () = answers.closed() => return Ok(None),
        // The sender lives as long as the state does.
        _ = phase.wait_for(|phase| *phase == Phase::Draining) => return Err(CallError::Draining.into()),
        message = tokio::time::timeout_at(until.into(), batches.message()) => message,
    };
    let late = if Some(until) == deadline { LATE } else { IDLE };
    message
        .map_err(|_| CallError::DeadlinePassed(late))?
        .map_err(|status| framing(state, status))
}

/// What a message that could not be read ends the stream with: what the decoder says, or what there is to say of a frame.
fn framing(state: &ServerState, status: Status) -> Status {
    if !status.details().is_empty() {
        return status;
    }
    explained(status.code(), status.message(), state.limits.message_bytes)
        .map_or(status, Status::from)
}

async fn answer(
    state: &Arc<ServerState>,
    request: wire::StreamScoreUsersRequest,
    last: &mut Option<u64>,
) -> Result<wire::StreamScoreUsersResponse, Status> {
    let wire::StreamScoreUsersRequest { sequence, batch } = request;
    if let Some(last) = last.filter(|last| *last >= sequence) {
        return Err(CallError::field(
            "sequence",
            format!("{sequence} comes after {last}: numbers must increase"),
        )
        .into());
    }
    *last = Some(sequence);
    let outcome = match batch {
        None => Err(CallError::field("batch", "is required")),
        Some(batch) => scoring::batch(state, batch, |job| state.compute.run_patiently(job)).await,
    };
    let outcome = match outcome {
        Ok(answer) => Outcome::Batch(answer),
        Err(error) => Outcome::Error(error.into()),
    };
    Ok(wire::StreamScoreUsersResponse {
        sequence,
        outcome: Some(outcome),
    })
}
