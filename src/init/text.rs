//! A proposal as the text of a configuration, with comments that say why.

use std::fmt::Write;

use super::Proposal;
use super::roles::Finding;
use super::value::ValueFound;
use crate::events::config::Mapping;
use crate::math::{counted, thousands};

/// Columns of a line of comment.
const WIDTH: usize = 118;

/// The text of the configuration.
pub(crate) fn toml(proposal: &Proposal) -> String {
    let mut text = String::new();
    let rows = counted(proposal.rows, "row");
    let users = counted(proposal.users as u64, "user");
    comment(
        &mut text,
        &format!(
            "How to read the log, and what counts as leaving: proposed by `ebb-train init` from what the log holds, {rows} \
             of {users} from {} to {}. Lines with `Doubt` are worth a look.",
            proposal.first_day, proposal.last_day
        ),
    );
    for doubt in &proposal.doubts {
        comment(&mut text, &format!("Doubt: {doubt}"));
    }
    text.push_str("\n[events]\n");
    events(&mut text, proposal);
    text.push_str("\n[churn]\n");
    churn(&mut text, proposal);
    if let Some(found) = &proposal.value {
        value(&mut text, found);
    }
    text
}

/// The table of value, commented out: it makes fits longer, and not everybody asks for it.
fn value(text: &mut String, found: &ValueFound) {
    text.push('\n');
    comment(
        text,
        "What users are worth: expected spend, residual value and tiers. Take the signs in front of the next lines away for it, \
         and set the share of an amount that is earned.",
    );
    let mut table = String::new();
    setting(&mut table, "kinds", &list(&found.kinds));
    setting(&mut table, "horizon_days", &found.horizon_days.to_string());
    setting(&mut table, "margin", "1.0");
    for line in std::iter::once("[value]").chain(table.lines()) {
        let _ = writeln!(text, "# {line}");
    }
}

fn events(text: &mut String, proposal: &Proposal) {
    let layout = &proposal.layout;
    setting(text, "paths", &one_or_list(&proposal.paths));
    if let Some(format) = &layout.format {
        setting(text, "format", &quoted(format));
    }
    if let Some(delimiter) = &layout.delimiter {
        setting(text, "delimiter", &quoted(delimiter));
    }
    if let Some(columns) = &layout.columns {
        comment(text, "The files have no header line.");
        setting(text, "columns", &list(columns));
    }
    mapped(text, "user", proposal.user.as_ref());
    mapped(text, "time", proposal.time.as_ref());
    let time = &proposal.times;
    if let Some(format) = &time.format {
        if let (Some(other), Some(reason)) = (&time.other_format, &time.order_reason) {
            let doubt = if time.is_order_doubtful {
                "Doubt: "
            } else {
                ""
            };
            comment(
                text,
                &format!("{doubt}{reason}; the other way: {}", quoted(other)),
            );
        }
        setting(text, "time_format", &quoted(format));
    }
    if let Some(note) = &time.zone_note {
        comment(text, note);
    }
    if let Some(zone) = &time.timezone {
        setting(text, "timezone", &quoted(zone));
    }
    match &proposal.kind {
        Some(kind) => mapped(text, "kind", Some(kind)),
        None if proposal.user.is_some() => {
            let kind = proposal.activity.first().map_or("", String::as_str);
            comment(
                text,
                &format!("No column holds kinds of events: all are `{kind}`."),
            );
        }
        None => {}
    }
    match &proposal.amount {
        Some(amount) => mapped(text, "amount", Some(amount)),
        None if proposal.user.is_some() => {
            comment(
                text,
                "No column holds amounts of money: there are no features of amounts.",
            );
        }
        None => {}
    }
    if let Some(decimal) = &layout.decimal {
        setting(text, "decimal", &quoted(decimal));
    }
}

