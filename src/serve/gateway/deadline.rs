//! The layer of deadlines: every call is answered, or told that it's too late, in a limited time.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body as HttpBody;
use tokio::time::Sleep;
use tonic::body::Body;
use tower::{Layer, Service};

use super::check::Step;
use crate::serve::context::CallContext;
use crate::serve::errors::CallError;

const LATE: CallError = CallError::DeadlinePassed("the deadline passed before there was an answer");

/// Puts deadlines before a service.
pub(crate) struct DeadlineLayer {
    message_bytes: usize,
}

impl DeadlineLayer {
    /// `message_bytes` is how much of a refused call's message is read.
    pub(crate) fn new(message_bytes: usize) -> Self {
        Self { message_bytes }
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline {
            message_bytes: self.message_bytes,
            inner,
        }
    }
}

/// A service behind deadlines.
#[derive(Clone)]
pub(crate) struct Deadline<S> {
    message_bytes: usize,
    inner: S,
}

/// The deadline of a call, whose client may have set an earlier one than the server's.
fn deadline<B>(request: &Request<B>, now: Instant) -> Result<Instant, CallError> {
    let timeout =
        timeout(request.headers()).map_err(|problem| CallError::malformed(problem.to_owned()))?;
    let call = CallContext::of(request.extensions());
    let deadline = match timeout.and_then(|timeout| call.started.checked_add(timeout)) {
        Some(clients) => clients.min(call.deadline),
        None => call.deadline,
    };
    match deadline <= now {
        true => Err(LATE),
        false => Ok(deadline),
    }
}

impl<S, B> Service<Request<B>> for Deadline<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    S::Future: Unpin,
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
{
    type Response = Response<Body>;
    type Error = CallError;
    type Future = Step<InTime<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        self.inner
            .poll_ready(cx)
            .map_err(|never: Infallible| match never {})
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match deadline(&request, Instant::now()) {
            Ok(deadline) => {
                CallContext::of_mut(request.extensions_mut()).deadline = deadline;
                Step::Passed(InTime {
                    answer: self.inner.call(request),
                    deadline,
                    timer: None,
                })
            }
            Err(error) => Step::refuse(request, error, self.message_bytes),
        }
    }
}

/// An answer, or the refusal that it comes too late.
pub(crate) struct InTime<F> {
    answer: F,
    deadline: Instant,
    /// Made when the answer has to be waited for: most calls are answered at once and need no clock.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<F> Future for InTime<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + Unpin,
{
    type Output = Result<Response<Body>, CallError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Poll::Ready(answer) = Pin::new(&mut this.answer).poll(cx) {
            return Poll::Ready(answer.map_err(|never| match never {}));
        }
        let deadline = this.deadline;
        let timer = this
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        timer.as_mut().poll(cx).map(|()| Err(LATE))
    }
}

/// How long the client is willing to wait, from the header `grpc-timeout`; an error says what is wrong with it.
fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, &'static str> {
    let Some(value) = headers.get("grpc-timeout") else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| "grpc-timeout is not text")?;
    let (digits, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or("grpc-timeout is empty")?;
    let legal = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let count = digits
        .parse::<u64>()
        .ok()
        .filter(|_| legal)
        .ok_or("grpc-timeout needs up to eight digits and a unit")?;
    let time = match unit {
        "H" => Duration::from_secs(count * 3_600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return Err("the unit of grpc-timeout is one of H, M, S, m, u and n"),
    };
    Ok(Some(time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::telemetry::traces::TraceParent;

    #[test]
    fn timeouts_are_read_as_the_protocol_writes_them() {
        let read = |text: &str| {
            timeout(&HeaderMap::from_iter([(
                "grpc-timeout".parse().unwrap(),
                text.parse().unwrap(),
            )]))
        };
        assert_eq!(timeout(&HeaderMap::new()), Ok(None));
        assert_eq!(read("1n"), Ok(Some(Duration::from_nanos(1))));
        assert_eq!(read("250m"), Ok(Some(Duration::from_millis(250))));
        assert_eq!(
            read("99999999H"),
            Ok(Some(Duration::from_secs(99_999_999 * 3_600)))
        );
        for wrong in ["", "S", "1", "1s", "-1S", "123456789S", "1.5S"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_earlier_of_the_servers_and_the_clients_deadline_holds() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let at = |timeout: &str, now| {
            let mut request = Request::new(());
            let context = CallContext::new(None, now, 10 * second, TraceParent::none());
            request.extensions_mut().insert(context);
            if !timeout.is_empty() {
                let value = timeout.parse().unwrap();
                request.headers_mut().insert("grpc-timeout", value);
            }
            deadline(&request, now)
        };
        assert_eq!(at("", now).unwrap(), now + 10 * second);
        assert_eq!(at("3S", now).unwrap(), now + 3 * second);
        assert_eq!(at("99999999H", now).unwrap(), now + 10 * second);
        assert!(matches!(at("0n", now), Err(CallError::DeadlinePassed(_))));
        assert!(matches!(at("3s", now), Err(CallError::Malformed { .. })));
    }
}
