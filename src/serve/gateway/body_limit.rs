//! The layer of body limits: how much of requests may be under way.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;
use tower::{Layer, Service};

use crate::serve::context::CallContext;
use crate::serve::errors::CallError;
use crate::serve::limits::{seconds, size};
use crate::serve::methods::{self, Rpc};
use crate::serve::state::{Phase, ServerState};
use crate::serve::telemetry::metrics::{Metrics, Shed};

/// The largest message of a call that needs no key: the name of a service.
const OPEN_MESSAGE_BYTES: usize = 4 << 10;

/// How much of a request's body may come, and for how long.
enum BodyLimit {
    /// As much as the codec lets through: messages of streaming calls are decoded one by one.
    None,
    /// So many bytes.
    Own(usize),
    /// What is left of a total of all requests.
    Shared {
        /// The bytes of all requests.
        total: Arc<AtomicUsize>,
        /// How many they may be.
        most: usize,
        /// Where it is counted when they are more.
        metrics: Arc<Metrics>,
    },
    /// Anything until this happens, which ends the body.
    Until(Pin<Box<dyn Future<Output = ()> + Send>>),
}

/// Puts body limits before a service.
pub(crate) struct BodyLimitLayer(Arc<Shared>);

struct Shared {
    state: Arc<ServerState>,
    /// The bytes of unary requests that have arrived and are not decoded yet.
    inflight_bytes: Arc<AtomicUsize>,
}

impl BodyLimitLayer {
    /// Nothing is under way yet.
    pub(crate) fn new(state: Arc<ServerState>) -> Self {
        Self(Arc::new(Shared {
            state,
            inflight_bytes: Arc::default(),
        }))
    }
}

impl<S> Layer<S> for BodyLimitLayer {
    type Service = BodyLimited<S>;

    fn layer(&self, inner: S) -> BodyLimited<S> {
        BodyLimited {
            shared: Arc::clone(&self.0),
            inner,
        }
    }
}

/// A service whose requests' bodies are limited.
#[derive(Clone)]
pub(crate) struct BodyLimited<S> {
    shared: Arc<Shared>,
    inner: S,
}

impl Shared {
    fn limit(&self, rpc: &Rpc) -> BodyLimit {
        let limits = &self.state.limits;
        if rpc.permission.is_none() {
            return BodyLimit::Own(OPEN_MESSAGE_BYTES);
        }
        if rpc.service == methods::Service::Reflection {
            // Its streams never end by themselves, and must hold up neither a stop nor others.
            let mut phase = self.state.phase.subscribe();
            let idle = seconds(
                limits
                    .stream_idle_seconds
                    .min(limits.stream_timeout_seconds),
            );
            return BodyLimit::Until(Box::pin(async move {
                let draining = phase.wait_for(|phase| *phase == Phase::Draining);
                // Either way the stream ends.
                let _ = tokio::time::timeout(idle, draining).await;
            }));
        }
        if rpc.kind.is_streaming() {
            return BodyLimit::None;
        }
        BodyLimit::Shared {
            total: Arc::clone(&self.inflight_bytes),
            most: size(limits.max_inflight_bytes),
            metrics: Arc::clone(&self.state.metrics),
        }
    }
}

impl<S, B> Service<Request<B>> for BodyLimited<S>
where
    S: Service<Request<LimitedBody<B>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let limit = self
            .shared
            .limit(CallContext::of(request.extensions()).method());
        self.inner
            .call(request.map(|inner| LimitedBody::new(inner, limit)))
    }
}

/// A request's body, counted until it is dropped, which is when its message has been decoded.
pub(crate) struct LimitedBody<B> {
    inner: B,
    received: usize,
    limit: BodyLimit,
}

impl<B> LimitedBody<B> {
    fn new(inner: B, limit: BodyLimit) -> Self {
        Self {
            inner,
            received: 0,
            limit,
        }
    }

    /// Counts more bytes, or refuses them.
    fn count(&mut self, bytes: usize) -> Result<(), CallError> {
        self.received += bytes;
        match &self.limit {
            BodyLimit::None | BodyLimit::Until(_) => Ok(()),
            BodyLimit::Own(most) if self.received <= *most => Ok(()),
            BodyLimit::Own(most) => Err(CallError::MessageTooLarge {
                most: u32::try_from(*most).unwrap_or(u32::MAX),
            }),
            BodyLimit::Shared {
                total,
                most,
                metrics,
            } => {
                if total.fetch_add(bytes, Ordering::Relaxed) + bytes <= *most {
                    return Ok(());
                }
                metrics.shed(Shed::Calls);
                Err(CallError::TooManyCalls {
                    limit: "max_inflight_bytes",
                })
            }
        }
    }
}

impl<B> Body for LimitedBody<B>
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

impl<B> Drop for LimitedBody<B> {
    fn drop(&mut self) {
        if let BodyLimit::Shared { total, .. } = &self.limit {
            total.fetch_sub(self.received, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    /// What a body gives of these bytes, frame by frame.
    fn frame(body: &mut LimitedBody<tonic::body::Body>) -> Option<Result<usize, Code>> {
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

    fn of(bytes: usize, limit: BodyLimit) -> LimitedBody<tonic::body::Body> {
        let bytes = http_body_util::Full::new(Bytes::from(vec![0; bytes]));
        LimitedBody::new(tonic::body::Body::new(bytes), limit)
    }

    #[test]
    fn a_body_may_have_as_many_bytes_as_its_limit_and_no_more() {
        assert_eq!(frame(&mut of(10, BodyLimit::Own(10))), Some(Ok(10)));
        assert_eq!(
            frame(&mut of(11, BodyLimit::Own(10))),
            Some(Err(Code::ResourceExhausted))
        );
        assert_eq!(frame(&mut of(11, BodyLimit::None)), Some(Ok(11)));
    }

    #[test]
    fn requests_share_a_total_until_they_are_decoded() {
        let (total, metrics) = (Arc::new(AtomicUsize::new(0)), Arc::<Metrics>::default());
        let shared = || BodyLimit::Shared {
            total: Arc::clone(&total),
            most: 10,
            metrics: Arc::clone(&metrics),
        };
        let (mut first, mut second) = (of(6, shared()), of(6, shared()));
        assert_eq!(frame(&mut first), Some(Ok(6)));
        assert_eq!(frame(&mut second), Some(Err(Code::ResourceExhausted)));
        drop((first, second));
        assert_eq!(total.load(Ordering::Relaxed), 0);
        assert_eq!(frame(&mut of(6, shared())), Some(Ok(6)));
    }

    #[test]
    fn a_body_ends_with_what_it_is_limited_by() {
        let ended = BodyLimit::Until(Box::pin(std::future::ready(())));
        let mut body = of(6, ended);
        assert_eq!(frame(&mut body), None);
        assert_eq!(frame(&mut body), None);
        let never = BodyLimit::Until(Box::pin(std::future::pending()));
        assert_eq!(frame(&mut of(6, never)), Some(Ok(6)));
    }
}
