//! The model card as text for a terminal.

use std::fmt::{Result, Write};

use super::conversion_text::write_conversion;
use super::laws_text::write_laws;
use super::number::{THIN, counted, plain_percent, thousands};
use super::rejected::RejectionSummary;
use super::segment_text::write_segments;
use super::value_text::write_value;
use super::wording;
use crate::card::{
    BacktestComparison, BaselineCard, Card, Evaluation, HorizonCard, Interval, LabelDefinition,
    Metrics, SliceCard,
};

/// The card, readable.
pub fn render(card: &Card) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_card(&mut text, card);
    text
}

fn write_card(out: &mut String, card: &Card) -> Result {
    write_head(out, card)?;
    for horizon in &card.horizons {
        write_horizon(out, card, horizon)?;
    }
    write_population(out, card)?;
    if let Some(value) = &card.value {
        write_value(out, value)?;
    }
    if let Some(part) = &card.conversion {
        write_conversion(out, part)?;
    }
    if let Some(laws) = &card.laws {
        writeln!(out)?;
        write_laws(out, laws)?;
    }
    for note in wording::notes(card) {
        writeln!(out, "\nNote: {note}")?;
    }
    Ok(())
}

fn write_head(out: &mut String, card: &Card) -> Result {
    writeln!(
        out,
        "As of {}, from a log of {} to {}",
        card.as_of, card.first_day, card.last_day
    )?;
    writeln!(
        out,
        "{}, {} (user, day, kind), data {:.12}",
        counted(card.users, "user"),
        counted(card.records, "record"),
        card.data_hash
    )?;
    writeln!(out, "{}", label(&card.label_definition))?;
    if !card.config_hash.is_empty() {
        writeln!(out, "Configuration {:.12}", card.config_hash)?;
    }
    let probe = &card.leakage_probe;
    writeln!(
        out,
        "Leakage check passed: {} feature vectors of {} at {} unchanged under altered post-cutoff data",
        thousands(probe.comparisons),
        counted(probe.users, "user"),
        counted(probe.dates, "date")
    )?;
    let Some(rejected) = RejectionSummary::of(card) else {
        return Ok(());
    };
    for (name, text) in [("Caution", rejected.caution()), ("Rows", rejected.remark())] {
        if let Some(text) = text {
            writeln!(out, "{name}: {text}")?;
        }
    }
    Ok(())
}

/// The definition of churn in a sentence without its full stop.
pub(crate) fn label(definition: &LabelDefinition) -> String {
    let what = match &definition.churn_event {
        Some(event) => format!("an event `{event}`"),
        None => format!("no {}", definition.activity.join(" or ")),
    };
    let lead = match definition.lead_days {
        0 => String::new(),
        days => format!(", starting {days} days after"),
    };
    let active = definition.active_within_days;
    format!("Churn is {what} within the horizon{lead}; users active in the last {active} days")
}

fn write_population(out: &mut String, card: &Card) -> Result {
    write_segments(out, card)?;
    if !card.stages.is_empty() {
        writeln!(
            out,
            "\nLifecycle stages of the users active at the as-of date"
        )?;
    }
    for (stage, users) in &card.stages {
        writeln!(out, "  {stage:<12} {:>8}", thousands(*users))?;
    }
    Ok(())
}

