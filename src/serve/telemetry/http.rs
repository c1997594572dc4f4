//! The page that Prometheus reads, on a port of its own; and health in HTTP's words, for probes that speak nothing else.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::metrics::Collected;
use crate::serve::engine::users::KnownUsers;
use crate::serve::limits::{seconds, size};
use crate::serve::state::{Phase, ServerState};

/// The media type of the page.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers `GET /metrics`, `/ready` and `/live` until dropped.
pub(crate) async fn serve(listener: TcpListener, state: Arc<ServerState>) {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Collected(Arc::clone(&state.metrics))));
    registry.register_collector(Box::new(OfModels(Arc::clone(&state))));
    state.traces.register(&mut registry);
    let (registry, limits) = (Arc::new(registry), &state.limits);
    let connections = Arc::new(Semaphore::new(size(limits.metrics_connections)));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(seconds(limits.handshake_seconds))
        .keep_alive(false);
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            continue;
        };
        let (registry, http, longest) = (Arc::clone(&registry), http.clone(), limits.call_time());
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let page = service_fn(|request| {
                std::future::ready(Ok::<_, Infallible>(answer(&registry, &state, &request)))
            });
            // Whoever asks badly or slowly gets nothing.
            let _ =
                tokio::time::timeout(longest, http.serve_connection(TokioIo::new(stream), page))
                    .await;
            drop(permit);
        });
    }
}

fn answer(
    registry: &Registry,
    state: &ServerState,
    request: &Request<Incoming>,
) -> Response<String> {
    let only = |status| {
        let mut response = Response::new(String::new());
        *response.status_mut() = status;
        response
    };
    if request.method() != Method::GET {
        return only(StatusCode::METHOD_NOT_ALLOWED);
    }
    match request.uri().path() {
        "/metrics" => page(registry).unwrap_or_else(|_| only(StatusCode::INTERNAL_SERVER_ERROR)),
        "/live" => only(StatusCode::OK),
        "/ready" if state.phase() == Phase::Serving => only(StatusCode::OK),
        "/ready" => only(StatusCode::SERVICE_UNAVAILABLE),
        _ => only(StatusCode::NOT_FOUND),
    }
}

fn page(registry: &Registry) -> Result<Response<String>, fmt::Error> {
    let mut page = String::new();
    prometheus_client::encoding::text::encode(&mut page, registry)?;
    let mut response = Response::new(page);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, http::HeaderValue::from_static(OPEN_METRICS));
    Ok(response)
}

/// What is told of the roll-up: how many users it holds, and how old it is.
fn encode_users(encoder: &mut DescriptorEncoder<'_>, users: &KnownUsers) -> fmt::Result {
    let seconds = Some(&Unit::Seconds);
    let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: f64| {
        ConstGauge::new(value).encode(encoder.encode_descriptor(
            name,
            help,
            unit,
            MetricType::Gauge,
        )?)
    };
    gauge(
        "ebb_known_users",
        "Users that can be scored by id.",
        None,
        users.histories().len() as f64,
    )?;
    let set_aside = users.rows_set_aside() as f64;
    gauge(
        "ebb_rollup_rows_set_aside",
        "Rows of the roll-up on days that it does not cover.",
        None,
        set_aside,
    )?;
    let read = users
        .read_at()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |passed| passed.as_secs_f64());
    gauge(
        "ebb_rollup_read_timestamp",
        "When the roll-up was read.",
        seconds,
        read,
    )?;
    let Some(until) = users.covered_until() else {
        return Ok(());
    };
    let help = "The beginning of the day after the last one that the roll-up covers, as if in UTC.";
    gauge(
        "ebb_rollup_covered_until_timestamp",
        help,
        seconds,
        f64::from(until.number()) * 86_400.0,
    )
}

/// What is told of models: which there are, and how the shadow does.
struct OfModels(Arc<ServerState>);

impl fmt::Debug for OfModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfModels")
    }
}

impl Collector for OfModels {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let models = &self.0.models;
        let rows: Vec<[(&str, String); 3]> = {
            let shelf = models.shelf();
            let row = |(name, entry): (&String, &crate::serve::registry::Entry)| {
                let version = entry.model.as_ref()?.served.bundle().version().to_owned();
                let labels: Vec<&str> = shelf
                    .labels()
                    .of(name)
                    .map(crate::serve::registry::Label::name)
                    .collect();
                Some([
                    ("model", name.clone()),
                    ("version", version),
                    ("labels", labels.join(",")),
                ])
            };
            shelf.entries().iter().filter_map(row).collect()
        };
        let mut family = encoder.encode_descriptor(
            "ebb_model_info",
            "Models that can be asked.",
            None,
            MetricType::Gauge,
        )?;
        for row in rows {
            ConstGauge::new(1_i64).encode(family.encode_family(&row)?)?;
        }
        if let Some(users) = self.0.known_users() {
            encode_users(&mut encoder, &users)?;
        }
        let Some(comparison) = models.comparison() else {
            return Ok(());
        };
        let help = "Users scored by the shadow too, by what came of it.";
        let mut family =
            encoder.encode_descriptor("ebb_shadow_users", help, None, MetricType::Gauge)?;
        let alike = comparison.compared - comparison.risk_band_mismatches;
        for (result, count) in [
            ("same_band", alike),
            ("risk_band_mismatches", comparison.risk_band_mismatches),
            ("unscored", comparison.unscored),
            ("skipped", comparison.skipped),
        ] {
            ConstGauge::new(count).encode(family.encode_family(&[("result", result)])?)?;
        }
        let help = "The shadow's mean absolute difference in churn probability.";
        let family = encoder.encode_descriptor(
            "ebb_shadow_mean_difference",
            help,
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(comparison.mean()).encode(family)
    }
}
