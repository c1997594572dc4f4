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
use crate::serve::telemetry::metrics::{Metrics, Shed};

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
    metrics: Arc<Metrics>,
}

impl<B> RequestBody<B> {
    /// The body of a call of this method, on this account.
    pub(super) fn new(inner: B, state: &Arc<ServerState>, rpc: &Rpc, memory: &Arc<Share>) -> Self {
        Self {
            inner,
            received: 0,
            limit: BodyLimit::new(state, rpc),
            memory: Arc::clone(memory),
            metrics: Arc::clone(&state.metrics),
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
        self.metrics.shed(Shed::Memory);
        Err(CallError::TooManyCalls {
            limit: Resource::Memory.limit(),
        })
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body<Data = Bytes, Error = Status> + Unpin,
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
            Some(Err(status)) => Some(Err(status)),
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

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::serve::limits::Limits;
    use crate::serve::quota::Quotas;

    /// What a body gives of these bytes, frame by frame.
    fn frame(body: &mut RequestBody<tonic::body::Body>) -> Option<Result<usize, Code>> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        match Pin::new(body).poll_frame(&mut cx) {
            Poll::Ready(frame) => frame.map(|frame| {
                frame
                    .map(|frame| frame.into_data().unwrap().len())
                    .map_err(|status| status.code())
            }),
            Poll::Pending => panic!("the body has all its bytes"),
        }
    }

    fn of(bytes: usize, limit: BodyLimit, memory: &Arc<Share>) -> RequestBody<tonic::body::Body> {
        let bytes = http_body_util::Full::new(Bytes::from(vec![0; bytes]));
        RequestBody {
            inner: tonic::body::Body::new(bytes),
            received: 0,
            limit,
            memory: Arc::clone(memory),
            metrics: Arc::default(),
        }
    }

    fn memory(quotas: &Arc<Quotas>) -> Arc<Share> {
        Arc::new(quotas.take(&Arc::default(), Resource::Memory, 0).unwrap())
    }

    #[test]
    fn a_body_may_have_as_many_bytes_as_its_limit_and_no_more() {
        let memory = memory(&Quotas::new(&Limits::default()));
        assert_eq!(
            frame(&mut of(10, BodyLimit::Own(10), &memory)),
            Some(Ok(10))
        );
        assert_eq!(
            frame(&mut of(11, BodyLimit::Own(10), &memory)),
            Some(Err(Code::ResourceExhausted))
        );
    }

    #[test]
    fn what_arrives_is_on_the_calls_account_until_that_is_closed() {
        let quotas = Quotas::new(&Limits {
            memory_bytes: 100,
            ..Limits::default()
        });
        let (first, second) = (memory(&quotas), memory(&quotas));
        assert_eq!(frame(&mut of(30, BodyLimit::Memory, &first)), Some(Ok(30)));
        assert_eq!(quotas.taken(Resource::Memory), 60);
        let refused = frame(&mut of(30, BodyLimit::Memory, &second));
        assert_eq!(refused, Some(Err(Code::ResourceExhausted)));
        drop(first);
        assert_eq!(frame(&mut of(30, BodyLimit::Memory, &second)), Some(Ok(30)));
    }

    #[test]
    fn a_body_ends_with_what_it_is_limited_by() {
        let memory = memory(&Quotas::new(&Limits::default()));
        let ended = BodyLimit::Until(Box::pin(std::future::ready(())));
        let mut body = of(6, ended, &memory);
        assert_eq!(frame(&mut body), None);
        assert_eq!(frame(&mut body), None);
        let never = BodyLimit::Until(Box::pin(std::future::pending()));
        assert_eq!(frame(&mut of(6, never, &memory)), Some(Ok(6)));
    }
}
