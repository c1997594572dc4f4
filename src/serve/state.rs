//! What all services share.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::compute::Compute;
use super::errors::CallError;
use super::limits::Limits;
use super::metrics::Metrics;
use super::models::{Loaded, Models};
use super::question::Asked;
use super::traces::Traces;
use super::users::KnownUsers;

/// Where the server stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is loading its models.
    Starting,
    /// It answers.
    Serving,
    /// It has been asked to stop.
    Draining,
}

/// The shared state.
pub(super) struct ServerState {
    /// The models.
    pub(super) models: Arc<Models>,
    /// The users known by id, once they are read.
    pub(super) users: RwLock<Option<Arc<KnownUsers>>>,
    /// Where computations go.
    pub(super) compute: Compute,
    /// What may be asked.
    pub(super) limits: Limits,
    /// What is counted.
    pub(super) metrics: Arc<Metrics>,
    /// What follows calls.
    pub(super) traces: Traces,
    /// Where the server stands.
    pub(super) phase: watch::Sender<Phase>,
}

impl ServerState {
    /// The model to ask, by label or name.
    pub(super) fn model(&self, name: &str) -> Result<Arc<Loaded>, CallError> {
        if self.phase() == Phase::Starting {
            return Err(CallError::NotReady);
        }
        self.models.select(name)
    }

    /// Everything that an answer of this model is made from.
    pub(super) fn asked<'s>(&'s self, model: &'s Loaded) -> Asked<'s> {
        Asked {
            served: &model.served,
            users: self.known_users(),
            limits: &self.limits,
        }
    }

    /// The users known by id.
    pub(super) fn known_users(&self) -> Option<Arc<KnownUsers>> {
        self.users
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes over other users, for the calls that begin from now on.
    pub(super) fn replace_users(&self, users: Arc<KnownUsers>) {
        *self.users.write().unwrap_or_else(PoisonError::into_inner) = Some(users);
    }

    /// Where the server stands.
    pub(super) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Refuses what a server that is about to stop no longer begins.
    pub(super) fn not_draining(&self) -> Result<(), CallError> {
        if self.phase() == Phase::Draining {
            Err(CallError::Draining)
        } else {
            Ok(())
        }
    }
}
