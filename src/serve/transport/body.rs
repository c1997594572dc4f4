//! Bodies that keep count: how much of requests is under way, and when a response has ended.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tonic::{Code, Status};

use crate::serve::errors::CallError;
use crate::serve::gateway::Ended;
use crate::serve::telemetry::metrics::{Metrics, Shed};

/// One of a limited number, given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Permit {
    /// Takes one unless there are `most` already.
    pub(crate) fn take(count: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
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

/// How much of a request's body may come, and for how long.
pub(crate) enum Allowance {
    /// As much as the codec lets through: messages of calls that last are decoded one by one.
    Any,
    /// So many bytes.
    Small(usize),
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

/// A request's body, counted until it is dropped, which is when its message has been decoded.
pub(crate) struct RequestBody {
    inner: Incoming,
    received: usize,
    allowance: Allowance,
}

impl RequestBody {
    /// A body of which so much may come.
    pub(crate) fn new(inner: Incoming, allowance: Allowance) -> Self {
        Self {
            inner,
            received: 0,
            allowance,
        }
    }

    /// Counts more bytes, or refuses them.
    fn take(&mut self, bytes: usize) -> Result<(), CallError> {
        self.received += bytes;
        match &self.allowance {
            Allowance::Any | Allowance::Until(_) => Ok(()),
            Allowance::Small(most) if self.received <= *most => Ok(()),
            Allowance::Small(most) => Err(CallError::MessageTooLarge {
                most: u32::try_from(*most).unwrap_or(u32::MAX),
            }),
            Allowance::Shared {
                total,
                most,
                metrics,
            } => {
                if total.fetch_add(bytes, Ordering::Relaxed) + bytes <= *most {
                    return Ok(());
                }
                metrics.shed(Shed::Calls);
                Err(CallError::TooManyCalls {
                    limit: "receiving_bytes",
                })
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if let Allowance::Until(end) = &mut this.allowance
            && end.as_mut().poll(cx).is_ready()
        {
            this.allowance = Allowance::Until(Box::pin(std::future::ready(())));
            return Poll::Ready(None);
        }
        Poll::Ready(
            match std::task::ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                None => None,
                Some(Err(error)) => Some(Err(Status::cancelled(error.to_string()))),
                Some(Ok(frame)) => {
                    let taken = this.take(frame.data_ref().map_or(0, Bytes::len));
                    Some(taken.map(|()| frame).map_err(Status::from))
                }
            },
        )
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Allowance::Shared { total, .. } = &self.allowance {
            total.fetch_sub(self.received, Ordering::Relaxed);
        }
    }
}

/// A response's body. Holds what the call occupies until it has been sent, and tells how a call that lasts has ended.
pub(crate) struct ResponseBody {
    inner: tonic::body::Body,
    /// What a call that lasts reports when it ends; its status comes with the trailers.
    ended: Option<Ended>,
    _permits: [Option<Permit>; 2],
}

impl ResponseBody {
    /// Wraps a response's body.
    pub(crate) fn new(
        inner: tonic::body::Body,
        ended: Option<Ended>,
        permits: [Option<Permit>; 2],
    ) -> Self {
        Self {
            inner,
            ended,
            _permits: permits,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(trailers) = frame
            .as_ref()
            .and_then(|f| f.as_ref().ok())
            .and_then(Frame::trailers_ref)
            && let Some(ended) = self.ended.take()
        {
            ended.with(grpc_status(trailers).unwrap_or(Code::Unknown));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The status in a response's headers or trailers.
pub(crate) fn grpc_status(headers: &HeaderMap) -> Option<Code> {
    headers
        .get("grpc-status")
        .map(|value| Code::from_bytes(value.as_bytes()))
}
