//! What users are worth, as text for a terminal.

use std::fmt::{Result, Write};

use super::number::{THIN, amount, counted, plain_percent, thousands};
use super::wording::value::{ValueTotals, amounts, models, money, residual, untested};
use crate::card::{IntervalCoverage, PeriodCard, ValueCard, ValueEvaluation, ValueMetrics};

/// The value part of a card, below the figures of its horizons.
pub(crate) fn write_value(out: &mut String, value: &ValueCard) -> Result {
    let mut text = String::new();
    write_parts(&mut text, value)?;
    // A terminal need not have the page's spaces and signs.
    out.write_str(&text.replace(THIN, " ").replace('−', "-"))
}

fn write_parts(out: &mut String, value: &ValueCard) -> Result {
    let totals = ValueTotals::of(value);
    writeln!(out, "\nValue of {}", counted(totals.users, "user"))?;
    writeln!(
        out,
        "  expected spend {} in {} days, residual value {}, value at risk {}",
        money(value, totals.expected_spend),
        value.horizon_days,
        amount(totals.residual_value),
        amount(totals.value_at_risk)
    )?;
    writeln!(out, "  {}. {}.", amounts(value), residual(value))?;
    match &value.evaluation {
        Some(evaluation) => write_evaluation(out, value, evaluation)?,
        None => writeln!(out, "  not tested: {}", untested(value))?,
    }
    write_tiers(out, value)?;
    write_period(out, value)?;
    let notes = models(value).into_iter().chain(value.notes.clone());
    for sentence in notes {
        writeln!(out, "  {sentence}")?;
    }
    Ok(())
}

fn write_evaluation(out: &mut String, value: &ValueCard, e: &ValueEvaluation) -> Result {
    writeln!(
        out,
        "  tested on {} at {}: {} spent within {} days",
        counted(e.users, "user"),
        e.test,
        money(value, e.actual),
        e.window_days
    )?;
    writeln!(
        out,
        "    {:<20} {:>22} {:>24} {:>9} {:>7} {:>7} {:>9}",
        "", "Gini", "bias", "deviance", "MAE", "tenths", "top tenth"
    )?;
    write_metrics(out, "model", &e.model)?;
    for baseline in &e.baselines {
        write_metrics(out, &baseline.name, &baseline.metrics)?;
    }
    let covered = |c: &IntervalCoverage| match c.group.as_str() {
        IntervalCoverage::EVERYBODY => format!("{} of users", plain_percent(c.share)),
        tier => format!("{} of {tier}", plain_percent(c.share)),
    };
    let covered: Vec<String> = e.coverage.iter().map(covered).collect();
    if covered.is_empty() {
        return Ok(());
    }
    let nominal = plain_percent(e.interval);
    writeln!(
        out,
        "  intervals of {nominal} held for {}",
        covered.join(", ")
    )
}

fn write_metrics(out: &mut String, name: &str, m: &ValueMetrics) -> Result {
    let (gini, bias) = (m.gini, m.bias);
    writeln!(
        out,
        "    {name:<20} {:>22} {:>24} {:>9.3} {:>7.3} {:>7.3} {:>9}",
        format!("{:.3} [{:.3}, {:.3}]", gini.value, gini.low, gini.high),
        format!("{:+.3} [{:+.3}, {:+.3}]", bias.value, bias.low, bias.high),
        m.deviance,
        m.mae,
        m.decile_mape,
        plain_percent(m.top_tenth)
    )
}

fn write_tiers(out: &mut String, value: &ValueCard) -> Result {
    if value.tiers.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "    {:<20} {:>10} {:>9} {:>14} {:>34} {:>13}",
        "tier", "from", "users", "spend", "residual value", "at risk"
    )?;
    for tier in &value.tiers {
        let residual = tier.residual_value;
        let ends = [residual.value, residual.low, residual.high].map(amount);
        writeln!(
            out,
            "    {:<20} {:>10} {:>9} {:>14} {:>34} {:>13}",
            tier.name,
            amount(tier.from),
            thousands(tier.users),
            amount(tier.expected_spend),
            format!("{} [{}, {}]", ends[0], ends[1], ends[2]),
            amount(tier.value_at_risk)
        )?;
    }
    Ok(())
}

/// The averages of the newest period that is complete.
fn write_period(out: &mut String, value: &ValueCard) -> Result {
    let all = value.periods.iter().rev();
    let newest = all
        .filter(|p| p.by == PeriodCard::EVERYBODY)
        .find(|p| p.complete);
    let Some(p) = newest else {
        return Ok(());
    };
    let average = |figure: Option<f64>| amount(figure.unwrap_or(f64::NAN));
    writeln!(
        out,
        "  {} to {}: {} of {} (ARPU {}) and {} (ARPPU {})",
        p.from,
        p.until.plus(-1),
        money(value, p.amount),
        counted(p.active_users, "active user"),
        average(p.arpu),
        counted(p.payers, "payer"),
        average(p.arppu)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::html::fixture::value::{untested, value};

    fn text(value: &ValueCard) -> String {
        let mut text = String::new();
        write_value(&mut text, value).unwrap();
        text
    }

    #[test]
    fn the_value_part_is_readable() {
        insta::assert_snapshot!(text(&value()));
    }

    #[test]
    fn a_part_without_a_test_gives_its_reason() {
        insta::assert_snapshot!(text(&untested()));
    }
}
