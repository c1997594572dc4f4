use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::answer::HttpAnswer;

/// Stands for all origins.
pub(crate) const ANY: &str = "*";
/// What scripts may send beside what they always may.
const SENT: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, grpc-timeout, x-request-timeout, x-request-id, x-grpc-web, x-user-agent, traceparent",
);
/// What scripts may read beside what they always may.
const READ: HeaderValue = HeaderValue::from_static(
    "grpc-status, grpc-message, grpc-status-details-bin, retry-after, x-request-id",
);
/// How long a browser may remember the answer to a preflight, in seconds.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

/// The origins whose pages may ask: <https://fetch.spec.whatwg.org/#http-cors-protocol>.
pub(super) struct Origins {
    listed: Vec<HeaderValue>,
    all: bool,
}

impl Origins {
    /// These, of which each is `SCHEME://HOST[:PORT]` or `*`.
    pub(super) fn new(listed: &[String]) -> Self {
        Self {
            listed: listed
                .iter()
                .filter_map(|origin| HeaderValue::try_from(origin).ok())
                .collect(),
            all: listed.iter().any(|origin| origin == ANY),
        }
    }

    /// Whether pages of this origin may ask. Browsers name the origin of every request that could do something, so a page of
    /// any other gets no answer even where it would not be kept from sending the request.
    pub(super) fn allow(&self, origin: &HeaderValue) -> bool {
        self.all || self.listed.contains(origin)
    }

    /// Lets pages of this origin read an answer, if they may.
    pub(super) fn mark(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if self.listed.is_empty() {
            return;
        }
        // What is answered to one origin must not be kept for another.
        headers.insert(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin.filter(|origin| self.allow(origin)) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, READ);
        }
    }

    /// The answer to a browser that asks whether a page may send a request.
    pub(super) fn preflight(&self) -> Response<HttpAnswer> {
        let mut response = HttpAnswer::empty(StatusCode::NO_CONTENT);
        if !self.listed.is_empty() {
            let headers = response.headers_mut();
            let methods = HeaderValue::from_static("GET, HEAD, POST");
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, SENT);
            headers.insert(ACCESS_CONTROL_MAX_AGE, REMEMBERED);
        }
        response
    }
}
