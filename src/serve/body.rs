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

use super::errors::CallError;
use super::front::Ended;

/// One of a limited number, given back when dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<AtomicUsize>);

impl Permit {
    /// Takes one unless there are `most` already.
    pub(super) fn take(count: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
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

/// A request's body, counted until it is dropped, which is when its message has been decoded.
#[derive(Debug)]
pub(super) struct RequestBody {
    inner: Incoming,
    received: usize,
    /// All requests' bytes; `None` for calls that last, whose messages are decoded one by one.
    total: Option<(Arc<AtomicUsize>, usize)>,
}

impl RequestBody {
    /// Counts `inner` into a total that may reach so many bytes.
    pub(super) fn new(inner: Incoming, total: Option<(Arc<AtomicUsize>, usize)>) -> Self {
        Self { inner, received: 0, total }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let this = &mut *self;
        Poll::Ready(match frame {
            None => None,
            Some(Err(error)) => Some(Err(Status::cancelled(error.to_string()))),
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                let within = this.total.as_ref().is_none_or(|(total, most)| {
                    this.received += bytes;
                    total.fetch_add(bytes, Ordering::Relaxed) + bytes <= *most
                });
                let refused = || CallError::TooManyCalls { limit: "receiving_bytes" }.into();
                Some(if within { Ok(frame) } else { Err(refused()) })
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

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some((total, _)) = &self.total {
            total.fetch_sub(self.received, Ordering::Relaxed);
        }
    }
}

/// A response's body. Holds what the call occupies until it has been sent, and tells how a call that lasts has ended.
pub(super) struct ResponseBody {
    inner: tonic::body::Body,
    /// What a call that lasts reports when it ends; its status comes with the trailers.
    ended: Option<Ended>,
    _permits: [Option<Permit>; 2],
}

impl ResponseBody {
    /// Wraps a response's body.
    pub(super) fn new(inner: tonic::body::Body, ended: Option<Ended>, permits: [Option<Permit>; 2]) -> Self {
        Self { inner, ended, _permits: permits }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(trailers) = frame.as_ref().and_then(|f| f.as_ref().ok()).and_then(Frame::trailers_ref)
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

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let Some(ended) = self.ended.take() {
            ended.with(Code::Cancelled);
        }
    }
}

/// The status in a response's headers or trailers.
pub(super) fn grpc_status(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()))
}
