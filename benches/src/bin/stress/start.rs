//! From the start of the program to its first health answer, and to its first score.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::load::{Call, connect};
use crate::promises::Promises;
use crate::questions::{SCORE_USER, about_one};
use crate::server::Setup;

/// What to start with.
#[derive(clap::Args)]
pub struct Options {
    /// A roll-up of many users, as `ebb-train rollup` writes it.
    #[arg(long)]
    rollup: Option<PathBuf>,
    /// How often; the first time is not counted, so that files are warm.
    #[arg(long, default_value_t = 4)]
    times: usize,
}

/// How one start went, each time counted from the program's start.
struct Start {
    health: Duration,
    status: ServingStatus,
    ready: Duration,
    scored: Duration,
}

/// Runs it.
pub async fn run(setup: &Setup, options: &Options, promises: &mut Promises) -> Result<()> {
    let mut starts = Vec::new();
    for _ in 0..options.times.max(2) {
        starts.push(start(setup, options).await?);
    }
    let warm = starts.get(1..).unwrap_or_default();
    for s in warm {
        promises.figure(format!(
            "health {:.0} ms ({:?}), ready {:.0} ms, first score {:.0} ms",
            ms(s.health),
            s.status,
            ms(s.ready),
            ms(s.scored)
        ));
    }
    let slowest = warm.iter().map(|s| s.health).max().unwrap_or_default();
    promises.hold(
        slowest <= Duration::from_millis(200),
        format!("health within 200 ms: {:.0} ms", ms(slowest)),
    );
    if options.rollup.is_some() {
        let honest = warm.iter().all(|s| s.status == ServingStatus::NotServing);
        promises.hold(
            honest,
            "the first health answer is NOT_SERVING while the roll-up is read",
        );
    }
    let mut ready: Vec<Duration> = warm.iter().map(|s| s.ready).collect();
    ready.sort_unstable();
    let median = ready.get(ready.len() / 2).copied().unwrap_or_default();
    promises.figure(format!(
        "ready after {:.0} ms (median of {})",
        ms(median),
        ready.len()
    ));
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

async fn start(setup: &Setup, options: &Options) -> Result<Start> {
    let bundle = ebb::model::load(&setup.model)?.bundle;
    let mut launch = setup.launch(&setup.model)?;
    if let Some(rollup) = &options.rollup {
        launch = launch.with("--rollup", rollup);
    }
    let server = launch.start()?;
    let channels = connect(&server.address, 1).await?;
    let mut health = HealthClient::new(channels.first().cloned().context("no connection")?);
    let request = HealthCheckRequest {
        service: String::new(),
    };
    let status = health.check(request.clone()).await?.into_inner().status();
    let first = server.started.elapsed();
    let deadline = Instant::now() + Duration::from_secs(300);
    let mut now = status;
    while now != ServingStatus::Serving {
        ensure!(
            Instant::now() < deadline,
            "the server is not ready after 300 s"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
        now = health.check(request.clone()).await?.into_inner().status();
    }
    let ready = server.started.elapsed();
    Call::new(&channels, SCORE_USER, about_one(&bundle))?
        .make(0)
        .await
        .context("ready, and yet no score")?;
    Ok(Start {
        health: first,
        status,
        ready,
        scored: server.started.elapsed(),
    })
}
