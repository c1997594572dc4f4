use std::path::{Path, PathBuf};

use anyhow::Context;
use ebb::history::Day;
use ebb::model;
use ebb::output::{self, Destination};
use ebb::train::config::Config;
use ebb::train::proposals::calibration::{self, Accepted, CALIBRATION_LOG};
use ebb::train::proposals::{Change, Proposal, ProposalInput, Proposals, propose as look};
use serde_json::json;

use super::judging::{JudgedAt, read_for};
use super::kpi::order_kinds;
use super::log::check_stale;
use crate::args::Log;
use crate::outcome::{Failure, Outcome, Output, failed, quoted, shown, usage};
use crate::outputs;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    log: Log,
    /// The folder of the bundle in use; its fit is the calibration that the log is compared with.
    #[arg(long, value_name = "FOLDER")]
    previous: PathBuf,
    /// Look at the log as known at the start of this day [default: the day after the last one that the log covers].
    #[arg(long, value_name = "DATE")]
    as_of: Option<Day>,
    /// The folder to write proposals to; those that are there stay.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

pub(crate) fn propose(args: &Args, output: Output) -> Outcome {
    let config = Config::load(&args.log.config).map_err(usage)?;
    let accepted = accepted(&config.folder)?;
    let model::Saved { bundle, .. } = model::load(&args.previous).map_err(failed)?;
    outputs::check(&args.log, &config, &[&args.previous], Vec::new())?;
    let at = JudgedAt {
        as_of: args.as_of,
        allow_seen: false,
        allow_missing_kinds: false,
    };
    let read = read_for(&[&bundle], &args.log, &config, &at, output)?;
    let as_of = args.as_of.unwrap_or(read.coverage.labels_until);
    check_stale(
        &read.coverage,
        as_of,
        false,
        "look at the log as of",
        output,
    )?;
    let found = look(&ProposalInput {
        histories: &read.histories,
        coverage: &read.coverage,
        config: &config.train,
        previous: &bundle,
        accepted: &accepted,
        order_kinds: &order_kinds(&config),
        as_of,
    })
    .map_err(failed)?;
    let files = found
        .proposals
        .iter()
        .map(|proposal| write(&args.out, proposal));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    let json = json!({
        "as_of": as_of,
        "proposals": found.proposals,
        "files": files.iter().map(|path| shown(path)).collect::<Vec<_>>(),
        "notes": found.notes,
    });
    output.result(&json, &text(as_of, &found, &files))?;
    if let Some(file) = files.first() {
        output.next(&format!(
            "ebb-train accept {} --config {}",
            quoted(file),
            quoted(&args.log.config)
        ));
    }
    Ok(())
}

/// The accepted proposals beside a configuration.
pub(super) fn accepted(folder: &Path) -> Result<Vec<Accepted>, Failure> {
    let path = folder.join(CALIBRATION_LOG);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            return Err(failed(
                anyhow::Error::new(error).context(path.display().to_string()),
            ));
        }
    };
    let accepted = calibration::read(&text);
    Ok(accepted.with_context(|| path.display().to_string())?)
}

/// Writes a proposal under the name of its hash.
fn write(folder: &Path, proposal: &Proposal) -> Result<PathBuf, Failure> {
    let path = folder.join(format!(
        "proposal-{}.json",
        proposal.hash().map_err(failed)?
    ));
    let text = serde_json::to_string_pretty(proposal).map_err(failed)? + "\n";
    let destination = Destination::file(&path).map_err(outputs::refused)?;
    output::write(destination, text.as_bytes()).map_err(outputs::refused)?;
    Ok(path)
}

fn text(as_of: Day, found: &Proposals, files: &[PathBuf]) -> String {
    let mut lines = vec![match found.proposals.len() {
        0 => format!("as of {as_of}: nothing to change"),
        1 => format!("as of {as_of}: one proposal"),
        many => format!("as of {as_of}: {many} proposals"),
    }];
    for (proposal, file) in found.proposals.iter().zip(files) {
        lines.push(String::new());
        lines.push(format!("{} ({})", file.display(), proposal.trigger.name()));
        lines.push(format!("  because {}", proposal.reason));
        lines.extend(
            proposal
                .changes
                .iter()
                .map(|change| format!("  {}", change_line(change))),
        );
        lines.extend(
            proposal
                .expires
                .map(|day| format!("  until {day}, when `propose` proposes to undo it")),
        );
        lines.extend(moved_lines(proposal));
    }
    if !found.notes.is_empty() {
        lines.push(String::new());
        lines.extend(found.notes.iter().map(|note| format!("- {note}")));
    }
    lines.join("\n")
}

/// A change in one line.
pub(super) fn change_line(change: &Change) -> String {
    let Change { setting, old, new } = change;
    let old = old.map_or_else(|| "not set".to_owned(), |old| old.to_string());
    format!("{setting}: {old} -> {new}")
}

/// The users whose stage changes.
fn moved_lines(proposal: &Proposal) -> Vec<String> {
    let mut lines = Vec::new();
    for (from, row) in &proposal.users_moved {
        for (to, users) in row.iter().filter(|(to, _)| *to != from) {
            let users = users.map_or("few".to_owned(), |users| users.to_string());
            lines.push(format!("  {users} users: {from} -> {to}"));
        }
    }
    lines
}
