use std::path::PathBuf;

use ebb::report::gate::{Thresholds, check as check_card};
use serde_json::json;

use super::card::card_of;
use crate::outcome::{Failure, Outcome, Output, usage};
use crate::values::share_of_rows;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The bundle's folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model: PathBuf,
    /// Threshold: the smallest acceptable area under the ROC curve.
    #[arg(long, value_name = "AUC")]
    pub(crate) min_auc: Option<f64>,
    /// Threshold: the largest acceptable log loss.
    #[arg(long, value_name = "LOSS")]
    pub(crate) max_log_loss: Option<f64>,
    /// Threshold: the largest acceptable expected calibration error.
    #[arg(long, value_name = "ERROR")]
    pub(crate) max_ece: Option<f64>,
    /// Threshold: the largest acceptable share of the log's rows that were rejected, rows without a user apart
    /// [default: 0.05].
    #[arg(long, value_name = "SHARE", value_parser = share_of_rows)]
    pub(crate) max_rejected_share: Option<f64>,
}

pub(crate) fn check(args: &Args, output: Output) -> Outcome {
    let given = [
        args.min_auc,
        args.max_log_loss,
        args.max_ece,
        args.max_rejected_share,
    ];
    if given.iter().all(Option::is_none) {
        return Err(usage(anyhow::anyhow!(
            "no threshold is given: give --min-auc, --max-log-loss, --max-ece or --max-rejected-share"
        )));
    }
    let thresholds = Thresholds {
        min_auc: args.min_auc,
        max_log_loss: args.max_log_loss,
        max_ece: args.max_ece,
        max_rejected_share: args
            .max_rejected_share
            .unwrap_or(Thresholds::default().max_rejected_share),
    };
    let (bundle, card) = card_of(&args.model)?;
    let findings = check_card(&card, &thresholds);
    let passed = findings.iter().all(|finding| finding.passed);
    let lines: Vec<&str> = findings
        .iter()
        .map(|finding| finding.line.as_str())
        .collect();
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
