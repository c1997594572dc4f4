use std::io::IsTerminal;
use std::path::Path;
use std::time::{Instant, SystemTime};

use anyhow::Context;
use ebb::batch::features::{features_destination, write_features};
use ebb::batch::scores::{Target, write_scores};
use ebb::card::Card;
use ebb::events::{EventsError, LogRequest, Progress, ReadLog, SqlRequest, read_log};
use ebb::history::{Coverage, Day, DayClock, LabelKinds, Users, rollup_destination, write_rollup};
use ebb::model;
use ebb::report::gate::{Floors, check as hold};
use ebb::report::{html, text as card_text};
use ebb::simulate::{SimulateError, SimulateOptions};
use ebb::train::TrainError;
use ebb::train::checks::agreement;
use ebb::train::config::Config;
use ebb::train::pipeline::{FitInput, fit as fit_all};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::args;
use crate::outcome::{Failure, Outcome, Output, failed, shown, usage};
use crate::outputs;

pub(crate) fn simulate(args: &args::Simulate, output: Output) -> Outcome {
    let reaction = |error| match error {
        SimulateError::Write { .. } | SimulateError::Occupied { .. } => failed(error),
        SimulateError::Output(error) => outputs::refused(error),
        _ => usage(error),
    };
    let mut options = SimulateOptions::new(args.users, args.days, args.seed, args.out.clone());
    options.start = args.start;
    options.dirty_share = args.dirty_share;
    let summary = ebb::simulate::simulate(&options).map_err(reaction)?;
    output.result(&json!(summary), &summary.to_string())
}

/// The present day in a time zone; `None` where the clock is out of all range.
fn today(timezone: &str) -> Result<Option<Day>, Failure> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |passed| passed.as_secs());
    Ok(DayClock::new(timezone)
        .map_err(usage)?
        .day(i64::try_from(now).unwrap_or(i64::MAX)))
}

/// Reads the log that a configuration describes, as far as `until`.
fn read(
    log: &args::Log,
    config: &Config,
    until: Option<Day>,
    users: Users,
    output: Output,
) -> Result<ReadLog, Failure> {
    let churn = &config.train.churn;
    let request = LogRequest {
        config: &config.events,
        base_dir: &config.folder,
        paths: &log.events,
        until,
        default_kind: config.default_kind(),
        users,
        space: &log.space(),
        labels: LabelKinds {
            activity: &churn.activity,
            churn_event: churn.churn_event.as_deref(),
        },
        today: today(&config.train.timezone)?,
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
    let read = done.map_err(|e| if e.is_setting() { usage(e) } else { failed(e) })?;
    output.note(&read.quality.render());
    if let Some(path) = &log.quality {
        outputs::write_quality(path, &read.quality)?;
    }
    Ok(read)
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
    let destination = model::destination(&args.out).map_err(outputs::refused)?;
    let config = Config::load(&args.log.config).map_err(usage)?;
    outputs::check(&args.log, &config, None, vec![destination])?;
    let users = args.sample_users.map_or(Users::All, Users::Share);
    let ReadLog {
        histories,
        coverage,
        quality,
    } = read(&args.log, &config, args.as_of, users, output)?;
    if let Some(refused) = quality.too_many_refused(&config.events) {
        return Err(failed(EventsError::TooManyRefused(Box::new(refused))));
    }
    let as_of = args.as_of.unwrap_or(coverage.labels_until);
    let input = FitInput {
        histories: &histories,
        coverage: &coverage,
        config: &config.train,
        as_of,
        random_forest: args.random_forest,
        data_quality: &quality.without_users(),
    };
    let fitted = fit_all(&input).map_err(|error| match error {
        TrainError::Setting(_) => usage(error),
        _ => failed(error),
    })?;
    if !args.allow_below_baseline {
        refuse_weak(&fitted.card, output)?;
    }
    let card = fitted.card.to_json().map_err(failed)?;
    let report = html::render(&fitted.card);
    let bundle = model::save(&args.out, fitted.spec, &card, &report).map_err(failed)?;
    let text = format!(
        "{}\nModel {} written to {}",
        card_text::render(&fitted.card),
        bundle.version(),
        args.out.display()
    );
    output.result(
        &json!({"model": bundle.version(), "out": shown(&args.out), "card": fitted.card}),
        &text,
    )
}

/// A model that does not beat recency alone is shown, and not written.
fn refuse_weak(card: &Card, output: Output) -> Outcome {
    let weak: Vec<u16> = card
        .weak_horizons()
        .iter()
        .map(|h| h.horizon_days)
        .collect();
    if weak.is_empty() {
        return Ok(());
    }
    let text = card_text::render(card);
    output.result(
        &json!({"model": null, "out": null, "weak_horizons": weak, "card": card}),
        &text,
    )?;
    let days: Vec<String> = weak.iter().map(|days| format!("{days}-day")).collect();
    Err(Failure::Verdict(Some(format!(
        "the {} model does not beat a model that knows recency only, so nothing was written; --allow-below-baseline writes it all \
         the same",
        days.join(" and the ")
    ))))
}

pub(crate) fn score(args: &args::Score, output: Output) -> Outcome {
    let target = Target::new(&args.out).map_err(usage)?;
    let config = Config::load(&args.log.config).map_err(usage)?;
    outputs::check(
        &args.log,
        &config,
        Some(&args.model),
        target.destinations().map_err(outputs::refused)?,
    )?;
    let bundle = model::load(&args.model).map_err(failed)?.bundle;
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
        agreement::check_kinds(bundle.spec(), histories.kinds()).map_err(failed)?;
    }
    let as_of = args.as_of.unwrap_or(coverage.labels_until);
    if let Some(warning) = stale(&coverage, as_of) {
        if coverage.is_stale(as_of) && !args.allow_stale {
            return Err(failed(anyhow::anyhow!(
                "{warning}; score an earlier --as-of, or say --allow-stale"
            )));
        }
        output.warn(&warning);
    }
    let summary = match write_scores(&bundle, &histories, as_of, &target) {
        // Whoever reads the scores has enough of them.
        Err(error) if target == Target::Stdout && error.is_broken_pipe() => return Ok(()),
        done => done.map_err(failed)?,
    };
    let skipped: u64 = summary.skipped.values().sum();
    let reasons: Vec<String> = summary
        .skipped
        .iter()
        .map(|(reason, n)| format!("{n} {reason}"))
        .collect();
    let text = format!(
        "as of {as_of}: {} users scored, {skipped} not ({})",
        summary.scored,
        reasons.join(", ")
    );
    if target == Target::Stdout {
        // Standard output holds the scores themselves.
        output.note(&text);
    } else {
        let json = json!({"model": bundle.version(), "as_of": as_of, "out": shown(&args.out), "summary": summary});
        output.result(&json, &text)?;
    }
    // A partition may well be without anybody.
    if summary.scored == 0 && !args.allow_empty && args.partition.is_none() {
        return Err(failed(anyhow::anyhow!(
            "nobody was scored: {skipped} users are not asked about at {as_of} ({}); see --as-of, and say --allow-empty if \
             that is meant",
            reasons.join(", ")
        )));
    }
    Ok(())
}

