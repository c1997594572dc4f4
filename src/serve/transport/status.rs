//! `GET /status.json`: what the server is doing, for the page that draws it. Counters count from the start, so that a reader
//! takes differences over whatever time suits it.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;

use crate::serve::memory::MemoryUse;
use crate::serve::registry::users::KnownUsers;
use crate::serve::registry::{Label, ModelStatus, ServedModel};
use crate::serve::state::{Phase, ServerState};
use crate::serve::telemetry::histogram::HistogramCounts;
use crate::serve::telemetry::metrics::{MethodCounts, PROBABILITIES, SECONDS};

/// The state of a server at one moment. Times are in seconds since 1970, by this machine's clock.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    version: &'static str,
    phase: Phase,
    started_at: f64,
    uptime_seconds: f64,
    now: f64,
    models: Vec<ModelRow>,
    /// `None` without a roll-up.
    rollup: Option<RollupRow>,
    calls: Vec<MethodCounts>,
    /// The upper bounds of the buckets of times, in seconds; a last bucket has none.
    seconds_bounds: &'static [f64],
    /// How long computations waited for a thread.
    queue_wait: HistogramCounts,
    scores: ScoreCounts,
    shed: BTreeMap<&'static str, u64>,
    reloads: BTreeMap<&'static str, u64>,
    connections: ConnectionCounts,
    memory: MemoryUse,
    /// `None` without a shadow.
    shadow: Option<ShadowRow>,
}

#[derive(Debug, Serialize)]
struct ModelRow {
    name: String,
    state: &'static str,
    /// Why the model cannot be used, or could not be loaded again; empty without a problem.
    reason: String,
    labels: Vec<&'static str>,
    /// `None` for a model that could not be loaded.
    version: Option<String>,
    horizon_days: Vec<u16>,
    /// The as-of day of its training.
    as_of: Option<String>,
    loaded_at: Option<f64>,
}

#[derive(Debug, Serialize)]
struct RollupRow {
    users: usize,
    rows_set_aside: u64,
    read_at: f64,
    /// The beginning of the day after the last one that is covered, as if in UTC.
    covered_until: Option<f64>,
}

/// The churn probabilities that were given, at the shortest horizon.
#[derive(Debug, Serialize)]
struct ScoreCounts {
    bounds: &'static [f64],
    now: HistogramCounts,
    /// Those of the stable model on its test date; `None` when its card has none.
    training: Option<TrainingShares>,
}

#[derive(Debug, Serialize)]
struct TrainingShares {
    model: String,
    horizon_days: u16,
    date: String,
    users: u64,
    mean: f64,
    /// The share of the users in each bucket.
    shares: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct ConnectionCounts {
    open: usize,
    limit: u32,
}

#[derive(Debug, Serialize)]
struct ShadowRow {
    name: String,
    compared: u64,
    risk_band_mismatches: u64,
    mean_difference: f64,
}

impl Status {
    /// The present state.
    pub(crate) fn of(state: &ServerState) -> Self {
        let metrics = &state.metrics;
        // Before the table is locked: changes lock the table first and the statistics then.
        let shadow = state.models.shadow_stats().map(|stats| ShadowRow {
            mean_difference: stats.mean_difference(),
            compared: stats.compared,
            risk_band_mismatches: stats.risk_band_mismatches,
            name: stats.name,
        });
        let table = state.models.table();
        let models = table.models().map(ModelRow::of).collect();
        let stable = table.labelled_by(Label::Stable).cloned();
        // The lock is free again before anything is written.
        drop(table);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            phase: state.phase(),
            started_at: unix_seconds(metrics.started.clock),
            uptime_seconds: metrics.started.instant.elapsed().as_secs_f64(),
            now: unix_seconds(SystemTime::now()),
            models,
            rollup: state.known_users().as_deref().map(RollupRow::of),
            calls: metrics.calls(),
            seconds_bounds: SECONDS,
            queue_wait: metrics.queue_wait.counts(),
            scores: ScoreCounts {
                bounds: PROBABILITIES,
                now: metrics.probability.counts(),
                training: stable.as_deref().and_then(TrainingShares::of),
            },
            shed: metrics.sheds().collect(),
            reloads: metrics.reloads().collect(),
            connections: ConnectionCounts {
                open: metrics.connections(),
                limit: state.limits.connections,
            },
            memory: state.memory(),
            shadow,
        }
    }
}

impl ModelRow {
    fn of((status, model): (ModelStatus, Option<&std::sync::Arc<ServedModel>>)) -> Self {
        let ModelStatus {
            name,
            state,
            reason,
            version,
            labels,
        } = status;
        Self {
            name,
            state: state.name(),
            reason,
            labels: labels.into_iter().map(Label::name).collect(),
            version,
            horizon_days: model
                .map(|model| model.spec().schema.horizon_days.clone())
                .unwrap_or_default(),
            as_of: model.map(|model| model.spec().training.as_of.to_string()),
            loaded_at: model.map(|model| unix_seconds(model.loaded_at())),
        }
    }
}

impl RollupRow {
    fn of(users: &KnownUsers) -> Self {
        let seconds = |day: crate::history::Day| f64::from(day.number()) * 86_400.0;
        Self {
            users: users.histories().len(),
            rows_set_aside: users.rows_set_aside(),
            read_at: unix_seconds(users.read_at()),
            covered_until: users.covered_until().map(seconds),
        }
    }
}

impl TrainingShares {
    fn of(model: &ServedModel) -> Option<Self> {
        let scores = model.training_scores()?;
        Some(Self {
            model: model.name().to_owned(),
            horizon_days: scores.horizon_days,
            date: scores.date.clone(),
            users: scores.users,
            mean: scores.mean,
            shares: scores.shares(PROBABILITIES),
        })
    }
}

/// Seconds since 1970; 0 before.
fn unix_seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0.0, |passed| passed.as_secs_f64())
}
