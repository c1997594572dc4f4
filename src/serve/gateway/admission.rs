//! The layer of admission: how many calls there may be at the same time.
//!
//! What needs no key has a budget of its own, so that callers without one cannot take the room of those that have one.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::check::Step;
use crate::serve::context::CallContext;
use crate::serve::errors::CallError;
use crate::serve::limits::{Limits, size};
use crate::serve::methods::{MethodKind, Rpc};
use crate::serve::state::ServerState;
use crate::serve::telemetry::metrics::Shed;

/// One of a limited number, given back when dropped.
#[derive(Debug)]
struct Permit(Arc<AtomicUsize>);

impl Permit {
    /// Takes one unless there are `most` already.
    fn take(count: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let before = count.fetch_add(1, Ordering::Relaxed);
        let permit = Self(Arc::clone(count));
        (before < most).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What one call occupies: a stream takes a place among the calls and one among the streams.
type Permits = [Option<Permit>; 2];

/// How many calls there are of each sort.
#[derive(Default)]
struct Counts {
    calls: Arc<AtomicUsize>,
    streams: Arc<AtomicUsize>,
    unauthenticated: Arc<AtomicUsize>,
    health_watches: Arc<AtomicUsize>,
}

impl Counts {
    /// What a call of this method occupies; fails with the limit that is reached.
    fn take(&self, rpc: &Rpc, limits: &Limits) -> Result<Permits, CallError> {
        let permit = |count: &Arc<AtomicUsize>, most: u32, limit: &'static str| {
            Permit::take(count, size(most))
                .map(Some)
                .ok_or(CallError::TooManyCalls { limit })
        };
        let call = || {
            permit(
                &self.calls,
                limits.max_concurrent_calls,
                "max_concurrent_calls",
            )
        };
        match (rpc.permission, rpc.kind.is_streaming()) {
            (None, false) => Ok([
                permit(
                    &self.unauthenticated,
                    limits.max_unauthenticated_calls,
                    "max_unauthenticated_calls",
                )?,
                None,
            ]),
            (None, true) => Ok([
                permit(
                    &self.health_watches,
                    limits.max_health_watches,
                    "max_health_watches",
                )?,
                None,
            ]),
            (Some(_), false) => Ok([call()?, None]),
            (Some(_), true) => Ok([
                call()?,
                permit(&self.streams, limits.max_streams, "max_streams")?,
            ]),
        }
    }
}

/// Puts admission before a service.
pub(crate) struct AdmissionLayer(Arc<Shared>);

struct Shared {
    state: Arc<ServerState>,
    counts: Counts,
}

impl AdmissionLayer {
    /// No call is in progress yet.
    pub(crate) fn new(state: Arc<ServerState>) -> Self {
        Self(Arc::new(Shared {
            state,
            counts: Counts::default(),
        }))
    }
}

impl<S> Layer<S> for AdmissionLayer {
    type Service = Admission<S>;

    fn layer(&self, inner: S) -> Admission<S> {
        Admission {
            shared: Arc::clone(&self.0),
            inner,
        }
    }
}

/// A service behind admission.
#[derive(Clone)]
pub(crate) struct Admission<S> {
    shared: Arc<Shared>,
    inner: S,
}

impl Shared {
    fn admit(&self, rpc: &Rpc) -> Result<Permits, CallError> {
        let state = &self.state;
        let permits = self.counts.take(rpc, &state.limits);
        if permits.is_err() {
            state.metrics.shed(Shed::Calls);
        }
        let permits = permits?;
        // Large messages are refused before they are read: to read them only to refuse them later would leave no time for
        // anything else.
        if rpc.kind == MethodKind::Bulk {
            state.engine.pool.not_overloaded()?;
        }
        Ok(permits)
    }
}

impl<S, B> Service<Request<B>> for Admission<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = CallError>,
    S::Future: Unpin,
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
{
    type Response = Response<AdmittedBody>;
    type Error = CallError;
    type Future = Step<Admitted<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self
            .shared
            .admit(CallContext::of(request.extensions()).method())
        {
            Ok(permits) => Step::Passed(Admitted {
                answer: self.inner.call(request),
                permits,
            }),
            Err(error) => Step::refuse(
                request,
                error,
                size(self.shared.state.limits.max_message_bytes),
            ),
        }
    }
}

/// An admitted call on its way to a response.
pub(crate) struct Admitted<F> {
    answer: F,
    permits: Permits,
}

impl<F> Future for Admitted<F>
where
    F: Future<Output = Result<Response<Body>, CallError>> + Unpin,
{
    type Output = Result<Response<AdmittedBody>, CallError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let response = ready!(Pin::new(&mut this.answer).poll(cx))?;
        let permits = std::mem::take(&mut this.permits);
        Poll::Ready(Ok(response.map(|inner| AdmittedBody {
            inner,
            _permits: permits,
        })))
    }
}

/// A response's body. The call occupies its permits until the last of it has been sent.
pub(crate) struct AdmittedBody {
    inner: Body,
    _permits: Permits,
}

impl From<Body> for AdmittedBody {
    /// The body of a call that occupies nothing: of one that was refused.
    fn from(inner: Body) -> Self {
        Self {
            inner,
            _permits: Permits::default(),
        }
    }
}

impl HttpBody for AdmittedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
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
    use super::*;
    use crate::serve::methods::{RPCS, find};

    fn method(path: &str) -> &'static Rpc {
        &RPCS[find(path).unwrap()]
    }

    /// The limit that a call of a method runs into.
    fn refused(counts: &Counts, limits: &Limits, path: &str) -> Option<&'static str> {
        match counts.take(method(path), limits) {
            Ok(_) => None,
            Err(CallError::TooManyCalls { limit }) => Some(limit),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn each_sort_of_call_has_its_own_budget_and_gives_it_back() {
        const SCORE: &str = "/churn.v1.ScoringService/ScoreUser";
        const STREAM: &str = "/churn.v1.ScoringService/StreamScoreUsers";
        const CHECK: &str = "/grpc.health.v1.Health/Check";
        const WATCH: &str = "/grpc.health.v1.Health/Watch";
        let limits = Limits {
            max_concurrent_calls: 2,
            max_streams: 1,
            max_unauthenticated_calls: 1,
            max_health_watches: 1,
            ..Limits::default()
        };
        let counts = Counts::default();
        let stream = counts.take(method(STREAM), &limits).unwrap();
        assert_eq!(refused(&counts, &limits, STREAM), Some("max_streams"));
        let call = counts.take(method(SCORE), &limits).unwrap();
        assert_eq!(
            refused(&counts, &limits, SCORE),
            Some("max_concurrent_calls")
        );
        // Calls without a key and those with one do not take each other's room.
        let check = counts.take(method(CHECK), &limits).unwrap();
        assert_eq!(
            refused(&counts, &limits, CHECK),
            Some("max_unauthenticated_calls")
        );
        let watch = counts.take(method(WATCH), &limits).unwrap();
        assert_eq!(refused(&counts, &limits, WATCH), Some("max_health_watches"));
        drop((stream, call, check, watch));
        for path in [SCORE, STREAM, CHECK, WATCH] {
            assert_eq!(refused(&counts, &limits, path), None, "{path}");
        }
    }
}