/// What to say of an as-of day beyond what the log covers.
fn stale(coverage: &Coverage, as_of: Day) -> Option<String> {
    let days = coverage.days_beyond(as_of);
    let last = coverage.labels_until.plus(-1);
    (days > 0).then(|| {
        format!(
            "{as_of} lies {days} {} beyond what the log covers, which ends on {last}: whoever came since looks silent",
            if days == 1 { "day" } else { "days" }
        )
    })
}

fn card_of(dir: &Path) -> Result<(model::Bundle, Card), Failure> {
    let model::Saved { bundle, card } = model::load(dir).map_err(failed)?;
    let path = dir.join("card.json");
    let card = serde_json::from_str(&card).with_context(|| path.display().to_string())?;
    Ok((bundle, card))
}

pub(crate) fn check(args: &args::Check, output: Output) -> Outcome {
    let given = [
        args.min_auc,
        args.max_log_loss,
        args.max_ece,
        args.max_refused_share,
    ];
    if given.iter().all(Option::is_none) {
        return Err(usage(anyhow::anyhow!(
            "nothing to check: give --min-auc, --max-log-loss, --max-ece or --max-refused-share"
        )));
    }
    let floors = Floors {
        min_auc: args.min_auc,
        max_log_loss: args.max_log_loss,
        max_ece: args.max_ece,
        max_refused_share: args
            .max_refused_share
            .unwrap_or(Floors::default().max_refused_share),
    };
    let (bundle, card) = card_of(&args.model)?;
    let verdicts = hold(&card, &floors);
    let passed = verdicts.iter().all(|v| v.passed);
    let lines: Vec<&str> = verdicts.iter().map(|v| v.line.as_str()).collect();
    output.result(
        &json!({"model": bundle.version(), "passed": passed, "figures": lines}),
        &lines.join("\n"),
    )?;
    if passed {
        Ok(())
    } else {
        Err(Failure::Verdict(None))
    }
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
    let config = Config::load(&args.log.config).map_err(usage)?;
    let destination = rollup_destination(&args.out).map_err(outputs::refused)?;
    outputs::check(&args.log, &config, None, vec![destination])?;
    let ReadLog { histories, .. } = read(&args.log, &config, args.as_of, Users::All, output)?;
    let written = write_rollup(&args.out, &histories, args.partitions).map_err(failed)?;
    let text = format!(
        "{} rows (user, day, kind) in {} files in {}",
        written.rows,
        written.files,
        args.out.display()
    );
    output.result(
        &json!({"out": shown(&args.out), "rows": written.rows, "files": written.files}),
        &text,
    )
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
    let sql = ebb::events::rollup_sql(&request)
        .map_err(|e| if e.is_setting() { usage(e) } else { failed(e) })?;
    // The query is what was asked for, so it is printed quietly too.
    let output = Output {
        quiet: false,
        ..output
    };
    output.result(
        &json!({"dialect": request.dialect.name(), "sql": sql}),
        &sql,
    )
}

pub(crate) fn features(args: &args::Features, output: Output) -> Outcome {
    let config = Config::load(&args.log.config).map_err(usage)?;
    let destination = features_destination(&args.out).map_err(outputs::refused)?;
    outputs::check(&args.log, &config, None, vec![destination])?;
    let latest = args.as_of.iter().max().copied();
    let ReadLog {
        histories,
        coverage,
        ..
    } = read(&args.log, &config, latest, Users::All, output)?;
    if let Some(warning) = latest.and_then(|latest| stale(&coverage, latest)) {
        output.warn(&warning);
    }
    let written =
        write_features(&histories, &config.train, &args.as_of, &args.out).map_err(failed)?;
    let text = format!(
        "{} rows of {} features in {}",
        written.rows,
        written.features,
        args.out.display()
    );
    output.result(
        &json!({"out": shown(&args.out), "rows": written.rows, "features": written.features}),
        &text,
    )
}
