//! The stable model is exchanged under load: no call fails, and every answer is the one of the model that it names.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ebb::serve::client::*;
use prost::bytes::Bytes;
use tonic::Status;
use tonic::transport::Channel;

use crate::load::{Call, Latencies, Run, connect, open_loop, tally};
use crate::promises::Promises;
use crate::questions::{SCORE_USER, about_one, answered, copy, expected, write_variant};
use crate::server::Setup;

/// The two models' names.
const NAMES: [&str; 2] = ["calm", "wary"];

/// How hard and how long.
#[derive(clap::Args)]
pub struct Options {
    /// How long models are exchanged.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// How often.
    #[arg(long, default_value_t = 120)]
    swaps: u32,
    /// Calls in a second.
    #[arg(long, default_value_t = 5_000.0)]
    rate: f64,
    /// Connections that the calls go over in turn.
    #[arg(long, default_value_t = 4)]
    connections: usize,
}

/// A model's version and its answer.
type Truth = (String, Vec<f64>);

/// What came of one call.
enum Outcome {
    /// The model at this position answered, and as it must.
    Right(usize),
    /// The answer is none of either model's.
    Wrong(String),
    Failed(Status),
}

/// When a model was asked to be the stable one, when that was done, and which one it is.
struct Swap {
    asked: Instant,
    done: Instant,
    model: usize,
}

/// Runs it.
pub async fn run(setup: &Setup, options: &Options, promises: &mut Promises) -> Result<()> {
    let models = setup.folder("swap-models")?;
    copy(&setup.model, &models.join(NAMES[0]))?;
    write_variant(&setup.model, &models.join(NAMES[1]), 0.25)?;
    let bundles = [
        ebb::model::load(&models.join(NAMES[0]))?.bundle,
        ebb::model::load(&models.join(NAMES[1]))?.bundle,
    ];
    let truths = [
        (bundles[0].version().to_owned(), expected(&bundles[0])?),
        (bundles[1].version().to_owned(), expected(&bundles[1])?),
    ];
    ensure!(
        truths[0].0 != truths[1].0 && truths[0].1 != truths[1].1,
        "the two models must differ"
    );

    let server = setup
        .launch(&models.join(NAMES[0]))?
        .with("--models", &models)
        .start_ready()?;
    let control = connect(&server.address, 1)
        .await?
        .pop()
        .context("no connection")?;
    let mut control = ModelServiceClient::new(control);
    load_all(&mut control, &truths).await?;
    let call = Call::new(
        &connect(&server.address, options.connections).await?,
        SCORE_USER,
        about_one(&bundles[0]),
    )?;
    let truths = Arc::new(truths);
    let asked = |n: usize| {
        let (future, truths) = (call.make(n), Arc::clone(&truths));
        async move { judge(future.await, &truths) }
    };
    let time = Duration::from_secs_f64(options.seconds);

    let steady = open_loop(
        options.rate,
        time.mul_f64(0.25).max(Duration::from_secs(1)),
        asked,
    )
    .await;
    promises.figure(format!(
        "steady, {:.0} calls a second: {}",
        options.rate,
        steady.latencies(right)
    ));
    report(&steady, promises);

    let (run, swaps) = tokio::join!(
        open_loop(options.rate, time, asked),
        exchange(&mut control, options.swaps, time)
    );
    let swaps = swaps?;
    promises.hold(
        swaps.len() == options.swaps as usize,
        format!("all {} exchanges were made", options.swaps),
    );
    report_exchanges(&run, &swaps, promises);
    Ok(())
}

/// Has the server load both models, and makes sure that they are those that answers are compared with.
async fn load_all(control: &mut ModelServiceClient<Channel>, truths: &[Truth; 2]) -> Result<()> {
    for (name, truth) in NAMES.into_iter().zip(truths) {
        let request = LoadModelRequest {
            name: name.to_owned(),
            validate_only: false,
        };
        let loaded = control
            .load_model(request)
            .await?
            .into_inner()
            .model
            .context("no model was loaded")?;
        ensure!(
            loaded.version == truth.0,
            "{name} is {}, not {}",
            loaded.version,
            truth.0
        );
    }
    Ok(())
}

