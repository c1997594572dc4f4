//! Admission: how many calls there may be at the same time, and whose.
//!
//! What needs no key takes no place that callers with one have. A health check takes none at all: its few bytes are
//! answered when they are there, and how many a connection may begin is limited.

use std::sync::Arc;

use crate::serve::errors::CallError;
use crate::serve::limits::CALL_BYTES;
use crate::serve::methods::{MethodKind, Rpc};
use crate::serve::quota::{Owner, Quotas, Resource, Share};
use crate::serve::state::ServerState;
use crate::serve::telemetry::metrics::Shed;

/// What one call occupies: a stream takes a place among the calls and one among the streams.
pub(super) type Permits = [Option<Share>; 2];

/// What an admitted call holds.
#[derive(Debug)]
pub(super) struct Admitted {
    /// Its places.
    pub(super) permits: Permits,
    /// Its place in the queue, if it is computed there for certain.
    pub(super) queue_place: Option<Arc<Share>>,
    /// Its memory.
    pub(super) memory: Arc<Share>,
}

/// Admits a call of this method and owner; fails with the limit that is reached.
pub(super) fn admit(
    state: &ServerState,
    owner: &Arc<Owner>,
    rpc: &Rpc,
) -> Result<Admitted, CallError> {
    let mut admitted = take(&state.quotas, owner, rpc).map_err(|resource| {
        state.metrics.shed(match resource {
            Resource::Memory => Shed::Memory,
            _ => Shed::Calls,
        });
        CallError::TooManyCalls {
            limit: resource.limit(),
        }
    })?;
    // Large messages are refused before they are read: to read them only to refuse them later would leave no time for
    // anything else.
    if rpc.kind == MethodKind::Bulk {
        admitted.queue_place = Some(Arc::new(state.engine.pool.reserve(owner)?));
    }
    Ok(admitted)
}

/// Takes what a call of a method occupies, or finds what there is not enough of.
fn take(quotas: &Arc<Quotas>, owner: &Arc<Owner>, rpc: &Rpc) -> Result<Admitted, Resource> {
    let one = |resource| quotas.take(owner, resource, 1).map(Some).ok_or(resource);
    let permits = match (rpc.permission, rpc.kind.is_streaming()) {
        (None, false) => [None, None],
        (None, true) => [one(Resource::HealthWatches)?, None],
        (Some(_), false) => [one(Resource::Calls)?, None],
        (Some(_), true) => [one(Resource::Calls)?, one(Resource::Streams)?],
    };
    let memory = quotas
        .take(owner, Resource::Memory, CALL_BYTES)
        .ok_or(Resource::Memory)?;
    Ok(Admitted {
        permits,
        queue_place: None,
        memory: Arc::new(memory),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::limits::Limits;
    use crate::serve::methods::{RPCS, find};

    fn method(path: &str) -> &'static Rpc {
        &RPCS[find(path).unwrap()]
    }

    #[test]
    fn each_sort_of_call_has_its_own_places_and_gives_them_back() {
        const SCORE: &str = "/churn.v1.ScoringService/ScoreUser";
        const STREAM: &str = "/churn.v1.ScoringService/StreamScoreUsers";
        const CHECK: &str = "/grpc.health.v1.Health/Check";
        const WATCH: &str = "/grpc.health.v1.Health/Watch";
        let quotas = Quotas::new(&Limits {
            max_concurrent_calls: 2,
            max_streams: 1,
            max_health_watches: 1,
            ..Limits::default()
        });
        let owner = Arc::<Owner>::default();
        let refused = |path| take(&quotas, &owner, method(path)).err();
        let stream = take(&quotas, &owner, method(STREAM)).unwrap();
        assert_eq!(refused(STREAM), Some(Resource::Streams));
        let call = take(&quotas, &owner, method(SCORE)).unwrap();
        assert_eq!(refused(SCORE), Some(Resource::Calls));
        // Calls without a key and those with one do not take each other's room.
        let watch = take(&quotas, &owner, method(WATCH)).unwrap();
        assert_eq!(refused(WATCH), Some(Resource::HealthWatches));
        let checks: Vec<Admitted> = (0..100)
            .map(|_| take(&quotas, &owner, method(CHECK)).unwrap())
            .collect();
        drop((stream, call, watch, checks));
        for path in [SCORE, STREAM, CHECK, WATCH] {
            assert_eq!(refused(path), None, "{path}");
        }
        assert_eq!(quotas.taken(Resource::Memory), 0);
    }

    #[test]
    fn calls_need_memory() {
        let quotas = Quotas::new(&Limits {
            memory_bytes: 3 * CALL_BYTES as u32,
            ..Limits::default()
        });
        let owner = Arc::<Owner>::default();
        let rpc = method("/grpc.health.v1.Health/Check");
        let calls: Vec<Admitted> = (0..2)
            .map(|_| take(&quotas, &owner, rpc).unwrap())
            .collect();
        calls[0].memory.grow(CALL_BYTES);
        assert_eq!(take(&quotas, &owner, rpc).err(), Some(Resource::Memory));
    }
}
