//! One call on its connection: its request comes, its answer goes.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::Response;
use http_body::{Body, Frame, SizeHint};

use super::outbox::Outbox;
use crate::serve::gateway::call::{AnswerBody, Call};
use crate::serve::gateway::peer::PeerCall;

/// How long what is left of a request may take to come once the answer has gone.
const DISCARD: Duration = Duration::from_secs(2);

/// What comes after a request's head. Clones are of the same stream: one is the service's, and one stays to the end.
#[derive(Clone)]
pub(super) struct Incoming(Arc<Mutex<RecvStream>>);

impl Incoming {
    /// The rest of a request.
    pub(super) fn new(stream: RecvStream) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    fn stream(&self) -> MutexGuard<'_, RecvStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all of it has been read.
    pub(super) fn is_at_end(&self) -> bool {
        self.stream().is_end_stream()
    }

    /// The next bytes; the peer may send as many more at once.
    fn poll_data(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let mut stream = self.stream();
        let data = ready!(stream.poll_data(cx));
        if let Some(Ok(data)) = &data {
            // Fails only for more than has been received.
            let _ = stream.flow_control().release_capacity(data.len());
        }
        Poll::Ready(data)
    }

    /// Reads what is left and forgets it, up to so many bytes.
    ///
    /// To reset the stream instead would be cheaper at once. But what is on its way for streams that were reset and
    /// forgotten is an error of the peer's, and would end the connection with all its calls before long.
    pub(super) async fn discard(&self, most: usize) {
        let mut seen = 0;
        let all = async {
            while seen <= most && !self.is_at_end() {
                match std::future::poll_fn(|cx| self.poll_data(cx)).await {
                    Some(Ok(data)) => seen += data.len(),
                    _ => return,
                }
            }
        };
        // Of a sender that takes longer the stream is reset.
        let _ = tokio::time::timeout(DISCARD, all).await;
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        // gRPC's requests have no trailers that mean anything.
        self.poll_data(cx).map(|data| Some(data?.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.is_at_end()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// An admitted call on its connection.
pub(super) struct Exchange {
    /// The call.
    pub(super) call: Box<Call>,
    /// Its request.
    pub(super) incoming: Incoming,
    /// Where its answer goes.
    pub(super) respond: SendResponse<Bytes>,
    /// Where it is counted until it has been written.
    pub(super) outbox: Arc<Outbox>,
    /// Counts the call.
    pub(super) guard: PeerCall,
}

impl Exchange {
    /// Answers the call. Its client may go away, or take no more; both end it, the latter after a limited time.
    pub(super) async fn run(self, discard_bytes: usize) {
        let (longest, is_streaming) = (self.call.longest(), self.call.rpc().kind.is_streaming());
        let Self {
            call,
            incoming,
            respond,
            outbox,
            guard,
        } = self;
        let answer = answer(call, respond, &outbox);
        if let Ok(Some(())) = tokio::time::timeout(longest, answer).await
            && !is_streaming
            && !incoming.is_at_end()
        {
            incoming.discard(discard_bytes).await;
        }
        drop(guard);
    }
}

/// Answers a call; `None` when its client is gone.
async fn answer(
    mut call: Box<Call>,
    mut respond: SendResponse<Bytes>,
    outbox: &Outbox,
) -> Option<()> {
    let memory = Arc::clone(call.memory());
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
    if !is_all {
        send(body, stream, outbox).await?;
        outbox.hold(&memory);
    }
    Some(())
}

/// Sends an answer as fast as its client takes it.
async fn send(mut body: AnswerBody, mut stream: SendStream<Bytes>, outbox: &Outbox) -> Option<()> {
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
            Ok(data) => send_data(data, &mut stream, outbox).await?,
            Err(frame) => {
                let trailers = frame.into_trailers().ok()?;
                return stream.send_trailers(trailers).ok();
            }
        }
    }
}

/// Hands bytes over when the client has room for them: until then they are on the call's account.
async fn send_data(mut data: Bytes, stream: &mut SendStream<Bytes>, outbox: &Outbox) -> Option<()> {
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
            outbox.push(part.len());
            stream.send_data(part, false).ok()?;
        }
    }
    Some(())
}
