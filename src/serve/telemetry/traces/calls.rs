//! A span for each call.
//!
//! Names and attributes follow OpenTelemetry's conventions for RPC servers:
//! <https://opentelemetry.io/docs/specs/semconv/rpc/rpc-spans/>, gRPC's in particular for which codes are errors.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use prometheus_client::registry::Registry;
use tonic::Code;

use super::delivery::{Collected, Delivery};
use crate::serve::config::TraceSettings;
use crate::serve::errors::ServeError;
use crate::serve::gateway::methods::Rpc;

tokio::task_local! {
    /// The span of the call in progress; unset when the call is not traced.
    static CALL: Live;
}

/// What is wrong with the settings.
pub(crate) fn problem(settings: &TraceSettings) -> Option<String> {
    let TraceSettings {
        endpoint,
        sample_ratio,
    } = settings;
    let plain = |uri: Uri| {
        uri.scheme_str() == Some("http") && uri.authority().is_some() && uri.path() == "/"
    };
    if !endpoint.parse().is_ok_and(plain) {
        return Some(format!(
            "traces.endpoint is {endpoint}: it must be http://HOST:PORT, where a collector takes OTLP over gRPC \
             unencrypted"
        ));
    }
    if !(0.0..=1.0).contains(sample_ratio) {
        return Some(format!(
            "traces.sample_ratio is {sample_ratio}: it must be from 0 to 1"
        ));
    }
    None
}

/// Where spans begin; nowhere without the section `[traces]`.
pub(crate) struct Traces(Option<(Arc<SdkTracer>, Delivery)>);

impl Traces {
    /// Starts delivery, on the runtime that this is called on.
    pub(crate) fn start(settings: Option<&TraceSettings>) -> Result<Self, ServeError> {
        let Some(settings) = settings else {
            return Ok(Self(None));
        };
        if let Some(problem) = problem(settings) {
            return Err(ServeError::Setting(problem));
        }
        let version = env!("CARGO_PKG_VERSION");
        // What OTEL_RESOURCE_ATTRIBUTES says is added, as users of OpenTelemetry expect.
        let named = Resource::builder().with_service_name("ebb-serve");
        let resource = named
            .with_attribute(KeyValue::new("service.version", version))
            .build();
        let delivery = Delivery::start(&settings.endpoint, &resource)?;
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
                settings.sample_ratio,
            ))))
            .with_resource(resource)
            .with_span_processor(delivery.queue())
            .build();
        let scope = InstrumentationScope::builder("ebb")
            .with_version(version)
            .build();
        Ok(Self(Some((
            Arc::new(provider.tracer_with_scope(scope)),
            delivery,
        ))))
    }

    /// Adds what became of the spans to the metrics.
    pub(crate) fn register(&self, registry: &mut Registry) {
        if let Some((_, delivery)) = &self.0 {
            registry.register_collector(Box::new(Collected(delivery.counts())));
        }
    }

    /// Begins the span of a call; `None` stands for a method that does not exist.
    pub(crate) fn begin(&self, rpc: Option<&'static Rpc>, headers: &HeaderMap) -> CallSpan {
        let Some((tracer, _)) = &self.0 else {
            return CallSpan(None);
        };
        let caller =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
        let name = rpc.map_or("unknown", |rpc| rpc.path.trim_start_matches('/'));
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Server);
        let mut span = tracer.build_with_context(builder, &caller);
        if !span.is_recording() {
            return CallSpan(None);
        }
        span.set_attribute(KeyValue::new("rpc.system", "grpc"));
        if let Some(rpc) = rpc {
            span.set_attribute(KeyValue::new("rpc.service", rpc.service_name));
            span.set_attribute(KeyValue::new("rpc.method", rpc.method));
        }
        CallSpan(Some(Live {
            tracer: Arc::clone(tracer),
            context: Context::new().with_span(span),
        }))
    }

    /// Sends what has ended and is not sent yet, for a limited time.
    pub(crate) async fn stop(&self) {
        if let Some((_, delivery)) = &self.0 {
            delivery.finish().await;
        }
    }
}

/// A span that is recorded.
#[derive(Clone)]
struct Live {
    tracer: Arc<SdkTracer>,
    context: Context,
}

impl Live {
    fn end(&self, code: Code, id: Option<&HeaderValue>) {
        let span = self.context.span();
        span.set_attribute(KeyValue::new(
            "rpc.grpc.status_code",
            i64::from(code as i32),
        ));
        if let Some(id) = id.and_then(|id| id.to_str().ok()) {
            span.set_attribute(KeyValue::new("ebb.request_id", id.to_owned()));
        }
        if is_fault(code) {
            span.set_status(Status::error(code.description()));
        }
        span.end();
    }
}

/// Whether a code is the server's fault, by OpenTelemetry's conventions for gRPC servers.
fn is_fault(code: Code) -> bool {
    match code {
        Code::Unknown
        | Code::DeadlineExceeded
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => true,
        Code::Ok
        | Code::Cancelled
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unauthenticated => false,
    }
}

/// The span of a call, if it is recorded. One that is dropped before its end was cancelled by the client.
#[derive(Default)]
pub(crate) struct CallSpan(Option<Live>);

impl CallSpan {
    /// Runs the call so that [`current`] finds its span.
    pub(crate) async fn around<F: Future>(&self, call: F) -> F::Output {
        match &self.0 {
            None => call.await,
            Some(live) => CALL.scope(live.clone(), call).await,
        }
    }

    /// Ends the span with the call's status and request id.
    pub(crate) fn end(mut self, code: Code, id: Option<&HeaderValue>) {
        if let Some(live) = self.0.take() {
            live.end(code, id);
        }
    }
}

impl Drop for CallSpan {
    fn drop(&mut self) {
        if let Some(live) = self.0.take() {
            live.end(Code::Cancelled, None);
        }
    }
}

/// The span of the call in progress, for whoever works for it on another thread.
pub(crate) fn current() -> Parent {
    Parent(CALL.try_with(Live::clone).ok())
}

/// A span that may get children.
pub(crate) struct Parent(Option<Live>);

impl Parent {
    /// Adds a child that began and ended at these times.
    pub(crate) fn child(&self, name: &'static str, began: Instant, ended: Instant) {
        let Some(Live { tracer, context }) = &self.0 else {
            return;
        };
        let (now, today) = (Instant::now(), SystemTime::now());
        let time = |at: Instant| today.checked_sub(now.duration_since(at)).unwrap_or(today);
        let builder = SpanBuilder::from_name(name)
            .with_kind(SpanKind::Internal)
            .with_start_time(time(began));
        tracer
            .build_with_context(builder, context)
            .end_with_timestamp(time(ended));
    }
}

/// A call's headers as OpenTelemetry reads them.
struct Headers<'h>(&'h HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named() {
        let of = |endpoint: &str, sample_ratio| {
            problem(&TraceSettings {
                endpoint: endpoint.into(),
                sample_ratio,
            })
        };
        assert_eq!(problem(&TraceSettings::default()), None);
        assert_eq!(of("http://collector:4317/", 1.0), None);
        for endpoint in [
            "",
            "collector:4317",
            "/x",
            "https://collector:4317",
            "http://collector:4317/v1/traces",
        ] {
            assert!(
                of(endpoint, 0.5).unwrap().contains("traces.endpoint"),
                "{endpoint}"
            );
        }
        for ratio in [-0.1, 1.1, f64::NAN] {
            assert!(
                of("http://[::1]:4317", ratio)
                    .unwrap()
                    .contains("traces.sample_ratio"),
                "{ratio}"
            );
        }
    }
}
