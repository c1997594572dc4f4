//! Traces, as a collector gets them. What it reads is written down here by field number, after opentelemetry-proto's
//! `trace.proto`, so that names are checked by their bytes and not by the code that sent them.

use std::convert::Infallible;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ebb::serve::{Lifecycle, MetricsPort, TraceSettings};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpListener;
use tonic::Code;

use super::metrics::{ask_page, free_port, value};
use super::raw::{Raw, SCORE_USER, framed};
use super::*;

#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    /// 1 is internal, 2 is server.
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_ns: u64,
    #[prost(fixed64, tag = "8")]
    end_ns: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<Attribute>,
    #[prost(message, optional, tag = "15")]
    status: Option<SpanStatus>,
}

#[derive(Clone, PartialEq, Message)]
struct SpanStatus {
    /// 2 is an error.
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
    #[prost(int64, optional, tag = "3")]
    number: Option<i64>,
}

fn attribute(attributes: &[Attribute], key: &str) -> Option<String> {
    let AnyValue { text, number } = attributes.iter().find(|a| a.key == key)?.value.clone()?;
    text.or(number.map(|number| number.to_string()))
}

impl Span {
    fn says(&self, key: &str) -> Option<String> {
        attribute(&self.attributes, key)
    }

    fn failed(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.code == 2)
    }
}

/// A collector in this process, with what it was sent.
struct Collector {
    endpoint: String,
    exports: Arc<Mutex<Vec<Export>>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let exports = Arc::<Mutex<Vec<Export>>>::default();
        let taken = Arc::clone(&exports);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let taken = Arc::clone(&taken);
                let service = service_fn(move |request| take(request, Arc::clone(&taken)));
                let http = http2::Builder::new(TokioExecutor::new());
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { endpoint, exports }
    }

    fn spans(&self) -> Vec<Span> {
        let exports = self.exports.lock().unwrap();
        let scopes = exports
            .iter()
            .flat_map(|e| &e.resources)
            .flat_map(|r| &r.scopes);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }
}

async fn take(
    request: Request<Incoming>,
    taken: Arc<Mutex<Vec<Export>>>,
) -> Result<Response<impl http_body::Body<Data = Bytes, Error = Infallible>>, Infallible> {
    assert_eq!(
        request.uri().path(),
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    );
    let body = request.into_body().collect().await.unwrap().to_bytes();
    taken
        .lock()
        .unwrap()
        .push(Export::decode(body.slice(5..)).unwrap());
    let status = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
    let answer = Full::new(Bytes::from(framed(&[]))).with_trailers(async move { Some(Ok(status)) });
    Ok(Response::builder()
        .header("content-type", "application/grpc")
        .body(answer)
        .unwrap())
}

fn traced(endpoint: &str, sample_ratio: f64) -> Config {
    Config {
        traces: Some(TraceSettings {
            endpoint: endpoint.into(),
            sample_ratio,
        }),
        ..Config::default()
    }
}

