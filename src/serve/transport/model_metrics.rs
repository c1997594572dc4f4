//! Metrics that are read from the server's state when they are asked for: of models, of the shadow and of the roll-up.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::serve::registry::users::KnownUsers;
use crate::serve::registry::{Label, ModelStatus, ShadowStats};
use crate::serve::state::ServerState;

/// The roll-up's metrics: how many users it holds, and how old it is.
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

/// The metrics of models: which there are, and how the shadow's scores differ.
pub(crate) struct ModelMetrics(pub(crate) Arc<ServerState>);

impl fmt::Debug for ModelMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ModelMetrics")
    }
}

impl Collector for ModelMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let models = &self.0.models;
        let row = |status: ModelStatus| {
            let labels: Vec<&str> = status.labels.into_iter().map(Label::name).collect();
            // A model that could not be loaded has no version, and cannot answer.
            Some([
                ("model", status.name),
                ("version", status.version?),
                ("labels", labels.join(",")),
            ])
        };
        let rows = models.table().statuses().into_iter().filter_map(row);
        let mut family = encoder.encode_descriptor(
            "ebb_model_info",
            "Models that can answer.",
            None,
            MetricType::Gauge,
        )?;
        for row in rows {
            ConstGauge::new(1_i64).encode(family.encode_family(&row)?)?;
        }
        if let Some(users) = self.0.known_users() {
            encode_users(&mut encoder, &users)?;
        }
        models
            .shadow_stats()
            .map_or(Ok(()), |stats| encode_shadow(&mut encoder, &stats))
    }
}

/// The shadow's metrics. A user with another stage is also counted by its risk band.
fn encode_shadow(encoder: &mut DescriptorEncoder<'_>, stats: &ShadowStats) -> fmt::Result {
    let help = "Users that the stable model scored, by the shadow's result.";
    let mut family =
        encoder.encode_descriptor("ebb_shadow_users", help, None, MetricType::Gauge)?;
    for (result, count) in [
        ("same_band", stats.compared - stats.risk_band_mismatches),
        ("risk_band_mismatch", stats.risk_band_mismatches),
        ("stage_mismatch", stats.stage_mismatches),
        ("unscored", stats.unscored),
        ("skipped", stats.skipped),
    ] {
        ConstGauge::new(count).encode(family.encode_family(&[("result", result)])?)?;
    }
    let help = "The shadow's mean absolute difference in churn probability.";
    let family =
        encoder.encode_descriptor("ebb_shadow_mean_difference", help, None, MetricType::Gauge)?;
    ConstGauge::new(stats.mean_difference()).encode(family)
}
