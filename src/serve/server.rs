use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};

use super::errors::ServeError;
use super::limits::Limits;
use super::model_service::Models;
use super::scoring::Scoring;
use super::state::{ModelSlot, Served};
use super::wire;
use super::wire::model_service_server::ModelServiceServer;
use super::wire::scoring_service_server::ScoringServiceServer;

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// All calls were finished.
    Drained,
    /// Some connections were still open at [`Limits::drain_time_max`] and are cut off.
    CutOff,
}

/// Opens the port to listen on; port 0 lets the system choose one.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
}

/// Serves on `listener` until `shutdown` completes, then lets calls in progress finish.
///
/// The port answers at once, health with NOT_SERVING and scoring with UNAVAILABLE, while `load` runs on a thread
/// of its own. `ready` is called when the first score can be had. Fails when `load` does.
pub async fn run(
    listener: TcpListener,
    limits: Limits,
    load: impl FnOnce() -> Result<Served, ServeError> + Send + 'static,
    ready: impl FnOnce(&Served),
    shutdown: impl Future<Output = ()>,
) -> Result<Stopped, ServeError> {
    let slot = Arc::new(ModelSlot::default());
    let (health, health_service) = health_reporter();
    report(&health, ServingStatus::NotServing).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure();
        builder
            .register_encoded_file_descriptor_set(wire::DESCRIPTOR)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .include_reflection_service(true)
    };
    let reflection_alpha = reflection().build_v1alpha()?;
    let scoring = ScoringServiceServer::new(Scoring::new(Arc::clone(&slot)));
    let models = ModelServiceServer::new(Models::new(Arc::clone(&slot)));
    let router = limits
        .server()
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection_alpha)
        .add_service(scoring.max_decoding_message_size(limits.message_bytes_max))
        .add_service(models.max_decoding_message_size(limits.message_bytes_max));
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let mut serving = pin!(router.serve_with_incoming_shutdown(incoming, async {
        // A sender that is gone also means stop.
        let _ = stopped.await;
    }));
    let mut shutdown = pin!(shutdown);
    let start = async {
        let served = Arc::new(tokio::task::spawn_blocking(load).await??);
        slot.install(Arc::clone(&served));
        report(&health, ServingStatus::Serving).await;
        ready(&served);
        Ok::<_, ServeError>(())
    };
    let stop_asked = tokio::select! {
        ended = &mut serving => return Ok(ended.map(|()| Stopped::Drained)?),
        () = &mut shutdown => true,
        started = start => {
            started?;
            false
        }
    };
    if !stop_asked {
        tokio::select! {
            ended = &mut serving => return Ok(ended.map(|()| Stopped::Drained)?),
            () = &mut shutdown => {}
        }
    }
    report(&health, ServingStatus::NotServing).await;
    drop(stop);
    match tokio::time::timeout(limits.drain_time_max, serving).await {
        Ok(ended) => Ok(ended.map(|()| Stopped::Drained)?),
        Err(_) => Ok(Stopped::CutOff),
    }
}

async fn report(health: &HealthReporter, status: ServingStatus) {
    let names = ["", ScoringServiceServer::<Scoring>::NAME, ModelServiceServer::<Models>::NAME];
    for name in names {
        health.set_service_status(name, status).await;
    }
}
