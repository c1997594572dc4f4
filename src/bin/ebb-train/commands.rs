use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use ebb::events::{EventsError, LogRequest, Progress, QualityReport, SqlRequest, read_log};
use ebb::history::{Day, Histories, Users, write_rollup};
use ebb::model;
use ebb::simulate::{BulkOptions, DEFAULT_BULK_EVENTS, SimulateError, SimulateOptions, simulate_bulk};
use ebb::train::card::Card;
use ebb::train::check::{Floors, check as hold};
use ebb::train::config::Config;
use ebb::train::features::{FeaturesError, write_features};
use ebb::train::fit::{FitInput, fit as fit_all};
use ebb::train::scores::{Target, write_scores};
use ebb::train::{TrainError, inspect as card_text, report};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::args;

/// Why a command ended without success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Bad usage or configuration.
    Usage(anyhow::Error),
    /// The work could not be done.
    Failed(anyhow::Error),
    /// A verdict that has already been printed.
    Verdict,
}

impl Failure {
    pub(crate) const USAGE: u8 = 64;

    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => Self::USAGE,
            Self::Failed(_) | Self::Verdict => 1,
        }
    }

    /// The error with its causes, unless a cause only repeats what was said.
    pub(crate) fn message(&self) -> Option<String> {
        let (Self::Usage(error) | Self::Failed(error)) = self else { return None };
        let mut text = error.to_string();
        for cause in error.chain().skip(1).map(ToString::to_string) {
            if !text.contains(&cause) {
                let _ = write!(text, ": {cause}");
            }
        }
        Some(text)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

type Outcome = Result<(), Failure>;

/// How to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) quiet: bool,
    pub(crate) json: bool,
}

impl Output {
    /// The result: JSON or text on standard output, or nothing.
    fn result(self, json: &serde_json::Value, text: &str) -> Outcome {
        let line = match (self.json, self.quiet) {
            (true, _) => json.to_string(),
            (false, true) => return Ok(()),
            (false, false) => text.trim_end().to_owned(),
        };
        let written = writeln!(std::io::stdout(), "{line}");
        written.context("standard output").map_err(Failure::Failed)
    }

    /// Something worth knowing on the way, on standard error.
    fn note(self, text: &str) {
        if !self.quiet && !self.json {
            eprintln!("{}", text.trim_end());
        }
    }
}

fn usage(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Usage(error.into())
}

fn failed(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Failed(error.into())
}

pub(crate) fn simulate(args: &args::Simulate, output: Output) -> Outcome {
    let reaction = |error| match error {
        SimulateError::Write { .. } | SimulateError::Parquet { .. } => failed(error),
        _ => usage(error),
    };
    if let Some(events) = args.bulk {
        let events = events.unwrap_or(DEFAULT_BULK_EVENTS);
        let mut options = BulkOptions::new(events, args.days, args.seed, args.out.clone());
        options.start = args.start;
        options.format = args.format.into();
        options.users = args.users.unwrap_or(options.users);
        options.threads = args.threads.unwrap_or(options.threads);
        let summary = simulate_bulk(&options).map_err(reaction)?;
        return output.result(&json!(summary), &summary.to_string());
    }
    let mut options = SimulateOptions::new(args.users.unwrap_or(20_000), args.days, args.seed, args.out.clone());
    options.start = args.start;
    options.dirty_share = args.dirty_share;
    let summary = ebb::simulate::simulate(&options).map_err(reaction)?;
    output.result(&json!(summary), &summary.to_string())
}

/// A log as it was read.
struct Log {
    config: Config,
    histories: Histories,
    quality: QualityReport,
}

