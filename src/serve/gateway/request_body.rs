//! A request's body, whose bytes are on the call's account.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

use crate::serve::errors::CallError;
use crate::serve::limits::seconds;
use crate::serve::methods::{self, Rpc};
use crate::serve::quota::{Resource, Share};
use crate::serve::state::{Phase, ServerState};
use crate::serve::telemetry::metrics::Shed;

/// The largest message of a call that needs no key: the name of a service.
const OPEN_MESSAGE_BYTES: usize = 4 << 10;

/// How much of a request's body may come, and for how long.
enum BodyLimit {
    /// As much as there is memory for.
    Memory,
    /// So many bytes.
    Own(usize),
    /// Anything until this happens, which ends the body.
    Until(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl BodyLimit {
    fn new(state: &ServerState, rpc: &Rpc) -> Self {
        if rpc.permission.is_none() {
            return Self::Own(OPEN_MESSAGE_BYTES);
        }
        if rpc.service != methods::Service::Reflection {
            return Self::Memory;
        }
        // Reflection's streams never end by themselves, and must hold up neither a stop nor others.
        let mut phase = state.phase.subscribe();
        let limits = &state.limits;
        let idle = limits
            .stream_idle_seconds
            .min(limits.stream_timeout_seconds);
        Self::Until(Box::pin(async move {
            let draining = phase.wait_for(|phase| *phase == Phase::Draining);
            // Either way the stream ends.
            let _ = tokio::time::timeout(seconds(idle), draining).await;
        }))
    }
}

/// A request's body. What has arrived of it is counted as the call's memory.
pub(crate) struct RequestBody<B> {
    inner: B,
    received: usize,
    limit: BodyLimit,
    memory: Arc<Share>,
    state: Arc<ServerState>,
}

impl<B> RequestBody<B> {
    /// The body of a call of this method, on this account.
    pub(super) fn new(inner: B, state: &Arc<ServerState>, rpc: &Rpc, memory: &Arc<Share>) -> Self {
        Self {
            inner,
            received: 0,
            limit: BodyLimit::new(state, rpc),
            memory: Arc::clone(memory),
            state: Arc::clone(state),
        }
    }

    /// Counts more bytes, or refuses them.
    fn count(&mut self, bytes: usize) -> Result<(), CallError> {
        self.received += bytes;
        if let BodyLimit::Own(most) = self.limit
            && self.received > most
        {
            return Err(CallError::MessageTooLarge {
                most: u32::try_from(most).unwrap_or(u32::MAX),
            });
        }
        // Twice: as they came, and put together to a message.
        if self.memory.grow(2 * bytes) {
            return Ok(());
        }
        self.state.metrics.shed(Shed::Memory);
        Err(CallError::TooManyCalls {
            limit: Resource::Memory.limit(),
        })
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if let BodyLimit::Until(end) = &mut this.limit
            && end.as_mut().poll(cx).is_ready()
        {
            // A future that is ready must not be polled again, and a body may be.
            this.limit = BodyLimit::Until(Box::pin(std::future::ready(())));
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
            None => None,
            Some(Err(error)) => Some(Err(Status::cancelled(error.to_string()))),
            Some(Ok(frame)) => {
                let counted = this.count(frame.data_ref().map_or(0, Bytes::len));
                Some(counted.map(|()| frame).map_err(Status::from))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
