//! `grpc.health.v1`: health that tells the truth.
//!
//! `""`, `readiness` and every service are SERVING from the first possible score until the server is asked to stop, under
//! whatever load. `liveness` is SERVING for as long as the process answers at all, so that nobody kills a server that is
//! loading or finishing its calls.

use std::pin::Pin;
use std::sync::Arc;

use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::serve::errors::CallError;
use crate::serve::gateway::methods::RPCS;
use crate::serve::state::{Phase, ServerState};

/// The health service.
pub(crate) struct HealthDesk {
    state: Arc<ServerState>,
}

impl HealthDesk {
    /// Tells of this state.
    pub(crate) fn new(state: Arc<ServerState>) -> Self {
        Self { state }
    }
}

/// The health of a name in a phase; `None` for a name that stands for nothing.
fn status(name: &str, phase: Phase) -> Option<ServingStatus> {
    let ready = || {
        if phase == Phase::Serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        }
    };
    match name {
        "liveness" => Some(ServingStatus::Serving),
        "" | "readiness" => Some(ready()),
        _ => RPCS.iter().any(|rpc| rpc.service_name == name).then(ready),
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

#[tonic::async_trait]
impl Health for HealthDesk {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let HealthCheckRequest { service } = request.into_inner();
        let known = status(&service, self.state.phase());
        Ok(Response::new(answer(known.ok_or_else(|| {
            CallError::unknown_model("service", &service)
        })?)))
    }

    type WatchStream =
        Pin<Box<dyn tokio_stream::Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    /// Ends when the server is asked to stop, after telling so: an open watch must not hold it up.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let HealthCheckRequest { service } = request.into_inner();
        let (updates, receiver) = tokio::sync::mpsc::channel(2);
        let mut phase = self.state.phase.subscribe();
        tokio::spawn(async move {
            let mut told = None;
            loop {
                let now = *phase.borrow_and_update();
                // The protocol asks to go on watching for a name that may come to stand for something.
                let health = status(&service, now).unwrap_or(ServingStatus::ServiceUnknown);
                if told != Some(health) && updates.send(Ok(answer(health))).await.is_err() {
                    return;
                }
                told = Some(health);
                if now == Phase::Draining {
                    // Whoever does not listen need not know.
                    let _ = updates.send(Err(CallError::Draining.into())).await;
                    return;
                }
                tokio::select! {
                    () = updates.closed() => return,
                    changed = phase.changed() => if changed.is_err() { return },
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