/// Reads the configuration and the log that it describes, as far as `until`.
fn read(log: &args::Log, until: Option<Day>, users: Users, output: Output) -> Result<Log, Failure> {
    let config = Config::load(&log.config).map_err(usage)?;
    let request = LogRequest {
        config: &config.events,
        base_dir: &config.folder,
        paths: &log.events,
        until,
        default_kind: config.default_kind(),
        users,
        space: &log.space(),
    };
    let (bar, started) = (progress_bar(output), Instant::now());
    let mut on_progress = |progress: Progress| {
        bar.set_length(progress.bytes);
        bar.set_position(progress.bytes_read);
        bar.set_message(format!(
            "{} rows, {:.0} a second",
            progress.rows,
            progress.rows as f64 / started.elapsed().as_secs_f64()
        ));
    };
    let done = read_log(&request, &mut on_progress);
    bar.finish_and_clear();
    let (histories, quality) = done.map_err(|e| if e.is_setting() { usage(e) } else { failed(e) })?;
    output.note(&quality.render());
    if let Some(path) = &log.quality {
        let text = serde_json::to_string_pretty(&quality).map_err(failed)? + "\n";
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    Ok(Log { config, histories, quality })
}

/// A bar on standard error while the log is read; hidden unless a person is watching.
fn progress_bar(output: Output) -> ProgressBar {
    if output.quiet || output.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("reading {wide_bar} {percent}%, {msg}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

pub(crate) fn fit(args: &args::Fit, output: Output) -> Outcome {
    let users = args.sample_users.map_or(Users::All, Users::Share);
    let Log { config, histories, quality } = read(&args.log, args.as_of, users, output)?;
    if let Some(refused) = quality.too_many_refused(&config.events) {
        return Err(failed(EventsError::TooManyRefused(Box::new(refused))));
    }
    let as_of = match (args.as_of, histories.span()) {
        (Some(day), _) => day,
        (None, Some((_, last))) => last.plus(1),
        (None, None) => return Err(failed(anyhow::anyhow!("the log holds no events; check `events.paths`"))),
    };
    let input = FitInput {
        histories: &histories,
        config: &config.train,
        as_of,
        challenger: args.challenger,
        data_quality: &quality.without_users(),
    };
    let fitted = fit_all(&input).map_err(|error| match error {
        TrainError::Setting(_) => usage(error),
        _ => failed(error),
    })?;
    if !args.allow_weak {
        refuse_weak(&fitted.card, output)?;
    }
    let card = fitted.card.to_json().map_err(failed)?;
    let report = report::render(&fitted.card);
    let bundle = model::save(&args.out, fitted.spec, &card, &report).map_err(failed)?;
    let text =
        format!("{}\nModel {} written to {}", card_text::render(&fitted.card), bundle.version(), args.out.display());
    output.result(&json!({"model": bundle.version(), "out": args.out, "card": fitted.card}), &text)
}

/// A model that does not beat recency alone is shown, and not written.
fn refuse_weak(card: &Card, output: Output) -> Outcome {
    let weak: Vec<u16> = card.weak_horizons().iter().map(|h| h.horizon_days).collect();
    if weak.is_empty() {
        return Ok(());
    }
    let text = card_text::render(card);
    output.result(&json!({"model": null, "out": null, "weak_horizons": weak, "card": card}), &text)?;
    let days: Vec<String> = weak.iter().map(|days| format!("{days}-day")).collect();
    Err(failed(anyhow::anyhow!(
        "the {} model does not beat a model that knows recency only, so nothing was written; --allow-weak writes it all \
         the same",
        days.join(" and the ")
    )))
}

pub(crate) fn score(args: &args::Score, output: Output) -> Outcome {
    let target = Target::new(&args.out).map_err(usage)?;
    let bundle = model::load(&args.model).map_err(failed)?.bundle;
    let users = args.partition.map_or(Users::All, Users::Partition);
    let Log { histories, .. } = read(&args.log, Some(args.as_of), users, output)?;
    let summary = write_scores(&bundle, &histories, args.as_of, &target).map_err(failed)?;
    let skipped: u64 = summary.skipped.values().sum();
    let reasons: Vec<String> = summary.skipped.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
    let text = format!("{} users scored, {skipped} not ({})", summary.scored, reasons.join(", "));
    if target == Target::Stdout {
        // Standard output holds the scores themselves.
        output.note(&text);
        return Ok(());
    }
    output.result(&json!({"model": bundle.version(), "out": args.out, "summary": summary}), &text)
}

fn card_of(dir: &Path) -> Result<(model::Bundle, Card), Failure> {
    let model::Saved { bundle, card } = model::load(dir).map_err(failed)?;
    let path = dir.join("card.json");
    let card = serde_json::from_str(&card).with_context(|| path.display().to_string())?;
    Ok((bundle, card))
}

pub(crate) fn check(args: &args::Check, output: Output) -> Outcome {
    let floors = Floors { min_auc: args.min_auc, max_log_loss: args.max_log_loss, max_ece: args.max_ece };
    if floors.min_auc.is_none() && floors.max_log_loss.is_none() && floors.max_ece.is_none() {
        return Err(usage(anyhow::anyhow!("nothing to check: give --min-auc, --max-log-loss or --max-ece")));
    }
    let (bundle, card) = card_of(&args.model)?;
    let verdicts = hold(&card, &floors);
    let passed = verdicts.iter().all(|v| v.passed);
    let lines: Vec<&str> = verdicts.iter().map(|v| v.line.as_str()).collect();
    output.result(&json!({"model": bundle.version(), "passed": passed, "figures": lines}), &lines.join("\n"))?;
    if passed { Ok(()) } else { Err(Failure::Verdict) }
}

pub(crate) fn inspect(args: &args::Inspect, output: Output) -> Outcome {
    let (bundle, card) = card_of(&args.model)?;
    let text = format!("Model {}\n{}", bundle.version(), card_text::render(&card));
    output.result(&json!({"model": bundle.version(), "card": card}), &text)
}

pub(crate) fn rollup(args: &args::Rollup, output: Output) -> Outcome {
    if args.partitions == 0 {
        return Err(usage(anyhow::anyhow!("--partitions must be at least 1")));
    }
    let Log { histories, .. } = read(&args.log, args.as_of, Users::All, output)?;
    let written = write_rollup(&args.out, &histories, args.partitions).map_err(failed)?;
    let text = format!("{} rows (user, day, kind) in {} files in {}", written.rows, written.files, args.out.display());
    output.result(&json!({"out": args.out, "rows": written.rows, "files": written.files}), &text)
}

pub(crate) fn rollup_sql(args: &args::RollupSql, output: Output) -> Outcome {
    let config = Config::load(&args.config).map_err(usage)?;
    let request = SqlRequest {
        config: &config.events,
        base_dir: &config.folder,
        dialect: args.dialect.into(),
        table: args.table.as_deref(),
        time_type: args.time_type.map(Into::into),
        until: args.as_of,
        default_kind: config.default_kind(),
    };
    let sql = ebb::events::rollup_sql(&request).map_err(|e| if e.is_setting() { usage(e) } else { failed(e) })?;
    // The query is what was asked for, so it is printed quietly too.
    let output = Output { quiet: false, ..output };
    output.result(&json!({"dialect": request.dialect.name(), "sql": sql}), &sql)
}

pub(crate) fn features(args: &args::Features, output: Output) -> Outcome {
    let Log { config, histories, .. } = read(&args.log, args.as_of.iter().max().copied(), Users::All, output)?;
    let written = write_features(&histories, &config.train, &args.as_of, &args.out).map_err(|error| match error {
        FeaturesError::Name { .. } => usage(error),
        _ => failed(error),
    })?;
    let text = format!("{} rows of {} features in {}", written.rows, written.features, args.out.display());
    output.result(&json!({"out": args.out, "rows": written.rows, "features": written.features}), &text)
}
