//! What is written: JSON, the bodies of gRPC-Web, and errors as `google.rpc.Status` with the status of HTTP that goes with it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::connection::Running;
use super::grpc_web::WebBody;
use crate::serve::errors::ServeError;
use crate::serve::gateway::call::AnswerBody;
use crate::serve::gateway::peer::PeerCall;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const REQUEST_ID: &str = "x-request-id";
/// The reason of a message that is too large, which HTTP has a status of its own for.
const TOO_LARGE: &str = "MESSAGE_TOO_LARGE";

/// What an answer holds until the last of it is taken.
pub(super) struct Held {
    /// The places of the call, and what is left of the answer.
    pub(super) body: AnswerBody,
    _guard: PeerCall,
    _clock: Running,
}

impl Held {
    pub(super) fn new(body: AnswerBody, guard: PeerCall, clock: Running) -> Self {
        Self {
            body,
            _guard: guard,
            _clock: clock,
        }
    }
}

/// The body of an answer.
pub(super) enum HttpAnswer {
    /// All of it.
    Whole {
        /// What is left to be taken.
        bytes: Bytes,
        /// What the call holds until then.
        held: Option<Box<Held>>,
    },
    /// Frame after frame.
    Web(Box<WebBody>),
}

impl HttpAnswer {
    /// An answer without a body.
    pub(super) fn empty(status: StatusCode) -> Response<Self> {
        let mut response = Response::new(Self::Whole {
            bytes: Bytes::new(),
            held: None,
        });
        *response.status_mut() = status;
        response
    }

    /// An answer in JSON.
    pub(super) fn json(status: StatusCode, bytes: Bytes, held: Option<Held>) -> Response<Self> {
        let held = held.map(Box::new);
        let mut response = Response::new(Self::Whole { bytes, held });
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

impl Body for HttpAnswer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.get_mut() {
            Self::Whole { bytes, held } => {
                held.take();
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::Web(body) => Pin::new(&mut **body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole { bytes, .. } => bytes.is_empty(),
            Self::Web(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole { bytes, .. } => SizeHint::with_exact(bytes.len() as u64),
            Self::Web(_) => SizeHint::default(),
        }
    }
}

/// Copies the name of a call.
pub(super) fn copy_request_id(from: &HeaderMap, to: &mut HeaderMap) {
    if let Some(id) = from.get(REQUEST_ID) {
        to.insert(REQUEST_ID, id.clone());
    }
}

/// How errors are written.
pub(super) struct Errors(MessageDescriptor);

impl Errors {
    /// Errors as `google.rpc.Status`, with the details that it may have.
    pub(super) fn new() -> Result<Self, ServeError> {
        let fault = |problem: String| ServeError::Protocol(problem);
        let pool = DescriptorPool::decode(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .map_err(|error| fault(error.to_string()))?;
        pool.get_message_by_name("google.rpc.Status")
            .map(Self)
            .ok_or_else(|| fault("it has no google.rpc.Status".into()))
    }

    /// The answer to a call that failed with the status in these headers.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response<HttpAnswer> {
        let status = Status::from_header_map(headers);
        let status = status.unwrap_or_else(|| Status::internal("the answer has no status"));
        let mut response = self.of(&status);
        copy_request_id(headers, response.headers_mut());
        response
    }

    /// The answer to a call that failed with this status.
    pub(super) fn of(&self, status: &Status) -> Response<HttpAnswer> {
        let mut response = HttpAnswer::json(http_status(status), self.json(status).into(), None);
        let headers = response.headers_mut();
        if status.code() == Code::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let details = status.get_error_details();
        let retry = details.retry_info().and_then(|info| info.retry_delay);
        if let Some(delay) = retry {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(delay)));
        }
        response
    }

    fn json(&self, status: &Status) -> Vec<u8> {
        let message = match status.details() {
            [] => tonic_types::pb::Status {
                code: status.code() as i32,
                message: status.message().to_owned(),
                details: Vec::new(),
            }
            .encode_to_vec(),
            details => details.to_vec(),
        };
        // Details are made here, of types that the pool has.
        DynamicMessage::decode(self.0.clone(), &*message)
            .ok()
            .and_then(|message| serde_json::to_vec(&message).ok())
            .unwrap_or_default()
    }
}

/// A time in the whole seconds that HTTP counts in, never fewer than it has.
fn whole_seconds(delay: Duration) -> u64 {
    delay.as_secs() + u64::from(delay.subsec_nanos() > 0)
}

/// The status of HTTP that goes with one of gRPC, as `google/rpc/code.proto` has them.
fn http_status(status: &Status) -> StatusCode {
    match status.code() {
        Code::Ok => StatusCode::OK,
        // 499 is what nginx calls it, "client closed request".
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
            StatusCode::BAD_REQUEST
        }
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::ResourceExhausted => {
            let details = status.get_error_details();
            match details
                .error_info()
                .is_some_and(|info| info.reason == TOO_LARGE)
            {
                true => StatusCode::PAYLOAD_TOO_LARGE,
                false => StatusCode::TOO_MANY_REQUESTS,
            }
        }
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal | Code::Unknown | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::errors::CallError;

    fn answer(error: CallError) -> (u16, HeaderMap, serde_json::Value) {
        let (head, body) = Errors::new().unwrap().of(&error.into()).into_parts();
        let HttpAnswer::Whole { bytes, .. } = body else {
            panic!("an error is written at once")
        };
        (
            head.status.as_u16(),
            head.headers,
            serde_json::from_slice(&bytes).unwrap(),
        )
    }

    #[test]
    fn an_error_has_its_details_by_their_types() {
        let (status, headers, body) = answer(CallError::field("subject.user_id", "is empty"));
        assert_eq!((status, headers.get(RETRY_AFTER)), (400, None));
        assert_eq!(
            body,
            serde_json::json!({
                "code": 3,
                "message": "subject.user_id: is empty",
                "details": [
                    {
                        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": "FIELD_INVALID",
                        "domain": "churn.v1",
                    },
                    {
                        "@type": "type.googleapis.com/google.rpc.BadRequest",
                        "fieldViolations": [
                            {"field": "subject.user_id", "description": "subject.user_id: is empty"},
                        ],
                    },
                ],
            })
        );
    }

    #[test]
    fn each_code_has_its_status_and_what_can_be_tried_again_says_when() {
        let busy = answer(CallError::Overloaded {
            retry_after: Duration::from_millis(1_200),
        });
        assert_eq!((busy.0, &busy.1[RETRY_AFTER]), (429, &HeaderValue::from(2)));
        assert_eq!(answer(CallError::MessageTooLarge { most: 5 }).0, 413);
        assert_eq!(answer(CallError::NotReady).0, 503);
        assert_eq!(answer(CallError::unknown_model("model", "x")).0, 404);
        let (status, headers, body) = answer(CallError::Unauthenticated("no key"));
        assert_eq!(
            (status, &headers[WWW_AUTHENTICATE]),
            (401, &HeaderValue::from_static("Bearer"))
        );
        assert_eq!(body["code"], 16);
    }

    #[test]
    fn a_status_without_details_is_written_too() {
        let response = Errors::new().unwrap().of(&Status::cancelled("gone"));
        assert_eq!(response.status().as_u16(), 499);
        let HttpAnswer::Whole { bytes, .. } = response.into_body() else {
            panic!("an error is written at once")
        };
        assert_eq!(&*bytes, br#"{"code":1,"message":"gone"}"#);
    }
}
