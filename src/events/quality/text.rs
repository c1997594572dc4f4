//! The data-quality report as text.

use std::fmt;

use super::printable::printable;
use super::report::{LeftOut, QualityReport, RejectedRows, RowLocation};
use crate::events::config::Format;
use crate::history::Stretch;
use crate::math::thousands;

/// Kinds, files and places shown; the rest is counted.
const KINDS_SHOWN: usize = 10;
const FILES_SHOWN: usize = 5;
const PLACES_PRINTED: usize = 2;
/// Characters of a user's or a kind's name.
const NAME_SHOWN: usize = 60;

/// Readable text of about one screen.
impl fmt::Display for QualityReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        render_files(self, f)?;
        render_rows(self, f)?;
        render_contents(self, f)?;
        render_coverage(self, f)?;
        render_kinds(self, f)?;
        render_top_users(self, f)?;
        render_rejected(&self.set_aside, f)?;
        render_rejected(&self.rejected, f)?;
        match &self.attributes {
            Some(attributes) => {
                write!(f, "{attributes}")?;
                render_rejected(&attributes.rejected, f)
            }
            None => Ok(()),
        }
    }
}

impl QualityReport {
    /// The report as readable text of about one screen.
    pub fn render(&self) -> String {
        self.to_string()
    }
}

fn share(part: u64, whole: u64) -> String {
    format!("{:5.1} %", 100.0 * part as f64 / whole.max(1) as f64)
}

fn render_files(report: &QualityReport, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for file in report.files.iter().take(FILES_SHOWN) {
        let escape = if file.escape.is_some() {
            ", whose quotes are escaped by backslashes"
        } else {
            ""
        };
        writeln!(
            f,
            "{:<18}{:>15} rows   {} ({}{escape})",
            "file",
            thousands(file.rows),
            file.file,
            file.format
        )?;
    }
    if let more @ 1.. = report.files.len().saturating_sub(FILES_SHOWN) {
        writeln!(f, "{:<18}{:>15} more files", "", thousands(more as u64))?;
    }
    for LeftOut { file, detail, .. } in report.left_out.iter().take(FILES_SHOWN) {
        writeln!(f, "{:<18}{:>15}        {file} {detail}", "file", "left out")?;
    }
    match report.left_out.len().saturating_sub(FILES_SHOWN) {
        0 => Ok(()),
        more => writeln!(
            f,
            "{:<18}{:>15} more files left out",
            "",
            thousands(more as u64)
        ),
    }
}

fn render_rows(report: &QualityReport, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let line = |f: &mut fmt::Formatter<'_>, name: &str, rows: u64, note: &str| {
        let text = format!(
            "{name:<18}{:>15} {:>7}   {note}",
            thousands(rows),
            share(rows, report.rows)
        );
        writeln!(f, "{}", text.trim_end())
    };
    line(f, "rows read", report.rows, "")?;
    // A row of a roll-up stands for several events, of which there is no share.
    match report
        .files
        .iter()
        .any(|file| file.format == Format::Rollup)
    {
        true => writeln!(f, "{:<18}{:>15}", "events kept", thousands(report.events))?,
        false => line(f, "events kept", report.events, "")?,
    }
    for rejected in &report.rejected {
        line(f, "rows rejected", rejected.rows, rejected.reason.name())?;
    }
    for strays in &report.set_aside {
        line(f, "rows set aside", strays.rows, strays.reason.name())?;
    }
    if report.rows_after_as_of > 0 {
        line(f, "after as-of day", report.rows_after_as_of, "not seen")?;
    }
    if report.rows_filtered_by_user > 0 {
        line(f, "other users", report.rows_filtered_by_user, "not read")?;
    }
    if report.empty_amounts > 0 {
        line(f, "empty amounts", report.empty_amounts, "count as 0")?;
    }
    if report.duplicates > 0 {
        let note = if report.duplicates_estimated {
            "estimated from a sample; kept"
        } else {
            "equal rows; kept"
        };
        line(f, "duplicates", report.duplicates, note)?;
    }
    Ok(())
}

