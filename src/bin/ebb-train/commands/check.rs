use std::path::Path;

use anyhow::Context;
use ebb::card::Card;
use ebb::model;
use ebb::report::gate::{Floors as Thresholds, check as check_card};
use ebb::report::text as card_text;
use serde_json::json;

use crate::args;
use crate::outcome::{Failure, Outcome, Output, failed, usage};

pub(crate) fn check(args: &args::Check, output: Output) -> Outcome {
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

pub(crate) fn inspect(args: &args::Inspect, output: Output) -> Outcome {
    let (bundle, card) = card_of(&args.model)?;
    let text = format!("Model {}\n{}", bundle.version(), card_text::render(&card));
    output.result(&json!({"model": bundle.version(), "card": card}), &text)
}

fn card_of(dir: &Path) -> Result<(model::Bundle, Card), Failure> {
    let model::Saved { bundle, card } = model::load(dir).map_err(failed)?;
    let path = dir.join("card.json");
    let card = serde_json::from_str(&card).with_context(|| path.display().to_string())?;
    Ok((bundle, card))
}
