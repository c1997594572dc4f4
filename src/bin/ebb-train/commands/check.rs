use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use ebb::model::Bundle;
use ebb::report::gate::{
    self, Checked, Finding, PerHorizon, Thresholds, check as check_card, data_age, regressions,
};
use ebb::train::config::Config;
use ebb::train::later;
use serde_json::{Value, json};

use super::card::card_of;
use super::judging::{JudgedAt, later_log, read_for, refused};
use super::log::today;
use crate::args;
use crate::outcome::{Failure, Outcome, Output, usage};
use crate::progress::ProgressDisplay;
use crate::values::{bytes, share_of_rows};

/// Thresholds are those of `[check]` in the configuration; a flag takes the place of its key, for all horizons.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The bundle's folder.
    #[arg(long, value_name = "FOLDER")]
    model: PathBuf,
    /// The folder of the bundle in use: both are compared on the same users of a day that neither fit has seen.
    #[arg(long, value_name = "FOLDER", requires = "config")]
    against: Option<PathBuf>,
    /// The configuration file, whose `[check]` holds thresholds; with --against it also says how to read the log.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// With --against: a file, folder or pattern to read instead of those in the configuration; may be repeated.
    #[arg(long, value_name = "PATH", requires = "against")]
    events: Vec<PathBuf>,
    /// With --against: memory for the log's records, as for the other commands.
    #[arg(long, value_name = "BYTES", value_parser = bytes, requires = "against")]
    memory: Option<usize>,
    /// With --against: the folder for temporary files, as for the other commands.
    #[arg(long, value_name = "FOLDER", requires = "against")]
    temp: Option<PathBuf>,
    #[command(flatten)]
    at: JudgedAt,
    #[command(flatten)]
    thresholds: ThresholdFlags,
    /// What to print.
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    format: CheckFormat,
}

/// Thresholds on the command line.
#[derive(Debug, clap::Args)]
struct ThresholdFlags {
    /// Threshold: the smallest acceptable area under the ROC curve.
    #[arg(long, value_name = "AUC")]
    min_auc: Option<f64>,
    /// Threshold: the largest acceptable log loss.
    #[arg(long, value_name = "LOSS")]
    max_log_loss: Option<f64>,
    /// Threshold: the largest acceptable expected calibration error.
    #[arg(long, value_name = "ERROR")]
    max_ece: Option<f64>,
    /// Threshold: the largest acceptable distance of the mean prediction from the churn rate, either way.
    #[arg(long, value_name = "BIAS")]
    max_bias: Option<f64>,
    /// Threshold: by how much the log loss must at least be below that of the base rate.
    #[arg(long, value_name = "LOSS", allow_negative_numbers = true)]
    min_gain_over_base_rate: Option<f64>,
    /// Threshold: by how much the log loss must at least be below that of recency alone.
    #[arg(long, value_name = "LOSS", allow_negative_numbers = true)]
    min_gain_over_recency: Option<f64>,
    /// Threshold: by how much the log loss must at least be below that of BG/NBD.
    #[arg(long, value_name = "LOSS", allow_negative_numbers = true)]
    min_gain_over_bg_nbd: Option<f64>,
    /// Threshold, with --against: how far above that of the bundle in use the log loss may lie, by the upper end of the 95 %
    /// interval of the difference on the same users [default: 0.01].
    #[arg(
        long,
        value_name = "LOSS",
        allow_negative_numbers = true,
        requires = "against"
    )]
    max_regression: Option<f64>,
    /// Threshold: the largest acceptable share of the log's rows that were rejected, rows without a user apart
    /// [default: 0.05].
    #[arg(long, value_name = "SHARE", value_parser = share_of_rows)]
    max_rejected_share: Option<f64>,
    /// Threshold: how many days ago the log of the fit may have ended at most.
    #[arg(long, value_name = "DAYS")]
    max_data_age_days: Option<u32>,
    /// Threshold: how many users must at least have a score at the as-of day of the fit.
    #[arg(long, value_name = "USERS")]
    min_users_scored: Option<u64>,
    /// Threshold: the smallest acceptable normalised Gini of the expected spend, for a bundle with `[value]`.
    #[arg(long, value_name = "GINI")]
    min_gini: Option<f64>,
    /// Threshold: how far the expected total spend may lie from the actual one, as a share of it, either way; for a bundle with
    /// `[value]`.
    #[arg(long, value_name = "SHARE")]
    max_value_bias: Option<f64>,
    /// Threshold: the smallest acceptable area under the ROC curve of conversion, for a bundle with `[conversion]`.
    #[arg(long, value_name = "AUC")]
    min_conversion_auc: Option<f64>,
    /// Threshold: the largest acceptable log loss of conversion, for a bundle with `[conversion]`.
    #[arg(long, value_name = "LOSS")]
    max_conversion_log_loss: Option<f64>,
}

