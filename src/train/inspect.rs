//! The model card as text for a terminal.

use std::fmt::Write;

use super::card::{Card, Evaluation, HorizonCard};
use super::metrics::{Interval, Metrics};

/// The card, readable.
pub fn render(card: &Card) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_card(&mut text, card);
    text
}

fn write_card(out: &mut String, card: &Card) -> std::fmt::Result {
    let q = &card.question;
    writeln!(out, "As of {}, from a log of {} to {}", card.as_of, card.first_day, card.last_day)?;
    writeln!(out, "{} users, {} records (user, day, kind), data {:.12}", card.users, card.records, card.data_hash)?;
    let what = match &q.churn_event {
        Some(event) => format!("an event `{event}`"),
        None => format!("no {}", q.activity.join(" or ")),
    };
    let lead = if q.lead_days > 0 { format!(", starting {} days after", q.lead_days) } else { String::new() };
    writeln!(
        out,
        "Churn is {what} within the horizon{lead}; asked of users active in the last {} days",
        q.active_within_days
    )?;
    for horizon in &card.horizons {
        write_horizon(out, horizon)?;
    }
    if !card.segments.is_empty() {
        writeln!(out, "\nSegments on the latest labelled date")?;
        for (id, s) in card.segments.iter().enumerate() {
            writeln!(out, "  {id}  {:<44} {:>8} users  churn {:>5.1} %", s.name, s.users, s.churn_rate * 100.0)?;
        }
    }
    if !card.stages.is_empty() {
        writeln!(out, "\nLifecycle stages of the users active at the as-of date")?;
        for (stage, users) in &card.stages {
            writeln!(out, "  {stage:<12} {users:>8}")?;
        }
    }
    for note in &card.notes {
        writeln!(out, "\nNote: {note}")?;
    }
    Ok(())
}

fn write_horizon(out: &mut String, h: &HorizonCard) -> std::fmt::Result {
    writeln!(out, "\nHorizon {} days", h.horizon_days)?;
    writeln!(
        out,
        "  fitted on {} rows of {} dates, churn {:.1} %, {} solver, l2 {}",
        h.rows,
        h.snapshots.len(),
        h.churn_rate * 100.0,
        h.solver,
        h.l2
    )?;
    let dropped: Vec<String> = h.dropped.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
    if !dropped.is_empty() {
        writeln!(out, "  pairs of user and date dropped: {}", dropped.join(", "))?;
    }
    match &h.evaluation {
        Some(evaluation) => write_evaluation(out, evaluation)?,
        None => writeln!(out, "  not tested: the log is too short to judge it on a later date")?,
    }
    writeln!(out, "  strongest effects on the log-odds of churn, per standard deviation")?;
    for (feature, effect) in h.effects.iter().take(8) {
        writeln!(out, "    {feature:<34} {effect:>+8.3}")?;
    }
    Ok(())
}

fn write_evaluation(out: &mut String, e: &Evaluation) -> std::fmt::Result {
    writeln!(out, "  judged on {} users at {}, churn {:.1} %", e.users, e.test, e.churn_rate * 100.0)?;
    writeln!(out, "    {:<14} {:>24} {:>24} {:>10} {:>10}", "", "log loss", "AUC", "ECE", "bias")?;
    write_metrics(out, "model", &e.model)?;
    for (name, metrics) in &e.baselines {
        write_metrics(out, name, metrics)?;
    }
    if let Some(metrics) = &e.challenger {
        write_metrics(out, "random_forest", metrics)?;
    }
    Ok(())
}

fn write_metrics(out: &mut String, name: &str, m: &Metrics) -> std::fmt::Result {
    let span = |i: &Interval| format!("{:.4} [{:.4}, {:.4}]", i.value, i.low, i.high);
    writeln!(
        out,
        "    {name:<14} {:>24} {:>24} {:>10.4} {:>+10.4}",
        span(&m.log_loss),
        span(&m.auc),
        m.ece.value,
        m.bias.value
    )
}
