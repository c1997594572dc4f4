//! Value and value at risk of tiers, risk bands and stages.

use maud::{Markup, html};

use super::super::axis::Axis;
use super::super::bars::{Bar, Row, legend, list};
use super::super::heatmap::{Cell, HeatmapRow, table as heatmap};
use super::super::interval_plot::{IntervalPlot, IntervalRow};
use super::super::text::{capital, words};
use super::super::{figure, names, no_figure};
use super::{behind, table, users, wide};
use crate::card::{AtRiskCard, Interval, TierCard, ValueCard};
use crate::report::number::{amount, counted, percent, thousands};
use crate::report::wording::value::{ValueTotals, bands, money};

/// A part of a sum; nothing of nothing.
fn share(part: f64, sum: f64) -> f64 {
    if sum > 0.0 { part / sum } else { 0.0 }
}

/// Value at risk by tier and risk band, as a table shaded by amount.
pub(super) fn at_risk(value: &ValueCard) -> Markup {
    let heading = "Where is value at risk?";
    let cells = &value.at_risk;
    let largest = cells
        .iter()
        .max_by(|a, b| a.value_at_risk.total_cmp(&b.value_at_risk));
    let Some(largest) = largest.filter(|cell| cell.value_at_risk > 0.0) else {
        return no_figure(heading, "No user has value at risk.");
    };
    let bands = bands(cells);
    let row = |tier: &TierCard| {
        let cell = |band: &&str| {
            let cell = cells
                .iter()
                .find(|c| c.tier == tier.name && c.band == *band);
            cell.map(|cell| shaded(value, cell, largest.value_at_risk))
        };
        HeatmapRow {
            name: tier.name.clone(),
            detail: amount(tier.value_at_risk),
            cells: bands.iter().map(cell).collect(),
        }
    };
    let rows: Vec<HeatmapRow> = value.tiers.iter().map(row).collect();
    let columns: Vec<String> = bands.iter().map(|band| risk(band)).collect();
    let content = html! {
        (wide("Value at risk by tier and risk band", heatmap("at-risk", ("tier", "all"), &columns, &rows)))
        (behind("Users and residual value by tier and risk band", by_cell(cells)))
    };
    let sum: f64 = cells.iter().map(|cell| cell.value_at_risk).sum();
    let caption = html! {
        "Most is in tier “" (largest.tier) "” at " (risk(&largest.band)) ": " (money(value, largest.value_at_risk)) ", "
        (percent(share(largest.value_at_risk, sum))) " of all, of " (users(largest.users))
        ". It is what their churn would cost, times its probability; it is no saving that a campaign would bring."
    };
    figure("", heading, content, caption)
}

fn risk(band: &str) -> String {
    format!("{} risk", words(band))
}

fn shaded(value: &ValueCard, cell: &AtRiskCard, largest: f64) -> Cell {
    let (at_risk, residual) = (
        money(value, cell.value_at_risk),
        money(value, cell.residual_value),
    );
    Cell {
        // The eye compares areas of colour: the root keeps small amounts apart from none.
        strength: (cell.value_at_risk / largest).max(0.0).sqrt(),
        warm: true,
        text: amount(cell.value_at_risk),
        title: format!("{}: {at_risk} at risk of {residual}", users(cell.users)),
    }
}

fn by_cell(cells: &[AtRiskCard]) -> Markup {
    let row = |cell: &AtRiskCard| {
        vec![
            format!("{}, {}", cell.tier, risk(&cell.band)),
            thousands(cell.users),
            amount(cell.residual_value),
            amount(cell.value_at_risk),
        ]
    };
    let rows: Vec<Vec<String>> = cells.iter().map(row).collect();
    table(
        &["tier and band", "users", "residual value", "at risk"],
        &rows,
    )
}