fn render_contents(report: &QualityReport, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let (Some(first), Some(last)) = (report.first_day, report.last_day) {
        let days = last.since(first).unsigned_abs() + 1;
        writeln!(
            f,
            "{:<18}{:>15} days   {first} to {last}",
            "span",
            thousands(u64::from(days))
        )?;
    }
    writeln!(f, "{:<18}{:>15}", "users", thousands(report.users as u64))?;
    writeln!(
        f,
        "{:<18}{:>15}         one for each user, day and kind",
        "records",
        thousands(report.records as u64)
    )
}

/// What the log covers, where that is less than its span.
fn render_coverage(report: &QualityReport, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(coverage) = &report.coverage else {
        return Ok(());
    };
    let mut line = |name: &str, days: Stretch, note: &str| {
        let (count, last) = (
            thousands(u64::from(days.days().unsigned_abs())),
            days.until.plus(-1),
        );
        writeln!(
            f,
            "{name:<18}{count:>15} days   {} to {last}{note}",
            days.from
        )
    };
    if Some(coverage.span)
        != report
            .first_day
            .zip(report.last_day)
            .map(|(from, last)| Stretch {
                from,
                until: last.plus(1),
            })
    {
        line("covered", coverage.span, "")?;
    }
    if coverage.labels_until < coverage.span.until {
        let days = Stretch {
            from: coverage.labels_until,
            until: coverage.span.until,
        };
        line(
            "labels stop",
            days,
            ", without the kinds that labels are made of",
        )?;
    }
    if let Some(part) = &coverage.conversion
        && part.labels_until < coverage.labels_until
    {
        let days = Stretch {
            from: part.labels_until,
            until: coverage.labels_until,
        };
        line(
            "conversion stops",
            days,
            ", without the kinds that are conversion",
        )?;
    }
    for hole in &coverage.holes {
        line(
            "not observed",
            hole.days,
            &format!(", a hole: some {:.0} users expected", hole.expected_users),
        )?;
    }
    Ok(())
}

/// A user or a kind as a table shows it.
fn name(text: &str) -> String {
    printable(text, NAME_SHOWN)
}

fn render_kinds(report: &QualityReport, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let shown = || report.kinds.iter().take(KINDS_SHOWN);
    let width = shown()
        .map(|kind| name(&kind.kind).chars().count())
        .max()
        .unwrap_or_default()
        .max(4);
    writeln!(
        f,
        "\n  {:<width$}{:>15}{:>13}{:>18}",
        "kind", "events", "users", "negative amounts"
    )?;
    for kind in shown() {
        let (events, users, negative) = (
            thousands(kind.events),
            thousands(kind.users),
            thousands(kind.negative_amounts),
        );
        writeln!(
            f,
            "  {:<width$}{events:>15}{users:>13}{negative:>18}",
            name(&kind.kind)
        )?;
    }
    match report.kinds.len().saturating_sub(KINDS_SHOWN) {
        0 => Ok(()),
        more => writeln!(f, "  and {} more kinds", thousands(more as u64)),
    }
}

fn render_top_users(report: &QualityReport, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let width = report
        .top_users
        .iter()
        .map(|user| name(&user.user).chars().count())
        .max()
        .unwrap_or_default()
        .max(11);
    writeln!(
        f,
        "\n  {:<width$}{:>15}{:>9}",
        "most events", "events", "share"
    )?;
    for user in &report.top_users {
        let (events, percent) = (thousands(user.events), user.share * 100.0);
        writeln!(
            f,
            "  {:<width$}{events:>15}{percent:>7.1} %",
            name(&user.user)
        )?;
    }
    Ok(())
}

/// The rejected rows with their first places.
pub(crate) fn render_rejected(rejected: &[RejectedRows], f: &mut dyn fmt::Write) -> fmt::Result {
    for rejected in rejected {
        let unit = if rejected.rows == 1 { "row" } else { "rows" };
        writeln!(
            f,
            "\n  {} ({} {unit})",
            rejected.reason,
            thousands(rejected.rows)
        )?;
        for place in rejected.first.iter().take(PLACES_PRINTED) {
            writeln!(f, "    {}", sentence(place))?;
        }
    }
    Ok(())
}

fn sentence(place: &RowLocation) -> String {
    format!("{}: {}", place.position(), place.problem())
}
