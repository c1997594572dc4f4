//! A server from its start to its end.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, RwLock};

use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::config::Config;
use super::engine::Engine;
use super::engine::pool::Compute;
use super::errors::ServeError;
use super::gateway::Gateway;
use super::initial_state::{InitialState, check_folder, configured_labels};
use super::limits::{seconds, size};
use super::quota::Quotas;
use super::registry::ModelRegistry;
use super::state::{Phase, ServerState, Stopped};
use super::telemetry::metrics::Metrics;
use super::telemetry::traces::Traces;
use super::transport::connection::{Connections, Protocol};
use super::transport::credentials::{Credentials, EVERY, follow_rollup};
use super::transport::http::HttpService;
use super::transport::listener::Listener;
use super::transport::metrics_port::MetricsServer;
use super::transport::tracker::ConnectionTracker;

/// Opens the port to listen on; port 0 lets the system choose one.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Listen { address, source })
}

/// The ports that callers reach.
#[derive(Debug)]
pub struct Ports {
    /// For gRPC.
    pub grpc: TcpListener,
    /// For JSON over HTTP and gRPC-Web; `None` for a server without that.
    pub http: Option<TcpListener>,
}

impl Ports {
    /// Opens the ports of a configuration.
    pub async fn listen(config: &Config) -> Result<Self, ServeError> {
        let grpc = listen(config.address()).await?;
        let http = match config.http.listen {
            None => None,
            Some(address) => Some(listen(address).await?),
        };
        Ok(Self { grpc, http })
    }
}

impl From<TcpListener> for Ports {
    fn from(grpc: TcpListener) -> Self {
        Self { grpc, http: None }
    }
}

/// What happens to a server from outside while it runs.
#[derive(Debug)]
pub struct Lifecycle<Load, Ready, Shutdown> {
    /// Loads the models and users, on a thread of its own.
    pub load: Load,
    /// Called when the first score can be had.
    pub ready: Ready,
    /// Each message has the folders of the labelled models and the roll-up read again.
    pub reload: mpsc::Receiver<()>,
    /// Each message has the files of keys and certificates compared with what is in use; see [`ticks`].
    pub look_at_credentials: mpsc::Receiver<()>,
    /// Completes when the server is to stop.
    pub shutdown: Shutdown,
}

/// A message each second, for [`Lifecycle::look_at_credentials`]. To be called on a runtime.
pub fn ticks() -> mpsc::Receiver<()> {
    let (tick, ticks) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut seconds = tokio::time::interval(EVERY);
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while tick.send(()).await.is_ok() {
            seconds.tick().await;
        }
    });
    ticks
}

/// Serves on `ports` until the shutdown completes, then lets calls in progress finish.
///
/// The port answers at once, health with NOT_SERVING and scoring with UNAVAILABLE, while models and users are loaded. Fails
/// when that does. The roll-up is read again, too, when its files change.
pub async fn run<Load, Ready, Shutdown>(
    ports: impl Into<Ports>,
    config: &Config,
    lifecycle: Lifecycle<Load, Ready, Shutdown>,
) -> Result<Stopped, ServeError>
where
    Load: FnOnce() -> Result<InitialState, ServeError> + Send + 'static,
    Ready: FnOnce(&InitialState),
    Shutdown: Future<Output = ()>,
{
    let credentials = Credentials::read(config)?;
    check_folder(config.models.as_ref())?;
    let state = state(config)?;
    let calls = calls(ports.into(), config, &state, &credentials)?;
    let metrics = match config.metrics.listen {
        None => None,
        Some(address) => Some(MetricsServer::new(listen(address).await?, &state)),
    };
    let reload_rollup = Arc::new(Notify::new());
    let mut calls = pin!(calls.serve());
    let mut metrics = pin!(async {
        match metrics {
            None => std::future::pending().await,
            Some(metrics) => metrics.serve().await,
        }
    });
    let Lifecycle {
        load,
        ready,
        mut reload,
        look_at_credentials,
        shutdown,
    } = lifecycle;
    let rollup = config.rollup.clone();
    let mut following = pin!(async {
        tokio::join!(
            credentials.follow(look_at_credentials),
            follow_rollup(&state, rollup, &reload_rollup),
        );
        // Both may have nothing to follow, and the server goes on.
        std::future::pending().await
    });
    let mut shutdown = pin!(shutdown);
    let mut loading = tokio::task::spawn_blocking(load);
    let (mut ready, mut reloads_end) = (Some(ready), false);
    loop {
        tokio::select! {
            stopped = &mut calls => return Ok(stopped),
            () = &mut following => {}
            () = &mut metrics => {}
            () = &mut shutdown => break,
            loaded = &mut loading, if ready.is_some() => {
                let initial = loaded??;
                install(&state, &initial);
                let models = Arc::clone(&state.models);
                tokio::spawn(async move { models.renew_kept_labels().await });
                ready.take().into_iter().for_each(|ready| ready(&initial));
            }
            asked = reload.recv(), if ready.is_none() && !reloads_end => match asked {
                Some(()) => {
                    let models = Arc::clone(&state.models);
                    tokio::spawn(async move { models.reload().await });
                    reload_rollup.notify_one();
                }
                None => reloads_end = true,
            },
        }
    }
    // First of all: clients that watch the server's health turn away before anything else changes.
    state.phase.send_replace(Phase::Draining);
    tracing::info!("draining");
    let stopped = tokio::select! {
        stopped = calls => stopped,
        () = metrics => Stopped::CutOff,
    };
    state.traces.stop().await;
    Ok(stopped)
}

