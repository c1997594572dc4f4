//! What a user is worth, as text.

use crate::explain::{ValueAnswer, ValueChange};
use crate::model::factor_words;
use crate::report::lines::{Line, Tone, left, right, wrapped};
use crate::report::worth::rows;

/// Columns of a figure's name, and of a factor.
const NAME_COLUMNS: usize = 22;
const FACTOR_COLUMNS: usize = 8;

/// The figures of a value, and what multiplies the spend.
pub(super) fn figures(value: &ValueAnswer, width: usize) -> Vec<Line> {
    let mut lines = vec![Line::new(Tone::Heading, "What the user is worth")];
    let room = width.saturating_sub(NAME_COLUMNS + 2).max(1);
    for (name, figure) in rows(value) {
        let parts = wrapped(Tone::Plain, &figure, room).into_iter().enumerate();
        lines.extend(parts.map(|(k, part)| {
            let name = if k == 0 { name } else { "" };
            let text = format!("  {}{}", left(name, NAME_COLUMNS), part.text());
            Line::new(Tone::Plain, text)
        }));
    }
    let reasons = value.reasons.iter().map(|reason| &reason.reason);
    let reasons = reasons.map(|r| (r.contribution, r.group, r.description.as_str()));
    let heading = "What the regression multiplies the spend of the average user by, by group";
    lines.extend(factors(heading, reasons, width));
    lines
}

/// What supposed events multiply the spend by.
pub(super) fn changes(change: &ValueChange, width: usize) -> Vec<Line> {
    let reasons = change.reasons.iter();
    let reasons = reasons.map(|c| (c.change, c.after.group, c.description.as_str()));
    let heading = "What the events multiply the regression's spend by, by group";
    factors(heading, reasons, width)
}

/// A line for each group under a heading; nothing without a group.
fn factors<'a>(
    heading: &str,
    groups: impl Iterator<Item = (f64, &'static str, &'a str)>,
    width: usize,
) -> Vec<Line> {
    let rows: Vec<Line> = groups
        .flat_map(|(contribution, group, description)| {
            let factor = right(&factor_words(contribution), FACTOR_COLUMNS);
            let text = format!("{}: {description}", group.replace('_', " "));
            let room = width.saturating_sub(FACTOR_COLUMNS + 2).max(1);
            let lines = wrapped(Tone::Plain, &text, room).into_iter().enumerate();
            lines
                .map(move |(k, line)| {
                    let factor = if k == 0 { factor.as_str() } else { "" };
                    let start = left(factor, FACTOR_COLUMNS);
                    Line::new(Tone::Plain, format!("{start}  {}", line.text()))
                })
                .collect::<Vec<Line>>()
        })
        .collect();
    if rows.is_empty() {
        return rows;
    }
    let mut lines = wrapped(Tone::Heading, heading, width);
    lines.extend(rows);
    lines
}
