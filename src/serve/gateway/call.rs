//! A call that a service answers, until the last of its answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Sleep;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::BoxFuture;

use super::admission::{Admitted, Permits};
use super::deadline::LATE;
use super::{Shared, grpc_status, refusal};
use crate::serve::methods::Rpc;
use crate::serve::quota::Share;
use crate::serve::telemetry::call_record::CallRecord;

/// How many times as long as it may take to be answered a call has until its answer is taken: a client that stops reading
/// must not hold its place for ever.
const TIMES_AS_LONG: u32 = 2;

/// An admitted call; as a future it is its response.
pub(crate) struct Call {
    gateway: Arc<Shared>,
    rpc: &'static Rpc,
    answer: BoxFuture<Response<Body>, Infallible>,
    deadline: Instant,
    /// Made when the answer has to be waited for: most calls are answered at once and need no clock.
    timer: Option<Pin<Box<Sleep>>>,
    permits: Permits,
    /// What the request takes, and the call itself.
    _memory: Arc<Share>,
    /// Taken when there is a response.
    record: Option<CallRecord>,
}

impl Call {
    pub(super) fn new(
        gateway: &Arc<Shared>,
        rpc: &'static Rpc,
        answer: BoxFuture<Response<Body>, Infallible>,
        deadline: Instant,
        admitted: Admitted,
        record: CallRecord,
    ) -> Self {
        let Admitted {
            permits,
            queue_place: _,
            memory,
        } = admitted;
        Self {
            gateway: Arc::clone(gateway),
            rpc,
            answer,
            deadline,
            timer: None,
            permits,
            _memory: memory,
            record: Some(record),
        }
    }

    /// The method that is called.
    pub(crate) fn rpc(&self) -> &'static Rpc {
        self.rpc
    }

    /// How long the whole call may take, its answer taken or not.
    pub(crate) fn longest(&self) -> Duration {
        let limits = &self.gateway.state.limits;
        TIMES_AS_LONG * limits.longest(self.rpc.kind.is_streaming())
    }

    /// The answer, or the refusal that it comes too late.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Response<Body>> {
        if let Poll::Ready(answer) = self.answer.as_mut().poll(cx) {
            return Poll::Ready(answer.unwrap_or_else(|never| match never {}));
        }
        let deadline = self.deadline;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        timer.as_mut().poll(cx).map(|()| refusal(LATE))
    }
}

impl Future for Call {
    type Output = Response<AnswerBody>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let response = ready!(this.poll_answer(cx));
        let is_streaming = this.rpc.kind.is_streaming();
        let (response, record) = this
            .gateway
            .finish(response, this.record.take(), is_streaming);
        let _permits = std::mem::take(&mut this.permits);
        Poll::Ready(response.map(|inner| AnswerBody {
            inner,
            record,
            _permits,
        }))
    }
}

/// An answer's body. Until the last of it has been sent the call holds its places. The record of a streaming call is
/// finished by the status in its trailers.
pub(crate) struct AnswerBody {
    inner: Body,
    record: Option<CallRecord>,
    _permits: Permits,
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
            && let Some(record) = self.record.take()
        {
            record.finish(grpc_status(trailers).unwrap_or(tonic::Code::Unknown));
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