/// How many users each tier has, and how much of the value.
pub(super) fn tiers(value: &ValueCard) -> Markup {
    let heading = "How much of the value has each tier?";
    let totals = ValueTotals::of(value);
    if totals.users == 0 {
        return no_figure(heading, "No user has a value.");
    }
    let row = |tier: &TierCard| {
        let users = share(tier.users as f64, totals.users as f64);
        let residual = share(tier.residual_value.value, totals.residual_value);
        let at_risk = share(tier.value_at_risk, totals.value_at_risk);
        let bar = |share: f64, class, of: &str| {
            let text = format!("{} of {of}", percent(share));
            Bar::new(100.0 * share, class, text)
        };
        Row {
            name: format!("{} (from {})", capital(&tier.name), money(value, tier.from)),
            bars: vec![
                bar(users, "size", "users"),
                bar(residual, "stay", "value"),
                bar(at_risk, "churn", "risk"),
            ],
        }
    };
    let rows: Vec<Row> = value.tiers.iter().map(row).collect();
    let content = html! {
        (legend([("size", "users"), ("stay", "residual value"), ("churn", "value at risk")]))
        (list(&rows))
        (behind("Tiers", by_tier(value)))
    };
    let caption = html! {
        (counted(value.tiers.len() as u64, "tier")) " of " (users(totals.users)) ". Bounds are amounts of residual value that were fixed \
         at the fit, so that a user rises by own orders, and not because others leave."
    };
    figure("", heading, content, caption)
}

fn by_tier(value: &ValueCard) -> Markup {
    let row = |tier: &TierCard| {
        vec![
            tier.name.clone(),
            amount(tier.from),
            thousands(tier.users),
            amount(tier.expected_spend),
            span(tier.residual_value),
            amount(tier.value_at_risk),
        ]
    };
    let rows: Vec<Vec<String>> = value.tiers.iter().map(row).collect();
    let spend = format!("spend in {} days", value.horizon_days);
    let headings = ["tier", "from", "users", &spend, "residual value", "at risk"];
    table(&headings, &rows)
}

/// An amount with the ends of its interval.
fn span(i: Interval) -> String {
    format!(
        "{} ({} to {})",
        amount(i.value),
        amount(i.low),
        amount(i.high)
    )
}

/// Residual value of the lifecycle stages with its intervals.
pub(super) fn stages(value: &ValueCard) -> Markup {
    let heading = "In which stages is the value?";
    if value.stages.is_empty() {
        return no_figure(heading, "No user is in a lifecycle stage.");
    }
    let sum: f64 = value.stages.iter().map(|s| s.residual_value.value).sum();
    let rows = value.stages.iter().map(|stage| IntervalRow {
        name: names::stage(&stage.stage),
        detail: users(stage.users),
        interval: stage.residual_value,
        mark: None,
        class: "better",
        value: percent(share(stage.residual_value.value, sum)),
    });
    let most = value.stages.iter().map(|s| s.residual_value.high);
    let most = most.fold(0.0, f64::max);
    let axis = Axis::new(0.0, most, "residual value", amount);
    let row = |stage: &crate::card::StageValueCard| {
        vec![
            capital(&words(&stage.stage)),
            thousands(stage.users),
            span(stage.residual_value),
            amount(stage.value_at_risk),
        ]
    };
    let figures: Vec<Vec<String>> = value.stages.iter().map(row).collect();
    let content = html! {
        (IntervalPlot::new(rows.collect(), axis, 0.0).draw())
        (behind("Stages", table(&["stage", "users", "residual value", "at risk"], &figures)))
    };
    let caption = html! {
        "Lines: 95\u{202f}% intervals by drawing users again. They are those of a sum over such users as these, with the model as it is; they \
         hold no doubt about the years to come."
    };
    figure("", heading, content, caption)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::value::value;
    use super::super::super::tests::{plain, snapshot};
    use super::*;

    #[test]
    fn tiers_bands_and_stages_are_shown_with_their_tables() {
        let value = value();
        snapshot("value_at_risk", at_risk(&value));
        snapshot("value_tiers", tiers(&value));
        snapshot("value_stages", stages(&value));
    }

    #[test]
    fn nobody_and_nothing_at_risk_are_sentences() {
        let mut value = value();
        value
            .at_risk
            .iter_mut()
            .for_each(|cell| cell.value_at_risk = 0.0);
        assert!(plain(at_risk(&value)).contains("No user has value at risk."));
        value.tiers.iter_mut().for_each(|tier| tier.users = 0);
        assert!(plain(tiers(&value)).contains("No user has a value."));
        value.stages.clear();
        assert!(plain(stages(&value)).contains("No user is in a lifecycle stage."));
    }
}
