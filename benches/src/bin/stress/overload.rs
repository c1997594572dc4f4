//! More is asked than the server can do: what it can do it goes on doing, soon, and refuses the rest at once.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use ebb::model::Bundle;
use ebb::serve::client::BatchScoreUsersRequest;
use prost::Message;
use prost::bytes::Bytes;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::load::{Call, Run, closed_loop, connect, open_loop, tally};
use crate::promises::Promises;
use crate::questions::{BATCH_SCORE_USERS, about_histories, about_ids, about_many};
use crate::server::{Server, Setup, own_cpu};

/// Active days of each history, some years of weekly visits: much to compute from few bytes.
const DAYS: i32 = 200;

/// How long callers wait for an answer.
const CALLERS_WAIT: Duration = Duration::from_secs(1);

/// How hard and how long.
#[derive(clap::Args)]
pub struct Options {
    /// How long the server is overloaded.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// How many times the server's capacity is offered.
    #[arg(long, default_value_t = 5.0)]
    times: f64,
    /// What the users of a call are described by.
    #[arg(long, value_enum, default_value_t = Form::Packed)]
    form: Form,
    /// How much work a call is to be, in microseconds: users are added until it is.
    #[arg(long, default_value_t = 500.0)]
    work_us: f64,
    /// Connections that the calls go over in turn.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// The roll-up whose users the ids are.
    #[arg(long, required_if_eq("form", "ids"))]
    rollup: Option<PathBuf>,
    /// A configuration of the server's [default: its own settings]
    #[arg(long)]
    config: Option<PathBuf>,
}

/// What users are described by.
#[derive(Clone, Copy, ValueEnum)]
enum Form {
    /// Their features: some 450 bytes each.
    Packed,
    /// What they did: some thousand bytes each.
    History,
    /// Their ids in a roll-up: a few bytes each. Reading and refusing a large call takes a good part of the time that
    /// answering it would, so this form alone shows what the queue itself can do.
    Ids,
}

/// Runs it.
pub async fn run(setup: &Setup, options: &Options, promises: &mut Promises) -> Result<()> {
    let bundle = ebb::model::load(&setup.model)?.bundle;
    let mut launch = setup.launch(&setup.model)?;
    if let Some(config) = &options.config {
        launch = launch.with("--config", config);
    }
    if let Some(rollup) = &options.rollup {
        launch = launch.with("--rollup", rollup);
    }
    let server = launch.start_ready()?;
    let channels = connect(&server.address, options.connections).await?;
    let (users, work_us, call) = calibrate(&bundle, &server, &channels, options).await?;

    let before = peak(&call, options, promises).await;
    promises.figure(format!(
        "a call of {users} users is {work_us:.0} µs of the server's processor time"
    ));

    let (server_before, own_before) = (server.cpu()?, own_cpu()?);
    let rate = options.times * before;
    let run = open_loop(rate, Duration::from_secs_f64(options.seconds), |n| {
        call.make(n)
    })
    .await;
    let share = |before: Duration, now: Duration| {
        100.0 * (now - before).as_secs_f64() / run.elapsed.as_secs_f64()
    };
    let (of_server, of_client) = (
        share(server_before, server.cpu()?),
        share(own_before, own_cpu()?),
    );
    promises.figure(format!(
        "{rate:.0} calls a second offered; processor: server {of_server:.0} %, client {of_client:.0} %"
    ));
    let lateness = run.lateness();
    promises.figure(format!("calls were sent late by {lateness}"));
    // Whatever else the machine did may have lowered one of the two; the higher one is what the server can do.
    let peak = peak(&call, options, promises).await.max(before);
    judge(
        &run,
        Duration::from_secs_f64(options.seconds),
        peak,
        promises,
    );
    // A client that is late itself makes the server's latencies look bad and its load look light.
    promises.hold(
        lateness.at(0.99) <= Duration::from_millis(20),
        "the client keeps up: 99 % sent within 20 ms",
    );
    let after = call.make(0).await;
    promises.hold(
        after.is_ok(),
        format!(
            "the next call is answered: {:?}",
            after.err().map(|e| e.code())
        ),
    );
    Ok(())
}

