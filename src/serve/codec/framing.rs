//! gRPC's frames around messages: a byte for compression, four for the length, the message.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio_stream::Stream;
use tonic::Status;
use tonic::body::Body;

use crate::serve::errors::CallError;
use crate::serve::limits::size;

/// The bytes of a frame before its message.
const HEAD_BYTES: usize = 5;
/// How many times as much as has come of a message there may be room for.
const ROOM_TIMES: usize = 4;
/// The status that ends an answer.
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const OK: HeaderValue = HeaderValue::from_static("0");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// A frame around a message of this length.
pub(super) fn frame(length: usize, encode: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut buffer = BytesMut::with_capacity(HEAD_BYTES + length);
    buffer.put_u8(0);
    // Answers are bounded far below what four bytes can say.
    buffer.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    encode(&mut buffer);
    buffer
}

/// The only message of a request.
pub(crate) async fn message<B>(mut body: B, most: u32) -> Result<Bytes, Status>
where
    B: HttpBody<Data = Bytes, Error = Status> + Unpin,
{
    let mut received = Received::default();
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        let Some(frame) = frame else {
            return Ok(received.message()?);
        };
        if let Ok(data) = frame?.into_data() {
            received.add(data, most)?;
        }
        if body.is_end_stream() {
            return Ok(received.message()?);
        }
    }
}

/// All of a request that has no frames.
pub(crate) async fn unframed<B>(mut body: B, most: u32) -> Result<Bytes, Status>
where
    B: HttpBody<Data = Bytes, Error = Status> + Unpin,
{
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if first.len() + rest.len() + data.len() > size(most) {
            return Err(CallError::MessageTooLarge { most }.into());
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        rest.extend_from_slice(&std::mem::take(&mut first));
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() {
        first
    } else {
        rest.freeze()
    })
}

/// What has come of a request.
#[derive(Default)]
struct Received {
    /// Most requests come in one piece, which is not copied.
    first: Bytes,
    rest: Option<BytesMut>,
}

impl Received {
    fn bytes(&self) -> &[u8] {
        self.rest.as_deref().unwrap_or(&self.first)
    }

    /// Adds bytes, and refuses them as soon as the frame's head says that they are too many.
    fn add(&mut self, data: Bytes, most: u32) -> Result<(), CallError> {
        match &mut self.rest {
            Some(rest) => {
                make_room(rest, data.len())?;
                rest.extend_from_slice(&data);
            }
            None if self.first.is_empty() => self.first = data,
            None => {
                let mut rest = BytesMut::from(&*self.first);
                make_room(&mut rest, data.len())?;
                rest.extend_from_slice(&data);
                self.rest = Some(rest);
            }
        }
        let bytes = self.bytes();
        let Some(length) = length(bytes)? else {
            return Ok(());
        };
        if length > size(most) {
            return Err(CallError::MessageTooLarge { most });
        }
        match bytes.len() > HEAD_BYTES + length {
            true => Err(CallError::malformed(
                "the request has more than one message",
            )),
            false => Ok(()),
        }
    }

    fn message(self) -> Result<Bytes, CallError> {
        match length(self.bytes())? {
            Some(length) if self.bytes().len() == HEAD_BYTES + length => {}
            _ if self.bytes().is_empty() => {
                return Err(CallError::malformed("the request has no message"));
            }
            _ => return Err(CallError::malformed("the message is cut off")),
        }
        let whole = self.rest.map_or(self.first, BytesMut::freeze);
        Ok(whole.slice(HEAD_BYTES..))
    }
}

/// Makes room for more bytes of a message and for what is still to come of it. Its head may claim any length, so there is
/// never room for more than some times what has come.
fn make_room(received: &mut BytesMut, more: usize) -> Result<(), CallError> {
    let come = received.len() + more;
    if come > received.capacity() {
        let whole = HEAD_BYTES + length(received)?.unwrap_or_default();
        let room = whole.min(ROOM_TIMES * come).max(come);
        received.reserve(room - received.len());
    }
    Ok(())
}