fn write_horizon(out: &mut String, card: &Card, h: &HorizonCard) -> Result {
    writeln!(out, "\nHorizon {} days", h.horizon_days)?;
    writeln!(
        out,
        "  fitted on {} of {}, churn {}, {} solver",
        counted(h.rows, "row"),
        counted(h.snapshots.len() as u64, "date"),
        plain_percent(h.churn_rate),
        h.solver,
    )?;
    let line = &h.calibration;
    writeln!(out, "  hyperparameters: {}", h.candidate)?;
    writeln!(
        out,
        "  calibration of the log-odds: slope {:.3}, intercept {:+.3}",
        line.slope, line.intercept
    )?;
    if !h.dropped.is_empty() {
        let reasons = h.dropped.iter();
        let reasons: Vec<String> = reasons
            .map(|(reason, n)| format!("{} {reason}", thousands(*n)))
            .collect();
        writeln!(
            out,
            "  pairs of user and date dropped: {}",
            reasons.join(", ")
        )?;
    }
    write_seasons(out, h)?;
    match &h.evaluation {
        Some(evaluation) => write_evaluation(out, evaluation)?,
        None => writeln!(
            out,
            "  not tested: {}",
            wording::untested(h, &card.label_definition)
        )?,
    }
    writeln!(
        out,
        "  largest effects on the log-odds of churn, per standard deviation"
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

/// What is used of earlier years, the forecast, and the model beside baselines at the dates of the backtest.
fn write_seasons(out: &mut String, h: &HorizonCard) -> Result {
    let earlier_years = wording::backtest::earlier_years(h);
    let next = wording::backtest::next_window(h);
    let drawn = wording::backtest::drawn_to_base_rate(h);
    let forecast = (!h.backtest.is_empty()).then(|| wording::backtest::forecast(h));
    let optional = [forecast, next, drawn];
    for sentence in [earlier_years]
        .into_iter()
        .chain(optional.into_iter().flatten())
    {
        // A terminal need not have the page's spaces and signs.
        writeln!(out, "  {}", sentence.replace(THIN, " ").replace('−', "-"))?;
    }
    if h.against_baselines.is_empty() {
        return Ok(());
    }
    let against = |c: &BacktestComparison| {
        let interval = signed_span(&c.log_loss_difference);
        format!("{} {interval}", c.baseline)
    };
    let all: Vec<String> = h.against_baselines.iter().map(against).collect();
    let dates = h.against_baselines.iter().map(|c| c.dates).max();
    let dates = counted(dates.unwrap_or(0) as u64, "date");
    writeln!(
        out,
        "  log loss of the model less that of a baseline over {dates} of the backtest: {}",
        all.join(", ")
    )
}

/// The figures of an evaluation, below the heading of its horizon.
pub(crate) fn write_evaluation(out: &mut String, e: &Evaluation) -> Result {
    writeln!(
        out,
        "  tested on {} at {}, churn {}",
        counted(e.users, "user"),
        e.test,
        plain_percent(e.churn_rate)
    )?;
    if let Some(verdict) = &e.verdict {
        let strength = wording::strength(verdict.strength);
        writeln!(
            out,
            "  verdict {strength}: {}",
            wording::verdict(verdict, e)
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
    writeln!(
        out,
        "    calibration line: slope {} (ideal 1), intercept {} (ideal 0)",
        span(&e.model.calibration_slope, 3),
        span(&e.model.calibration_intercept, 3)
    )?;
    write_baselines(out, e)?;
    write_slices(out, &e.slices)
}

fn write_baselines(out: &mut String, e: &Evaluation) -> Result {
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
    e.baselines
        .iter()
        .try_for_each(|baseline| write_difference(out, baseline))
}

fn write_difference(out: &mut String, baseline: &BaselineCard) -> Result {
    let loss = signed_span(&baseline.log_loss_difference);
    let auc = signed_span(&baseline.auc_difference);
    write!(out, "    {:<14} {loss:>27} {auc:>27}", baseline.name)?;
    match &baseline.feature {
        Some(feature) => writeln!(out, "  {feature}"),
        None => writeln!(out),
    }
}

fn write_slices(out: &mut String, slices: &[SliceCard]) -> Result {
    if !slices.is_empty() {
        writeln!(
            out,
            "  groups of users {:>37} {:>7} {:>9} {:>24} {:>25}",
            "users", "churn", "predicted", "AUC", "bias"
        )?;
    }
    slices.iter().try_for_each(|slice| write_slice(out, slice))
}

fn write_slice(out: &mut String, slice: &SliceCard) -> Result {
    let name = format!("{}: {}", slice.dimension, slice.name);
    let metrics = slice.metrics.as_ref();
    let auc = metrics.and_then(|m| m.auc);
    let auc = auc.map_or("-".to_owned(), |auc| span(&auc, 3));
    let bias = metrics.map_or("too few users".to_owned(), |m| signed_span(&m.bias));
    let (churn, predicted) = (slice.churn_rate * 100.0, slice.predicted * 100.0);
    let users = thousands(slice.users);
    writeln!(
        out,
        "    {name:<44} {users:>8} {churn:>5.1} % {predicted:>7.1} % {auc:>24} {bias:>25}"
    )
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

fn write_metrics(out: &mut String, name: &str, m: &Metrics) -> Result {
    writeln!(
        out,
        "    {name:<14} {:>24} {:>24} {:>10.4} {:>+10.4}",
        span(&m.log_loss, 4),
        span(&m.auc, 4),
        m.ece.value,
        m.bias.value
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::html::fixture::card;

    #[test]
    fn the_card_is_readable() {
        insta::assert_snapshot!(render(&card()));
    }
}
