//! One call on its connection: its request comes, its answer goes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::Response;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

use crate::serve::gateway::call::{AnswerBody, Call};
use crate::serve::gateway::peer::PeerCall;

/// What comes after a request's head.
pub(super) struct Incoming(pub(super) RecvStream);

impl Body for Incoming {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let data = ready!(self.0.poll_data(cx));
        if let Some(Ok(data)) = &data {
            // The peer may send as many more at once. Fails only for more than has been received.
            let _ = self.0.flow_control().release_capacity(data.len());
        }
        // gRPC's requests have no trailers that mean anything.
        let gone = |error: h2::Error| Status::cancelled(error.to_string());
        Poll::Ready(data.map(|data| data.map(Frame::data).map_err(gone)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// An admitted call on its connection.
pub(super) struct Exchange {
    /// The call.
    pub(super) call: Box<Call>,
    /// Where its answer goes.
    pub(super) respond: SendResponse<Bytes>,
    /// Counts the call.
    pub(super) guard: PeerCall,
}

impl Exchange {
    /// Answers the call. Its client may go away, or take no more; both end it, the latter after a limited time. What is
    /// left of its request then is not waited for: its stream is reset.
    pub(super) async fn run(self) {
        let longest = self.call.longest();
        let Self {
            call,
            respond,
            guard,
        } = self;
        let _ = tokio::time::timeout(longest, answer(call, respond)).await;
        drop(guard);
    }
}

/// Answers a call; `None` when its client is gone.
async fn answer(mut call: Box<Call>, mut respond: SendResponse<Bytes>) -> Option<()> {
    let response = std::future::poll_fn(|cx| {
        if let Poll::Ready(response) = Pin::new(&mut call).poll(cx) {
            return Poll::Ready(Some(response));
        }
        // Whatever the reset says, nobody waits any more.
        respond.poll_reset(cx).map(|_| None)
    })
    .await?;
    let (head, body) = response.into_parts();
    let is_all = body.is_end_stream();
    let stream = respond
        .send_response(Response::from_parts(head, ()), is_all)
        .ok()?;
    match is_all {
        true => Some(()),
        false => send(body, stream).await,
    }
}

/// Sends an answer as fast as its client takes it.
async fn send(mut body: AnswerBody, mut stream: SendStream<Bytes>) -> Option<()> {
    loop {
        let frame = std::future::poll_fn(|cx| {
            if let Poll::Ready(frame) = Pin::new(&mut body).poll_frame(cx) {
                return Poll::Ready(frame);
            }
            stream.poll_reset(cx).map(|_| None)
        })
        .await;
        let Some(frame) = frame else {
            // gRPC's answers end with trailers: without them it is the client that has gone.
            return None;
        };
        match frame.ok()?.into_data() {
            Ok(data) => send_data(data, &mut stream).await?,
            Err(frame) => {
                let trailers = frame.into_trailers().ok()?;
                return stream.send_trailers(trailers).ok();
            }
        }
    }
}

/// Hands bytes over when the client has room for them.
async fn send_data(mut data: Bytes, stream: &mut SendStream<Bytes>) -> Option<()> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        if stream.capacity() == 0 {
            std::future::poll_fn(|cx| {
                // Of the two, capacity wakes the task at a reset too.
                stream.poll_capacity(cx)
            })
            .await?
            .ok()?;
        }
        let part = data.split_to(stream.capacity().min(data.len()));
        if !part.is_empty() {
            stream.send_data(part, false).ok()?;
        }
    }
    Some(())
}
