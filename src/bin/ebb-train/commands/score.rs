use std::path::PathBuf;

use ebb::batch::scores::{Summary, Target, write_scores};
use ebb::events::ReadLog;
use ebb::history::{Day, Partition, Users};
use ebb::model;
use ebb::train::checks::agreement;
use ebb::train::config::Config;
use serde_json::json;

use super::log::{check_conversion_stale, check_stale, read};
use crate::args;
use crate::outcome::{Outcome, Output, failed, quoted, shown, usage};
use crate::outputs;
use crate::progress::ProgressDisplay;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The bundle's folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) log: args::Log,
    /// Score as known at the start of this day [default: the day after the last one that the log covers].
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Day>,
    /// Score also more than three days beyond what the log covers, where all users look silent.
    #[arg(long)]
    pub(crate) allow_stale: bool,
    /// Score also if the log has no event of a kind that the model uses.
    #[arg(long)]
    pub(crate) allow_missing_kinds: bool,
    /// Succeed also if no user is scored.
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Score one partition of the users only, such as 0/16; together all partitions are all users.
    #[arg(long, value_name = "NUMBER/OF")]
    pub(crate) partition: Option<Partition>,
    /// scores.csv, scores.parquet, or - for CSV on standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

pub(crate) fn score(args: &Args, output: Output) -> Outcome {
    let target = Target::new(&args.out).map_err(usage)?;
    let config = Config::load(&args.log.config).map_err(usage)?;
    // Checked before anything is read; the file of potential users is one of them once the model is known to have such a part.
    let check = |has_conversion: bool| {
        let files = target.destinations(has_conversion);
        let files = files.map_err(outputs::refused)?;
        outputs::check(&args.log, &config, &[&args.model], files)
    };
    check(false)?;
    let bundle = model::load(&args.model).map_err(failed)?.bundle;
    if bundle.conversion().is_some() {
        check(true)?;
    }
    agreement::check_config(bundle.spec(), &config.train).map_err(usage)?;
    if args.partition.is_some() && args.as_of.is_none() {
        return Err(usage(anyhow::anyhow!(
            "--partition needs --as-of, so that all partitions are scored at one day"
        )));
    }
    let users = args.partition.map_or(Users::All, Users::Partition);
    let ReadLog {
        histories,
        coverage,
        ..
    } = read(&args.log, &config, args.as_of, users, output)?;
    if args.partition.is_none() && !args.allow_missing_kinds {
        agreement::check_log(bundle.spec(), &histories).map_err(failed)?;
    }
    agreement::check_attributes(bundle.spec(), &histories).map_err(usage)?;
    let as_of = args.as_of.unwrap_or(coverage.labels_until);
    check_stale(&coverage, as_of, args.allow_stale, "score", output)?;
    if bundle.conversion().is_some() {
        check_conversion_stale(&coverage, as_of, args.allow_stale, output)?;
    } else if config.train.conversion.is_some() {
        output.warn("[conversion] is configured, but the model has no part for potential users: fit again to score them");
    }
    let display = ProgressDisplay::new(output);
    let summary = match write_scores(&bundle, &histories, as_of, &target, display.phases()) {
        // The reader of the scores has enough of them.
        Err(error) if target == Target::Stdout && error.is_broken_pipe() => return Ok(()),
        done => done.map_err(failed)?,
    };
    drop(display);
    let text = sentence(as_of, &summary, &target);
    if target == Target::Stdout {
        // Standard output holds the scores themselves.
        output.note(&text);
    } else {
        let json = json!({"model": bundle.version(), "as_of": as_of, "out": shown(&args.out), "summary": summary});
        output.result(&json, &text)?;
    }
    // A partition may well hold no user to score.
    if summary.scored == 0 && !args.allow_empty && args.partition.is_none() {
        return Err(failed(anyhow::anyhow!(
            "no user was scored: {} users are not eligible at {as_of} ({}); see --as-of, and give --allow-empty if that is meant",
            skipped(&summary),
            reasons(&summary)
        )));
    }
    if target != Target::Stdout && args.partition.is_none() {
        let (model, config) = (quoted(&args.model), quoted(&args.log.config));
        output.next(&format!("ebb-train top --model {model} --config {config}"));
    }
    Ok(())
}

fn skipped(summary: &Summary) -> u64 {
    summary.skipped.values().sum()
}

fn reasons(summary: &Summary) -> String {
    let reasons = summary.skipped.iter();
    let reasons: Vec<String> = reasons.map(|(reason, n)| format!("{n} {reason}")).collect();
    reasons.join(", ")
}

/// How many users were scored, and where those are of whom a file of its own tells.
fn sentence(as_of: Day, summary: &Summary, target: &Target) -> String {
    let text = format!(
        "as of {as_of}: {} users scored, {} not ({})",
        summary.scored,
        skipped(summary),
        reasons(summary)
    );
    let where_to = match target {
        Target::Stdout => "without a file: their scores are not written to standard output",
        Target::Csv(_) | Target::Parquet(_) => "in a file of their own beside the scores",
    };
    match summary.potential {
        None => text,
        Some(potential) => format!("{text}; {potential} potential users, {where_to}"),
    }
}
