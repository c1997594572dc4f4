//! `grpc.health.v1`.
//!
//! `""`, `readiness` and every service are SERVING from the first possible score until the server is asked to stop, under
//! any load. `liveness` is SERVING for as long as the process answers at all, so that no supervisor ends a server that is
//! loading or finishing its calls.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::serve::context::CallContext;
use crate::serve::errors::CallError;
use crate::serve::methods::RPCS;
use crate::serve::state::{Phase, ServerState};

/// Why a watch ends before its client ends it.
const LATE: CallError = CallError::DeadlinePassed("the watch's deadline passed");

/// `grpc.health.v1.Health`.
pub(crate) struct HealthServiceImpl {
    state: Arc<ServerState>,
}

impl HealthServiceImpl {
    /// The service of this state.
    pub(crate) fn new(state: Arc<ServerState>) -> Self {
        Self { state }
    }
}

/// The health of a name in a phase; `None` for a name that stands for nothing.
fn status(name: &str, phase: Phase) -> Option<ServingStatus> {
    let ready = if phase == Phase::Serving {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    match name {
        "liveness" => Some(ServingStatus::Serving),
        "" | "readiness" => Some(ready),
        _ => {
            let is_service = RPCS.iter().any(|rpc| rpc.service_name == name);
            is_service.then_some(ready)
        }
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

#[tonic::async_trait]
impl Health for HealthServiceImpl {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let HealthCheckRequest { service } = request.into_inner();
        let status = status(&service, self.state.phase())
            .ok_or_else(|| CallError::unknown_model("service", &service))?;
        Ok(Response::new(response(status)))
    }

    type WatchStream =
        Pin<Box<dyn tokio_stream::Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (_, extensions, HealthCheckRequest { service }) = request.into_parts();
        let (updates, receiver) = tokio::sync::mpsc::channel(2);
        let watch = HealthWatch {
            service,
            phase: self.state.phase.subscribe(),
            deadline: CallContext::of(&extensions).deadline,
            updates,
        };
        tokio::spawn(watch.run());
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// One call of `Watch`.
struct HealthWatch {
    service: String,
    phase: watch::Receiver<Phase>,
    deadline: Instant,
    updates: Sender<Result<HealthCheckResponse, Status>>,
}

impl HealthWatch {
    /// Sends every change of the health. Ends when the server is asked to stop, after the last change: an open watch
    /// must not hold up the stop.
    async fn run(mut self) {
        let mut sent = None;
        loop {
            let phase = *self.phase.borrow_and_update();
            // The protocol asks for a watch to go on for a name that may come to stand for something.
            let health = status(&self.service, phase).unwrap_or(ServingStatus::ServiceUnknown);
            if sent != Some(health) && self.updates.send(Ok(response(health))).await.is_err() {
                return;
            }
            sent = Some(health);
            if phase == Phase::Draining {
                return self.end(CallError::Draining).await;
            }
            tokio::select! {
                () = self.updates.closed() => return,
                () = tokio::time::sleep_until(self.deadline.into()) => return self.end(LATE).await,
                changed = self.phase.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Ends the stream with an error. A client that is gone has no need of it.
    async fn end(&self, error: CallError) {
        let _ = self.updates.send(Err(error.into())).await;
    }
}
