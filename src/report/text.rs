//! The model card as text for a terminal.

use std::fmt::Write;

use super::rejected::Refused;
use crate::card::{Card, Evaluation, HorizonCard, SliceCard};
use crate::train::evaluation::metrics::{Interval, Metrics};

/// The card, readable.
pub fn render(card: &Card) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_card(&mut text, card);
    text
}

fn write_card(out: &mut String, card: &Card) -> std::fmt::Result {
    let q = &card.label_definition;
    writeln!(
        out,
        "As of {}, from a log of {} to {}",
        card.as_of, card.first_day, card.last_day
    )?;
    writeln!(
        out,
        "{} users, {} records (user, day, kind), data {:.12}",
        card.users, card.records, card.data_hash
    )?;
    let what = match &q.churn_event {
        Some(event) => format!("an event `{event}`"),
        None => format!("no {}", q.activity.join(" or ")),
    };
    let lead = if q.lead_days > 0 {
        format!(", starting {} days after", q.lead_days)
    } else {
        String::new()
    };
    writeln!(
        out,
        "Churn is {what} within the horizon{lead}; asked of users active in the last {} days",
        q.active_within_days
    )?;
    if !card.config_hash.is_empty() {
        writeln!(out, "Configuration {:.12}", card.config_hash)?;
    }
    let probe = &card.leakage_probe;
    writeln!(
        out,
        "No feature saw the future: {} vectors of {} users at {} dates were held against other futures",
        probe.comparisons, probe.users, probe.dates
    )?;
    if let Some(refused) = Refused::of(card) {
        for (name, said) in [("Caution", refused.caution()), ("Rows", refused.remark())] {
            said.map_or(Ok(()), |said| writeln!(out, "{name}: {said}"))?;
        }
    }
    for horizon in &card.horizons {
        write_horizon(out, card, horizon)?;
    }
    if !card.segments.is_empty() {
        writeln!(out, "\nSegments on the latest labelled date")?;
        for (id, s) in card.segments.iter().enumerate() {
            writeln!(
                out,
                "  {id}  {:<44} {:>8} users  churn {:>5.1} %",
                s.name,
                s.users,
                s.churn_rate * 100.0
            )?;
        }
    }
    if !card.stages.is_empty() {
        writeln!(
            out,
            "\nLifecycle stages of the users active at the as-of date"
        )?;
        for (stage, users) in &card.stages {
            writeln!(out, "  {stage:<12} {users:>8}")?;
        }
    }
    for note in &card.notes {
        writeln!(out, "\nNote: {note}")?;
    }
    Ok(())
}

fn write_horizon(out: &mut String, card: &Card, h: &HorizonCard) -> std::fmt::Result {
    writeln!(out, "\nHorizon {} days", h.horizon_days)?;
    writeln!(
        out,
        "  fitted on {} rows of {} dates, churn {:.1} %, {} solver",
        h.rows,
        h.snapshots.len(),
        h.churn_rate * 100.0,
        h.solver,
    )?;
    let line = &h.calibration;
    writeln!(out, "  hyperparameters: {}", h.candidate)?;
    writeln!(
        out,
        "  log-odds put right with slope {:.3}, intercept {:+.3}",
        line.slope, line.intercept
    )?;
    let dropped: Vec<String> = h
        .dropped
        .iter()
        .map(|(reason, n)| format!("{n} {reason}"))
        .collect();
    if !dropped.is_empty() {
        writeln!(
            out,
            "  pairs of user and date dropped: {}",
            dropped.join(", ")
        )?;
    }
    match &h.evaluation {
        Some(evaluation) => write_evaluation(out, evaluation)?,
        None => writeln!(
            out,
            "  not tested: {}",
            h.untested_words(&card.label_definition)
        )?,
    }
    writeln!(
        out,
        "  strongest effects on the log-odds of churn, per standard deviation"
    )?;
    for effect in h.effects.iter().take(8) {
        writeln!(
            out,
            "    {:<34} {:>+8.3}",
            effect.feature, effect.standardized_effect
        )?;
    }
    Ok(())
}