/// The most answers a second that callers get who wait for each.
async fn peak(call: &Call, options: &Options, promises: &Promises) -> f64 {
    let time = Duration::from_secs_f64((options.seconds / 6.0).clamp(1.0, 5.0));
    let mut peak = 0.0_f64;
    for callers in [4, 8, 16] {
        let call = call.clone();
        let run = closed_loop(callers, time, move |n| call.make(n)).await;
        let rate = goodput(&run, time);
        let latencies = run.latencies(Result::is_ok);
        promises.figure(format!(
            "{callers} callers in turn: {rate:.0} answers a second, {latencies}"
        ));
        peak = peak.max(rate);
    }
    peak
}

fn judge(run: &Run<Result<Bytes, Status>>, time: Duration, peak: f64, promises: &mut Promises) {
    let good = goodput(run, time);
    let share = 100.0 * good / peak;
    promises.hold(
        good >= 0.9 * peak,
        format!("goodput stays at 90 % of the peak: {good:.0} a second, {share:.0} %"),
    );
    let accepted = run.latencies(Result::is_ok);
    promises.hold(
        accepted.at(0.99) <= Duration::from_millis(40),
        format!("accepted within 40 ms at p99: {accepted}"),
    );
    promises.figure(format!("refused within {}", run.latencies(Result::is_err)));
    let refusals: Vec<&Status> = run
        .samples
        .iter()
        .filter_map(|s| s.outcome.as_ref().err())
        .collect();
    let exhausted = |s: &&&Status| s.code() == Code::ResourceExhausted;
    let proper = refusals.iter().filter(exhausted).count();
    let others = refusals.len() - proper + run.unanswered;
    let tally = tally(refusals.iter().copied());
    promises.hold(
        others == 0,
        format!("all others are RESOURCE_EXHAUSTED and no connection is lost: {tally}"),
    );
    let hints = |s: &&&Status| s.details().windows(9).any(|part| part == b"RetryInfo");
    let hinted = refusals.iter().filter(exhausted).filter(hints).count();
    promises.hold(
        hinted == proper && proper > 0,
        format!("refusals say when to come again: {hinted} of {proper}"),
    );
}

/// Answers a second that were of use: while calls were offered, and before callers gave up. A server without a limit
/// stays as busy as ever, and answers those who have long gone.
fn goodput<E>(run: &Run<Result<Bytes, E>>, time: Duration) -> f64 {
    let Some(end) = run
        .samples
        .iter()
        .map(|s| s.due)
        .min()
        .map(|first| first + time)
    else {
        return 0.0;
    };
    let answered = run
        .samples
        .iter()
        .filter(|s| s.outcome.is_ok() && s.done <= end && s.latency() <= CALLERS_WAIT)
        .count();
    answered as f64 / time.as_secs_f64()
}

/// Finds how many users make a call of the wanted work; the work as last measured, and that call.
async fn calibrate(
    bundle: &Bundle,
    server: &Server,
    channels: &[Channel],
    options: &Options,
) -> Result<(usize, f64, Call)> {
    let known = options
        .rollup
        .as_ref()
        .map(|rollup| about_ids(rollup, 1_000))
        .transpose()?
        .unwrap_or_default();
    let make = |users: usize| {
        let request = match options.form {
            Form::Packed => about_many(bundle, users, None),
            Form::History => about_histories(bundle, users, DAYS),
            Form::Ids => {
                let subjects = known.subjects.iter().take(users).cloned().collect();
                BatchScoreUsersRequest {
                    subjects,
                    ..known.clone()
                }
            }
        };
        Call::new(channels, BATCH_SCORE_USERS, request.encode_to_vec().into())
    };
    let (mut users, mut work_us) = (20, 0.0);
    for _ in 0..4 {
        let call = make(users)?;
        let before = server.cpu()?;
        let run = closed_loop(8, Duration::from_millis(500), move |n| call.make(n)).await;
        let answered = run.samples.iter().filter(|s| s.outcome.is_ok()).count();
        let first_error = run.samples.iter().find_map(|s| s.outcome.as_ref().err());
        ensure!(answered > 0, "no call succeeds: {first_error:?}");
        // The server's own time: it does not count what other programs took from it.
        work_us = (server.cpu()? - before).as_secs_f64() * 1e6 / answered as f64;
        if (0.9..1.1).contains(&(work_us / options.work_us)) {
            break;
        }
        users = ((users as f64 * options.work_us / work_us).round() as usize).clamp(1, 1_000);
    }
    Ok((users, work_us, make(users).context("the calibrated call")?))
}
