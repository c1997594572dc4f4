use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tonic::Status;

use super::grpc_web::WebEncoding;
use crate::serve::errors::CallError;

/// How many characters of base64 stand for three bytes.
const GROUP: usize = 4;

/// What comes after a request's head.
pub(super) enum Source {
    /// A message that stood in the head.
    Whole(Bytes),
    /// The body as it comes.
    Stream(Incoming),
    /// The same in base64, with the characters that are no whole group yet.
    Base64 {
        /// The body.
        body: Incoming,
        /// Up to three characters.
        rest: Vec<u8>,
    },
}

impl Source {
    /// The body of a client of gRPC-Web.
    pub(super) fn web(body: Incoming, encoding: WebEncoding) -> Self {
        match encoding {
            WebEncoding::Binary => Self::Stream(body),
            WebEncoding::Base64 => Self::Base64 {
                body,
                rest: Vec::new(),
            },
        }
    }
}

impl Body for Source {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let (body, mut rest) = match self.get_mut() {
            Self::Whole(message) if message.is_empty() => return Poll::Ready(None),
            Self::Whole(message) => {
                let message = std::mem::take(message);
                return Poll::Ready(Some(Ok(Frame::data(message))));
            }
            Self::Stream(body) => (body, None),
            Self::Base64 { body, rest } => (body, Some(rest)),
        };
        loop {
            let data = match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    // Nothing that such clients send has trailers that mean anything.
                    Err(_) => continue,
                },
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(Status::cancelled(error.to_string()))));
                }
                None => {
                    let cut_off = rest.as_ref().is_some_and(|rest| !rest.is_empty());
                    return Poll::Ready(cut_off.then(|| Err(not_base64())));
                }
            };
            let Some(rest) = &mut rest else {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            };
            match decoded(rest, &data) {
                // Fewer than four characters are nothing yet.
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes.into())))),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(message) => message.is_empty(),
            Self::Stream(body) => body.is_end_stream(),
            Self::Base64 { body, rest } => body.is_end_stream() && rest.is_empty(),
        }
    }
}

/// The bytes of the whole groups of characters that there are now; what is left waits in `rest`. Clients may pad any piece,
/// not only the last.
fn decoded(rest: &mut Vec<u8>, data: &[u8]) -> Result<Vec<u8>, Status> {
    rest.extend_from_slice(data);
    let whole = rest.len() - rest.len() % GROUP;
    let mut bytes = Vec::with_capacity(whole / GROUP * 3);
    let mut from = 0;
    while from < whole {
        // A piece ends after its padding.
        let padded = rest[from..whole].iter().position(|byte| *byte == b'=');
        let until = padded.map_or(whole, |at| from + at - at % GROUP + GROUP);
        STANDARD
            .decode_vec(&rest[from..until], &mut bytes)
            .map_err(|_| not_base64())?;
        from = until;
    }
    rest.drain(..whole);
    Ok(bytes)
}

fn not_base64() -> Status {
    CallError::malformed("the request is not the base64 that its content type says").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], piece: usize) -> Option<Vec<u8>> {
        let (mut rest, mut bytes) = (Vec::new(), Vec::new());
        for piece in text.chunks(piece) {
            bytes.extend(decoded(&mut rest, piece).ok()?);
        }
        rest.is_empty().then_some(bytes)
    }

    #[test]
    fn base64_is_read_however_it_is_cut_and_padded() {
        let text = [
            STANDARD.encode(b"abcde"),
            STANDARD.encode(b"f"),
            STANDARD.encode(b"ghi"),
        ]
        .concat();
        assert_eq!(text, "YWJjZGU=Zg==Z2hp");
        for piece in 1..=text.len() {
            assert_eq!(read(text.as_bytes(), piece).unwrap(), b"abcdefghi");
        }
        for wrong in [&b"YWJ"[..], b"YWJ\n", b"YW=j", b"=WJj", b"YWJjZGU=Z"] {
            assert_eq!(read(wrong, 3), None, "{wrong:?}");
        }
    }
}
