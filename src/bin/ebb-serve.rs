//! The scoring server.

use std::fs::File;
use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};
use clap_complete::Shell;
use ebb::serve::{
    Config, Health, InitialState, LAST_LINES, Lifecycle, LineQueue, Log, Ports, ServeError,
    Stopped, check, new_key, probe, run, ticks,
};
use ebb::terminal::help_columns;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

const FAILED: u8 = 1;
const BAD_USAGE: u8 = 64;

/// Serves churn scores over gRPC, and over HTTP where it is asked to.
#[derive(Parser)]
#[command(name = "ebb-serve", version)]
struct Arguments {
    /// A configuration file; docs/ebb-serve.toml lists its keys. What is given here goes before it.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The model bundle's directory, as written by `ebb-train fit`.
    #[arg(long)]
    model: Option<PathBuf>,
    /// A folder of bundles that may be loaded while the server runs.
    #[arg(long)]
    models: Option<PathBuf>,
    /// A daily roll-up (a Parquet file or a directory of them), as written by `ebb-train rollup` or any SQL engine:
    /// its users can be scored by id.
    #[arg(long)]
    rollup: Option<PathBuf>,
    /// The address to listen on, 127.0.0.1:50051 unless the configuration says otherwise; port 0 lets the system choose.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The address to answer JSON over HTTP and gRPC-Web on; nowhere unless this or the configuration says so.
    #[arg(long, value_name = "ADDRESS")]
    http_listen: Option<SocketAddr>,
    /// Allow an address that other machines can reach, though nothing is encrypted.
    #[arg(long)]
    insecure: bool,
    /// Check the configuration and everything that it names, print what would be served, and end.
    #[arg(long)]
    check_config: bool,
    /// Ask the server of this configuration that runs on this machine whether it is well, and end with 0 or 1: for containers
    /// without a shell. Its metrics port is asked where there is one, its health service otherwise.
    #[arg(long, value_name = "HEALTH", value_parser = ["readiness", "liveness"], conflicts_with = "check_config")]
    probe: Option<String>,
    /// The address of the calls of the server to probe, instead of what the configuration says.
    #[arg(long, requires = "probe")]
    address: Option<SocketAddr>,
    /// Make an API key: the key is printed once, with the line of its hash for the key file.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["config", "model", "check_config", "probe"])]
    new_key: Option<String>,
    /// The permissions of the new key: score, read, manage, with commas between.
    #[arg(
        long,
        value_name = "PERMISSIONS",
        default_value = "score,read",
        requires = "new_key"
    )]
    permissions: String,
    /// Print the manual page, or the script by which a shell completes the flags.
    #[arg(long, value_enum, value_name = "WHAT")]
    generate: Option<Generated>,
}

/// What the server's command line gives besides a server.
#[derive(Clone, Copy, ValueEnum)]
enum Generated {
    /// The manual page.
    Man,
    /// Completions for Bash.
    Bash,
    /// Completions for the Z shell.
    Zsh,
    /// Completions for fish.
    Fish,
}

fn parsed() -> Result<Arguments, clap::Error> {
    let mut command = Arguments::command().term_width(help_columns());
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// What to say of a flag that has another name now.
fn renamed_flag(error: &clap::Error) -> Option<&'static str> {
    let found = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(found)) if error.kind() == ErrorKind::UnknownArgument => found,
        _ => return None,
    };
    (found == "--may").then_some("unexpected argument `--may`; it is called `--permissions` now")
}

fn main() -> ExitCode {
    let arguments = match parsed() {
        Ok(arguments) => arguments,
        Err(error) => {
            if let Some(text) = renamed_flag(&error) {
                complain(&format!("error: {text}"));
                return BAD_USAGE.into();
            }
            // Nothing can be done about a closed terminal.
            let _ = error.print();
            let asked = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            return if asked {
                ExitCode::SUCCESS
            } else {
                BAD_USAGE.into()
            };
        }
    };
    if let Some(wanted) = arguments.generate {
        return ended(print_generated(wanted), FAILED);
    }
    if let Some(name) = &arguments.new_key {
        return ended(print_new_key(name, &arguments.permissions), BAD_USAGE);
    }
    if let Some(health) = &arguments.probe {
        let health = match health.as_str() {
            "liveness" => Health::Liveness,
            _ => Health::Readiness,
        };
        return ended(print_probe(arguments, health), FAILED);
    }
    let checks_only = arguments.check_config;
    let config = match configuration(arguments) {
        Ok(config) => config,
        Err(problem) => {
            complain(&problem);
            return BAD_USAGE.into();
        }
    };
    ended(
        if checks_only {
            print_check(&config)
        } else {
            start(config)
        },
        FAILED,
    )
}

fn ended(outcome: anyhow::Result<()>, failure: u8) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The server's own errors say in one sentence what their causes do.
            match error.downcast_ref::<ServeError>() {
                Some(own) => complain(&format!("error: {own}")),
                None => complain(&format!("error: {error:#}")),
            }
            failure.into()
        }
    }
}

/// The configuration file's settings with those of the command line before them.
fn configuration(arguments: Arguments) -> Result<Config, String> {
    let config = settings(arguments).map_err(|error| error.to_string())?;
    config.validate().map_err(|error| error.to_string())?;
    Ok(config)
}

