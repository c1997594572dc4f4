//! The server through its port, called by the generated client.

mod answers;
mod attributes;
mod binary;
mod column_order;
#[cfg(feature = "train")]
mod conversion;
mod damaged;
mod docs;
mod errors;
mod grpc_web;
mod http_rules;
mod illegal_subjects;
mod illegal_tensors;
mod inference;
mod json_http;
mod json_http_abuse;
mod keys;
mod kpis;
mod limits;
mod listing;
mod log;
mod metrics;
mod models;
mod monitoring;
mod moved_labels;
mod mutation;
mod operation;
mod probe;
mod raw;
mod rollup;
mod seasons;
mod shadow;
mod shares;
mod status_page;
mod stream;
mod subject_forms;
mod tls;
#[cfg(feature = "otel")]
mod traces;
#[cfg(feature = "train")]
mod value;

use std::sync::{Arc, mpsc};

use ebb::history::Histories;
use ebb::model::{Bundle, BundleSpec, Saved};
use ebb::serve::client::*;
use ebb::serve::{
    Config, HttpPort, InitialState, KnownUsers, Label, Lifecycle, Limits, Ports, ServeError,
    ServedModel, Stopped, listen, run,
};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};

use crate::support::{CARD, LogEvent, histories, log, save_bundle, spec};

/// The day after the last event of [`log`].
const END: &str = "2011-09-29";

/// The version of a model that was never saved.
const VERSION: &str = "0123456789ab";

/// A server on a port of its own in this process.
struct Running {
    channel: Channel,
    address: std::net::SocketAddr,
    http: Option<std::net::SocketAddr>,
    stop: oneshot::Sender<()>,
    reload: tokio::sync::mpsc::Sender<()>,
    look: tokio::sync::mpsc::Sender<()>,
    ended: JoinHandle<Result<Stopped, ServeError>>,
}

impl Running {
    /// Starts a server; the receiver hears when it is ready.
    async fn start(
        config: Config,
        load: impl FnOnce() -> Result<InitialState, ServeError> + Send + 'static,
    ) -> (Self, oneshot::Receiver<()>) {
        let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let http_port = match config.http.listen {
            None => None,
            Some(address) => Some(listen(address).await.unwrap()),
        };
        let http = http_port.as_ref().map(|port| port.local_addr().unwrap());
        let ports = Ports {
            grpc: listener,
            http: http_port,
        };
        let ((stop, stopped), (ready, is_ready)) = (oneshot::channel::<()>(), oneshot::channel());
        let (reload, reloads) = tokio::sync::mpsc::channel(1);
        let (look, looks) = tokio::sync::mpsc::channel(1);
        let ended = tokio::spawn(async move {
            let lifecycle = Lifecycle {
                load,
                ready: |_: &InitialState| ready.send(()).unwrap(),
                reload: reloads,
                look_at_credentials: looks,
                shutdown: async {
                    let _ = stopped.await;
                },
            };
            run(ports, &config, lifecycle).await
        });
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .unwrap()
            .connect_lazy();
        (
            Self {
                channel,
                address,
                http,
                stop,
                reload,
                look,
                ended,
            },
            is_ready,
        )
    }

    /// A server that is ready to score the users of `log`.
    async fn ready() -> Self {
        Self::with(Limits::default(), Some(histories(&log()))).await
    }

    async fn with(limits: Limits, users: Option<Histories>) -> Self {
        Self::of(limited(limits), move || stock(users)).await
    }

    async fn of(
        config: Config,
        load: impl FnOnce() -> Result<InitialState, ServeError> + Send + 'static,
    ) -> Self {
        let (running, ready) = Self::start(config, load).await;
        ready.await.unwrap();
        running
    }

    fn scoring(&self) -> ScoringServiceClient<Channel> {
        ScoringServiceClient::new(self.channel.clone()).max_decoding_message_size(64 << 20)
    }

    fn models(&self) -> ModelServiceClient<Channel> {
        ModelServiceClient::new(self.channel.clone())
    }

    async fn score(&self, request: ScoreUserRequest) -> Result<Score, tonic::Status> {
        Ok(self
            .scoring()
            .score_user(request)
            .await?
            .into_inner()
            .score
            .unwrap())
    }

    async fn batch(
        &self,
        request: BatchScoreUsersRequest,
    ) -> Result<BatchScoreUsersResponse, tonic::Status> {
        Ok(self
            .scoring()
            .batch_score_users(request)
            .await?
            .into_inner())
    }

    /// Has keys and certificates on disk looked at. Returns when the server has done so.
    async fn look_at_credentials(&self) {
        // The channel holds one message, and the server takes the next one when it is done with the one before: once the
        // fourth is in, the second has been dealt with, and what two looks agree on is taken over.
        for _ in 0..4 {
            self.look.send(()).await.unwrap();
        }
        // None may be left: a look that comes later would find what the test writes next.
        drop(self.look.reserve().await.unwrap());
    }

