//! From the bytes of a message to the bytes of its answer, on the thread that is right for it.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use crate::serve::codec::field_limits::Bounded;
use crate::serve::codec::{decode, encode};
use crate::serve::context::CallContext;
use crate::serve::engine::Cost;
use crate::serve::errors::CallError;
use crate::serve::state::ServerState;

/// So many bytes of a message are about as much work as a user.
const UNIT_BYTES: usize = 512;

/// What computes the answers of a method.
pub(super) struct Method<Q, A> {
    /// How much work a request is.
    pub(super) cost: fn(&Q) -> Cost,
    /// The answer to it.
    pub(super) answer: fn(&ServerState, Q) -> Result<A, CallError>,
}

impl<Q: Bounded + Send + 'static, A: Message + 'static> Method<Q, A> {
    /// The framed answer to a message of a unary call.
    pub(super) async fn call(
        self,
        state: &Arc<ServerState>,
        call: CallContext,
        message: Bytes,
    ) -> Result<Bytes, CallError> {
        let (shared, memory) = (Arc::clone(state), Arc::clone(&call.memory));
        let Self { cost, answer } = self;
        let form = call.form.clone();
        let reply = move |request: Q| encode(&answer(&shared, request)?, &form, &memory);
        if message.len() <= call.form.inline_bytes() {
            let request: Q = decode(message, &call.form, &call.memory)?;
            let cost = cost(&request);
            return state.engine.run(&call, cost, move || reply(request)).await;
        }
        let units = message.len() / UNIT_BYTES;
        let (form, memory) = (call.form.clone(), Arc::clone(&call.memory));
        let job = move || reply(decode(message, &form, &memory)?);
        state.engine.pool.run(&call, units, job).await
    }
}

/// How much work the bytes of a stream's message are.
pub(super) fn units(message: &Bytes) -> usize {
    1 + message.len() / UNIT_BYTES
}
