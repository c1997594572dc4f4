//! Reading the log, as all commands do.

use std::time::SystemTime;

use ebb::events::{
    AttributesRequest, EventsError, LogRequest, QualityReport, ReadLog, join_attributes, read_log,
};
use ebb::history::{Coverage, Day, DayClock, LabelKinds, Users};
use ebb::train::TrainError;
use ebb::train::config::Config;

use crate::args;
use crate::outcome::{Failure, Outcome, Output, failed, usage};
use crate::outputs;
use crate::progress::ProgressDisplay;

/// The present day in a time zone; `None` where the clock is out of all range.
pub(super) fn today(timezone: &str) -> Result<Option<Day>, Failure> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |passed| passed.as_secs());
    Ok(DayClock::new(timezone)
        .map_err(usage)?
        .day(i64::try_from(now).unwrap_or(i64::MAX)))
}

/// Reads the log that a configuration describes, as far as `until`, and prints the report on its quality.
pub(super) fn read(
    log: &args::Log,
    config: &Config,
    until: Option<Day>,
    users: Users,
    output: Output,
) -> Result<ReadLog, Failure> {
    let read = read_silently(log, config, until, users, output)?;
    output.note(&read.quality.render());
    Ok(read)
}

/// The same with a line instead of the report, for questions that are asked of a log again and again.
pub(super) fn read_briefly(
    log: &args::Log,
    config: &Config,
    until: Option<Day>,
    output: Output,
) -> Result<ReadLog, Failure> {
    let read = read_silently(log, config, until, Users::All, output)?;
    let quality = &read.quality;
    let unused: u64 = [&quality.rejected, &quality.set_aside]
        .into_iter()
        .flatten()
        .map(|rows| rows.rows)
        .sum();
    if unused > 0 {
        output.note(&format!(
            "{unused} of {} rows could not be used; --quality FILE says why",
            quality.rows
        ));
    }
    Ok(read)
}

fn read_silently(
    log: &args::Log,
    config: &Config,
    until: Option<Day>,
    users: Users,
    output: Output,
) -> Result<ReadLog, Failure> {
    let churn = &config.train.churn;
    let conversion = config.train.conversion.as_ref();
    let request = LogRequest {
        config: &config.events,
        base_dir: &config.folder,
        paths: &log.events,
        until,
        default_kind: config.default_kind(),
        users,
        memory: &log.memory_budget(),
        labels: LabelKinds {
            activity: &churn.activity,
            churn_event: churn.churn_event.as_deref(),
            conversion: conversion.map_or(&[], |c| c.event.as_slice()),
        },
        today: today(&config.train.timezone)?,
    };
    let display = ProgressDisplay::new(output);
    let done = read_log(&request, display.phases());
    let done = done.map_err(|e| if e.is_setting() { usage(e) } else { failed(e) });
    let done = done.and_then(|read| with_attributes(read, config, until, &display));
    // What is said next must not run into the bar.
    drop(display);
    let read = done?;
    let attributes = read.quality.attributes.iter();
    for warning in attributes.flat_map(|attributes| attributes.warnings()) {
        output.warn(&warning);
    }
    if let Some(path) = &log.quality {
        outputs::write_quality(path, &read.quality)?;
    }
    Ok(read)
}

/// The log with the attributes of its users, where a table of them is configured.
fn with_attributes(
    read: ReadLog,
    config: &Config,
    until: Option<Day>,
    display: &ProgressDisplay,
) -> Result<ReadLog, Failure> {
    let Some(attributes) = &config.attributes else {
        return Ok(read);
    };
    let request = AttributesRequest {
        config: attributes,
        events: &config.events,
        base_dir: &config.folder,
        until: until.unwrap_or(read.coverage.labels_until),
    };
    join_attributes(read, &request, display.phases())
        .map_err(|e| if e.is_setting() { usage(e) } else { failed(e) })
}

/// Refuses a log of which more rows are rejected than the configuration allows.
pub(super) fn check_rejected(quality: &QualityReport, config: &Config) -> Outcome {
    match quality.too_many_rejected(&config.events) {
        Some(rejected) => Err(failed(EventsError::TooManyRejected(Box::new(rejected)))),
        None => Ok(()),
    }
}

/// How a command ends where a step of a fit fails.
pub(super) fn fit_failed(error: TrainError) -> Failure {
    match error {
        TrainError::Setting(_) => usage(error),
        _ => failed(error),
    }
}

/// What ends with the log, and what a later day makes of users.
const COVERED: (&str, &str) = (
    "what the log covers, which ends",
    "users that came since look silent",
);

/// Warns of an as-of day beyond what the log covers, and refuses one that is far beyond unless that is allowed; `verb` is
/// what the command does with users.
pub(super) fn check_stale(
    coverage: &Coverage,
    as_of: Day,
    allowed: bool,
    verb: &str,
    output: Output,
) -> Outcome {
    let advice = format!("{verb} an earlier --as-of, or give --allow-stale");
    warn_or_refuse(coverage, as_of, allowed, (COVERED, &advice), output)
}

/// The same of the events that are conversion, which may end earlier than those that tell churn.
pub(super) fn check_conversion_stale(
    coverage: &Coverage,
    as_of: Day,
    allowed: bool,
    output: Output,
) -> Outcome {
    let advice = "give an earlier --as-of, or --allow-stale";
    let end = (
        "the events that are conversion, which end",
        "who converted since looks like a potential user",
    );
    let coverage = coverage.of_conversion();
    warn_or_refuse(&coverage, as_of, allowed, (end, advice), output)
}

/// Warns of a day beyond the end of a coverage, and refuses one far beyond it.
fn warn_or_refuse(
    coverage: &Coverage,
    as_of: Day,
    allowed: bool,
    (end, advice): ((&str, &str), &str),
    output: Output,
) -> Outcome {
    let Some(warning) = beyond(coverage, as_of, end) else {
        return Ok(());
    };
    if coverage.is_stale(as_of) && !allowed {
        return Err(failed(anyhow::anyhow!("{warning}; {advice}")));
    }
    output.warn(&warning);
    Ok(())
}

/// A warning of an as-of day beyond what the log covers.
pub(super) fn stale(coverage: &Coverage, as_of: Day) -> Option<String> {
    beyond(coverage, as_of, COVERED)
}

/// What ends before the as-of day, and what that makes of users.
fn beyond(coverage: &Coverage, as_of: Day, (what, effect): (&str, &str)) -> Option<String> {
    let days = coverage.days_beyond(as_of);
    let last = coverage.labels_until.plus(-1);
    let unit = if days == 1 { "day" } else { "days" };
    let found = || format!("{as_of} lies {days} {unit} beyond {what} on {last}: {effect}");
    (days > 0).then(found)
}
