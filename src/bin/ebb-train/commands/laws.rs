use std::path::PathBuf;

use clap::ValueEnum;
use ebb::events::ReadLog;
use ebb::history::{Day, Users};
use ebb::model;
use ebb::report::laws_text;
use ebb::train::checks::agreement;
use ebb::train::config::Config;
use ebb::train::laws::laws as laws_of;
use ebb::train::pipeline::FitInput;
use serde_json::json;

use super::log::{check_rejected, check_stale, fit_failed, read};
use crate::args;
use crate::outcome::{Outcome, Output, failed, usage};
use crate::outputs;
use crate::progress::ProgressDisplay;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    log: args::Log,
    /// A bundle's folder: users are put into its stages, and into its value tiers where it has some [default: the stages of
    /// the configuration].
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// Use no event at or after this day [default: the day after the last one that the log covers].
    #[arg(long, value_name = "DATE")]
    as_of: Option<Day>,
    /// Also look at an as-of day more than three days beyond what the log covers.
    #[arg(long)]
    allow_stale: bool,
    /// What to print.
    #[arg(long, value_enum, default_value_t = LawsFormat::Text)]
    format: LawsFormat,
}

/// How the laws are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LawsFormat {
    /// A sentence for each stratum.
    Text,
    /// One JSON object, as with --json: what `laws` of a card holds.
    Json,
}

pub(crate) fn laws(args: &Args, output: Output) -> Outcome {
    let output = Output {
        json: output.json || args.format == LawsFormat::Json,
        ..output
    };
    let config = Config::load(&args.log.config).map_err(usage)?;
    let models: Vec<_> = args.model.as_deref().into_iter().collect();
    outputs::check(&args.log, &config, &models, Vec::new())?;
    let saved = args.model.as_deref().map(model::load).transpose();
    let bundle = saved.map_err(failed)?.map(|saved| saved.bundle);
    if let Some(bundle) = &bundle {
        agreement::check_config(bundle.spec(), &config.train).map_err(usage)?;
    }
    let ReadLog {
        histories,
        coverage,
        quality,
    } = read(&args.log, &config, args.as_of, Users::All, output)?;
    check_rejected(&quality, &config)?;
    if let Some(bundle) = &bundle {
        agreement::check_log(bundle.spec(), &histories).map_err(failed)?;
        agreement::check_attributes(bundle.spec(), &histories).map_err(usage)?;
    }
    let as_of = args.as_of.unwrap_or(coverage.labels_until);
    check_stale(&coverage, as_of, args.allow_stale, "look at", output)?;
    let display = ProgressDisplay::new(output);
    let input = FitInput {
        histories: &histories,
        coverage: &coverage,
        config: &config.train,
        as_of,
        random_forest: false,
        previous: None,
        data_quality: &serde_json::Value::Null,
        phases: display.phases(),
    };
    let found = laws_of(&input, bundle.as_ref());
    drop(display);
    let found = found.map_err(fit_failed)?;
    output.result(&json!(found), &laws_text::render(&found))
}
