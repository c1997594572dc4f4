//! Layers that let a call pass or refuse it, by its head alone.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::Body;
use tower::{Layer, Service};

use crate::serve::context::CallContext;
use crate::serve::errors::CallError;

/// How long the message of a refused call may take to arrive.
const DISCARD: Duration = Duration::from_secs(2);

/// One condition that calls must meet.
pub(crate) trait Check: Clone {
    /// Refuses the call, or lets it pass.
    fn check<B>(&self, request: &Request<B>) -> Result<(), CallError>;
}

/// Puts a check before a service.
pub(crate) struct CheckLayer<C> {
    check: C,
    message_bytes: usize,
}

impl<C: Check> CheckLayer<C> {
    /// `message_bytes` is how much of a refused call's message is read.
    pub(crate) fn new(check: C, message_bytes: usize) -> Self {
        Self {
            check,
            message_bytes,
        }
    }
}

impl<C: Check, S> Layer<S> for CheckLayer<C> {
    type Service = Checked<C, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Checked {
            check: self.check.clone(),
            message_bytes: self.message_bytes,
            inner,
        }
    }
}

/// A service behind a check.
#[derive(Clone)]
pub(crate) struct Checked<C, S> {
    check: C,
    message_bytes: usize,
    inner: S,
}

impl<C, S, B> Service<Request<B>> for Checked<C, S>
where
    C: Check,
    S: Service<Request<B>, Error = CallError>,
    S::Future: Unpin,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    type Response = S::Response;
    type Error = CallError;
    type Future = Step<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.check.check(&request) {
            Ok(()) => Step::Passed(self.inner.call(request)),
            Err(error) => Step::refuse(request, error, self.message_bytes),
        }
    }
}

/// What a layer answers with: what is below it, or its refusal.
pub(crate) enum Step<F> {
    /// The call went on.
    Passed(F),
    /// It is refused once its message has been read.
    Refused(Pin<Box<dyn Future<Output = CallError> + Send>>),
}

impl<F> Step<F> {
    /// The refusal of a call.
    ///
    /// Its message is read first and forgotten, up to so many bytes. To answer in the middle of it would mean to reset the
    /// stream, and what is still on its way for streams that were reset ends the connection before long. The messages of a
    /// streaming call may never end, so they are not waited for.
    pub(crate) fn refuse<B>(request: Request<B>, error: CallError, message_bytes: usize) -> Self
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        let method = CallContext::of(request.extensions()).named_method();
        let is_streaming = method.is_some_and(|rpc| rpc.kind.is_streaming());
        let body = request.into_body();
        Self::Refused(Box::pin(async move {
            if !is_streaming {
                // A sender that takes longer is answered in the middle of its message.
                let _ = tokio::time::timeout(DISCARD, discard(body, message_bytes)).await;
            }
            error
        }))
    }
}

async fn discard<B: Body<Data = Bytes> + Unpin>(mut body: B, most: usize) {
    let mut seen = 0;
    while seen <= most {
        match std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            Some(Ok(frame)) => seen += frame.data_ref().map_or(0, Bytes::len),
            _ => return,
        }
    }
}

impl<F, T> Future for Step<F>
where
    F: Future<Output = Result<T, CallError>> + Unpin,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.get_mut() {
            Self::Passed(inner) => Pin::new(inner).poll(cx),
            Self::Refused(refusal) => Poll::Ready(Err(ready!(refusal.as_mut().poll(cx)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use http_body::Frame;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    use super::*;
    use crate::serve::methods::{RPCS, find};
    use crate::serve::telemetry::traces::TraceParent;

    const UNARY: &str = "/churn.v1.ScoringService/ScoreUser";
    const STREAM: &str = "/churn.v1.ScoringService/StreamScoreUsers";

    /// Lets every call pass, or none.
    #[derive(Clone)]
    struct Fixed(bool);

    impl Check for Fixed {
        fn check<B>(&self, _: &Request<B>) -> Result<(), CallError> {
            match self.0 {
                true => Ok(()),
                false => Err(CallError::Draining),
            }
        }
    }

    /// A message in frames of one byte, which counts those that were read.
    struct Message {
        left: usize,
        read: Arc<AtomicUsize>,
    }

    impl Body for Message {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            self.left -= 1;
            self.read.fetch_add(1, Ordering::Relaxed);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    /// Calls a method behind a check with a message of so many bytes, of which a refused one may have 100. Returns whether
    /// the service was reached, and how much of the message was read.
    async fn call(passes: bool, path: &str, bytes: usize) -> (bool, usize) {
        let read = Arc::<AtomicUsize>::default();
        let mut request = Request::new(Message {
            left: bytes,
            read: Arc::clone(&read),
        });
        let rpc = &RPCS[find(path).unwrap()];
        request.extensions_mut().insert(CallContext::new(
            Some(rpc),
            Instant::now(),
            Duration::from_secs(60),
            TraceParent::none(),
        ));
        let service = ServiceBuilder::new()
            .layer(CheckLayer::new(Fixed(passes), 100))
            .service(service_fn(|_| std::future::ready(Ok::<_, CallError>(()))));
        let outcome = service.oneshot(request).await;
        assert!(matches!(outcome, Ok(()) | Err(CallError::Draining)));
        (outcome.is_ok(), read.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn a_refused_message_is_read_up_to_a_limit_and_the_service_never_sees_it() {
        assert_eq!(call(true, UNARY, 10).await, (true, 0));
        assert_eq!(call(false, UNARY, 10).await, (false, 10));
        assert_eq!(call(false, UNARY, 1_000).await, (false, 101));
        // The messages of a stream may never end.
        assert_eq!(call(false, STREAM, 10).await, (false, 0));
    }
}