fn write_evaluation(out: &mut String, e: &Evaluation) -> std::fmt::Result {
    writeln!(
        out,
        "  judged on {} users at {}, churn {:.1} %",
        e.users,
        e.test,
        e.churn_rate * 100.0
    )?;
    if let Some(verdict) = &e.verdict {
        writeln!(
            out,
            "  verdict {}: {}",
            verdict.strength.words(),
            verdict.description(e)
        )?;
    }
    writeln!(
        out,
        "    {:<14} {:>24} {:>24} {:>10} {:>10}",
        "", "log loss", "AUC", "ECE", "bias"
    )?;
    write_metrics(out, "model", &e.model)?;
    for baseline in &e.baselines {
        write_metrics(out, &baseline.name, &baseline.metrics)?;
    }
    let (slope, intercept) = (
        span(&e.model.calibration_slope, 3),
        span(&e.model.calibration_intercept, 3),
    );
    writeln!(
        out,
        "    calibration line: slope {slope} (1 is ideal), intercept {intercept} (0 is ideal)"
    )?;
    write_rivals(out, e)?;
    write_slices(out, &e.slices)
}

fn write_rivals(out: &mut String, e: &Evaluation) -> std::fmt::Result {
    let recency = e.baseline("recency_only").map(|r| r.log_loss_difference);
    let verdict = match e.beats_recency_only {
        Some(true) if recency.is_some_and(|d| d.high >= 0.0) => {
            "; that it beats recency alone may be chance"
        }
        Some(true) => "; it beats recency alone",
        Some(false) => "; it does NOT beat recency alone",
        None => "",
    };
    writeln!(out, "  model less baseline, on the same users{verdict}")?;
    writeln!(
        out,
        "    {:<14} {:>27} {:>27}",
        "", "log loss (below 0: better)", "AUC (above 0: better)"
    )?;
    for baseline in &e.baselines {
        let (loss, auc) = (
            signed_span(&baseline.log_loss_difference),
            signed_span(&baseline.auc_difference),
        );
        let feature = baseline
            .feature
            .as_ref()
            .map(|f| format!("  {f}"))
            .unwrap_or_default();
        writeln!(
            out,
            "    {:<14} {loss:>27} {auc:>27}{feature}",
            baseline.name
        )?;
    }
    Ok(())
}

fn write_slices(out: &mut String, slices: &[SliceCard]) -> std::fmt::Result {
    if !slices.is_empty() {
        writeln!(
            out,
            "  parts of the users {:>34} {:>7} {:>9} {:>24} {:>25}",
            "users", "churn", "predicted", "AUC", "bias"
        )?;
    }
    for slice in slices {
        let name = format!("{}: {}", slice.dimension, slice.name);
        let auc = slice
            .metrics
            .as_ref()
            .and_then(|m| m.auc)
            .map_or("-".to_owned(), |auc| span(&auc, 3));
        let bias = slice
            .metrics
            .as_ref()
            .map_or("too few to say".to_owned(), |m| signed_span(&m.bias));
        let (churn, predicted) = (slice.churn_rate * 100.0, slice.predicted * 100.0);
        writeln!(
            out,
            "    {name:<44} {:>8} {churn:>5.1} % {predicted:>7.1} % {auc:>24} {bias:>25}",
            slice.users
        )?;
    }
    Ok(())
}

fn span(i: &Interval, digits: usize) -> String {
    format!(
        "{:.digits$} [{:.digits$}, {:.digits$}]",
        i.value, i.low, i.high
    )
}

fn signed_span(i: &Interval) -> String {
    format!("{:+.4} [{:+.4}, {:+.4}]", i.value, i.low, i.high)
}

fn write_metrics(out: &mut String, name: &str, m: &Metrics) -> std::fmt::Result {
    writeln!(
        out,
        "    {name:<14} {:>24} {:>24} {:>10.4} {:>+10.4}",
        span(&m.log_loss, 4),
        span(&m.auc, 4),
        m.ece.value,
        m.bias.value
    )
}
