//! The scoring server.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use clap::error::ErrorKind;
use ebb::serve::{Limits, Served, Stopped, listen, run};
use tokio::signal::unix::{SignalKind, signal};

const FAILED: u8 = 1;
const BAD_USAGE: u8 = 64;

/// Serves churn scores over gRPC.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The model bundle's directory, as written by `ebb-train fit`.
    #[arg(long)]
    model: PathBuf,
    /// A daily roll-up (a Parquet file or a directory of them), as written by `ebb-train rollup` or any SQL engine:
    /// its users can be scored by id.
    #[arg(long)]
    rollup: Option<PathBuf>,
    /// The address to listen on; port 0 lets the system choose one.
    #[arg(long, default_value = "127.0.0.1:50051")]
    listen: SocketAddr,
    /// Allow an address that other machines can reach, though nothing is encrypted and no one is asked who they are.
    #[arg(long)]
    insecure: bool,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing can be done about a closed terminal.
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { ExitCode::SUCCESS } else { BAD_USAGE.into() };
        }
    };
    if !arguments.listen.ip().is_loopback() && !arguments.insecure {
        eprintln!(
            "--listen {}: other machines can reach this address and the connection is not encrypted; \
             add --insecure if that is what you want",
            arguments.listen
        );
        return BAD_USAGE.into();
    }
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            FAILED.into()
        }
    }
}

fn start(arguments: Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no threads")?;
    let result = runtime.block_on(serve(arguments));
    // A load in progress must not hold up the exit.
    runtime.shutdown_background();
    result
}

async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { model, rollup, listen: address, insecure: _ } = arguments;
    let shutdown = stop_signal().context("cannot wait for signals")?;
    let listener = listen(address).await?;
    say(&format!("listening on {}", listener.local_addr().context("no local address")?));
    let name = model.display().to_string();
    let load = move || Served::load(&model, rollup.as_deref());
    let stopped = run(listener, Limits::default(), load, |served| say(&ready_line(&name, served)), shutdown).await?;
    say(match stopped {
        Stopped::Drained => "stopped",
        Stopped::CutOff => "stopped; connections still open after the time limit were cut off",
    });
    Ok(())
}

fn ready_line(name: &str, served: &Served) -> String {
    let bundle = served.bundle();
    let horizons: Vec<String> = bundle.spec().schema.horizon_days.iter().map(u16::to_string).collect();
    let users = served.users().map(|users| {
        let as_of = users.as_of().map(|day| format!(" as of {day}")).unwrap_or_default();
        format!(", {} known users{as_of}", users.histories().len())
    });
    let users = users.unwrap_or_default();
    format!("ready: model {} from {name}, horizons of {} days{users}", bundle.version(), horizons.join(", "))
}

/// Completes at the first SIGTERM or SIGINT.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// One line on standard output, which may be closed.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
