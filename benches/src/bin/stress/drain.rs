//! The server is asked to stop under load: it finishes what it has begun, its clients go to another one, and neither
//! an idle peer nor a long stream nor a health watch keeps it.

use std::net::TcpStream;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ebb::serve::client::*;
use prost::bytes::Bytes;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::IntervalStream;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::load::{Call, Run, connect, connection_lost, open_loop, tally};
use crate::promises::Promises;
use crate::questions::{SCORE_USER, about_many, about_one};
use crate::server::Setup;

/// How hard and how long.
#[derive(clap::Args)]
pub struct Options {
    /// How long calls go on; the server is stopped in the middle.
    #[arg(long, default_value_t = 30.0)]
    seconds: f64,
    /// Calls in a second.
    #[arg(long, default_value_t = 2_000.0)]
    rate: f64,
    /// How long the server may take to finish its calls.
    #[arg(long, default_value_t = 5)]
    drain_seconds: u64,
}

/// A client that prefers one server and goes to another when that one does not answer any more.
#[derive(Clone)]
struct Client {
    first: Call,
    second: Call,
    left_first: Arc<AtomicBool>,
    retried: Arc<AtomicUsize>,
}

impl Client {
    async fn call(self, number: usize) -> Result<Bytes, Status> {
        if !self.left_first.load(Ordering::Relaxed) {
            match self.first.make(number).await {
                Err(status) if status.code() == Code::Unavailable || connection_lost(&status) => {
                    self.left_first.store(true, Ordering::Relaxed);
                    self.retried.fetch_add(1, Ordering::Relaxed);
                }
                answer => return answer,
            }
        }
        self.second.make(number).await
    }
}

/// Runs it.
pub async fn run(setup: &Setup, options: &Options, promises: &mut Promises) -> Result<()> {
    let bundle = ebb::model::load(&setup.model)?.bundle;
    let settings = format!("[limits]\ndrain_seconds = {}\n", options.drain_seconds);
    let mut first = setup
        .launch(&setup.model)?
        .configured(&settings)?
        .start_ready()?;
    let second = setup.launch(&setup.model)?.start_ready()?;

    let idle = TcpStream::connect(&first.address).context("an idle peer cannot connect")?;
    let watch = tokio::spawn(watch_health(first.address.clone()));
    let stream = tokio::spawn(stream(first.address.clone(), about_many(&bundle, 10, None)));
    let client = Client {
        first: Call::new(
            &connect(&first.address, 2).await?,
            SCORE_USER,
            about_one(&bundle),
        )?,
        second: Call::new(
            &connect(&second.address, 2).await?,
            SCORE_USER,
            about_one(&bundle),
        )?,
        left_first: Arc::default(),
        retried: Arc::default(),
    };
    let time = Duration::from_secs_f64(options.seconds);
    let limit = Duration::from_secs(options.drain_seconds + 1);
    let stop = async {
        tokio::time::sleep(time / 2).await;
        first.terminate()?;
        let asked = Instant::now();
        let ended = first.ended(limit + Duration::from_secs(10)).await?;
        anyhow::Ok((asked.elapsed(), ended))
    };
    let (run, stopped) = tokio::join!(
        open_loop(options.rate, time, |n| client.clone().call(n)),
        stop
    );
    let (took, ended) = stopped?;
    drop(idle);

    promises.figure(format!(
        "{:.0} calls a second: {}",
        options.rate,
        run.latencies(Result::is_ok)
    ));
    report_end(options, ended, took, promises);
    report_calls(&run, promises);
    let retried = client.retried.load(Ordering::Relaxed);
    let left = client.left_first.load(Ordering::Relaxed);
    promises.hold(
        left,
        format!("the client went to the second server, {retried} calls were made again there"),
    );
    // A companion that was never there keeps no server from stopping.
    let (attached, text) = told(watch).await;
    promises.hold(attached, format!("a health watch was attached: {text}"));
    let (attached, text) = told(stream).await;
    promises.hold(attached, format!("a stream was attached: {text}"));
    Ok(())
}

/// How the server ended.
fn report_end(
    options: &Options,
    ended: Option<ExitStatus>,
    took: Duration,
    promises: &mut Promises,
) {
    let limit = Duration::from_secs(options.drain_seconds + 1);
    let code = ended.map(|status| status.to_string());
    let clean = ended.is_some_and(|status| status.success());
    promises.hold(
        clean,
        format!(
            "it ends with exit code 0: {}",
            code.as_deref().unwrap_or("still there")
        ),
    );
    let held = ended.is_some() && took <= limit;
    promises.hold(
        held,
        format!(
            "within {} s + 1 s: {:.2} s",
            options.drain_seconds,
            took.as_secs_f64()
        ),
    );
}

/// How many calls failed.
fn report_calls(run: &Run<Result<Bytes, Status>>, promises: &mut Promises) {
    let failures: Vec<&Status> = run
        .samples
        .iter()
        .filter_map(|s| s.outcome.as_ref().err())
        .collect();
    let failed = failures.len() + run.unanswered;
    let text = tally(failures.into_iter());
    promises.hold(
        failed == 0,
        format!(
            "no call fails: {failed} of {} did, {text}",
            run.samples.len()
        ),
    );
}

/// Whether a companion of the load was attached, and how it ended.
async fn told(task: tokio::task::JoinHandle<Result<(bool, String)>>) -> (bool, String) {
    match tokio::time::timeout(Duration::from_secs(5), task).await {
        Ok(Ok(Ok(told))) => told,
        Ok(Ok(Err(error))) => (false, format!("{error:#}")),
        Ok(Err(error)) => (false, error.to_string()),
        Err(_) => (false, "is still open".to_owned()),
    }
}

/// Watches until the server hangs up; the states that it told.
async fn watch_health(address: String) -> Result<(bool, String)> {
    let channel = connect(&address, 1).await?.pop().context("no connection")?;
    let mut states = HealthClient::new(channel)
        .watch(HealthCheckRequest {
            service: String::new(),
        })
        .await?
        .into_inner();
    let mut told = Vec::new();
    let end = loop {
        match states.message().await {
            Ok(Some(state)) => told.push(format!("{:?}", state.status())),
            Ok(None) => break "the end".to_owned(),
            Err(status) => break format!("{:?} {}", status.code(), status.message()),
        }
    };
    Ok((!told.is_empty(), format!("{}, then {end}", told.join(", "))))
}

/// Sends a batch every 100 ms until the server hangs up; how far it came.
async fn stream(address: String, batch: BatchScoreUsersRequest) -> Result<(bool, String)> {
    let channel = connect(&address, 1).await?.pop().context("no connection")?;
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let every = IntervalStream::new(tokio::time::interval(Duration::from_millis(100)));
    let requests = every.map(move |_| {
        let sequence = counter.fetch_add(1, Ordering::Relaxed) as u64 + 1;
        StreamScoreUsersRequest {
            sequence,
            batch: Some(batch.clone()),
        }
    });
    let mut answers = ScoringServiceClient::new(channel)
        .stream_score_users(requests)
        .await?
        .into_inner();
    let mut answered = 0;
    let end = loop {
        match answers.message().await {
            Ok(Some(_)) => answered += 1,
            Ok(None) => break "the end".to_owned(),
            Err(status) => break format!("{:?} {}", status.code(), status.message()),
        }
    };
    let text = format!(
        "{answered} batches answered of {} sent, then {end}",
        sent.load(Ordering::Relaxed)
    );
    Ok((answered > 0, text))
}