/// The same without a check: a probe needs no more of it than an address.
fn settings(arguments: Arguments) -> Result<Config, ServeError> {
    let Arguments {
        config: file,
        model,
        models,
        rollup,
        listen,
        http_listen,
        insecure,
        check_config: _,
        probe: _,
        address: _,
        new_key: _,
        permissions: _,
        generate: _,
    } = arguments;
    let mut config = match file {
        Some(file) => Config::read(&file)?,
        None => Config::default(),
    };
    config.model = model.or(config.model);
    config.models = models.or(config.models);
    config.rollup = rollup.or(config.rollup);
    config.listen = listen.or(config.listen);
    config.http.listen = http_listen.or(config.http.listen);
    config.insecure |= insecure;
    Ok(config)
}

fn print_generated(wanted: Generated) -> anyhow::Result<()> {
    let mut command = Arguments::command();
    let shell = match wanted {
        Generated::Man => None,
        Generated::Bash => Some(Shell::Bash),
        Generated::Zsh => Some(Shell::Zsh),
        Generated::Fish => Some(Shell::Fish),
    };
    let mut text = Vec::new();
    match shell {
        Some(shell) => clap_complete::generate(shell, &mut command, "ebb-serve", &mut text),
        None => clap_mangen::Man::new(command)
            .source(concat!("ebb-serve ", env!("CARGO_PKG_VERSION")))
            .manual("Ebb")
            .render(&mut text)?,
    }
    say(String::from_utf8_lossy(&text).trim_end());
    Ok(())
}

fn print_new_key(name: &str, permissions: &str) -> anyhow::Result<()> {
    let (key, line) = new_key(name, permissions)?;
    say(&format!(
        "the key, which is not shown again:\n{key}\n\nits line for the key file:\n{line}"
    ));
    Ok(())
}

fn print_probe(arguments: Arguments, health: Health) -> anyhow::Result<()> {
    let address = arguments.address;
    let config = settings(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no threads")?;
    say(&runtime.block_on(probe(&config, health, address))?);
    Ok(())
}

fn print_check(config: &Config) -> anyhow::Result<()> {
    let initial = check(config)?;
    say(&format!(
        "{}\nthe configuration is in order",
        ready_line(&initial)
    ));
    Ok(())
}

fn start(config: Config) -> anyhow::Result<()> {
    let log = Log::start(&config.log, destination(std::io::stderr()))?;
    // Its reader may be stuck as well, and often is the log's.
    let lines = LineQueue::start(destination(std::io::stdout())).context("no threads")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads")?;
    let result = runtime.block_on(serve(config, &lines));
    // A load in progress must not hold up the exit.
    runtime.shutdown_background();
    lines.finish(LAST_LINES);
    log.finish();
    result
}

async fn serve(config: Config, lines: &LineQueue) -> anyhow::Result<()> {
    let say = |line: &str| lines.push(format!("{line}\n").into());
    let shutdown = stop_signal().context("cannot wait for signals")?;
    let reload = reload_signal().context("cannot wait for signals")?;
    let ports = Ports::listen(&config).await?;
    let address = |port: &TcpListener| port.local_addr().context("no local address");
    say(&format!("listening on {}", address(&ports.grpc)?));
    if let Some(http) = &ports.http {
        say(&format!("answering HTTP on {}", address(http)?));
    }
    let for_loading = config.clone();
    let lifecycle = Lifecycle {
        load: move || InitialState::load(&for_loading),
        ready: |initial: &InitialState| say(&ready_line(initial)),
        reload,
        look_at_credentials: ticks(),
        shutdown,
    };
    say(match run(ports, &config, lifecycle).await? {
        Stopped::Drained => "stopped",
        Stopped::CutOff => "stopped; connections still open after the time limit were cut off",
    });
    Ok(())
}

fn ready_line(initial: &InitialState) -> String {
    let Some(stable) = initial.stable() else {
        return "no model".into();
    };
    let bundle = stable.bundle();
    let folder = stable.folder().map(|path| path.display().to_string());
    let name = folder.unwrap_or_default();
    let horizons: Vec<String> = bundle
        .spec()
        .schema
        .horizon_days
        .iter()
        .map(u16::to_string)
        .collect();
    let users = initial.users.as_ref().map(|users| {
        let as_of = users.as_of(bundle.version(), bundle.spec());
        let as_of = as_of.map(|day| format!(" as of {day}")).unwrap_or_default();
        format!(", {} known users{as_of}", users.histories().len())
    });
    let users = users.unwrap_or_default();
    format!(
        "ready: model {} from {name}, horizons of {} days{users}",
        bundle.version(),
        horizons.join(", ")
    )
}

/// Completes at the first SIGTERM or SIGINT.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// A message for each SIGHUP.
fn reload_signal() -> std::io::Result<mpsc::Receiver<()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    let (ask, asked) = mpsc::channel(1);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            // One that waits stands for all.
            let _ = ask.try_send(());
        }
    });
    Ok(asked)
}

/// One line on standard output, which may be closed.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// One line on standard error, which may be closed, or have a reader that does not read: SIGTERM would not end a wait for it.
fn complain(line: &str) {
    if let Ok(lines) = LineQueue::start(destination(std::io::stderr())) {
        lines.push(format!("{line}\n").into());
        lines.finish(LAST_LINES);
    }
}

/// What a standard stream leads to. The stream itself hides some errors, and locks out others while a write is stuck.
fn destination(stream: impl AsFd + Write + Send + 'static) -> Box<dyn Write + Send> {
    match stream.as_fd().try_clone_to_owned() {
        Ok(descriptor) => Box::new(File::from(descriptor)),
        Err(_) => Box::new(stream),
    }
}