fn churn(text: &mut String, proposal: &Proposal) {
    let shown = |found: &super::KindFound| {
        format!(
            "{} ({} events, {} users)",
            found.kind,
            thousands(found.events),
            thousands(found.users)
        )
    };
    if proposal.kinds.len() > 1 {
        let kinds: Vec<String> = proposal.kinds.iter().take(20).map(shown).collect();
        let more = match proposal.kinds.len().saturating_sub(20) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        comment(
            text,
            &format!("The log's kinds: {}{more}.", kinds.join(", ")),
        );
    }
    setting(text, "activity", &one_or_list(&proposal.activity));
    let windows = &proposal.windows;
    match windows.usual_gap_days {
        Some(days) => comment(
            text,
            &format!(
                "85 % of {} between a user's active days are at most {} long; silence for longer is unusual.",
                counted(windows.gaps as u64, "gap"),
                counted(u64::from(days.unsigned_abs()), "day")
            ),
        ),
        None => comment(text, "No user was active on two days, so this is a guess."),
    }
    setting(text, "horizon_days", &windows.horizon_days.to_string());
    if let Some(days) = windows.long_gap_days {
        comment(
            text,
            &format!(
                "Users active within so many days before a date are scored; 95 % of the gaps are at most {} long.",
                counted(u64::from(days.unsigned_abs()), "day")
            ),
        );
    }
    setting(
        text,
        "active_within_days",
        &windows.active_within_days.to_string(),
    );
    if let Some(outlook) = &proposal.outlook {
        comment(
            text,
            &format!(
                "A fit would have {}.",
                outlook_text(outlook, windows.horizon_days)
            ),
        );
    }
}

/// What a fit would have, in words.
pub(crate) fn outlook_text(outlook: &super::Outlook, horizon_days: u16) -> String {
    let newest = outlook
        .dates
        .last()
        .map(ToString::to_string)
        .unwrap_or_default();
    format!(
        "{} at {newest}, of whom {:.1} % churn within {}, and {} of {} in all",
        counted(outlook.newest_users, "user"),
        100.0 * outlook.newest_churn_rate,
        counted(u64::from(horizon_days), "day"),
        counted(outlook.rows, "row"),
        counted(outlook.dates.len() as u64, "date")
    )
}

/// What was found, in some lines.
pub(crate) fn summary(proposal: &Proposal) -> String {
    let mut text = String::new();
    let mut line = |name: &str, words: &str| {
        let _ = writeln!(text, "  {name:<10} {words}");
    };
    let fields = [
        ("user", proposal.user.as_ref()),
        ("time", proposal.time.as_ref()),
        ("kind", proposal.kind.as_ref()),
        ("amount", proposal.amount.as_ref()),
    ];
    for (name, finding) in fields {
        let Some(finding) = finding else { continue };
        let other = finding
            .alternatives
            .first()
            .map_or_else(String::new, |other| {
                let lead = if finding.is_doubtful { "or" } else { "else" };
                format!("; {lead} {}", mapping(&other.mapping))
            });
        line(
            name,
            &format!("{} ({}{other})", mapping(&finding.mapping), finding.reason),
        );
    }
    line("activity", &proposal.activity.join(", "));
    let windows = &proposal.windows;
    line(
        "churn",
        &format!(
            "no activity in {}, of users active in the last {}",
            counted(u64::from(windows.horizon_days), "day"),
            counted(u64::from(windows.active_within_days), "day")
        ),
    );
    if let Some(outlook) = &proposal.outlook {
        line("a fit has", &outlook_text(outlook, windows.horizon_days));
    }
    for doubt in &proposal.doubts {
        line("doubt", doubt);
    }
    if proposal.times.is_order_doubtful {
        let other = proposal.times.other_format.as_deref().unwrap_or_default();
        line("doubt", &format!("dates could be {other} as well"));
    }
    format!(
        "{} of {}, {} to {}\n{text}",
        counted(proposal.rows, "row"),
        counted(proposal.users as u64, "user"),
        proposal.first_day,
        proposal.last_day
    )
}

