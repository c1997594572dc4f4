//! The port for machines that speak plain HTTP: metrics for Prometheus, and health for probes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::model_metrics::ModelMetrics;
use crate::serve::limits::{Limits, seconds, size};
use crate::serve::state::{Phase, ServerState};
use crate::serve::telemetry::metrics::Collected;

/// The media type of the page.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How long to wait when no connection can be taken: trying again at once would only burn the processor.
const PAUSE: Duration = Duration::from_millis(20);

/// What the pages are made of.
struct Pages {
    registry: Registry,
    state: Arc<ServerState>,
}

/// Answers `GET /metrics`, `/ready` and `/live`.
pub(crate) struct MetricsServer {
    listener: TcpListener,
    router: Router,
    limits: Limits,
}

impl MetricsServer {
    /// Serves the metrics of a state on a port.
    pub(crate) fn new(listener: TcpListener, state: &Arc<ServerState>) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Collected(Arc::clone(&state.metrics))));
        registry.register_collector(Box::new(ModelMetrics(Arc::clone(state))));
        state.traces.register(&mut registry);
        let pages = Pages {
            registry,
            state: Arc::clone(state),
        };
        let router = Router::new()
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
        let Self {
            listener,
            router,
            limits,
        } = self;
        let connections = Arc::new(Semaphore::new(size(limits.metrics_connections)));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(seconds(limits.handshake_seconds))
            .keep_alive(false);
        loop {
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let pages = TowerToHyperService::new(router.clone());
            let connection = http.serve_connection(TokioIo::new(stream), pages);
            let connection = tokio::time::timeout(limits.longest(false), connection);
            tokio::spawn(async move {
                // A peer that sends nonsense or takes too long gets nothing.
                let _ = connection.await;
                drop(permit);
            });
        }
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
