use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, RwLock};

use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};

use super::config::Config;
use super::engine::pool::Compute;
use super::engine::users::KnownUsers;
use super::errors::ServeError;
use super::gateway::Front;
use super::limits::size;
use super::registry::{Label, Loaded, Models};
use super::state::{Phase, ServerState};
use super::telemetry::http;
use super::telemetry::metrics::Metrics;
use super::telemetry::traces::Traces;
use super::transport::credentials;
use super::transport::credentials::Credentials;
use super::transport::listener::Listener;

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// All calls were finished.
    Drained,
    /// Some connections were still open at the limit and were cut off.
    CutOff,
}

/// Opens the port to listen on; port 0 lets the system choose one.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Listen { address, source })
}

/// A model with its labels.
pub type Labelled = (Arc<Loaded>, Vec<Label>);

/// What a server needs before it can answer.
#[derive(Debug)]
pub struct Stock {
    /// The models with their labels; one of them must be stable.
    pub models: Vec<Labelled>,
    /// The users known by id; `None` without a roll-up.
    pub users: Option<Arc<KnownUsers>>,
}

impl Stock {
    /// Reads what a configuration names, models and roll-up at the same time.
    pub fn load(config: &Config) -> Result<Self, ServeError> {
        let (users, models) = std::thread::scope(|threads| {
            let users = threads.spawn(|| {
                config
                    .rollup
                    .as_deref()
                    .map(KnownUsers::read)
                    .transpose()
                    .map(|u| u.map(Arc::new))
            });
            (users.join(), Self::load_models(config))
        });
        let crashed = || ServeError::Setting("reading the roll-up crashed".into());
        Ok(Self {
            models: models?,
            users: users.map_err(|_| crashed())??,
        })
    }

    fn load_models(config: &Config) -> Result<Vec<Labelled>, ServeError> {
        let named = [
            (&config.model, Label::Stable),
            (&config.canary, Label::Canary),
            (&config.shadow, Label::Shadow),
        ];
        let mut models: Vec<Labelled> = Vec::new();
        for (folder, label) in named {
            let Some(folder) = folder else { continue };
            match models
                .iter_mut()
                .find(|(model, _)| model.folder.as_ref() == Some(folder))
            {
                Some((_, labels)) => labels.push(label),
                None => {
                    let model = Loaded::load(folder)?;
                    if Label::ALL.iter().any(|label| label.name() == model.name) {
                        let problem = "is the name of a label; rename the folder".to_owned();
                        return Err(ServeError::Folder {
                            path: folder.clone(),
                            problem,
                        });
                    }
                    if models.iter().any(|(other, _)| other.name == model.name) {
                        let problem =
                            "is the name of two models; rename one of the folders".to_owned();
                        return Err(ServeError::Folder {
                            path: folder.clone(),
                            problem,
                        });
                    }
                    models.push((Arc::new(model), vec![label]));
                }
            }
        }
        Ok(models)
    }

    /// The stable model.
    pub fn stable(&self) -> Option<&Loaded> {
        self.models
            .iter()
            .find(|(_, labels)| labels.contains(&Label::Stable))
            .map(|(model, _)| model.as_ref())
    }
}

/// Checks everything that a configuration names, as a start would.
pub fn check(config: &Config) -> Result<Stock, ServeError> {
    Credentials::read(config)?;
    check_folder(config)?;
    Stock::load(config)
}

/// The folder that models are loaded from may be empty, but must be there.
fn check_folder(config: &Config) -> Result<(), ServeError> {
    match config.models.as_ref().filter(|folder| !folder.is_dir()) {
        None => Ok(()),
        Some(folder) => {
            let problem =
                "is no folder; `models` names the one from which models may be loaded".to_owned();
            Err(ServeError::Folder {
                path: folder.clone(),
                problem,
            })
        }
    }
}

/// Serves on `listener` until `shutdown` completes, then lets calls in progress finish.
///
/// The port answers at once, health with NOT_SERVING and scoring with UNAVAILABLE, while `load` runs on a thread
/// of its own. `ready` is called when the first score can be had. Fails when `load` does. Each message of `reload` has
/// the folders of the labelled models and the roll-up read again; the roll-up is read, too, when its files change.
pub async fn run(
    listener: TcpListener,
    config: &Config,
    load: impl FnOnce() -> Result<Stock, ServeError> + Send + 'static,
    ready: impl FnOnce(&Stock),
    mut reload: mpsc::Receiver<()>,
    shutdown: impl Future<Output = ()>,
) -> Result<Stopped, ServeError> {
    let credentials = Credentials::read(config)?;
    check_folder(config)?;
    let state = state(config)?;
    let salt = salt()?;
    let front = Front::new(
        Arc::clone(&state),
        Arc::clone(&credentials.keys),
        config.log.calls,
        salt,
    )?;
    let metrics_listener = match config.metrics.listen {
        None => None,
        Some(address) => Some(listen(address).await?),
    };
    let served = Listener {
        tcp: listener,
        tls: credentials.tls.clone(),
        front,
        limits: config.limits.clone(),
        metrics: Arc::clone(&state.metrics),
        phase: state.phase.subscribe(),
    };
    let mut serving = pin!(served.serve());
    let mut shutdown = pin!(shutdown);
    let mut following = pin!(credentials.follow());
    let rollup_asked = Arc::new(Notify::new());
    let mut following_rollup = pin!(credentials::follow_rollup(
        &state,
        config.rollup.clone(),
        Arc::clone(&rollup_asked)
    ));
    let mut page = pin!(async {
        match metrics_listener {
            None => std::future::pending().await,
            Some(listener) => http::serve(listener, Arc::clone(&state)).await,
        }
    });
    let mut loading = tokio::task::spawn_blocking(load);
    let (mut ready, mut reloads_end) = (Some(ready), false);
    loop {
        tokio::select! {
            stopped = &mut serving => return Ok(stopped),
            () = &mut following => {}
            () = &mut page => {}
            () = &mut following_rollup => {}
            () = &mut shutdown => break,
            loaded = &mut loading, if ready.is_some() => {
                let stock = loaded??;
                install(&state, &stock);
                ready.take().into_iter().for_each(|ready| ready(&stock));
            }
            asked = reload.recv(), if ready.is_none() && !reloads_end => match asked {
                Some(()) => {
                    let models = Arc::clone(&state.models);
                    tokio::spawn(async move { models.reload().await });
                    rollup_asked.notify_one();
                }
                None => reloads_end = true,
            },
        }
    }
    // First thing: whoever asks for health turns away before anything else changes.
    state.phase.send_replace(Phase::Draining);
    tracing::info!("draining");
    let stopped = tokio::select! {
        stopped = serving => stopped,
        () = page => Stopped::CutOff,
    };
    state.traces.stop().await;
    Ok(stopped)
}

fn install(state: &ServerState, stock: &Stock) {
    state.models.install(stock.models.clone());
    if let Some(users) = &stock.users {
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
    let models = Models::new(
        config.models.clone(),
        size(limits.models),
        salt()?,
        Arc::clone(&metrics),
    );
    Ok(Arc::new(ServerState {
        models: Arc::new(models),
        users: RwLock::default(),
        compute: Compute::start(&limits, Arc::clone(&metrics))?,
        limits,
        metrics,
        traces: Traces::start(config.traces.as_ref())?,
        phase: watch::Sender::new(Phase::Starting),
    }))
}

/// Random bits that tell this run from others.
fn salt() -> Result<u32, ServeError> {
    getrandom::u32().map_err(ServeError::Random)
}