async fn serving(config: Config) -> Running {
    Running::of(config, || stock(Some(histories(&log())))).await
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// The header of a caller that has decided whether to trace.
fn caller(sampled: bool) -> String {
    format!("00-{TRACE}-{CALLER}-0{}", u8::from(sampled))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn each_call_is_a_span_below_its_callers() {
    let collector = Collector::start().await;
    let server = serving(traced(&collector.endpoint, 1.0)).await;
    let raw = Raw::connect(&server).await;
    let headers = [
        ("traceparent", &*caller(true)),
        ("x-request-id", "order-77"),
    ];
    assert_eq!(
        raw.call(SCORE_USER, &headers, &ask(user("ann")))
            .await
            .code(),
        Code::Ok
    );
    assert_eq!(
        raw.call(
            SCORE_USER,
            &[("traceparent", &*caller(false))],
            &ask(user("ann"))
        )
        .await
        .code(),
        Code::Ok
    );
    let unknown = raw
        .call(
            SCORE_USER,
            &[("traceparent", "00-nonsense")],
            &ask(user("nobody")),
        )
        .await;
    assert_eq!(unknown.code(), Code::NotFound);
    assert_eq!(
        raw.call("/made.up/Method", &[], &ask(user("ann")))
            .await
            .code(),
        Code::Unimplemented
    );
    assert_eq!(
        raw.call(SCORE_USER, &[("grpc-timeout", "1n")], &ask(user("ann")))
            .await
            .code(),
        Code::DeadlineExceeded
    );
    // So many are not computed on the thread that serves the connection.
    let subjects = vec![user("ann"); 6];
    server
        .batch(BatchScoreUsersRequest {
            subjects,
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(server.stop().await, Stopped::Drained);

    let spans = collector.spans();
    check_calls(&spans);
    check_attributes(&spans);
    let resource = collector.exports.lock().unwrap()[0].resources[0]
        .resource
        .clone()
        .unwrap();
    assert_eq!(
        attribute(&resource.attributes, "service.name").as_deref(),
        Some("ebb-serve")
    );
}

/// One span a call, with its code; the call whose caller decided against it is not there.
fn check_calls(spans: &[Span]) {
    let seen = |span: &Span| {
        (
            span.name.clone(),
            span.kind,
            span.says("rpc.grpc.status_code"),
            span.failed(),
        )
    };
    let row = |name: &str, kind, code: Option<&str>, failed| {
        (name.to_owned(), kind, code.map(str::to_owned), failed)
    };
    let scored = "churn.v1.ScoringService/ScoreUser";
    assert_eq!(
        spans.iter().map(seen).collect::<Vec<_>>(),
        [
            row(scored, 2, Some("0"), false),
            row(scored, 2, Some("5"), false),
            row("unknown", 2, Some("12"), true),
            row(scored, 2, Some("4"), true),
            row("queue", 1, None, false),
            row("compute", 1, None, false),
            row(
                "churn.v1.ScoringService/BatchScoreUsers",
                2,
                Some("0"),
                false
            ),
        ]
    );
}

/// Spans have their callers above them, the parts of a computation below, and what is known of the call as attributes.
fn check_attributes(spans: &[Span]) {
    let [first, second, made_up, _, queue, compute, batch] = spans else {
        panic!("{spans:?}")
    };
    assert_eq!(
        (hex(&first.trace), hex(&first.parent)),
        (TRACE.to_owned(), CALLER.to_owned())
    );
    let said = |key| first.says(key).unwrap();
    assert_eq!(
        [said("rpc.system"), said("rpc.method")],
        ["grpc", "ScoreUser"]
    );
    assert_eq!(
        [said("rpc.service"), said("ebb.request_id")],
        ["churn.v1.ScoringService", "order-77"]
    );
    assert!(
        second.parent.is_empty()
            && second.trace != first.trace
            && second.says("ebb.request_id").is_some()
    );
    assert_eq!(
        (
            made_up.says("rpc.system").as_deref(),
            made_up.says("rpc.method")
        ),
        (Some("grpc"), None)
    );
    for child in [queue, compute] {
        assert_eq!((&child.trace, &child.parent), (&batch.trace, &batch.id));
        assert!(
            batch.start_ns <= child.start_ns
                && child.start_ns <= child.end_ns
                && child.end_ns <= batch.end_ns
        );
    }
}

#[tokio::test]
async fn a_ratio_of_nothing_sends_what_callers_ask_for_and_nothing_else() {
    let collector = Collector::start().await;
    for (headers, expected) in [(None, 0), (Some(caller(true)), 20)] {
        let server = serving(traced(&collector.endpoint, 0.0)).await;
        let raw = Raw::connect(&server).await;
        let headers: Vec<_> = headers
            .iter()
            .map(|value| ("traceparent", value.as_str()))
            .collect();
        for _ in 0..20 {
            assert_eq!(
                raw.call(SCORE_USER, &headers, &ask(user("ann")))
                    .await
                    .code(),
                Code::Ok
            );
        }
        assert_eq!(server.stop().await, Stopped::Drained);
        assert_eq!(collector.spans().len(), expected);
    }
}

#[tokio::test]
async fn a_server_without_traces_sends_none() {
    let collector = Collector::start().await;
    let server = serving(Config::default()).await;
    let raw = Raw::connect(&server).await;
    raw.call(
        SCORE_USER,
        &[("traceparent", &*caller(true))],
        &ask(user("ann")),
    )
    .await;
    assert_eq!(server.stop().await, Stopped::Drained);
    assert_eq!(collector.spans(), []);
}

#[tokio::test]
async fn a_collector_that_is_away_harms_no_call_and_holds_up_no_stop() {
    let page = free_port();
    let metrics = MetricsPort {
        listen: Some(page),
        public: false,
    };
    let away = format!("http://{}", free_port());
    let server = serving(Config {
        metrics,
        ..traced(&away, 1.0)
    })
    .await;
    for _ in 0..20 {
        server.score(ask(user("ann"))).await.unwrap();
    }
    let lost = async || {
        value(
            &ask_page(page, "GET /metrics").await,
            "ebb_trace_spans_total{result=\"lost\"}",
        )
    };
    until(async || lost().await == 20.0).await;
    server.score(ask(user("ann"))).await.unwrap();
    let asked = Instant::now();
    assert_eq!(server.stop().await, Stopped::Drained);
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
}

#[tokio::test]
async fn a_collector_that_never_answers_harms_no_call_and_holds_up_no_stop() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let page = free_port();
    let metrics = MetricsPort {
        listen: Some(page),
        public: false,
    };
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let server = serving(Config {
        metrics,
        ..traced(&endpoint, 1.0)
    })
    .await;
    // More than fit into the queue, so that some are lost at its door.
    for _ in 0..3_500 {
        server.score(ask(user("ann"))).await.unwrap();
    }
    let lost = value(
        &ask_page(page, "GET /metrics").await,
        "ebb_trace_spans_total{result=\"lost\"}",
    );
    assert!(lost > 0.0);
    let asked = Instant::now();
    assert_eq!(server.stop().await, Stopped::Drained);
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
}

#[tokio::test]
async fn traces_that_cannot_be_sent_are_refused_at_the_start() {
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (_reload, reloads) = tokio::sync::mpsc::channel(1);
    let (_look, look_at_credentials) = tokio::sync::mpsc::channel(1);
    let config = traced("https://127.0.0.1:4317", 1.0);
    let refused = run(
        listener,
        &config,
        Lifecycle {
            load: || stock(None),
            ready: |_: &_| (),
            reload: reloads,
            look_at_credentials,
            shutdown: std::future::pending(),
        },
    )
    .await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("traces.endpoint is https://127.0.0.1:4317")
    );
}