/// What the run under exchanges came to.
fn report_exchanges(run: &Run<Outcome>, swaps: &[Swap], promises: &mut Promises) {
    let durations: Latencies = swaps.iter().map(|s| s.done - s.asked).collect();
    promises.figure(format!(
        "with {} exchanges: {}",
        swaps.len(),
        run.latencies(right)
    ));
    promises.figure(format!(
        "an exchange takes {durations}; calls were sent late by {}",
        run.lateness()
    ));
    report(run, promises);
    let stale = run.samples.iter().filter(|s| match s.outcome {
        Outcome::Right(model) => is_stale(swaps, model, s.sent, s.done),
        Outcome::Wrong(_) | Outcome::Failed(_) => false,
    });
    let stale = stale.count();
    promises.hold(
        stale == 0,
        format!("no call sent after an exchange is answered by the old model: {stale} were"),
    );
    let by = |model| {
        run.latencies(|outcome| matches!(outcome, Outcome::Right(m) if *m == model))
            .count()
    };
    promises.hold(
        by(0) > 0 && by(1) > 0,
        format!("both models answer: {} and {} calls", by(0), by(1)),
    );
}

fn right(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Right(_))
}

fn judge(answer: Result<Bytes, Status>, truths: &[Truth; 2]) -> Outcome {
    let body = match answer {
        Ok(body) => body,
        Err(status) => return Outcome::Failed(status),
    };
    match answered(body) {
        Ok(answer) => match truths.iter().position(|truth| *truth == answer) {
            Some(model) => Outcome::Right(model),
            None => Outcome::Wrong(format!("{answer:?}")),
        },
        Err(error) => Outcome::Wrong(error.to_string()),
    }
}

async fn exchange(
    control: &mut ModelServiceClient<Channel>,
    swaps: u32,
    time: Duration,
) -> Result<Vec<Swap>> {
    let start = Instant::now();
    let mut made = Vec::new();
    for swap in 0..swaps {
        let due = start + time.mul_f64((f64::from(swap) + 0.5) / f64::from(swaps));
        tokio::time::sleep_until(due.into()).await;
        let model = (swap as usize + 1) % NAMES.len();
        let name = NAMES.get(model).copied().unwrap_or_default().to_owned();
        let asked = Instant::now();
        let request = ActivateModelRequest {
            label: ModelLabel::Stable.into(),
            name,
            etag: String::new(),
        };
        control
            .activate_model(request)
            .await
            .context("an exchange failed")?;
        made.push(Swap {
            asked,
            done: Instant::now(),
            model,
        });
    }
    Ok(made)
}

/// Whether a call was answered by another model than any that was stable, or could have become so, in its time.
fn is_stale(swaps: &[Swap], model: usize, sent: Instant, done: Instant) -> bool {
    let before = swaps.iter().rev().find(|swap| swap.done <= sent);
    let stable = before.map_or(0, |swap| swap.model);
    let changing = swaps
        .iter()
        .any(|swap| swap.done > sent && swap.asked <= done && swap.model == model);
    model != stable && !changing
}

fn report(run: &Run<Outcome>, promises: &mut Promises) {
    let failures = run.samples.iter().filter_map(|s| {
        if let Outcome::Failed(e) = &s.outcome {
            Some(e)
        } else {
            None
        }
    });
    let failed = failures.clone().count() + run.unanswered;
    let total = run.samples.len() + run.unanswered;
    promises.hold(
        failed == 0,
        format!(
            "no call fails: {failed} of {total} did, {}",
            tally(failures)
        ),
    );
    let samples = run.samples.iter();
    let wrong = samples.filter_map(|s| {
        if let Outcome::Wrong(text) = &s.outcome {
            Some(text.as_str())
        } else {
            None
        }
    });
    let wrong: Vec<&str> = wrong.collect();
    let first = wrong.first().copied().unwrap_or("none");
    promises.hold(
        wrong.is_empty(),
        format!(
            "every answer is its model's: {} are not, first {first}",
            wrong.len()
        ),
    );
}