impl ThresholdFlags {
    /// The thresholds of the configuration, with those that were given in their places.
    fn over(&self, configured: Thresholds) -> Thresholds {
        let all = |given: Option<f64>, configured| given.map(PerHorizon::All).or(configured);
        Thresholds {
            min_auc: all(self.min_auc, configured.min_auc),
            max_log_loss: all(self.max_log_loss, configured.max_log_loss),
            max_ece: all(self.max_ece, configured.max_ece),
            max_bias: all(self.max_bias, configured.max_bias),
            min_gain_over_base_rate: all(
                self.min_gain_over_base_rate,
                configured.min_gain_over_base_rate,
            ),
            min_gain_over_recency: all(
                self.min_gain_over_recency,
                configured.min_gain_over_recency,
            ),
            min_gain_over_bg_nbd: all(self.min_gain_over_bg_nbd, configured.min_gain_over_bg_nbd),
            max_regression: all(self.max_regression, configured.max_regression),
            max_rejected_share: self.max_rejected_share.or(configured.max_rejected_share),
            max_data_age_days: self.max_data_age_days.or(configured.max_data_age_days),
            min_users_scored: self.min_users_scored.or(configured.min_users_scored),
            min_gini: self.min_gini.or(configured.min_gini),
            max_value_bias: self.max_value_bias.or(configured.max_value_bias),
            min_conversion_auc: self.min_conversion_auc.or(configured.min_conversion_auc),
            max_conversion_log_loss: self
                .max_conversion_log_loss
                .or(configured.max_conversion_log_loss),
        }
    }
}

/// How the result of a check is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    /// A line for each check.
    Text,
    /// One JSON object, as with --json.
    Json,
    /// Annotations of a GitHub workflow, and a table in the file that GITHUB_STEP_SUMMARY names.
    Github,
    /// JUnit's XML: a test case for each check.
    Junit,
    /// A table in Markdown.
    Markdown,
}

