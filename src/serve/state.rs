//! What all services share.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::convert::request::Asked;
use super::engine::pool::Compute;
use super::engine::users::KnownUsers;
use super::errors::CallError;
use super::limits::Limits;
use super::registry::{Loaded, Models};
use super::telemetry::metrics::Metrics;
use super::telemetry::traces::Traces;

/// Where the server stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is loading its models.
    Starting,
    /// It answers.
    Serving,
    /// It has been asked to stop.
    Draining,
}

/// The shared state.
pub(crate) struct ServerState {
    /// The models.
    pub(crate) models: Arc<Models>,
    /// The users known by id, once they are read.
    pub(crate) users: RwLock<Option<Arc<KnownUsers>>>,
    /// Where computations go.
    pub(crate) compute: Compute,
    /// What may be asked.
    pub(crate) limits: Limits,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// What follows calls.
    pub(crate) traces: Traces,
    /// Where the server stands.
    pub(crate) phase: watch::Sender<Phase>,
}

impl ServerState {
    /// The model to ask, by label or name.
    pub(crate) fn model(&self, name: &str) -> Result<Arc<Loaded>, CallError> {
        if self.phase() == Phase::Starting {
            return Err(CallError::NotReady);
        }
        self.models.select(name)
    }

    /// Everything that an answer of this model is made from.
    pub(crate) fn asked<'s>(&'s self, model: &'s Loaded) -> Asked<'s> {
        Asked {
            served: &model.served,
            users: self.known_users(),
            limits: &self.limits,
        }
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
        *self.users.write().unwrap_or_else(PoisonError::into_inner) = Some(users);
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
