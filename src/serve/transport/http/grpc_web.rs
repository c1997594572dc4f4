//! gRPC-Web: gRPC's frames in bodies that a browser can read, the status in a last frame instead of trailers, and all of it in
//! base64 for clients that can only read text.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame};
use tonic::Status;

use super::answer::{Held, HttpAnswer};

/// What begins the frame of the status.
const TRAILERS: u8 = 0x80;
/// So many bytes are written in base64 at once: what is being written is no more than the buffers of its connection.
const PIECE_BYTES: usize = 12 << 10;

/// How bodies are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WebEncoding {
    /// As they are.
    Binary,
    /// In base64.
    Base64,
}

impl WebEncoding {
    /// The one that a media type stands for; `None` for a type that is not gRPC-Web's.
    pub(super) fn of(media_type: &str) -> Option<Self> {
        match media_type {
            "application/grpc-web" | "application/grpc-web+proto" => Some(Self::Binary),
            "application/grpc-web-text" | "application/grpc-web-text+proto" => Some(Self::Base64),
            _ => None,
        }
    }

    fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Binary => "application/grpc-web+proto",
            Self::Base64 => "application/grpc-web-text+proto",
        })
    }
}

/// The answer to a call that failed before there was a message: its status is in the headers.
pub(super) fn refused(headers: &HeaderMap, encoding: WebEncoding) -> Response<HttpAnswer> {
    let mut response = HttpAnswer::empty(StatusCode::OK);
    response.headers_mut().clone_from(headers);
    finish(response, encoding)
}

/// The answer to a call, message by message.
pub(super) fn answered(
    headers: &HeaderMap,
    held: Held,
    encoding: WebEncoding,
) -> Response<HttpAnswer> {
    let mut response = Response::new(HttpAnswer::Web(Box::new(WebBody {
        held: Some(held),
        encoding,
        waiting: Bytes::new(),
    })));
    response.headers_mut().clone_from(headers);
    finish(response, encoding)
}

fn finish(mut response: Response<HttpAnswer>, encoding: WebEncoding) -> Response<HttpAnswer> {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, encoding.media_type());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The body of an answer.
pub(super) struct WebBody {
    /// `None` once the status has been read.
    held: Option<Held>,
    encoding: WebEncoding,
    /// What has been read and is not written yet.
    waiting: Bytes,
}

impl Body for WebBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        while this.waiting.is_empty() {
            let Some(held) = &mut this.held else {
                return Poll::Ready(None);
            };
            match ready!(Pin::new(&mut held.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.waiting = data,
                    Err(frame) => {
                        this.waiting = trailers(&frame.into_trailers().unwrap_or_default());
                        this.held = None;
                    }
                },
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                // Answers end with their status: without one it is the client that has gone.
                None => this.held = None,
            }
        }
        let piece = match this.encoding {
            WebEncoding::Binary => std::mem::take(&mut this.waiting),
            WebEncoding::Base64 => {
                let length = this.waiting.len().min(PIECE_BYTES);
                STANDARD.encode(this.waiting.split_to(length)).into()
            }
        };
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.waiting.is_empty()
    }
}

/// The frame of a status.
fn trailers(headers: &HeaderMap) -> Bytes {
    let mut lines = BytesMut::new();
    for (name, value) in headers {
        lines.put_slice(name.as_str().as_bytes());
        lines.put_slice(b": ");
        lines.put_slice(value.as_bytes());
        lines.put_slice(b"\r\n");
    }
    let mut frame = BytesMut::with_capacity(lines.len() + 5);
    frame.put_u8(TRAILERS);
    // Headers are bounded far below what four bytes can say.
    frame.put_u32(u32::try_from(lines.len()).unwrap_or(u32::MAX));
    frame.put_slice(&lines);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_a_frame_of_lines() {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", HeaderValue::from_static("3"));
        headers.insert("grpc-message", HeaderValue::from_static("no%20key"));
        assert_eq!(
            &*trailers(&headers),
            b"\x80\0\0\0\x28grpc-status: 3\r\ngrpc-message: no%20key\r\n"
        );
    }

    #[test]
    fn media_types_are_those_of_the_protocol() {
        let of = |text| WebEncoding::of(text);
        assert_eq!(of("application/grpc-web+proto"), Some(WebEncoding::Binary));
        assert_eq!(of("application/grpc-web-text"), Some(WebEncoding::Base64));
        for other in [
            "application/grpc",
            "application/grpc-web+json",
            "application/json",
            "",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
