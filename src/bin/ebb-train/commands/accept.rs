use std::path::PathBuf;

use anyhow::{Context, anyhow};
use ebb::output::{Destination, Staged, commit};
use ebb::train::config::Config;
use ebb::train::proposals::Proposal;
use ebb::train::proposals::accept::{AcceptError, edited};
use ebb::train::proposals::calibration::{Accepted, CALIBRATION_LOG};
use serde_json::json;

use super::propose::{accepted, change_line};
use crate::outcome::{Failure, Outcome, Output, failed, quoted, shown, usage};
use crate::outputs;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The proposal, as `propose` has written it.
    #[arg(value_name = "FILE")]
    proposal: PathBuf,
    /// The configuration to change.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Who accepts it, for the record [default: the user of this system].
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Say what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn accept(args: &Args, output: Output) -> Outcome {
    let path = &args.proposal;
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let proposal: Proposal = serde_json::from_str(&text)
        .with_context(|| format!("{} is no proposal", path.display()))
        .map_err(usage)?;
    let before = std::fs::read_to_string(&args.config)
        .with_context(|| args.config.display().to_string())
        .map_err(usage)?;
    let config = Config::parse(&before, &args.config).map_err(usage)?;
    let after = edited(&before, &config.train.hash, &proposal).map_err(refused)?;
    // The changed configuration has to be a legal one.
    Config::parse(&after, &args.config).map_err(failed)?;
    if !args.dry_run {
        record(args, &config, &proposal, &after)?;
    }
    let changes: Vec<String> = proposal.changes.iter().map(change_line).collect();
    let json = json!({
        "config": shown(&args.config),
        "changes": proposal.changes,
        "written": !args.dry_run,
    });
    let verb = if args.dry_run {
        "would change"
    } else {
        "changed"
    };
    let text = format!(
        "{verb} {}\n  {}",
        args.config.display(),
        changes.join("\n  ")
    );
    output.result(&json, &text)?;
    if !args.dry_run {
        output.next(&format!(
            "ebb-train fit --config {} --out model",
            quoted(&args.config)
        ));
    }
    Ok(())
}

fn refused(error: AcceptError) -> Failure {
    match error {
        AcceptError::Stale { .. } => failed(error),
        error => usage(error),
    }
}

/// Writes the configuration and the record: both or none.
fn record(args: &Args, config: &Config, proposal: &Proposal, after: &str) -> Outcome {
    let mut all = accepted(&config.folder)?;
    let hash = proposal.hash().map_err(failed)?;
    if all.iter().any(|accepted| accepted.proposal == hash) {
        return Err(failed(anyhow!("{hash} has been accepted already")));
    }
    all.push(Accepted {
        at: jiff::Timestamp::now()
            .round(jiff::Unit::Second)
            .map_err(failed)?
            .to_string(),
        by: args
            .by
            .clone()
            .or_else(|| std::env::var("USER").ok())
            .unwrap_or_default(),
        proposal: hash,
        trigger: proposal.trigger,
        as_of: proposal.as_of,
        changes: proposal.changes.clone(),
        expires: proposal.expires,
    });
    let lines = all.iter().map(serde_json::to_string);
    let mut lines = lines
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?
        .join("\n");
    lines.push('\n');
    let staged = [
        (args.config.clone(), after),
        (config.folder.join(CALIBRATION_LOG), lines.as_str()),
    ];
    let staged = staged.into_iter().map(|(path, text)| {
        let staged = Staged::new(Destination::file(&path).map_err(outputs::refused)?);
        let staged = staged.map_err(outputs::refused)?;
        let mut file = staged.file().map_err(outputs::refused)?;
        std::io::Write::write_all(&mut file, text.as_bytes())
            .with_context(|| path.display().to_string())?;
        Ok(staged)
    });
    let staged = staged.collect::<Result<Vec<_>, Failure>>()?;
    commit(staged).map_err(outputs::refused)
}
