//! Potential users, as text for a terminal.

use std::fmt::{Result, Write};

use super::number::{THIN, counted, plain_percent, thousands};
use super::wording::conversion::{question, untested, users, withheld};
use crate::card::{ConversionCard, Evaluation, HorizonCard, Interval, Metrics};

/// Effects that are listed.
const EFFECTS: usize = 8;

/// The part of a card on potential users, below that on users.
pub(crate) fn write_conversion(out: &mut String, part: &ConversionCard) -> Result {
    let mut text = String::new();
    write_parts(&mut text, part)?;
    // A terminal need not have the page's spaces and signs.
    out.write_str(&text.replace(THIN, " ").replace('−', "-"))
}

fn write_parts(out: &mut String, part: &ConversionCard) -> Result {
    let users = users(part);
    writeln!(out, "\nConversion of {users} potential users")?;
    writeln!(out, "  {}.", question(part))?;
    for horizon in &part.horizons {
        write_horizon(out, horizon)?;
    }
    for note in part.notes.iter().chain(&withheld(part)) {
        writeln!(out, "  {note}")?;
    }
    Ok(())
}

fn write_horizon(out: &mut String, h: &HorizonCard) -> Result {
    writeln!(
        out,
        "  within {} days: fitted on {} of {}, {} converted",
        h.horizon_days,
        counted(h.rows, "row"),
        counted(h.snapshots.len() as u64, "date"),
        plain_percent(h.churn_rate),
    )?;
    writeln!(out, "    hyperparameters: {}", h.candidate)?;
    match &h.evaluation {
        Some(evaluation) => write_evaluation(out, evaluation)?,
        None => writeln!(out, "    not tested: {}", untested(h))?,
    }
    if let Some(next) = &h.next_window {
        writeln!(
            out,
            "    expected of {} at {}: {} convert",
            counted(next.users, "potential user"),
            next.date,
            plain_percent(next.predicted)
        )?;
    }
    writeln!(
        out,
        "    largest effects on the log-odds of conversion, per standard deviation"
    )?;
    for effect in h.effects.iter().take(EFFECTS) {
        let (name, size) = (&effect.feature, effect.standardized_effect);
        writeln!(out, "      {name:<34} {size:>+8.3}")?;
    }
    Ok(())
}

fn write_evaluation(out: &mut String, e: &Evaluation) -> Result {
    writeln!(
        out,
        "    tested on {} at {}, {} converted ({})",
        counted(e.users, "potential user"),
        e.test,
        plain_percent(e.churn_rate),
        thousands(e.churners())
    )?;
    writeln!(
        out,
        "      {:<14} {:>24} {:>24} {:>10} {:>10}",
        "", "log loss", "AUC", "ECE", "bias"
    )?;
    write_metrics(out, "model", &e.model)?;
    for baseline in &e.baselines {
        write_metrics(out, &baseline.name, &baseline.metrics)?;
    }
    for baseline in &e.baselines {
        let d = baseline.log_loss_difference;
        writeln!(
            out,
            "      log loss less that of {}: {:+.4} [{:+.4}, {:+.4}]{}",
            baseline.name,
            d.value,
            d.low,
            d.high,
            if d.high < 0.0 { ", better" } else { "" }
        )?;
    }
    Ok(())
}

fn write_metrics(out: &mut String, name: &str, m: &Metrics) -> Result {
    let span = |i: Interval| format!("{:.4} [{:.4}, {:.4}]", i.value, i.low, i.high);
    writeln!(
        out,
        "      {name:<14} {:>24} {:>24} {:>10.4} {:>+10.4}",
        span(m.log_loss),
        span(m.auc),
        m.ece.value,
        m.bias.value
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::html::fixture::conversion::conversion;

    #[test]
    fn the_part_is_readable_and_speaks_of_conversion() {
        let mut part = conversion();
        let mut text = String::new();
        write_conversion(&mut text, &part).unwrap();
        assert!(
            text.contains("Conversion of 2,531 potential users"),
            "{text}"
        );
        assert!(text.contains("within 30 days: fitted on"), "{text}");
        assert!(
            text.contains("log loss less that of recency_only"),
            "{text}"
        );
        assert!(!text.contains("churn") && !text.contains("NaN"), "{text}");
        part.horizons[0].evaluation = None;
        let mut text = String::new();
        write_conversion(&mut text, &part).unwrap();
        assert!(text.contains("not tested: The model of conversion within 30 days was not judged"));
    }
}