/// A field with the reason for it and what else could be meant.
fn mapped(text: &mut String, key: &str, finding: Option<&Finding>) {
    let Some(finding) = finding else { return };
    let mut words = sentence(&finding.reason);
    if let Some(other) = finding.alternatives.first() {
        let (lead, reason) = match finding.is_doubtful {
            true => ("Doubt: it could as well be", &other.reason),
            false => ("Otherwise:", &other.reason),
        };
        let _ = write!(words, " {lead} {} ({reason}).", mapping(&other.mapping));
    }
    comment(text, &words);
    setting(text, key, &mapping(&finding.mapping));
}

/// Words as a sentence.
fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    match characters.next() {
        Some(first) if first.is_lowercase() => {
            format!("{}{}", first.to_uppercase(), ended(characters.as_str()))
        }
        Some(_) => ended(words),
        None => String::new(),
    }
}

/// Words with a full stop behind them.
fn ended(words: &str) -> String {
    match words.ends_with('.') {
        true => words.to_owned(),
        false => format!("{words}."),
    }
}

/// A column or an expression as TOML.
pub(crate) fn mapping(mapping: &Mapping) -> String {
    match mapping {
        Mapping::Column(name) => quoted(name),
        // The usual way, in which quotes need no escapes.
        Mapping::Expression(expression) if !expression.contains(['\'', '\n']) => {
            format!("{{ expr = '{expression}' }}")
        }
        Mapping::Expression(expression) => format!("{{ expr = {} }}", quoted(expression)),
    }
}

/// A text as TOML.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", quoted.join(", "))
}

fn one_or_list(texts: &[String]) -> String {
    match texts {
        [one] => quoted(one),
        many => list(many),
    }
}

fn setting(text: &mut String, key: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{key} = {value}");
}

/// Words as lines of comment.
fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    // Line ends in names of columns or in values would end the comment.
    for word in words.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH && line.len() > 1 {
            text.push_str(&line);
            text.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.extend(
            word.chars()
                .map(|c| if c.is_control() { '\u{fffd}' } else { c }),
        );
    }
    if line.len() > 1 {
        text.push_str(&line);
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::settings::ValueConfig;

    #[test]
    fn mappings_and_texts_are_toml_whatever_they_hold() {
        for name in [
            "plain",
            "with \"quotes\"",
            "it's",
            "tab\tand\nline",
            "\\",
            "ü",
            "",
        ] {
            for original in [
                Mapping::Column(name.to_owned()),
                Mapping::Expression(name.to_owned()),
            ] {
                let table: toml::Table = format!("user = {}", mapping(&original)).parse().unwrap();
                let read: Mapping = table["user"].clone().try_into().unwrap();
                assert_eq!(read, original, "{name}");
            }
        }
    }

    #[test]
    fn the_table_of_value_is_legal_without_its_signs() {
        let kinds = ["purchase", "it's \"back\"\n"].map(str::to_owned).to_vec();
        for horizon_days in [90, 365] {
            let mut text = String::new();
            let kinds = kinds.clone();
            value(
                &mut text,
                &ValueFound {
                    kinds: kinds.clone(),
                    horizon_days,
                },
            );
            assert!(
                text.trim().lines().all(|line| line.starts_with("# ")),
                "{text}"
            );
            let (_, table) = text.split_once("# [value]\n").unwrap();
            let read: ValueConfig = toml::from_str(&table.replace("# ", "")).unwrap();
            read.validate().unwrap();
            let expected = ValueConfig {
                horizon_days,
                ..ValueConfig::of_kinds(kinds)
            };
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn comments_are_lines_of_comment_whatever_they_hold() {
        let mut text = String::new();
        comment(
            &mut text,
            &format!("a name with\na line, {}", "word ".repeat(60)),
        );
        assert!(text.lines().count() > 2);
        assert!(
            text.lines()
                .all(|line| line.starts_with("# ") && line.len() <= WIDTH),
            "{text}"
        );
    }
}
