//! What every call passes, whatever its method: a list of layers around the services.

pub(crate) mod admission;
pub(crate) mod api_keys;
pub(crate) mod authorization;
pub(crate) mod body_limit;
pub(crate) mod check;
pub(crate) mod deadline;
pub(crate) mod dispatch;
pub(crate) mod known_method;
pub(crate) mod record;

use std::sync::Arc;

use tower::ServiceBuilder;

use self::admission::{Admission, AdmissionLayer};
use self::authorization::{Authorization, KeyRing};
use self::body_limit::{BodyLimitLayer, BodyLimited};
use self::check::{CheckLayer, Checked};
use self::deadline::{Deadline, DeadlineLayer};
use self::dispatch::Services;
use self::known_method::KnownMethod;
use self::record::{Record, RecordLayer};
use super::limits::size;
use super::state::ServerState;
use super::telemetry::settings::AccessLog;

/// The services behind their layers, outermost first; cheap to clone, one for each call.
pub(crate) type Gateway = Record<
    Checked<Authorization, Checked<KnownMethod, Admission<Deadline<BodyLimited<Services>>>>>,
>;

/// The gateway to the services of a state. `salt` makes this run's request ids different from another's.
pub(crate) fn gateway(
    state: &Arc<ServerState>,
    keys: Arc<KeyRing>,
    log: AccessLog,
    salt: u32,
) -> Result<Gateway, tonic_reflection::server::Error> {
    let message_bytes = size(state.limits.max_message_bytes);
    Ok(ServiceBuilder::new()
        // Counts, traces, names and logs the call, and makes a response of every refusal below.
        .layer(RecordLayer::new(Arc::clone(state), log, salt))
        // Before the method table: callers without a key must not learn which methods there are.
        .layer(CheckLayer::new(Authorization::new(keys), message_bytes))
        .layer(CheckLayer::new(KnownMethod, message_bytes))
        // After the key: calls without one must not take the room of those that have one.
        .layer(AdmissionLayer::new(Arc::clone(state)))
        .layer(DeadlineLayer::new(message_bytes))
        .layer(BodyLimitLayer::new(Arc::clone(state)))
        .service(Services::new(state)?))
}
