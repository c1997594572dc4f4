//! Which days the log covers.

use serde_json::Value;

use super::text::{count, counted, nowrap};
use crate::card::Card;
use crate::history::{Coverage, Hole, Stretch};

/// The days from the first event to the last, and what was made of them.
pub(crate) fn figure(card: &Card) -> String {
    let days = i64::from(card.last_day.since(card.first_day)) + 1;
    let rows: Vec<String> = card
        .horizons
        .iter()
        .map(|h| format!("{} ({} days)", count(h.rows), h.horizon_days))
        .collect();
    let mut facts = vec![
        ("First day with an event", nowrap(card.first_day)),
        ("Last day with an event", nowrap(card.last_day)),
        ("Days", count(days.max(0) as u64)),
        ("Records (user, day, kind)", count(card.records)),
        ("Rows fitted", rows.join(", ")),
    ];
    facts.extend(
        card.coverage
            .iter()
            .flat_map(|coverage| covered(coverage, &card.data_quality)),
    );
    let items: String = facts
        .iter()
        .map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>"))
        .collect();
    let caption = format!(
        "From {} to {}, seen as of {}: no event of that day or later was used.",
        nowrap(card.first_day),
        nowrap(card.last_day),
        nowrap(card.as_of)
    );
    super::figure(
        "",
        "What does it cover?",
        &format!("<dl class=\"facts\">{items}</dl>"),
        &caption,
    )
}

/// What was observed, and what was not.
fn covered(coverage: &Coverage, quality: &Value) -> Vec<(&'static str, String)> {
    let span = |days: Stretch| format!("{} to {}", nowrap(days.from), nowrap(days.until.plus(-1)));
    let mut facts = vec![("Covered", span(coverage.span))];
    if coverage.labels_until < coverage.span.until {
        facts.push((
            "What tells churn was observed up to",
            nowrap(coverage.labels_until.plus(-1)),
        ));
    }
    let hole = |hole: &Hole| {
        let expected = counted(hole.expected_users.round() as u64, "user");
        format!(
            "{} ({}, some {expected} expected)",
            span(hole.days),
            counted(hole.days.days().max(0) as u64, "day")
        )
    };
    let holes: Vec<String> = coverage.holes.iter().map(hole).collect();
    facts.push((
        "Not observed",
        if holes.is_empty() {
            "no day in between".to_owned()
        } else {
            holes.join("; ")
        },
    ));
    let strays = quality
        .get("set_aside")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let strays: u64 = strays
        .filter_map(|reason| reason.get("rows")?.as_u64())
        .sum();
    if strays > 0 {
        facts.push(("Set aside, on other days", counted(strays, "row")));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;

    #[test]
    fn the_days_and_what_was_made_of_them_are_told() {
        let html = figure(&card());
        for part in [
            "<dd>739</dd>",
            "<dd>44,876</dd>",
            "38,211 (30 days), 38,211 (90 days)",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }

    #[test]
    fn holes_and_strays_are_told() {
        let mut card = card();
        card.coverage = serde_json::from_value(serde_json::json!({
            "from": "2024-01-01", "until": "2024-11-16", "labels_until": "2024-11-10", "usual_silence_days": 0, "feeds": [],
            "holes": [{ "from": "2024-07-01", "until": "2024-08-16", "expected_users": 881.6 }]
        }))
        .unwrap();
        card.data_quality =
            serde_json::json!({ "set_aside": [{ "reason": "after_coverage", "rows": 3 }] });
        let html = figure(&card);
        let text: String = html
            .split('<')
            .filter_map(|part| Some(part.split_once('>')?.1))
            .collect();
        for part in [
            "2024-01-01 to 2024-11-15",
            "2024-11-09",
            "2024-07-01 to 2024-08-15 (46 days, some 882 users expected)",
            "3 rows",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        card.coverage.as_mut().unwrap().holes.clear();
        assert!(figure(&card).contains("no day in between"));
    }
}