/// The length of the message that begins here; `None` while its head is not there.
fn length(bytes: &[u8]) -> Result<Option<usize>, CallError> {
    match bytes {
        [0, a, b, c, d, ..] => Ok(Some(size(u32::from_be_bytes([*a, *b, *c, *d])))),
        [] | [0, ..] => Ok(None),
        _ => Err(CallError::malformed(
            "the message is compressed, and the request does not say how",
        )),
    }
}

/// The response of answers, which are framed already.
pub(crate) fn response<A>(answers: A) -> Response<Body>
where
    A: Stream<Item = Result<Bytes, Status>> + Send + Unpin + 'static,
{
    let mut response = Response::new(Body::new(Answers {
        answers,
        is_at_end: false,
    }));
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

/// Answers, and the status that they end with.
struct Answers<A> {
    answers: A,
    is_at_end: bool,
}

impl<A: Stream<Item = Result<Bytes, Status>> + Unpin> HttpBody for Answers<A> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_at_end {
            return Poll::Ready(None);
        }
        let mut trailers = HeaderMap::new();
        match ready!(Pin::new(&mut self.answers).poll_next(cx)) {
            Some(Ok(frame)) => return Poll::Ready(Some(Ok(Frame::data(frame)))),
            Some(Err(status)) => status.add_header(&mut trailers)?,
            None => {
                trailers.insert(GRPC_STATUS, OK);
            }
        }
        self.is_at_end = true;
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_at_end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    /// The message of a request whose bytes come in pieces of this length, of which it may have ten.
    fn read(bytes: &[u8], piece: usize) -> Result<Bytes, CallError> {
        let mut received = Received::default();
        for data in bytes.chunks(piece) {
            received.add(Bytes::copy_from_slice(data), 10)?;
        }
        received.message()
    }

    #[test]
    fn a_message_is_read_however_it_is_cut() {
        let framed = frame(3, |buffer| buffer.put_slice(b"abc"));
        assert_eq!(&*framed, b"\0\0\0\0\x03abc");
        for piece in 1..=8 {
            assert_eq!(&*read(&framed, piece).unwrap(), b"abc");
        }
        assert_eq!(&*read(&[0; 5], 5).unwrap(), b"");
    }

    #[test]
    fn what_is_not_one_whole_message_is_refused() {
        for (bytes, problem) in [
            (&b""[..], "the request has no message"),
            (b"\0\0\0", "the message is cut off"),
            (b"\0\0\0\0\x03ab", "the message is cut off"),
            (b"\0\0\0\0\x01ab", "more than one message"),
            (b"\0\0\0\0\0\0\0\0\0\0", "more than one message"),
            (b"\x01\0\0\0\0", "compressed"),
            (b"\0\0\0\0\x0b", "more than 10 bytes"),
        ] {
            for piece in [1, 100] {
                let refused = read(bytes, piece).unwrap_err().to_string();
                assert!(refused.contains(problem), "{refused}");
            }
        }
    }

    /// The frames of a response, and the status in its trailers.
    fn frames(answers: Vec<Result<Bytes, Status>>) -> (Vec<Bytes>, Code) {
        let mut body = response(tokio_stream::iter(answers)).into_body();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut frames = Vec::new();
        while let Poll::Ready(frame) = Pin::new(&mut body).poll_frame(&mut cx) {
            match frame.unwrap().unwrap().into_data() {
                Ok(data) => frames.push(data),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap();
                    let end = Pin::new(&mut body).poll_frame(&mut cx);
                    assert!(matches!(end, Poll::Ready(None)) && body.is_end_stream());
                    return (frames, Code::from_bytes(trailers["grpc-status"].as_bytes()));
                }
            }
        }
        panic!("all of it is there");
    }

    #[test]
    fn answers_are_their_frames_and_a_status() {
        let framed = frame(1, |buffer| buffer.put_u8(7)).freeze();
        assert_eq!(&*framed, [0, 0, 0, 0, 1, 7]);
        let answer = || Ok(framed.clone());
        assert_eq!(frames(vec![answer()]), (vec![framed.clone()], Code::Ok));
        let failed = Err(Status::aborted("on the way"));
        assert_eq!(
            frames(vec![answer(), answer(), failed, answer()]),
            (vec![framed.clone(); 2], Code::Aborted)
        );
    }
}
