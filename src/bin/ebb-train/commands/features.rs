use std::path::PathBuf;

use ebb::batch::features::{features_destination, write_features};
use ebb::events::ReadLog;
use ebb::history::{Day, Users};
use ebb::train::config::Config;
use ebb::train::data::schema::feature_schema;
use ebb::train::data::snapshots::Observed;
use serde_json::json;

use super::log::{read, stale};
use crate::args;
use crate::outcome::{Outcome, Output, failed, shown, usage};
use crate::outputs;
use crate::progress::ProgressDisplay;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) log: args::Log,
    /// Features as known at the start of this day; may be repeated.
    #[arg(long, value_name = "DATE", required = true)]
    pub(crate) as_of: Vec<Day>,
    /// features.parquet
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

pub(crate) fn features(args: &Args, output: Output) -> Outcome {
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
    let until = latest.unwrap_or(coverage.labels_until);
    let first = histories.span().map_or(until, |(first, _)| first);
    let observed = Observed::new(first, &coverage, until);
    let schema = feature_schema(&histories, &config.train, &observed).map_err(failed)?;
    let display = ProgressDisplay::new(output);
    let written = write_features(&histories, schema, &args.as_of, &args.out, display.phases())
        .map_err(failed)?;
    drop(display);
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
