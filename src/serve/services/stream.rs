use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::mpsc::Sender;
use tonic::{Status, Streaming};

use super::{batch, message};
use crate::serve::codec::{decode, encode};
use crate::serve::context::CallContext;
use crate::serve::errors::{CallError, explained};
use crate::serve::limits::{CALL_BYTES, seconds};
use crate::serve::state::{Phase, ServerState};
use crate::serve::wire;
use crate::serve::wire::stream_score_users_response::Outcome;

/// Why a stream ends before its client ends it.
const IDLE: &str = "the stream was silent for longer than limits.stream_idle_seconds";
const KEY_GONE: &str = "the key that the stream began with is not valid any more";
const LATE: &str = "the stream's deadline passed";

/// One call of `StreamScoreUsers`: batch after batch, each answered before the next is read.
pub(super) struct BatchStream {
    state: Arc<ServerState>,
    call: CallContext,
    answers: Sender<Result<Bytes, Status>>,
    /// The number of the last batch.
    last: Option<u64>,
}

impl BatchStream {
    /// A stream without batches so far.
    pub(super) fn new(
        state: Arc<ServerState>,
        call: CallContext,
        answers: Sender<Result<Bytes, Status>>,
    ) -> Self {
        Self {
            state,
            call,
            answers,
            last: None,
        }
    }

    /// Answers until the stream ends, the client is gone, the stream is silent for too long or the server stops.
    pub(super) async fn answer_all(mut self, mut batches: Streaming<Bytes>) {
        loop {
            let answer = match self.next(&mut batches).await {
                Ok(None) => return,
                Ok(Some(request)) => self.answer(request).await,
                Err(status) => Err(status),
            };
            let ends = answer.is_err();
            if !self.send(answer).await || ends {
                return;
            }
        }
    }

    /// The next batch; `None` at the end of the stream, or without a client.
    async fn next(&self, batches: &mut Streaming<Bytes>) -> Result<Option<Bytes>, Status> {
        let mut phase = self.state.phase.subscribe();
        let until = self.silent_until();
        let message = tokio::select! {
            biased;
            () = self.answers.closed() => return Ok(None),
            // The sender lives as long as the state does.
            _ = phase.wait_for(|phase| *phase == Phase::Draining) => return Err(CallError::Draining.into()),
            message = tokio::time::timeout_at(until.into(), batches.message()) => message,
        };
        let late = if until == self.call.deadline {
            LATE
        } else {
            IDLE
        };
        message
            .map_err(|_| CallError::DeadlinePassed(late))?
            .map_err(|status| self.unreadable(status))
    }

    /// Until when the stream may be silent, in either direction.
    fn silent_until(&self) -> Instant {
        let idle = Instant::now() + seconds(self.state.limits.stream_idle_seconds);
        self.call.deadline.min(idle)
    }

    /// The error that a message that cannot be read ends the stream with: the decoder's own, or one for its frame.
    fn unreadable(&self, status: Status) -> Status {
        if !status.details().is_empty() {
            return status;
        }
        let max_bytes = self.state.limits.max_message_bytes;
        explained(status.code(), status.message(), max_bytes).map_or(status, Status::from)
    }

    /// The answer to one message, computed when its turn comes. Only one that cannot be read, a number out of order and a
    /// key that is not valid any more end the stream.
    async fn answer(&mut self, message: Bytes) -> Result<Bytes, Status> {
        // Its key may have been taken away since the last batch.
        if !self.call.caller.is_allowed() {
            return Err(CallError::Unauthenticated(KEY_GONE).into());
        }
        let (state, call, last) = (Arc::clone(&self.state), self.call.clone(), self.last);
        let units = message::units(&message);
        let job = move || answer(&state, &call, last, message);
        let pool = &self.state.engine.pool;
        let answered = pool.run_with_backpressure(&self.call, units, job).await;
        let (sequence, answer) =
            answered.inspect_err(|error| self.state.count_memory_refusal(error))?;
        self.last = Some(sequence);
        Ok(answer)
    }

    /// Hands an answer over; returns whether the client took it in time.
    async fn send(&self, answer: Result<Bytes, Status>) -> bool {
        let mut phase = self.state.phase.subscribe();
        let sent = tokio::time::timeout_at(self.silent_until().into(), self.answers.send(answer));
        // A client that does not read must hold up neither a stop nor other streams for ever.
        tokio::select! {
            biased;
            sent = sent => sent.is_ok_and(|sent| sent.is_ok()),
            _ = phase.wait_for(|phase| *phase == Phase::Draining) => false,
        }
    }
}

/// The number of a batch and the answer to it.
fn answer(
    state: &ServerState,
    call: &CallContext,
    last: Option<u64>,
    message: Bytes,
) -> Result<(u64, Bytes), CallError> {
    // What the batch before has taken is free again; its answer is counted by itself.
    call.memory.shrink_to(CALL_BYTES + 2 * message.len());
    let request = decode::<wire::StreamScoreUsersRequest>(message, &call.form, &call.memory)?;
    let wire::StreamScoreUsersRequest { sequence, batch } = request;
    if let Some(last) = last.filter(|last| *last >= sequence) {
        let problem = format!("{sequence} comes after {last}: numbers must increase");
        return Err(CallError::field("sequence", problem));
    }
    let outcome = batch
        .ok_or_else(|| CallError::field("batch", "is required"))
        .and_then(|batch| batch::answer(state, batch));
    let outcome = match outcome {
        Ok(answer) => Outcome::Batch(answer),
        Err(error) => Outcome::Error(error.into()),
    };
    let answer = wire::StreamScoreUsersResponse {
        sequence,
        outcome: Some(outcome),
    };
    Ok((sequence, encode(&answer, &call.form, &call.memory)?))
}
