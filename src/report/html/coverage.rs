//! Which days the log covers.

use maud::{Markup, html};

use super::quality::{items, number};
use super::text::nowrap;
use crate::card::Card;
use crate::history::{Coverage, Hole, Stretch};
use crate::report::number::{counted, thousands};

/// The days from the first event to the last, and the rows that came of them.
pub(crate) fn figure(card: &Card) -> Markup {
    let days = i64::from(card.last_day.since(card.first_day)) + 1;
    let rows: Vec<String> = card
        .horizons
        .iter()
        .map(|h| format!("{} ({} days)", thousands(h.rows), h.horizon_days))
        .collect();
    let mut facts = vec![
        ("First day with an event", nowrap(card.first_day)),
        ("Last day with an event", nowrap(card.last_day)),
        ("Days", html! { (thousands(days.max(0) as u64)) }),
        (
            "Records (user, day, kind)",
            html! { (thousands(card.records)) },
        ),
        ("Rows fitted", html! { (rows.join(", ")) }),
    ];
    if let Some(coverage) = &card.coverage {
        facts.extend(covered(coverage));
    }
    let strays: u64 = items(&card.data_quality, "set_aside")
        .filter_map(|reason| number(reason, "rows"))
        .sum();
    if strays > 0 {
        facts.push((
            "Set aside, on other days",
            html! { (counted(strays, "row")) },
        ));
    }
    let caption = html! {
        "As of " (nowrap(card.as_of)) ": no event of that day or later was used."
    };
    super::figure(
        "",
        "Which days does it cover?",
        super::facts(facts),
        caption,
    )
}

/// The observed days, and the holes between them.
fn covered(coverage: &Coverage) -> Vec<(&'static str, Markup)> {
    let mut facts = vec![("Covered", span(coverage.span))];
    if coverage.labels_until < coverage.span.until {
        facts.push((
            "Last day with labels",
            nowrap(coverage.labels_until.plus(-1)),
        ));
    }
    let holes = html! {
        @if coverage.holes.is_empty() { "no day in between" }
        @for (i, hole) in coverage.holes.iter().enumerate() {
            @if i > 0 { "; " }
            (not_observed(hole))
        }
    };
    facts.push(("Not observed", holes));
    facts
}

fn span(days: Stretch) -> Markup {
    html! { (nowrap(days.from)) " to " (nowrap(days.until.plus(-1))) }
}

fn not_observed(hole: &Hole) -> Markup {
    html! {
        (span(hole.days)) " (" (counted(hole.days.days().max(0) as u64, "day")) ", about "
        (counted(hole.expected_users.round() as u64, "user")) " expected)"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{card, snapshot};
    use super::*;

    #[test]
    fn days_holes_and_strays_are_listed() {
        let mut card = card();
        snapshot("coverage", figure(&card));
        card.coverage = serde_json::from_value(json!({
            "from": "2024-01-01", "until": "2024-11-16", "labels_until": "2024-11-10", "usual_silence_days": 0, "feeds": [],
            "holes": [
                { "from": "2024-07-01", "until": "2024-08-16", "expected_users": 881.6 },
                { "from": "2024-09-01", "until": "2024-09-02", "expected_users": 1.2 }
            ]
        }))
        .unwrap();
        card.data_quality = json!({ "set_aside": [{ "reason": "after_coverage", "rows": 3 }] });
        snapshot("coverage_holes", figure(&card));
    }
}
