//! A client for production: deadlines, keep-alive, encryption, an API key, and retries that follow the server's RetryInfo.
//!
//! ```text
//! ebb-serve --model models/shop --rollup rollup/
//! cargo run --release --example client -- http://127.0.0.1:50051 --user U000053
//! cargo run --release --example client -- https://ebb.example:50051 --ca ca.crt --key-file shop.key
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Parser;
use ebb::serve::client::{
    BatchScoreUsersRequest, DayActivity, GetModelRequest, History, ModelServiceClient, ModelView,
    Score, ScoreOutcome, ScoreStatus, ScoreUserRequest, ScoringServiceClient, StreamOutcome,
    StreamScoreUsersRequest, Subject, SubjectForm,
};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

/// The longest duration of one attempt. The server receives it and gives up at the same time.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
/// The most attempts of a call, and their longest duration together with the waits between them.
const MAX_ATTEMPTS: u32 = 4;
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest duration of a stream.
const STREAM_TIMEOUT: Duration = Duration::from_secs(60);

type Scoring = ScoringServiceClient<InterceptedService<Channel, ApiKey>>;

/// Scores users through a running ebb-serve.
#[derive(Parser)]
struct Arguments {
    /// The server's address: http://HOST:PORT or https://HOST:PORT.
    server: String,
    /// A user of the server's roll-up.
    #[arg(long)]
    user: Option<String>,
    /// The authorities of the server's certificate, as PEM; with https.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// The name in the server's certificate, if it is not the host.
    #[arg(long)]
    server_name: Option<String>,
    /// The client's certificate and its key, as PEM, for a server that needs one.
    #[arg(long, requires = "certificate_key")]
    certificate: Option<PathBuf>,
    #[arg(long)]
    certificate_key: Option<PathBuf>,
    /// A file with the API key that `ebb-serve --new-key` printed.
    #[arg(long)]
    key_file: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let api_key = ApiKey::read(arguments)?;
    // Connects when the first call needs it, and again whenever the connection is lost.
    let channel = endpoint(arguments)?.connect_lazy();

    let mut models = ModelServiceClient::with_interceptor(channel.clone(), api_key.clone());
    let basic = GetModelRequest {
        view: ModelView::Basic.into(),
        ..GetModelRequest::default()
    };
    let model = retry(async || models.get_model(timed(basic.clone())).await)
        .await?
        .model
        .context("no model")?;
    let kind = model
        .activity_kinds
        .first()
        .context("a model without activity")?;
    println!(
        "model {}: horizons of {:?} days",
        model.version, model.horizon_days
    );

    let mut scoring: Scoring = ScoringServiceClient::with_interceptor(channel, api_key);
    if let Some(user) = &arguments.user {
        println!(
            "{user}: {}",
            summary(&score_user(&mut scoring, SubjectForm::UserId(user.clone()), "").await?)
        );
    }
    let history = weekly(kind, &model.as_of, 40)?;
    let score = score_user(&mut scoring, SubjectForm::History(history), &model.as_of).await?;
    println!("a history: {}", summary(&score));
    batch(&mut scoring, kind, &model.as_of).await?;
    stream(&mut scoring, kind, &model.as_of).await?;
    error_details(&mut scoring).await
}

/// The server's address and the settings of connections to it.
fn endpoint(arguments: &Arguments) -> anyhow::Result<Endpoint> {
    let read = |path: &Path| std::fs::read(path).with_context(|| path.display().to_string());
    let endpoint = Endpoint::from_shared(arguments.server.clone())?
        .connect_timeout(Duration::from_secs(3))
        .timeout(STREAM_TIMEOUT)
        // Pings a silent server, so that a dead connection is found before a call needs it.
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true);
    let Some(ca) = &arguments.ca else {
        ensure!(!arguments.server.starts_with("https"), "https needs --ca");
        return Ok(endpoint);
    };
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)?));
    if let Some(name) = &arguments.server_name {
        tls = tls.domain_name(name);
    }
    if let Some((certificate, key)) = arguments
        .certificate
        .as_deref()
        .zip(arguments.certificate_key.as_deref())
    {
        tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    Ok(endpoint.tls_config(tls)?)
}

/// The caller's API key, added to every call.
#[derive(Clone)]
struct ApiKey(Option<MetadataValue<Ascii>>);

impl ApiKey {
    fn read(arguments: &Arguments) -> anyhow::Result<Self> {
        let Some(path) = &arguments.key_file else {
            return Ok(Self(None));
        };
        ensure!(
            arguments.ca.is_some(),
            "an API key must not be sent unencrypted: --key-file needs --ca"
        );
        let key = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let mut value: MetadataValue<Ascii> = format!("Bearer {}", key.trim()).parse()?;
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl Interceptor for ApiKey {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(key) = &self.0 {
            request.metadata_mut().insert("authorization", key.clone());
        }
        Ok(request)
    }
}

/// A request with the deadline of one attempt.
fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(ATTEMPT_TIMEOUT);
    request
}

/// Repeats a call until it succeeds or fails with an error that a retry does not mend.
async fn retry<T>(mut call: impl AsyncFnMut() -> Result<Response<T>, Status>) -> anyhow::Result<T> {
    let start = tokio::time::Instant::now();
    for attempt in 1..=MAX_ATTEMPTS {
        let status = match call().await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => status,
        };
        let wait = wait_before(attempt, &status)?.filter(|_| attempt < MAX_ATTEMPTS);
        match wait.filter(|wait| start.elapsed() + *wait < CALL_TIMEOUT) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(status.into()),
        }
    }
    bail!("no attempts were made")
}