    async fn stop(self) -> Stopped {
        let Self {
            channel,
            stop,
            ended,
            ..
        } = self;
        stop.send(()).unwrap();
        drop(channel);
        ended.await.unwrap().unwrap()
    }
}

fn limited(limits: Limits) -> Config {
    Config {
        limits,
        ..Config::default()
    }
}

fn served_model() -> ServedModel {
    let saved = Saved {
        bundle: Bundle::new(spec(), VERSION.into()).unwrap(),
        card: CARD.into(),
    };
    ServedModel::new("shop", saved).unwrap()
}

fn stock(users: Option<Histories>) -> Result<InitialState, ServeError> {
    stock_of(spec(), users)
}

fn known(users: Option<Histories>) -> Result<Option<Arc<KnownUsers>>, ServeError> {
    Ok(users.map(KnownUsers::new).transpose()?.map(Arc::new))
}

/// A model called "shop" that nobody can load again, as the stable one.
fn stock_of(spec: BundleSpec, users: Option<Histories>) -> Result<InitialState, ServeError> {
    let saved = Saved {
        bundle: Bundle::new(spec, VERSION.into())?,
        card: CARD.into(),
    };
    let model = ServedModel::new("shop", saved)?;
    Ok(InitialState {
        models: vec![(Arc::new(model), vec![Label::Stable])],
        users: known(users)?,
    })
}

/// A load that waits until it is let go.
fn held_load() -> (
    mpsc::Sender<()>,
    impl FnOnce() -> Result<InitialState, ServeError> + Send + 'static,
) {
    let (go, wait) = mpsc::channel();
    (go, move || {
        // A dropped sender lets it go as well.
        let _ = wait.recv();
        stock(None)
    })
}

fn subject(form: SubjectForm) -> Subject {
    Subject {
        subject: Some(form),
        attributes: Vec::new(),
    }
}

fn user(id: &str) -> Subject {
    subject(SubjectForm::UserId(id.into()))
}

fn ask(subject: Subject) -> ScoreUserRequest {
    ScoreUserRequest {
        subject: Some(subject),
        as_of: END.into(),
        ..ScoreUserRequest::default()
    }
}

fn of<'l>(log: &'l [LogEvent], user: &'l str) -> impl Iterator<Item = &'l LogEvent> {
    log.iter().filter(move |event| event.user == user)
}

fn as_events(log: &[LogEvent], user: &str) -> Subject {
    let event = |e: &LogEvent| Event {
        kind: e.kind.into(),
        time: Some(prost_types::Timestamp {
            seconds: e.unix_s,
            nanos: 999_999_999,
        }),
        amount: e.amount,
    };
    let mut events: Vec<Event> = of(log, user).map(event).collect();
    events.reverse();
    subject(SubjectForm::History(History {
        events,
        days: Vec::new(),
    }))
}

fn as_days(log: &[LogEvent], user: &str) -> Subject {
    let rolled = histories(log);
    let record = |r: &ebb::history::DayRecord| DayActivity {
        day: r.day.to_string(),
        kind: rolled.kinds()[usize::from(r.kind)].clone(),
        count: r.count,
        amount: r.amount.value(),
    };
    let days = rolled
        .get(user)
        .unwrap()
        .unwrap()
        .view()
        .records()
        .iter()
        .map(record)
        .collect();
    subject(SubjectForm::History(History {
        events: Vec::new(),
        days,
    }))
}

/// The features of a user as Ebb itself extracts them.
fn vector(log: &[LogEvent], user: &str, as_of: &str) -> Vec<f64> {
    vector_of(served_model().bundle(), log, user, as_of)
}

fn vector_of(bundle: &Bundle, log: &[LogEvent], user: &str, as_of: &str) -> Vec<f64> {
    let rolled = histories(log);
    let mut out = vec![f64::NAN; bundle.catalogue().len()];
    let mut extractor = bundle.extractor(rolled.kinds());
    extractor.extract(
        rolled.get(user).unwrap().unwrap().view(),
        as_of.parse().unwrap(),
        &mut out,
    );
    out
}

fn as_features(log: &[LogEvent], user: &str, as_of: &str) -> Subject {
    named(served_model().bundle(), vector(log, user, as_of))
}

/// What is known of a vector, by name.
fn named(bundle: &Bundle, vector: Vec<f64>) -> Subject {
    let features = bundle.catalogue().features().iter();
    let values = features
        .map(|feature| feature.name.clone())
        .zip(vector)
        .filter(|(_, value)| !value.is_nan())
        .collect();
    subject(SubjectForm::Features(NamedFeatures { values }))
}

fn as_packed(log: &[LogEvent], user: &str, as_of: &str) -> Subject {
    subject(SubjectForm::PackedFeatures(PackedFeatures {
        values: vector(log, user, as_of),
    }))
}

fn feature_hash() -> String {
    spec().feature_hash
}

/// Waits until something holds that another thread brings about.
async fn until(holds: impl AsyncFn() -> bool) {
    let begun = std::time::Instant::now();
    while !holds().await {
        assert!(begun.elapsed().as_secs() < 20, "it never came to hold");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
