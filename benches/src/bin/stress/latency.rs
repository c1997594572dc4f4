//! Latencies at a steady rate, of any server that answers unary calls; and bodies for other clients to send.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use prost::Message;
use prost::bytes::Bytes;

use crate::load::{Call, Latencies, connect, open_loop, tally};
use crate::promises::Promises;
use crate::questions::{about_many, about_many_raw, about_one};
use crate::server::Setup;

/// Users in a batch.
const BATCH: usize = 1_000;

/// What to measure.
#[derive(clap::Args)]
pub struct Options {
    /// The server: HOST:PORT.
    #[arg(long)]
    address: String,
    /// The method, such as /churn.v1.ScoringService/ScoreUser.
    #[arg(long)]
    path: String,
    /// A file with a request as it travels: five bytes before the message.
    #[arg(long)]
    body: PathBuf,
    /// Calls in a second.
    #[arg(long)]
    rate: f64,
    /// How long.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Connections that the calls go over in turn.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Print p50 and p99 in milliseconds, the bytes of an answer, and nothing else.
    #[arg(long)]
    bare: bool,
}

/// Where to write bodies.
#[derive(clap::Args)]
pub struct Bodies {
    /// The folder.
    #[arg(long)]
    out: PathBuf,
}

/// Measures.
pub async fn run(options: &Options, promises: &mut Promises) -> Result<()> {
    let framed = fs::read(&options.body).with_context(|| format!("{}", options.body.display()))?;
    let body = framed
        .get(5..)
        .context("the body is shorter than its frame")?
        .to_vec();
    let call = Call::new(
        &connect(&options.address, options.connections).await?,
        &options.path,
        body.into(),
    )?;
    // What is slow once, such as the first allocations, is not what is measured.
    open_loop(
        options.rate,
        Duration::from_secs_f64((options.seconds / 4.0).min(1.0)),
        |n| call.make(n),
    )
    .await;
    let run = open_loop(
        options.rate,
        Duration::from_secs_f64(options.seconds),
        |n| call.make(n),
    )
    .await;
    let latencies: Latencies = run.latencies(Result::is_ok);
    let failed = run.samples.len() - latencies.count() + run.unanswered;
    if options.bare {
        let ms = |q| latencies.at(q).as_secs_f64() * 1e3;
        let answers = run.samples.iter().filter_map(|s| s.outcome.as_ref().ok());
        let bytes = answers.map(Bytes::len).max().unwrap_or_default();
        println!("{:.2} {:.2} {bytes}", ms(0.5), ms(0.99));
    } else {
        promises.figure(format!(
            "{:.0} calls a second offered: {latencies}",
            options.rate
        ));
        promises.figure(format!("sent late: {}", run.lateness()));
    }
    if failed > 0 {
        let errors = run.samples.iter().filter_map(|s| s.outcome.as_ref().err());
        promises.hold(
            false,
            format!("no call fails: {failed} did, {}", tally(errors)),
        );
    }
    Ok(())
}

/// Writes one.request (a packed user), batch.request, plain.request (the same without reasons) and infer.request.
pub fn bodies(setup: &Setup, options: &Bodies) -> Result<()> {
    let bundle = ebb::model::load(&setup.model)?.bundle;
    fs::create_dir_all(&options.out)?;
    let many = |reasons| Bytes::from(about_many(&bundle, BATCH, reasons).encode_to_vec());
    let bodies = [
        ("one", about_one(&bundle)),
        ("batch", many(None)),
        ("plain", many(Some(0))),
        ("infer", about_many_raw(&bundle, BATCH)),
    ];
    for (name, body) in bodies {
        let mut frame = vec![0];
        frame.extend(u32::try_from(body.len())?.to_be_bytes());
        frame.extend_from_slice(&body);
        fs::write(options.out.join(name).with_extension("request"), frame)?;
        println!("{name} {}", body.len());
    }
    Ok(())
}
