//! Useless connections beside useful ones: silent ones, dead ones, and more than there are descriptors for.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use prost::bytes::Bytes;
use tonic::Status;

use crate::load::{Call, Run, connect, open_loop, tally};
use crate::promises::Promises;
use crate::questions::{SCORE_USER, about_one};
use crate::server::{Server, Setup};

/// The opening of HTTP/2 and an empty SETTINGS frame.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Short patience, so that the run is short; more connections than are opened here.
const SETTINGS: &str = "[limits]\nconnections = 10000\nhandshake_seconds = 5\nkeepalive_seconds = 5\n\
                        keepalive_timeout_seconds = 5\n";

/// How long useless connections may stay.
const REAPED_WITHIN: Duration = Duration::from_secs(15);

/// How hard and how long.
#[derive(clap::Args)]
pub struct Options {
    /// Useless connections of each sort.
    #[arg(long, default_value_t = 1_000)]
    useless: usize,
    /// Useful calls in a second.
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// How long each part is watched.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Descriptors that the server may have when it is to run out of them.
    #[arg(long, default_value_t = 200)]
    descriptors: u32,
}

/// Runs it.
pub async fn run(setup: &Setup, options: &Options, promises: &mut Promises) -> Result<()> {
    let bundle = ebb::model::load(&setup.model)?.bundle;
    let body = about_one(&bundle);
    let server = setup
        .launch(&setup.model)?
        .configured(SETTINGS)?
        .start_ready()?;
    let call = Call::new(
        &connect(&server.address, 2).await?,
        SCORE_USER,
        body.clone(),
    )?;
    at_once(&server, &body, promises).await?;
    useless(&server, &call, options, promises).await?;
    drop(server);
    exhausted(setup, options, &body, promises).await
}

/// A thousand calls at the same time over one connection.
async fn at_once(server: &Server, body: &Bytes, promises: &mut Promises) -> Result<()> {
    let call = Call::new(
        &connect(&server.address, 1).await?,
        SCORE_USER,
        body.clone(),
    )?;
    // Due all within a millisecond.
    let run = open_loop(1e6, Duration::from_millis(1), |n| call.make(n)).await;
    let failures: Vec<&Status> = run
        .samples
        .iter()
        .filter_map(|s| s.outcome.as_ref().err())
        .collect();
    let failed = failures.len() + run.unanswered;
    let text = tally(failures.into_iter());
    promises.hold(
        failed == 0,
        format!("1,000 calls at once over one connection: {failed} failed, {text}"),
    );
    promises.figure(format!("they took {}", run.latencies(Result::is_ok)));
    Ok(())
}

/// Connections that never speak, and connections whose peer is dead after the opening.
async fn useless(
    server: &Server,
    call: &Call,
    options: &Options,
    promises: &mut Promises,
) -> Result<()> {
    // The connection of the calls at once is still being closed.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = server.open_descriptors()?;
    let opened = Instant::now();
    let silent = open(&server.address, options.useless, b"")?;
    let dead = open(&server.address, options.useless, PREFACE)?;
    let (time, cpu) = (Duration::from_secs_f64(options.seconds), server.cpu()?);
    let watched = Instant::now();
    let run = open_loop(options.rate, time, |n| call.make(n)).await;
    let busy = (server.cpu()? - cpu).as_secs_f64() / watched.elapsed().as_secs_f64();
    unharmed(
        &format!("beside {} useless connections", silent.len() + dead.len()),
        &run,
        promises,
    );
    promises.hold(
        busy < 0.5,
        format!(
            "the server is not kept busy: {:.0} % of a processor",
            100.0 * busy
        ),
    );
    // Only then are they gone for a reason of the server's: this side has kept them open.
    let mut left = server.open_descriptors()?.saturating_sub(before);
    while left > 0 && opened.elapsed() < REAPED_WITHIN {
        tokio::time::sleep(Duration::from_millis(100)).await;
        left = server.open_descriptors()?.saturating_sub(before);
    }
    let took = opened.elapsed().as_secs_f64();
    promises.hold(
        left == 0,
        format!("useless connections are closed within 15 s: {left} left after {took:.1} s"),
    );
    drop((silent, dead));
    let next = call.make(0).await;
    promises.hold(
        next.is_ok(),
        format!("the useful connection is still there: {:?}", next.err()),
    );
    Ok(())
}

/// More connections than the server has descriptors.
async fn exhausted(
    setup: &Setup,
    options: &Options,
    body: &Bytes,
    promises: &mut Promises,
) -> Result<()> {
    let launch = setup.launch(&setup.model)?.configured(SETTINGS)?;
    let server = launch.open_files(options.descriptors).start_ready()?;
    let call = Call::new(
        &connect(&server.address, 2).await?,
        SCORE_USER,
        body.clone(),
    )?;
    call.make(0).await?;
    call.make(1).await?;
    let crowd = crowd(&server.address, 2 * options.descriptors as usize)?;
    let enough = crowd.len() >= options.descriptors as usize;
    promises.figure(format!(
        "{} connections wait for {} descriptors",
        crowd.len(),
        options.descriptors
    ));
    ensure!(enough, "too few connections to run out of descriptors");
    let (time, cpu) = (
        Duration::from_secs_f64(options.seconds.min(4.0)),
        server.cpu()?,
    );
    let watched = Instant::now();
    let run = open_loop(options.rate, time, |n| call.make(n)).await;
    let busy = (server.cpu()? - cpu).as_secs_f64() / watched.elapsed().as_secs_f64();
    promises.figure(format!(
        "{} of {} descriptors are open",
        server.open_descriptors()?,
        options.descriptors
    ));
    unharmed("without descriptors", &run, promises);
    promises.hold(
        busy < 0.5,
        format!(
            "it does not turn in circles: {:.0} % of a processor",
            100.0 * busy
        ),
    );
    drop(crowd);
    let again = tokio::time::timeout(Duration::from_secs(5), newcomer(&server, body)).await;
    let text = match &again {
        Ok(Ok(())) => "it is".to_owned(),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "not within 5 s".to_owned(),
    };
    promises.hold(
        matches!(again, Ok(Ok(()))),
        format!("a newcomer is served once there are descriptors: {text}"),
    );
    Ok(())
}

async fn newcomer(server: &Server, body: &Bytes) -> Result<()> {
    let call = Call::new(
        &connect(&server.address, 1).await?,
        SCORE_USER,
        body.clone(),
    )?;
    call.make(0).await?;
    Ok(())
}

/// Silent connections, until the system's queue in front of the server is full.
fn crowd(address: &str, most: usize) -> Result<Vec<TcpStream>> {
    let address = address.parse().context("not an address")?;
    let one = || TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
    Ok(std::iter::repeat_with(one)
        .take(most)
        .map_while(|stream| stream)
        .collect())
}

/// Connections that say this much and no more.
fn open(address: &str, count: usize, say: &[u8]) -> Result<Vec<TcpStream>> {
    let one = || {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(say)?;
        std::io::Result::Ok(stream)
    };
    (0..count)
        .map(|n| one().with_context(|| format!("connection {n}; is `ulimit -n` large enough?")))
        .collect()
}

fn unharmed(when: &str, run: &Run<Result<Bytes, Status>>, promises: &mut Promises) {
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
            "{when} no useful call fails: {failed} of {} did, {text}",
            run.samples.len()
        ),
    );
    let latencies = run.latencies(Result::is_ok);
    let soon = latencies.at(0.99) <= Duration::from_millis(50);
    promises.hold(
        soon,
        format!("{when} they are answered within 50 ms at p99: {latencies}"),
    );
}
