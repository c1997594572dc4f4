//! Stress for a running `ebb-serve`: each subcommand starts the server, does its worst, prints what was measured and
//! ends with exit code 1 when one of the server's promises was broken. `benches/stress.sh` runs them all.

mod bad_bundles;
mod connections;
mod drain;
mod latency;
mod load;
mod memory;
mod overload;
mod promises;
mod questions;
mod server;
mod start;
mod swap;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use promises::Promises;
use server::Setup;

#[derive(Parser)]
#[command(about = "Stresses ebb-serve and measures it")]
struct Arguments {
    #[command(flatten)]
    setup: Setup,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Exchanges the stable model again and again under load.
    Swap(swap::Options),
    /// Asks for damaged bundles to be loaded, under load.
    BadBundles(bad_bundles::Options),
    /// Offers a multiple of what the server can do.
    Overload(overload::Options),
    /// Stops the server under load.
    Drain(drain::Options),
    /// Holds thousands of useless connections beside the useful ones.
    Connections(connections::Options),
    /// Makes the server hold as much memory as it can be made to, beside a polite caller.
    Memory(memory::Options),
    /// Times the start of the server.
    Start(start::Options),
    /// Measures latencies at a steady rate of calls to a server that is running.
    Latency(latency::Options),
    /// Writes batches of 1,000 users as bodies of requests, for other clients to send.
    Bodies(latency::Bodies),
}

// One thread, so that the client can be pinned beside the server and is never the one that is measured.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Arguments { setup, command } = Arguments::parse();
    let mut promises = Promises::default();
    match run(&setup, command, &mut promises).await {
        Ok(()) if promises.kept() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(setup: &Setup, command: Command, promises: &mut Promises) -> Result<()> {
    match command {
        Command::Swap(options) => swap::run(setup, &options, promises).await,
        Command::BadBundles(options) => bad_bundles::run(setup, &options, promises).await,
        Command::Overload(options) => overload::run(setup, &options, promises).await,
        Command::Drain(options) => drain::run(setup, &options, promises).await,
        Command::Connections(options) => connections::run(setup, &options, promises).await,
        Command::Memory(options) => memory::run(setup, &options, promises).await,
        Command::Start(options) => start::run(setup, &options, promises).await,
        Command::Latency(options) => latency::run(&options, promises).await,
        Command::Bodies(options) => latency::bodies(setup, &options),
    }
}
