//! Reading the log, with a bar of progress.

use std::io::IsTerminal;
use std::time::{Instant, SystemTime};

use ebb::events::{LogRequest, Progress, ReadLog, read_log};
use ebb::history::{Coverage, Day, DayClock, LabelKinds, Users};
use ebb::train::config::Config;
use indicatif::{ProgressBar, ProgressStyle};

use crate::args;
use crate::outcome::{Failure, Output, failed, usage};
use crate::outputs;

/// The present day in a time zone; `None` where the clock is out of all range.
pub(crate) fn today(timezone: &str) -> Result<Option<Day>, Failure> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |passed| passed.as_secs());
    Ok(DayClock::new(timezone)
        .map_err(usage)?
        .day(i64::try_from(now).unwrap_or(i64::MAX)))
}

/// Reads the log that a configuration describes, as far as `until`.
pub(crate) fn read(
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
        memory: &log.memory_budget(),
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

/// A warning of an as-of day beyond what the log covers.
pub(super) fn stale(coverage: &Coverage, as_of: Day) -> Option<String> {
    let days = coverage.days_beyond(as_of);
    let last = coverage.labels_until.plus(-1);
    (days > 0).then(|| {
        format!(
            "{as_of} lies {days} {} beyond what the log covers, which ends on {last}: users that came since look silent",
            if days == 1 { "day" } else { "days" }
        )
    })
}
