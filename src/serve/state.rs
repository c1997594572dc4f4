//! What all services share.

use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use tokio::sync::watch;

use super::convert::request::{RequestContext, ScoreOptions};
use super::engine::Engine;
use super::errors::CallError;
use super::limits::Limits;
use super::memory::{MemoryUse, resident};
use super::quota::{Quotas, Resource};
use super::registry::users::KnownUsers;
use super::registry::{ModelRegistry, ServedModel};
use super::telemetry::metrics::{Metrics, Shed};
use super::telemetry::traces::Traces;

/// The phase of a server's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// It loads its models.
    Starting,
    /// It answers.
    Serving,
    /// It is to stop.
    Draining,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// All calls were finished.
    Drained,
    /// Some connections were still open at the limit and were cut off.
    CutOff,
}

/// The shared state.
pub(crate) struct ServerState {
    /// The models.
    pub(crate) models: Arc<ModelRegistry>,
    /// The users known by id, once they are read.
    pub(crate) users: RwLock<Option<Arc<KnownUsers>>>,
    /// What computes scores.
    pub(crate) engine: Engine,
    /// What may be asked.
    pub(crate) limits: Limits,
    /// The fewest users that a published figure may count.
    pub(crate) min_users: u32,
    /// What is taken of what there is a limited number of.
    pub(crate) quotas: Arc<Quotas>,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// What follows calls.
    pub(crate) traces: Traces,
    /// Where the server stands.
    pub(crate) phase: watch::Sender<Phase>,
}

impl ServerState {
    /// The model of a label or name.
    pub(crate) fn model(&self, name: &str) -> Result<Arc<ServedModel>, CallError> {
        if self.phase() == Phase::Starting {
            return Err(CallError::NotReady);
        }
        self.models.select(name)
    }

    /// Everything that the scores of one request are computed from.
    pub(crate) fn context(&self, options: ScoreOptions) -> Result<Arc<RequestContext>, CallError> {
        let (model, users) = (self.model(&options.model)?, self.known_users());
        RequestContext::new(model, users, &self.limits, options).map(Arc::new)
    }

    /// The users known by id.
    pub(crate) fn known_users(&self) -> Option<Arc<KnownUsers>> {
        self.users
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes over other users, for the calls that begin from now on.
    pub(crate) fn replace_users(&self, users: Arc<KnownUsers>) {
        let mut current = self.users.write().unwrap_or_else(PoisonError::into_inner);
        *current = Some(Arc::clone(&users));
        drop(current);
        // Afterwards: a call in between would have the order of the former users computed, and kept for nobody.
        self.engine.rankings.keep_only(&users);
    }

    /// The memory of the process beside the budget that callers share.
    pub(crate) fn memory(&self) -> MemoryUse {
        MemoryUse {
            resident_bytes: resident(),
            budget_bytes: self.quotas.most(Resource::Memory),
            used_bytes: self.quotas.taken(Resource::Memory),
        }
    }

    /// Counts a call that failed for want of memory after it had been admitted.
    pub(crate) fn count_memory_refusal(&self, error: &CallError) {
        if matches!(error, CallError::TooManyCalls { limit } if *limit == Resource::Memory.limit())
        {
            self.metrics.shed(Shed::Memory);
        }
    }

    /// Where the server stands.
    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Refuses what a server that is about to stop no longer begins.
    pub(crate) fn not_draining(&self) -> Result<(), CallError> {
        if self.phase() == Phase::Draining {
            Err(CallError::Draining)
        } else {
            Ok(())
        }
    }
}
