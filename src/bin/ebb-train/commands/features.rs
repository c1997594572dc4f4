use std::path::{Path, PathBuf};

use ebb::batch::features::{
    FeaturesWritten, LabelCounts, Labels, features_destination, write_features,
};
use ebb::events::ReadLog;
use ebb::features::FeatureSchema;
use ebb::history::{Coverage, Day, Histories, HistoryView, Users};
use ebb::model::{self, BundleSpec};
use ebb::train::checks::agreement;
use ebb::train::config::Config;
use ebb::train::data::labels::{Labeller, NoLabel};
use ebb::train::data::schema::feature_schema;
use ebb::train::data::snapshots::Observed;
use ebb::train::settings::ChurnConfig;
use serde_json::json;

use super::log::{read, stale};
use crate::args;
use crate::outcome::{Failure, Outcome, Output, failed, shown, usage};
use crate::outputs;
use crate::progress::ProgressDisplay;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) log: args::Log,
    /// A bundle whose features and labels are written [default: those that a fit would have under the configuration].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model: Option<PathBuf>,
    /// Features as known at the start of this day; may be repeated.
    #[arg(long, value_name = "DATE", required = true)]
    pub(crate) as_of: Vec<Day>,
    /// Also write the labels of each horizon as a fit labels its rows, and the reason where a row has none.
    #[arg(long)]
    pub(crate) labels: bool,
    /// No event at or after this day is seen by labels [default: the day after the last one that the log covers].
    #[arg(long, value_name = "DATE", requires = "labels")]
    pub(crate) until: Option<Day>,
    /// features.parquet
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

pub(crate) fn features(args: &Args, output: Output) -> Outcome {
    let config = Config::load(&args.log.config).map_err(usage)?;
    let destination = features_destination(&args.out).map_err(outputs::refused)?;
    let models: Vec<&Path> = args.model.as_deref().into_iter().collect();
    outputs::check(&args.log, &config, &models, vec![destination])?;
    let spec = model_spec(args, &config)?;
    let latest = args.as_of.iter().max().copied();
    check_until(args, latest)?;
    let seen_until = if args.labels { args.until } else { latest };
    let ReadLog {
        histories,
        coverage,
        ..
    } = read(&args.log, &config, seen_until, Users::All, output)?;
    if let Some(warning) = latest.and_then(|latest| stale(&coverage, latest)) {
        output.warn(&warning);
    }
    let until = seen_until.unwrap_or(coverage.labels_until);
    let observed = observed(&histories, &coverage, until);
    let schema = schema(spec.as_ref(), &histories, &config, &observed, output)?;
    let churn = churn(spec.as_ref(), &config);
    let labeller = Labeller::new(&churn, histories.kinds(), observed);
    let rule = |history: HistoryView<'_>, date: Day, horizon_days: u16| {
        labeller
            .label(history, date, horizon_days)
            .map_err(NoLabel::name)
    };
    let horizon_days = schema.horizon_days.clone();
    let labels = args.labels.then_some(Labels {
        horizon_days: &horizon_days,
        rule: &rule,
    });
    let display = ProgressDisplay::new(output);
    let phases = display.phases();
    let written = write_features(&histories, schema, &args.as_of, labels, &args.out, phases)
        .map_err(failed)?;
    drop(display);
    print(args, &written, output)
}

/// The content of the bundle, if one is given, which must belong to the configuration.
fn model_spec(args: &Args, config: &Config) -> Result<Option<BundleSpec>, Failure> {
    let Some(dir) = &args.model else {
        return Ok(None);
    };
    let bundle = model::load(dir).map_err(failed)?.bundle;
    agreement::check_config(bundle.spec(), &config.train).map_err(usage)?;
    Ok(Some(bundle.spec().clone()))
}

fn check_until(args: &Args, latest: Option<Day>) -> Outcome {
    match (args.until, latest) {
        (Some(until), Some(latest)) if until < latest => Err(usage(anyhow::anyhow!(
            "--until {until} lies before --as-of {latest}, whose features would lack days"
        ))),
        _ => Ok(()),
    }
}

fn observed(histories: &Histories, coverage: &Coverage, until: Day) -> Observed {
    let first = histories.span().map_or(until, |(first, _)| first);
    Observed::new(first, coverage, until)
}

fn schema(
    spec: Option<&BundleSpec>,
    histories: &Histories,
    config: &Config,
    observed: &Observed,
    output: Output,
) -> Result<FeatureSchema, Failure> {
    let Some(spec) = spec else {
        return feature_schema(histories, &config.train, observed).map_err(failed);
    };
    agreement::check_attributes(spec, histories).map_err(usage)?;
    if let Err(missing) = agreement::check_log(spec, histories) {
        output.warn(&missing.to_string());
    }
    Ok(spec.schema.clone())
}

/// The definition of churn: the bundle's, or that of the configuration.
fn churn(spec: Option<&BundleSpec>, config: &Config) -> ChurnConfig {
    spec.map_or_else(|| config.train.churn.clone(), ChurnConfig::from)
}

fn print(args: &Args, written: &FeaturesWritten, output: Output) -> Outcome {
    let mut text = format!(
        "{} rows of {} features in {}",
        written.rows,
        written.features,
        args.out.display()
    );
    for labels in &written.labels {
        text += &format!("\n{}", label_line(labels));
    }
    let mut json =
        json!({"out": shown(&args.out), "rows": written.rows, "features": written.features});
    if args.labels {
        json["labels"] = json!(written.labels);
    }
    output.result(&json, &text)
}

fn label_line(labels: &LabelCounts) -> String {
    let LabelCounts {
        horizon_days,
        churned,
        stayed,
        missing,
    } = labels;
    let reasons: Vec<String> = missing
        .iter()
        .map(|(reason, rows)| format!("{rows} {reason}"))
        .collect();
    let without = if reasons.is_empty() {
        "every row has a label".to_owned()
    } else {
        format!("without a label {}", reasons.join(", "))
    };
    format!("labels of {horizon_days} days: {churned} churned, {stayed} stayed, {without}")
}
