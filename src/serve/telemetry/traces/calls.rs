//! A span for each call.
//!
//! Names and attributes follow OpenTelemetry's conventions for RPC servers:
//! <https://opentelemetry.io/docs/specs/semconv/rpc/rpc-spans/>, gRPC's in particular for which codes are errors.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
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
use crate::serve::errors::ServeError;
use crate::serve::methods::Rpc;
use crate::serve::telemetry::settings::TraceSettings;

/// Where spans begin; nowhere without the section `[traces]`.
pub(crate) struct Traces(Option<(Arc<SdkTracer>, Delivery)>);

impl Traces {
    /// Starts delivery, on the runtime that this is called on.
    pub(crate) fn start(settings: Option<&TraceSettings>) -> Result<Self, ServeError> {
        let Some(settings) = settings else {
            return Ok(Self(None));
        };
        settings.validate()?;
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
    /// The span as its children need it, on whatever thread they begin and end.
    pub(crate) fn parent(&self) -> TraceParent {
        TraceParent(self.0.clone())
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

/// A span that may get children.
#[derive(Clone, Default)]
pub(crate) struct TraceParent(Option<Live>);

impl TraceParent {
    /// No span: children of it are dropped.
    pub(crate) fn none() -> Self {
        Self(None)
    }

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
