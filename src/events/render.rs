use std::fmt;

use super::config::Format;
use super::quality::{Place, QualityReport, RefusedRows, shorten};

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
        render_kinds(self, f)?;
        render_top_users(self, f)?;
        render_refused(&self.refused, f)
    }
}

impl QualityReport {
    /// The report as readable text of about one screen.
    pub fn render(&self) -> String {
        self.to_string()
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn share(part: u64, whole: u64) -> String {
    format!("{:5.1} %", 100.0 * part as f64 / whole.max(1) as f64)
}

fn render_files(report: &QualityReport, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for file in report.files.iter().take(FILES_SHOWN) {
        writeln!(f, "{:<18}{:>15} rows   {} ({})", "file", grouped(file.rows), file.file, file.format)?;
    }
    match report.files.len().saturating_sub(FILES_SHOWN) {
        0 => Ok(()),
        more => writeln!(f, "{:<18}{:>15} more files", "", grouped(more as u64)),
    }
}

fn render_rows(report: &QualityReport, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let line = |f: &mut fmt::Formatter<'_>, name: &str, rows: u64, note: &str| {
        let text = format!("{name:<18}{:>15} {:>7}   {note}", grouped(rows), share(rows, report.rows));
        writeln!(f, "{}", text.trim_end())
    };
    line(f, "rows read", report.rows, "")?;
    // A row of a roll-up stands for several events, of which there is no share.
    match report.files.iter().any(|file| file.format == Format::Rollup) {
        true => writeln!(f, "{:<18}{:>15}", "events kept", grouped(report.events))?,
        false => line(f, "events kept", report.events, "")?,
    }
    for refused in &report.refused {
        line(f, "rows refused", refused.rows, refused.reason.name())?;
    }
    if report.rows_after_as_of > 0 {
        line(f, "after as-of day", report.rows_after_as_of, "not seen")?;
    }
    if report.rows_of_other_users > 0 {
        line(f, "other users", report.rows_of_other_users, "not asked for")?;
    }
    if report.empty_amounts > 0 {
        line(f, "empty amounts", report.empty_amounts, "count as 0")?;
    }
    if report.duplicates > 0 {
        let note = if report.duplicates_estimated { "estimated from a sample; kept" } else { "equal rows; kept" };
        line(f, "duplicates", report.duplicates, note)?;
    }
    Ok(())
}

fn render_contents(report: &QualityReport, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let (Some(first), Some(last)) = (report.first_day, report.last_day) {
        let days = last.since(first).unsigned_abs() + 1;
        writeln!(f, "{:<18}{:>15} days   {first} to {last}", "span", grouped(u64::from(days)))?;
    }
    writeln!(f, "{:<18}{:>15}", "users", grouped(report.users as u64))?;
    writeln!(f, "{:<18}{:>15}         one for each user, day and kind", "records", grouped(report.records as u64))
}

fn render_kinds(report: &QualityReport, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let shown: Vec<_> =
        report.kinds.iter().take(KINDS_SHOWN).map(|kind| (shorten(&kind.kind, NAME_SHOWN), kind)).collect();
    let width = shown.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default().max(4);
    writeln!(f, "\n  {:<width$}{:>15}{:>13}{:>18}", "kind", "events", "users", "negative amounts")?;
    for (name, kind) in shown {
        let (events, users, negative) = (grouped(kind.events), grouped(kind.users), grouped(kind.negative_amounts));
        writeln!(f, "  {:<width$}{events:>15}{users:>13}{negative:>18}", name)?;
    }
    match report.kinds.len().saturating_sub(KINDS_SHOWN) {
        0 => Ok(()),
        more => writeln!(f, "  and {} more kinds", grouped(more as u64)),
    }
}

fn render_top_users(report: &QualityReport, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let shown: Vec<_> = report.top_users.iter().map(|user| (shorten(&user.user, NAME_SHOWN), user)).collect();
    let width = shown.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default().max(11);
    writeln!(f, "\n  {:<width$}{:>15}{:>9}", "most events", "events", "share")?;
    for (name, user) in shown {
        let (events, percent) = (grouped(user.events), user.share * 100.0);
        writeln!(f, "  {:<width$}{events:>15}{percent:>7.1} %", name)?;
    }
    Ok(())
}

/// The refused rows with their first places.
pub(super) fn render_refused(refused: &[RefusedRows], f: &mut dyn fmt::Write) -> fmt::Result {
    for refused in refused {
        let unit = if refused.rows == 1 { "row" } else { "rows" };
        writeln!(f, "\n  {} ({} {unit})", refused.reason, grouped(refused.rows))?;
        for place in refused.first.iter().take(PLACES_PRINTED) {
            writeln!(f, "    {}", sentence(place))?;
        }
    }
    Ok(())
}

fn sentence(place: &Place) -> String {
    format!("{}: {}", place.position(), place.problem())
}
