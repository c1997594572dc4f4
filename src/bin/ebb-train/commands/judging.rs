//! What `evaluate`, `compare` and `check` have in common: the day, the bundles, and the log that they are judged on.

use clap::Args;
use ebb::events::ReadLog;
use ebb::history::Day;
use ebb::model;
use ebb::train::checks::agreement;
use ebb::train::config::Config;
use ebb::train::later::{DayRequest, LaterError, LaterLog};

use super::log::{check_rejected, fit_failed, read_briefly};
use crate::args;
use crate::outcome::{Failure, Output, failed, usage};
use crate::progress::ProgressDisplay;

/// The day to judge at.
#[derive(Debug, Args)]
pub(crate) struct JudgedAt {
    /// Judge users as known at the start of this day [default: the newest day whose labels are complete for all horizons].
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Day>,
    /// Judge also at a day before the end of a model's fit; the result is marked as not out of time.
    #[arg(long)]
    pub(crate) allow_seen: bool,
    /// Judge also if the log has no event of a kind that a model uses.
    #[arg(long)]
    pub(crate) allow_missing_kinds: bool,
}

impl JudgedAt {
    /// Whether any of it is given.
    pub(crate) fn is_given(&self) -> bool {
        self.as_of.is_some() || self.allow_seen || self.allow_missing_kinds
    }

    /// What the library is asked for.
    pub(crate) fn request(&self) -> DayRequest {
        DayRequest {
            as_of: self.as_of,
            allow_seen: self.allow_seen,
        }
    }
}

/// Reads the log to its end for bundles that belong to its configuration.
pub(crate) fn read_for(
    bundles: &[&model::Bundle],
    log: &args::Log,
    config: &Config,
    at: &JudgedAt,
    output: Output,
) -> Result<ReadLog, Failure> {
    for bundle in bundles {
        agreement::check_config(bundle.spec(), &config.train).map_err(usage)?;
    }
    if bundles.iter().any(|bundle| bundle.conversion().is_some()) {
        output.note(
            "Churn is judged here. The part for potential users is judged by `fit` alone, on the newest labelled day: see `inspect`",
        );
    }
    let read = read_briefly(log, config, None, output)?;
    check_rejected(&read.quality, config)?;
    if !at.allow_missing_kinds {
        for bundle in bundles {
            agreement::check_log(bundle.spec(), &read.histories).map_err(failed)?;
        }
    }
    for bundle in bundles {
        agreement::check_attributes(bundle.spec(), &read.histories).map_err(usage)?;
    }
    Ok(read)
}

/// The log as the library takes it.
pub(crate) fn later_log<'a>(
    read: &'a ReadLog,
    config: &'a Config,
    display: &'a ProgressDisplay,
) -> LaterLog<'a> {
    LaterLog {
        histories: &read.histories,
        coverage: &read.coverage,
        config: &config.train,
        phases: display.phases(),
    }
}

/// How a command ends where a bundle cannot be judged.
pub(crate) fn refused(error: LaterError) -> Failure {
    match error {
        LaterError::Train(error) => fit_failed(error),
        error => failed(error),
    }
}
