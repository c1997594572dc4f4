//! The content of the log and the rows that could not be used.
//!
//! The report of the log reaches the card as JSON. Fields that are known are drawn; anything else is shown as names
//! and values. Users' ids and rejected values stay out of the page: it may be passed around.

use maud::{Markup, html};
use serde_json::Value;

use super::bars::{Bar, Row, list, part};
use super::text::{capital, shorten, words};
use crate::card::Card;
use crate::report::number::{counted, percent, thousands};
use crate::report::rejected;

/// Kinds of events and reasons shown.
const SHOWN: usize = 12;

/// The days that the log covers, and its rows and events.
pub(crate) fn section(card: &Card) -> Markup {
    let quality = &card.data_quality;
    html! {
        (super::coverage::figure(card))
        @match (number(quality, "rows"), number(quality, "events")) {
            (Some(rows), Some(events)) => div.pair {
                (used(quality, rows, events))
                (kinds(quality))
            },
            _ if is_empty(quality) => p.card.empty { "No report on the log was kept." },
            _ => (super::figure(
                "",
                "What does its report say?",
                plain(quality, 0),
                html! { "As the reader of the log gave it." },
            )),
        }
    }
}

/// A count in a JSON object.
pub(crate) fn number(value: &Value, name: &str) -> Option<u64> {
    value.get(name)?.as_u64()
}

/// The items of a list in a JSON object; none where it is missing.
pub(crate) fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let items = value.get(name).and_then(Value::as_array);
    items.into_iter().flatten()
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

/// Rows that are not events, with their names on the page.
const OTHER_ROWS: [(&str, &str); 3] = [
    ("rows_after_as_of", "After the as-of day, not seen"),
    ("empty_amounts", "Without an amount, counted as 0"),
    ("duplicates", "Equal to an earlier row, kept"),
];

fn used(quality: &Value, rows: u64, events: u64) -> Markup {
    let share = |n: u64| percent(n as f64 / rows.max(1) as f64);
    let bar = |name: String, n: u64, class: &'static str| {
        let to = part(n as f64, rows.max(events) as f64);
        let value = format!("{}, {}", thousands(n), share(n));
        Row {
            name,
            bars: vec![Bar::new(to, class, value)],
        }
    };
    let rejected = rejected::reasons(quality);
    let mut bars = vec![
        bar("Rows read".to_owned(), rows, "size"),
        bar("Events kept".to_owned(), events, "stay"),
    ];
    for reason in rejected.iter().take(SHOWN) {
        let name = format!("Rejected: {}", words(&reason.name));
        bars.push(bar(name, reason.rows, "churn"));
    }
    for (field, name) in OTHER_ROWS {
        let rows = number(quality, field).filter(|n| *n > 0);
        bars.extend(rows.map(|n| bar(name.to_owned(), n, "muted")));
    }
    let all: u64 = rejected.iter().map(|reason| reason.rows).sum();
    let files = items(quality, "files").count() as u64;
    let caption = html! {
        (counted(rows, "row")) " of " (counted(files, "file")) ", " (thousands(all)) " rejected (" (share(all)) ")."
    };
    super::figure("", "How much of it could be used?", list(&bars), caption)
}

/// One kind of event.
struct Kind<'a> {
    name: &'a str,
    events: u64,
    users: u64,
}

impl<'a> Kind<'a> {
    fn read(value: &'a Value) -> Option<Self> {
        Some(Self {
            name: value.get("kind")?.as_str()?,
            events: number(value, "events")?,
            users: number(value, "users").unwrap_or(0),
        })
    }

    fn row(&self, largest: u64) -> Row {
        let (events, users) = (thousands(self.events), counted(self.users, "user"));
        let to = part(self.events as f64, largest as f64);
        Row {
            name: capital(&words(self.name)),
            bars: vec![Bar::new(to, "size", format!("{events} by {users}"))],
        }
    }
}

fn kinds(quality: &Value) -> Markup {
    let mut kinds: Vec<Kind<'_>> = items(quality, "kinds").filter_map(Kind::read).collect();
    kinds.sort_by(|a, b| b.events.cmp(&a.events).then_with(|| a.name.cmp(b.name)));
    let largest = kinds.first().map_or(0, |k| k.events);
    let rows: Vec<Row> = kinds.iter().take(SHOWN).map(|k| k.row(largest)).collect();
    let caption = html! {
        (counted(kinds.len() as u64, "kind")) " of events, the " (rows.len()) " most frequent shown."
    };
    super::figure("", "Which events are in it?", list(&rows), caption)
}

/// Depth, entries and characters of unknown JSON that are shown.
const DEPTH: usize = 3;
const ENTRIES: usize = 40;
const CHARACTERS: usize = 200;

/// Any JSON as names and values.
fn plain(value: &Value, depth: usize) -> Markup {
    match value {
        Value::Object(fields) if depth < DEPTH => html! {
            dl.tree {
                @for (name, value) in fields.iter().take(ENTRIES) {
                    div { dt { (shorten(&capital(&words(name)), CHARACTERS)) } dd { (plain(value, depth + 1)) } }
                }
                @if let Some(more) = left_out(fields.len()) { div { dt { (more) } } }
            }
        },
        Value::Array(items) if depth < DEPTH => html! {
            ul {
                @for item in items.iter().take(ENTRIES) { li { (plain(item, depth + 1)) } }
                @if let Some(more) = left_out(items.len()) { li { (more) } }
            }
        },
        Value::String(text) => html! { (shorten(text, CHARACTERS)) },
        Value::Number(n) => html! { (n.as_u64().map_or_else(|| n.to_string(), thousands)) },
        Value::Null => html! { "–" },
        other => html! { (shorten(&other.to_string(), CHARACTERS)) },
    }
}

fn left_out(entries: usize) -> Option<String> {
    let more = entries.checked_sub(ENTRIES).filter(|more| *more > 0)?;
    Some(format!("and {more} more"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{card, snapshot};
    use super::*;

    #[test]
    fn known_fields_are_drawn_without_ids_or_rejected_values() {
        let html = section(&card());
        let page = html.clone().into_string();
        assert!(!page.contains("secret-user") && !page.contains("secret-value"));
        snapshot("quality", html);
    }

    #[test]
    fn unknown_fields_are_names_and_values_of_bounded_size() {
        let long = "y".repeat(5_000);
        let many: Vec<usize> = (0..200).collect();
        let unknown = json!({ "<i>": [1, { "deep": { "deeper": "x" } }], "long": long, "many": many, "none": null });
        snapshot("quality_unknown", plain(&unknown, 0));
    }

    #[test]
    fn without_a_report_there_is_a_sentence() {
        let mut card = card();
        card.data_quality = Value::Null;
        let page = section(&card).into_string();
        assert!(page.contains("No report on the log was kept."), "{page}");
    }
}
