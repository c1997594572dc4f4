//! Indicators as text.

use std::fmt::Write as _;

use super::compute::Report;
use super::rows::Row;

/// The indicators as a table: a block of lines for each period, a line for each indicator and slice.
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    let name = |row: &Row| match row.slice.as_str() {
        "all" => row.kpi.clone(),
        slice => format!("{} {slice}", row.kpi),
    };
    for period in report.rows.chunk_by(|a, b| a.period == b.period) {
        let Some(first) = period.first() else {
            continue;
        };
        let last = first.days.until.plus(-1);
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{} ({} to {last})", first.period, first.days.from);
        let width = period
            .iter()
            .map(|row| name(row).chars().count())
            .max()
            .unwrap_or_default();
        for row in period {
            let _ = writeln!(text, "  {:<width$}  {}", name(row), figures(row));
        }
        text.push('\n');
    }
    if report.withheld > 0 {
        let _ = writeln!(
            text,
            "{} figures are withheld: they count too few users (privacy.min_users), or would give away others that do",
            report.withheld
        );
    }
    if report.bad_answers > 0 {
        let _ = writeln!(
            text,
            "{} answers of a user and day lie outside of 0 to 10 and are not used",
            report.bad_answers
        );
    }
    for note in &report.notes {
        let _ = writeln!(text, "{note}");
    }
    text
}

fn figures(row: &Row) -> String {
    let mut text = match (row.value, row.problem) {
        (Some(value), _) => number(value),
        (None, Some(problem)) => problem.name().replace('_', " "),
        (None, None) => "-".to_owned(),
    };
    if let (Some(low), Some(high)) = (row.low, row.high) {
        let _ = write!(text, " [{}, {}]", number(low), number(high));
    }
    if let (Some(numerator), Some(denominator)) = (row.numerator, row.denominator) {
        let _ = write!(text, "  {} / {}", plain(numerator), plain(denominator));
    }
    if !row.complete {
        text.push_str("  incomplete");
    }
    text
}

/// Four decimals of what is small, two of what is large.
fn number(value: f64) -> String {
    if value.abs() < 10.0 {
        format!("{value:.4}")
    } else {
        format!("{value:.2}")
    }
}

/// Whole numbers without decimals.
fn plain(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}