/// What takes calls, on one port or two.
struct Calls {
    grpc: Listener,
    http: Option<Listener>,
}

impl Calls {
    /// Serves until all calls are finished.
    async fn serve(self) -> Stopped {
        let http = async {
            match self.http {
                Some(http) => http.serve().await,
                None => Stopped::Drained,
            }
        };
        match tokio::join!(self.grpc.serve(), http) {
            (Stopped::Drained, Stopped::Drained) => Stopped::Drained,
            _ => Stopped::CutOff,
        }
    }
}

/// What takes calls.
fn calls(
    ports: Ports,
    config: &Config,
    state: &Arc<ServerState>,
    credentials: &Credentials,
) -> Result<Calls, ServeError> {
    let keys = Arc::clone(&credentials.keys);
    let gateway = Gateway::new(state, keys, config.log.access_log, salt()?)?;
    let tracker = Arc::<ConnectionTracker>::default();
    let listener = |tcp, protocol| Listener {
        tcp,
        connections: Connections {
            protocol,
            tls: credentials.tls.clone(),
            gateway: gateway.clone(),
            limits: config.limits.clone(),
        },
        metrics: Arc::clone(&state.metrics),
        tracker: Arc::clone(&tracker),
        phase: state.phase.subscribe(),
    };
    let http = match ports.http {
        None => None,
        Some(tcp) => {
            let service = HttpService::new(gateway.clone(), &config.http.allow_origins)?;
            Some(listener(tcp, Protocol::Http(Arc::new(service))))
        }
    };
    Ok(Calls {
        grpc: listener(ports.grpc, Protocol::Grpc),
        http,
    })
}

fn install(state: &ServerState, initial: &InitialState) {
    state.models.install(initial.models.clone());
    if let Some(users) = &initial.users {
        state.replace_users(Arc::clone(users));
    }
    state.phase.send_if_modified(|phase| {
        let starting = *phase == Phase::Starting;
        if starting {
            *phase = Phase::Serving;
        }
        starting
    });
}

fn state(config: &Config) -> Result<Arc<ServerState>, ServeError> {
    let (limits, metrics) = (config.limits.clone(), Arc::new(Metrics::default()));
    let models = Arc::new(ModelRegistry::new(
        config.models.clone(),
        configured_labels(config),
        size(limits.models),
        salt()?,
        seconds(limits.model_load_seconds),
        Arc::clone(&metrics),
    ));
    let quotas = Quotas::new(&limits);
    let pool = Compute::start(&limits, &quotas, Arc::clone(&metrics))?;
    Ok(Arc::new(ServerState {
        engine: Engine::new(pool, Arc::clone(&models), Arc::clone(&metrics)),
        models,
        users: RwLock::default(),
        limits,
        min_users: config.privacy.min_users,
        quotas,
        metrics,
        traces: Traces::start(config.traces.as_ref())?,
        phase: watch::Sender::new(Phase::Starting),
    }))
}

/// Random bits that make this run's names different from another's.
fn salt() -> Result<u32, ServeError> {
    getrandom::u32().map_err(ServeError::Random)
}
