//! What the log holds and what of it could not be used.
//!
//! The report of the log reaches the card as JSON. Fields that are known are drawn; anything else is shown as names
//! and values. Users' ids and refused values stay out of the page: it may be passed around.

use serde_json::Value;

use super::bars::{Bar, Row, list, part};
use super::text::{capital, count, counted, escape, percent, shorten, words};
use crate::card::Card;

/// Kinds of events and reasons shown.
const SHOWN: usize = 12;

/// Which days the log covers, and its figures.
pub(crate) fn section(card: &Card) -> String {
    let quality = &card.data_quality;
    let body = match (number(quality, "rows"), number(quality, "events")) {
        (Some(rows), Some(events)) => {
            format!(
                "<div class=\"pair\">{}{}</div>",
                used(quality, rows, events),
                kinds(quality)
            )
        }
        _ if is_empty(quality) => {
            "<p class=\"card empty\">No report on the log was kept.</p>".to_owned()
        }
        _ => super::figure(
            "",
            "What the log reports",
            &plain(quality, 0),
            "As the reader of the log gave it.",
        ),
    };
    super::coverage::figure(card) + &body
}

fn number(value: &Value, name: &str) -> Option<u64> {
    value.get(name)?.as_u64()
}

fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn used(quality: &Value, rows: u64, events: u64) -> String {
    let share = |n: u64| percent(n as f64 / rows.max(1) as f64);
    let bar = |name: String, n: u64, class: &'static str| Row {
        name,
        bars: vec![Bar {
            from: 0.0,
            to: part(n as f64, rows.max(events) as f64),
            class,
            value: format!("{}, {}", count(n), share(n)),
            whisker: None,
        }],
    };
    let mut bars = vec![
        bar("Rows read".to_owned(), rows, "size"),
        bar("Events kept".to_owned(), events, "stay"),
    ];
    for refused in items(quality, "refused").take(SHOWN) {
        let reason = refused
            .get("reason")
            .and_then(Value::as_str)
            .unwrap_or("other");
        let name = format!("Refused: {}", words(reason));
        bars.push(bar(name, number(refused, "rows").unwrap_or(0), "churn"));
    }
    let more = [
        ("rows_after_as_of", "After the as-of day, not seen", "muted"),
        ("empty_amounts", "Without an amount, counted as 0", "muted"),
        ("duplicates", "Equal to an earlier row, kept", "muted"),
    ];
    for (field, name, class) in more {
        bars.extend(
            number(quality, field)
                .filter(|n| *n > 0)
                .map(|n| bar(name.to_owned(), n, class)),
        );
    }
    let refused: u64 = items(quality, "refused")
        .filter_map(|r| number(r, "rows"))
        .sum();
    let caption = match refused {
        0 => format!(
            "{} of {}: no row was refused.",
            counted(rows, "row"),
            files(quality)
        ),
        n => format!(
            "{} of {}: {} were refused, {}.",
            counted(rows, "row"),
            files(quality),
            share(n),
            count(n)
        ),
    };
    super::figure(
        "",
        "How much of it could be used?",
        &list(&bars),
        &escape(&caption),
    )
}

fn files(quality: &Value) -> String {
    counted(items(quality, "files").count() as u64, "file")
}

fn kinds(quality: &Value) -> String {
    let mut found: Vec<(&str, u64, u64)> = items(quality, "kinds")
        .filter_map(|k| {
            Some((
                k.get("kind")?.as_str()?,
                number(k, "events")?,
                number(k, "users").unwrap_or(0),
            ))
        })
        .collect();
    found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let largest = found.first().map_or(0, |k| k.1) as f64;
    let row = |(name, events, users): &(&str, u64, u64)| Row {
        name: capital(&words(name)),
        bars: vec![Bar {
            from: 0.0,
            to: part(*events as f64, largest),
            class: "size",
            value: format!("{} by {}", count(*events), counted(*users, "user")),
            whisker: None,
        }],
    };
    let rows: Vec<Row> = found.iter().take(SHOWN).map(row).collect();
    let caption = match found.len() {
        0 => "The report of the log names no kinds.".to_owned(),
        n if n > SHOWN => format!("The {SHOWN} most frequent of {n} kinds of events."),
        n => format!("{} of events.", counted(n as u64, "kind")),
    };
    super::figure("", "What happens in it?", &list(&rows), &escape(&caption))
}

/// Depth, entries and characters of unknown JSON that are shown.
const DEPTH: usize = 3;
const ENTRIES: usize = 40;
const CHARACTERS: usize = 200;

/// Any JSON as names and values.
fn plain(value: &Value, depth: usize) -> String {
    match value {
        Value::Object(fields) if depth < DEPTH => {
            let shown = fields.iter().take(ENTRIES).map(|(name, value)| {
                let name = escape(&shorten(&capital(&words(name)), CHARACTERS));
                format!(
                    "<div><dt>{name}</dt><dd>{}</dd></div>",
                    plain(value, depth + 1)
                )
            });
            format!(
                "<dl class=\"tree\">{}{}</dl>",
                shown.collect::<String>(),
                left_out(fields.len())
            )
        }
        Value::Array(items) if depth < DEPTH => {
            let shown = items
                .iter()
                .take(ENTRIES)
                .map(|item| format!("<li>{}</li>", plain(item, depth + 1)));
            format!(
                "<ul>{}{}</ul>",
                shown.collect::<String>(),
                left_out(items.len())
            )
        }
        Value::String(text) => escape(&shorten(text, CHARACTERS)),
        Value::Number(n) => n.as_u64().map_or_else(|| n.to_string(), count),
        Value::Null => "–".to_owned(),
        other => escape(&shorten(&other.to_string(), CHARACTERS)),
    }
}

fn left_out(entries: usize) -> String {
    match entries.saturating_sub(ENTRIES) {
        0 => String::new(),
        more => format!("<div>and {more} more</div>"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::card;
    use super::*;

    #[test]
    fn known_fields_are_drawn_without_ids_or_refused_values() {
        let html = section(&card());
        assert!(html.contains("Refused: &lt;bad&gt; time"), "{html}");
        assert!(html.contains("541,909"), "{html}");
        assert!(
            !html.contains("secret-user") && !html.contains("secret-value"),
            "{html}"
        );
    }

    #[test]
    fn unknown_fields_are_names_and_values_of_bounded_size() {
        let mut card = card();
        card.data_quality =
            json!({ "<i>": [1, { "deep": { "deeper": "x" } }], "long": "y".repeat(5_000) });
        let html = section(&card);
        assert!(
            html.contains("<dt>&lt;i&gt;</dt>") && !html.contains("<i>"),
            "{html}"
        );
        assert!(
            html.len() < 1_500 + super::super::coverage::figure(&card).len(),
            "{}",
            html.len()
        );
        card.data_quality = Value::Null;
        assert!(section(&card).contains("No report on the log was kept."));
    }
}