/// How long to wait before the next attempt; `None` when there should be none.
fn wait_before(attempt: u32, status: &Status) -> anyhow::Result<Option<Duration>> {
    // Errors that pass have RetryInfo; one such as a message that is too large does not. When the connection failed there
    // is no answer, and so no details.
    let requested = status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay);
    let unanswered = status.code() == Code::Unavailable && status.details().is_empty();
    let Some(least) = requested.or(unanswered.then_some(Duration::from_millis(100))) else {
        return Ok(None);
    };
    // Twice as long each time, and a random time more, so that clients that were rejected together do not retry together.
    let backoff = least * 2_u32.pow(attempt - 1);
    let share = f64::from(getrandom::u32()?) / f64::from(u32::MAX);
    Ok(Some(backoff + backoff.mul_f64(share)))
}

async fn score_user(
    scoring: &mut Scoring,
    form: SubjectForm,
    as_of: &str,
) -> anyhow::Result<Score> {
    let request = ScoreUserRequest {
        subject: Some(subject(form)),
        as_of: as_of.to_owned(),
        ..Default::default()
    };
    let answer = retry(async || scoring.score_user(timed(request.clone())).await).await?;
    answer.score.context("an answer without a score")
}

/// Three users at once: one has no activity yet, which is a status; one is not legal and fails alone.
async fn batch(scoring: &mut Scoring, kind: &str, as_of: &str) -> anyhow::Result<()> {
    let request = BatchScoreUsersRequest {
        subjects: vec![
            subject(SubjectForm::History(weekly(kind, as_of, 3)?)),
            subject(SubjectForm::History(History::default())),
            subject(SubjectForm::History(weekly("", as_of, 3)?)),
        ],
        as_of: as_of.to_owned(),
        ..Default::default()
    };
    let answer = retry(async || scoring.batch_score_users(timed(request.clone())).await).await?;
    for (position, result) in answer.results.into_iter().enumerate() {
        match result.result.context("a result without a content")? {
            ScoreOutcome::Score(score) => println!("batch {position}: {}", summary(&score)),
            ScoreOutcome::Error(error) => {
                println!("batch {position}: {}: {}", error.reason, error.message)
            }
        }
    }
    Ok(())
}

/// Batch after batch on one call. A busy server reads the next batch later, so nothing needs a retry.
async fn stream(scoring: &mut Scoring, kind: &str, as_of: &str) -> anyhow::Result<()> {
    let mut batches = Vec::new();
    for sequence in 1..=3 {
        let subjects: Result<Vec<_>, _> = (0..20)
            .map(|age| {
                weekly(kind, as_of, age * 2)
                    .map(SubjectForm::History)
                    .map(subject)
            })
            .collect();
        let batch = BatchScoreUsersRequest {
            subjects: subjects?,
            as_of: as_of.to_owned(),
            ..Default::default()
        };
        batches.push(StreamScoreUsersRequest {
            sequence,
            batch: Some(batch),
        });
    }
    let mut request = Request::new(tokio_stream::iter(batches));
    request.set_timeout(STREAM_TIMEOUT);
    let mut answers = scoring.stream_score_users(request).await?.into_inner();
    while let Some(answer) = answers.message().await? {
        match answer.outcome.context("an answer without an outcome")? {
            StreamOutcome::Batch(batch) => println!(
                "stream {}: {} answers",
                answer.sequence,
                batch.results.len()
            ),
            StreamOutcome::Error(error) => {
                println!("stream {}: {}", answer.sequence, error.message)
            }
        }
    }
    Ok(())
}

/// The details of an error beside its code and message.
async fn error_details(scoring: &mut Scoring) -> anyhow::Result<()> {
    let Err(status) = scoring.score_user(timed(ScoreUserRequest::default())).await else {
        bail!("a request without a subject was answered")
    };
    let reason = status
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default();
    let violations = status
        .get_details_bad_request()
        .map(|bad| bad.field_violations)
        .unwrap_or_default();
    let fields: Vec<String> = violations
        .into_iter()
        .map(|violation| violation.field)
        .collect();
    println!(
        "an error: {:?}, reason {reason}, fields {fields:?}",
        status.code()
    );
    Ok(())
}

fn subject(form: SubjectForm) -> Subject {
    Subject {
        subject: Some(form),
        attributes: Vec::new(),
    }
}

/// Ten events, a week apart, the last so many days before the day.
fn weekly(kind: &str, as_of: &str, age: i32) -> anyhow::Result<History> {
    let last = as_of.parse::<ebb::history::Day>()?.plus(-1 - age);
    let event = |week: i32| DayActivity {
        day: last.plus(-7 * week).to_string(),
        kind: kind.to_owned(),
        count: 1,
        amount: 12.5,
    };
    Ok(History {
        events: Vec::new(),
        days: (0..10).map(event).collect(),
    })
}

/// A score in one line.
fn summary(score: &Score) -> String {
    match score.horizons.first() {
        Some(horizon) if score.status() == ScoreStatus::Scored => format!(
            "{} in {} days, {}",
            ebb::features::percent(horizon.churn_probability),
            horizon.horizon_days,
            horizon.risk_band().as_str_name()
        ),
        _ => score.status().as_str_name().to_owned(),
    }
}