pub(crate) fn check(args: &Args, output: Output) -> Outcome {
    let config = args.config.as_deref().map(Config::load);
    let config = config.transpose().map_err(usage)?;
    let configured = config.as_ref().map(|config| config.check.clone());
    let mut thresholds = args.thresholds.over(configured.unwrap_or_default());
    if args.against.is_none() {
        if args.at.is_given() {
            return Err(usage(anyhow::anyhow!(
                "--as-of, --allow-seen and --allow-missing-kinds say how two bundles are compared: give --against, too"
            )));
        }
        if thresholds.max_regression.take().is_some() {
            output.note("check.max_regression is not checked without --against");
        }
    }
    if thresholds.is_empty() && args.against.is_none() {
        return Err(usage(anyhow::anyhow!(
            "no threshold is given: give --min-auc, --max-log-loss, --max-ece or another one, a --config with a [check] table, \
             or --against another bundle"
        )));
    }
    let (bundle, card) = card_of(&args.model)?;
    let horizons = &bundle.spec().schema.horizon_days;
    if let Some((key, unknown)) = thresholds.of_no_horizon(horizons) {
        return Err(usage(anyhow::anyhow!(
            "check.{key} is for a horizon of {unknown} days, but the bundle has {horizons:?}; change check.{key}, or fit that horizon"
        )));
    }
    if let Some(key) = thresholds.of_value().filter(|_| card.value.is_none()) {
        return Err(usage(anyhow::anyhow!(
            "check.{key} is about what users are worth, but the bundle has no value part; configure [value] and fit again, or leave check.{key} out"
        )));
    }
    if let Some(key) = thresholds
        .of_conversion()
        .filter(|_| card.conversion.is_none())
    {
        return Err(usage(anyhow::anyhow!(
            "check.{key} is about potential users, but the bundle has no part for them; configure [conversion] and fit again, or leave check.{key} out"
        )));
    }
    let mut findings = check_card(&card, &thresholds);
    if let Some(today) = today(&bundle.spec().timezone)? {
        findings.extend(data_age(&card, &thresholds, today));
    }
    let mut against = None;
    if let (Some(live), Some(config)) = (&args.against, &config) {
        let (live, _) = card_of(live)?;
        findings.extend(compared(args, config, &live, &bundle, &thresholds, output)?);
        against = Some(live.version().to_owned());
    }
    let passed = findings.iter().all(|finding| finding.passed);
    let lines: Vec<&str> = findings.iter().map(|f| f.line.as_str()).collect();
    let checks: Vec<&Checked> = findings.iter().filter_map(|f| f.checked.as_ref()).collect();
    let json = json!({
        "model": bundle.version(),
        "against": against,
        "passed": passed,
        "checks": checks,
        "figures": lines,
    });
    print(args.format, &findings, bundle.version(), &json, output)?;
    if passed {
        Ok(())
    } else {
        Err(Failure::Verdict(None))
    }
}

/// The new bundle beside the one in use, on the log of the configuration.
fn compared(
    args: &Args,
    config: &Config,
    live: &Bundle,
    next: &Bundle,
    thresholds: &Thresholds,
    output: Output,
) -> Result<Vec<Finding>, Failure> {
    let log = args::Log {
        config: args.config.clone().unwrap_or_default(),
        events: args.events.clone(),
        quality: None,
        memory: args.memory,
        temp: args.temp.clone(),
    };
    let read = read_for(&[live, next], &log, config, &args.at, output)?;
    let display = ProgressDisplay::new(output);
    let log = later_log(&read, config, &display);
    let compared = later::compare(&log, live, next, args.at.request()).map_err(refused)?;
    drop(display);
    Ok(regressions(&compared, thresholds))
}

/// Prints the findings in one of their forms.
fn print(
    format: CheckFormat,
    findings: &[Finding],
    model: &str,
    json: &Value,
    output: Output,
) -> Outcome {
    match format {
        CheckFormat::Text => {
            let lines: Vec<&str> = findings.iter().map(|f| f.line.as_str()).collect();
            output.result(json, &lines.join("\n"))
        }
        CheckFormat::Json => Output {
            json: true,
            ..output
        }
        .result(json, ""),
        CheckFormat::Github => {
            summarise(&gate::markdown(findings, model), output);
            output.document(json, &gate::github(findings, model))
        }
        CheckFormat::Junit => output.document(json, &gate::junit(findings, model)),
        CheckFormat::Markdown => output.document(json, &gate::markdown(findings, model)),
    }
}

/// Appends to the summary of a GitHub workflow's job, if this is one.
fn summarise(markdown: &str, output: Output) {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return;
    };
    let file = OpenOptions::new().append(true).create(true).open(&path);
    let written = file.and_then(|mut file| writeln!(file, "{markdown}"));
    if let Err(error) = written {
        let path = Path::new(&path).display();
        output.warn(&format!(
            "the summary of the job was not written: GITHUB_STEP_SUMMARY={path}: {error}"
        ));
    }
}
