//! Starts servers and looks at them from outside.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// What all subcommands share; given before the subcommand.
#[derive(clap::Args)]
pub struct Setup {
    /// The model bundle to serve.
    #[arg(long, default_value = "models/shop")]
    pub model: PathBuf,
    /// The server's program [default: ebb-serve, which lies beside this program]
    #[arg(long)]
    server: Option<PathBuf>,
    /// The processor to pin the server to, such as 0; give this program another one with taskset.
    #[arg(long)]
    server_cpu: Option<String>,
    /// Where bundles, settings and the server's log are written.
    #[arg(long, default_value = "target/stress")]
    pub work: PathBuf,
}

/// A server to be started.
pub struct Launch {
    program: PathBuf,
    cpu: Option<String>,
    open_files: Option<u32>,
    arguments: Vec<OsString>,
    work: PathBuf,
}

impl Setup {
    /// The server with a model, on a port of the system's choice.
    pub fn launch(&self, model: &Path) -> Result<Launch> {
        let program = match &self.server {
            Some(program) => program.clone(),
            None => std::env::current_exe()
                .context("where this program lies is unknown")?
                .with_file_name("ebb-serve"),
        };
        ensure!(
            program.exists(),
            "{} does not exist; build it or give --server",
            program.display()
        );
        fs::create_dir_all(&self.work).with_context(|| format!("{}", self.work.display()))?;
        let launch = Launch {
            program,
            cpu: self.server_cpu.clone(),
            open_files: None,
            arguments: Vec::new(),
            work: self.work.clone(),
        };
        Ok(launch
            .with("--listen", "127.0.0.1:0")
            .with("--model", model))
    }

    /// A new empty folder below the work folder.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.work.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}

impl Launch {
    /// Another argument of the server's.
    pub fn with(mut self, option: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.arguments.push(option.into());
        self.arguments.push(value.as_ref().to_owned());
        self
    }

    /// The text of the server's configuration.
    pub fn configured(self, text: &str) -> Result<Self> {
        let path = self.work.join("ebb-serve.toml");
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(self.with("--config", path))
    }

    /// How many files the server may have open.
    pub fn open_files(mut self, most: u32) -> Self {
        self.open_files = Some(most);
        self
    }

    /// Starts it. It can be called when this returns, and may not be ready.
    pub fn start(self) -> Result<Server> {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(most) = self.open_files {
            // What the shell executes keeps its process id and its limits.
            let script = format!("ulimit -n {most} && exec \"$@\"");
            words.extend(["sh".into(), "-c".into(), script.into(), "sh".into()]);
        }
        if let Some(cpu) = &self.cpu {
            words.extend(["taskset".into(), "-c".into(), cpu.into()]);
        }
        words.push(self.program.clone().into());
        words.extend(self.arguments);
        let (first, rest) = words.split_first().context("there is nothing to start")?;
        let log_path = self.work.join("ebb-serve.log");
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log_path);
        let log = log.with_context(|| format!("cannot write {}", log_path.display()))?;
        let started = Instant::now();
        let mut child = Command::new(first)
            .args(rest)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let output = child.stdout.take().context("the server has no output")?;
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if send.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        let mut server = Server {
            child,
            started,
            lines,
            address: String::new(),
        };
        let (_, line) = server.line("listening on ", Duration::from_secs(10))?;
        server.address = line;
        Ok(server)
    }

    /// Starts it and waits until it is ready.
    pub fn start_ready(self) -> Result<Server> {
        let server = self.start()?;
        server.ready(Duration::from_secs(300))?;
        Ok(server)
    }
}

/// A running server; it is killed when this is dropped.
pub struct Server {
    child: Child,
    /// HOST:PORT.
    pub address: String,
    /// When it was started.
    pub started: Instant,
    lines: Receiver<(Instant, String)>,
}

impl Server {
    /// Waits for a line that begins like this; the rest of it and when it came.
    fn line(&self, start: &str, patience: Duration) -> Result<(Instant, String)> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let (at, line) = match self.lines.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    bail!("the server did not say `{start}` within {patience:?}")
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!(
                        "the server ended before it said `{start}`: see ebb-serve.log in the work folder"
                    )
                }
            };
            if let Some(rest) = line.strip_prefix(start) {
                return Ok((at, rest.to_owned()));
            }
        }
    }

    /// Waits until it says that it is ready; when that was.
    pub fn ready(&self, patience: Duration) -> Result<Instant> {
        Ok(self.line("ready", patience)?.0)
    }

    /// Asks it to stop, as a supervisor would.
    pub fn terminate(&self) -> Result<()> {
        let status = Command::new("kill")
            .arg("-TERM")
            .arg(self.child.id().to_string())
            .status()?;
        ensure!(status.success(), "the server is gone already");
        Ok(())
    }

    /// Waits for its end; `None` when it is still there after this long.
    pub async fn ended(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(None)
    }

    /// The processor time that it has used.
    pub fn cpu(&self) -> Result<Duration> {
        cpu_of(&self.child.id().to_string())
    }

    /// So many bytes of memory as this line of /proc/PID/status says, such as `VmHWM:`, the most that it has occupied.
    pub fn memory(&self, line: &str) -> Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        let kibibytes = text
            .lines()
            .find_map(|text| text.strip_prefix(line)?.split_whitespace().next())
            .and_then(|count| count.parse::<u64>().ok());
        Ok(1024 * kibibytes.with_context(|| format!("{path} has no {line}"))?)
    }

    /// How many files and connections it has open.
    pub fn open_descriptors(&self) -> Result<usize> {
        let folder = format!("/proc/{}/fd", self.child.id());
        Ok(fs::read_dir(&folder)
            .with_context(|| folder.clone())?
            .count())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processor time that this program has used.
pub fn own_cpu() -> Result<Duration> {
    cpu_of("self")
}

/// User and system time from /proc, which counts in hundredths of a second.
fn cpu_of(process: &str) -> Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    // The program's name, in brackets, may hold spaces.
    let fields: Vec<&str> = text
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |position: usize| {
        fields
            .get(position)
            .and_then(|field| field.parse::<u64>().ok())
    };
    let (user, system) = ticks(11)
        .zip(ticks(12))
        .with_context(|| format!("{path} reads {text}"))?;
    Ok(Duration::from_millis(10 * (user + system)))
}
