//! The port for what speaks plain HTTP: a page for people, metrics for Prometheus, and health for probes.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};

use super::http_connections::{ActiveStream, HttpConnections};
use super::model_metrics::ModelMetrics;
use super::process_metrics::ProcessMetrics;
use super::status::Status;
use super::status_page::StatusPage;
use crate::serve::limits::{Limits, seconds, size};
use crate::serve::state::{Phase, ServerState};
use crate::serve::telemetry::metrics::Collected;

/// The media type of metrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How long to wait when no connection can be taken: trying again at once would only burn the processor.
const PAUSE: Duration = Duration::from_millis(20);

/// What the answers are made of.
struct Pages {
    registry: Registry,
    page: StatusPage,
    state: Arc<ServerState>,
}

/// Answers `GET /`, `/status.json`, `/metrics`, `/ready` and `/live`.
pub(crate) struct MetricsServer {
    listener: TcpListener,
    router: Router,
    limits: Limits,
}

impl MetricsServer {
    /// Serves the page and the metrics of a state on a port.
    pub(crate) fn new(listener: TcpListener, state: &Arc<ServerState>) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Collected(Arc::clone(&state.metrics))));
        registry.register_collector(Box::new(ModelMetrics(Arc::clone(state))));
        registry.register_collector(Box::new(ProcessMetrics(Arc::clone(state))));
        state.traces.register(&mut registry);
        let pages = Pages {
            registry,
            page: StatusPage::new(),
            state: Arc::clone(state),
        };
        // HEAD is answered wherever GET is, by the same without its body.
        let router = Router::new()
            .route("/", get(page))
            .route("/status.json", get(status))
            .route("/metrics", get(metrics))
            .route("/ready", get(ready))
            .route("/live", get(|| async { StatusCode::OK }))
            .with_state(Arc::new(pages));
        Self {
            listener,
            router,
            limits: state.limits.clone(),
        }
    }

    /// Serves until dropped. Each connection is for one request, in the time that a call may take.
    pub(crate) async fn serve(self) {
        let connections = HttpConnections::new(size(self.limits.metrics_connections));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(seconds(self.limits.handshake_seconds))
            .keep_alive(false);
        loop {
            match self.listener.accept().await {
                Ok(accepted) => self.answer(&http, &connections, accepted),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Answers the one request of a connection, in a task of its own.
    fn answer(
        &self,
        http: &http1::Builder,
        connections: &Arc<HttpConnections>,
        (stream, peer): (TcpStream, SocketAddr),
    ) {
        let connection = connections.admit(peer.ip());
        let number = connection.number();
        let stream = TokioIo::new(ActiveStream::new(stream, connection));
        let pages = TowerToHyperService::new(self.router.clone());
        let served = http.serve_connection(stream, pages);
        // A peer that sends nonsense or takes too long gets nothing.
        let task = tokio::spawn(tokio::time::timeout(self.limits.longest(false), served));
        connections.serve_by(number, task.abort_handle());
    }
}

async fn page(State(pages): State<Arc<Pages>>) -> Response {
    (pages.page.headers(), pages.page.html()).into_response()
}

async fn status(State(pages): State<Arc<Pages>>) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    match serde_json::to_vec(&Status::of(&pages.state)) {
        Ok(status) => (headers, status).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn metrics(State(pages): State<Arc<Pages>>) -> Response {
    match encode(&pages.registry) {
        Ok(page) => ([(CONTENT_TYPE, OPEN_METRICS)], page).into_response(),
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn encode(registry: &Registry) -> Result<String, fmt::Error> {
    let mut page = String::new();
    prometheus_client::encoding::text::encode(&mut page, registry)?;
    Ok(page)
}

async fn ready(State(pages): State<Arc<Pages>>) -> StatusCode {
    match pages.state.phase() {
        Phase::Serving => StatusCode::OK,
        Phase::Starting | Phase::Draining => StatusCode::SERVICE_UNAVAILABLE,
    }
}
