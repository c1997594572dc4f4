//! The whole path in one go: fits a model on the sample log, starts the server on it, and asks it about users.
//!
//! ```text
//! cargo build --release --bins --example quickstart && ./target/release/examples/quickstart
//! ```

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use ebb::serve::client::{
    DayActivity, History, Score, ScoreStatus, ScoreUserRequest, ScoringServiceClient, Subject,
    SubjectForm,
};
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Users of the sample log: one who stays, one who is leaving, one who left long ago.
const KNOWN_USERS: [&str; 3] = ["U000027", "U000053", "U000001"];

fn main() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(quickstart())
}

async fn quickstart() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let binaries = binaries()?;
    let work = binaries
        .parent()
        .context("the binaries lie in no folder")?
        .join("quickstart");
    let (config, model, rollup) = (
        root.join("datasets/shop/ebb.toml"),
        work.join("model"),
        work.join("rollup"),
    );

    step("ebb-train fit: a model from the sample log of a shop");
    let train = |command: &str, out: &Path| {
        let mut train = Command::new(binaries.join("ebb-train"));
        run(train
            .arg(command)
            .arg("--config")
            .arg(&config)
            .arg("--out")
            .arg(out))
    };
    let card = train("fit", &model)?;
    let lines: Vec<&str> = card.lines().collect();
    let tested = lines.iter().position(|line| line.contains("tested on"));
    let tested = tested.context("`ebb-train fit` printed no test of the model")?;
    for line in lines.iter().skip(tested).take(5) {
        println!("{line}");
    }

    step("ebb-train rollup: what every user did on each day, so that the server knows them by id");
    print!("{}", train("rollup", &rollup)?);

    step("ebb-serve: the model behind gRPC");
    let mut server = Server::start(&binaries, &model, &rollup)?;
    let channel = Channel::from_shared(format!("http://{}", server.address))?
        .connect()
        .await?;
    until_serving(channel.clone()).await?;
    println!("serving on {}", server.address);

    step("ScoreUser: three users of the log, and one that only the caller knows");
    let mut client = ScoringServiceClient::new(channel);
    for user in KNOWN_USERS {
        let subject = SubjectForm::UserId(user.to_owned());
        print_score(user, &ask(&mut client, subject, "").await?);
    }
    let history = weekly_purchases_until("2025-04-27")?;
    let score = ask(&mut client, SubjectForm::History(history), "2025-06-24").await?;
    print_score(
        "a history sent along: ten weekly purchases, the last on 2025-04-27",
        &score,
    );

    drop(client);
    server.stop()
}

fn step(text: &str) {
    println!("\n== {text}");
}

/// The folder of the binaries, beside that of this example.
fn binaries() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own
        .ancestors()
        .nth(2)
        .context("this example lies in no folder of examples")?;
    for name in ["ebb-train", "ebb-serve"] {
        let path = folder.join(name);
        ensure!(
            path.is_file(),
            "{} is missing: run `cargo build --release --bins` first",
            path.display()
        );
    }
    Ok(folder.to_owned())
}

/// Runs a program to its end; what it printed on standard output.
fn run(command: &mut Command) -> anyhow::Result<String> {
    let done = command
        .stdin(Stdio::null())
        .output()
        .context("ebb-train does not start")?;
    ensure!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(String::from_utf8(done.stdout)?)
}

/// A running server, which ends with this value.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(binaries: &Path, model: &Path, rollup: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(binaries.join("ebb-serve"));
        command
            .arg("--model")
            .arg(model)
            .arg("--rollup")
            .arg(rollup)
            .args(["--listen", "127.0.0.1:0"]);
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("ebb-serve does not start")?;
        let mut server = Self {
            process,
            address: String::new(),
        };
        // The system chose a free port; the first line tells which.
        let mut line = String::new();
        let printed = server
            .process
            .stdout
            .as_mut()
            .context("ebb-serve has no standard output")?;
        BufReader::new(printed).read_line(&mut line)?;
        server.address = line
            .trim()
            .strip_prefix("listening on ")
            .context("ebb-serve did not start")?
            .to_owned();
        Ok(server)
    }

    /// Asks the server to finish its calls and end.
    fn stop(&mut self) -> anyhow::Result<()> {
        Command::new("kill")
            .args(["-TERM", &self.process.id().to_string()])
            .status()?;
        let status = self.process.wait()?;
        ensure!(status.success(), "ebb-serve ended with {status}");
        println!("\nThe server has stopped.");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` there is nothing left to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until the server has loaded its model.
async fn until_serving(channel: Channel) -> anyhow::Result<()> {
    let mut health = HealthClient::new(channel);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(30) {
        let request = HealthCheckRequest {
            service: "churn.v1.ScoringService".to_owned(),
        };
        if health.check(request).await?.into_inner().status() == ServingStatus::Serving {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("the server did not load its model within 30 seconds")
}

/// Asks about one subject; an empty day stands for the day after the roll-up's last event.
async fn ask(
    client: &mut ScoringServiceClient<Channel>,
    subject: SubjectForm,
    as_of: &str,
) -> anyhow::Result<Score> {
    let request = ScoreUserRequest {
        subject: Some(Subject {
            subject: Some(subject),
            attributes: Vec::new(),
        }),
        as_of: as_of.to_owned(),
        ..ScoreUserRequest::default()
    };
    client
        .score_user(request)
        .await?
        .into_inner()
        .score
        .context("an answer without a score")
}

/// Ten purchases, a week apart, the last on `day`.
fn weekly_purchases_until(day: &str) -> anyhow::Result<History> {
    let last: ebb::history::Day = day.parse()?;
    let purchase = |week: i32| DayActivity {
        day: last.plus(-7 * week).to_string(),
        kind: "purchase".to_owned(),
        count: 1,
        amount: 40.0,
    };
    Ok(History {
        events: Vec::new(),
        days: (0..10).map(purchase).collect(),
    })
}

fn print_score(name: &str, score: &Score) {
    println!("\n{name}");
    if score.status() != ScoreStatus::Scored {
        let recency = score
            .recency_days
            .map(|days| format!(", last purchase {days} days ago"))
            .unwrap_or_default();
        println!(
            "  not scored: {}{recency}",
            words(score.status().as_str_name(), "SCORE_STATUS_")
        );
        return;
    }
    for horizon in &score.horizons {
        println!(
            "  {} likely to buy nothing in the {} days from {}: {} risk",
            ebb::features::percent(horizon.churn_probability),
            horizon.horizon_days,
            score.as_of,
            words(horizon.risk_band().as_str_name(), "RISK_BAND_")
        );
        for reason in &horizon.reasons {
            println!("    {:+.2}  {}", reason.contribution, reason.explanation);
        }
    }
    println!(
        "  stage: {} ({})",
        words(score.stage().as_str_name(), "STAGE_"),
        score.stage_explanation
    );
    if let Some(segment) = &score.segment {
        println!("  like users who are: {}", segment.name);
    }
}

/// `RISK_BAND_HIGH` as `high`.
fn words(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix)
        .to_lowercase()
        .replace('_', " ")
}
