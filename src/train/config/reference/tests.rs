//! The rows against the types that read the file.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use super::*;
use crate::configuration::reference::DefaultValue;
use crate::events::quality::rejected_share::{REJECTED, WITHOUT_USER};
use crate::train::config::Config;

/// The required keys and nothing else.
const SMALL: &str = "[events]\n[churn]\nactivity = [\"purchase\"]\nhorizon_days = [30]\nactive_within_days = 90\n\
                     [value]\nkinds = [\"purchase\"]\n[conversion]\nevent = \"purchase\"\n[releases]\nday = 2026-03-01\n\
                     [attributes]\npaths = \"a.csv\"\nuser = \"id\"\nstatic = \"country\"\n";

/// The small file without a key of a section.
fn without_setting(section: &str, key: &str) -> String {
    let mut current = "";
    let mut kept = String::new();
    for line in SMALL.lines() {
        if line.starts_with('[') {
            current = line.trim_matches(['[', ']']);
        }
        if current != section || !line.starts_with(&format!("{key} = ")) {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// The small file with a key set, in place of the line that it has for that key.
fn with_setting(section: &str, key: &str, value: &str) -> String {
    let kept = without_setting(section, key);
    let header = format!("[{section}]\n");
    let with_key = format!("{header}{key} = {value}\n");
    if kept.contains(&header) {
        kept.replace(&header, &with_key)
    } else {
        kept + &with_key
    }
}

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("ebb.toml")).map_err(|error| error.to_string())
}

#[test]
fn the_rows_are_the_keys_that_the_parser_knows() {
    let no_section = parse(&format!("{SMALL}[no_such_key]\n")).unwrap_err();
    let documented: BTreeSet<&str> = SECTIONS.iter().map(|section| section.name).collect();
    assert_eq!(expected_names(&no_section), documented);
    for section in &SECTIONS {
        let refused = parse(&with_setting(section.name, "no_such_key", "1")).unwrap_err();
        let documented: BTreeSet<&str> = section.settings.iter().map(|s| s.key).collect();
        assert_eq!(expected_names(&refused), documented, "[{}]", section.name);
        assert_eq!(
            documented.len(),
            section.settings.len(),
            "a key has two rows"
        );
    }
}

/// The names that serde lists after "unknown field `x`, expected".
fn expected_names(message: &str) -> BTreeSet<&str> {
    let (_, names) = message.split_once("`, expected").unwrap();
    let (names, _) = names.split_once('\n').unwrap();
    names.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_defaults_are_those_of_a_file_without_the_key() {
    let Config {
        events,
        train,
        check,
        kpi,
        costs,
        attributes,
        ..
    } = parse(SMALL).unwrap();
    // What the reader of logs applies where an optional key is left out.
    let applied = |key: &str| match key {
        "max_rejected_share" => Some(toml::Value::from(REJECTED)),
        "max_rows_without_user_share" => Some(WITHOUT_USER.into()),
        "max_record_bytes" => Some(integer(events.record_limits().bytes)),
        "max_record_lines" => Some(integer(events.record_limits().lines)),
        _ => None,
    };
    for Section { name, settings, .. } in &SECTIONS {
        let found = match *name {
            "events" => table(&events),
            "attributes" => table(attributes.as_ref().unwrap()),
            "churn" => table(&train.churn),
            "model" => table(&train.model),
            "segments" => table(&train.segments),
            "risk_bands" => table(&train.bands),
            "value" => table(&train.value),
            "conversion" => table(&train.conversion),
            "privacy" => table(&train.privacy),
            "releases" => table(&train.releases[0]),
            "kpi" => table(&kpi),
            "costs" => table(&costs),
            "check" => table(&check),
            _ => table(&train.lifecycle),
        };
        for setting in settings.iter() {
            let place = format!("{name}.{}", setting.key);
            let found = found
                .get(setting.key)
                .cloned()
                .or_else(|| applied(setting.key).filter(|_| *name == "events"));
            match setting.default {
                DefaultValue::Number(number) => {
                    let number = i64::try_from(number).unwrap();
                    assert_eq!(found, Some(number.into()), "{place}");
                }
                DefaultValue::Value(value) => {
                    let value = toml_value(value);
                    assert_eq!(found, Some(value), "{place}");
                }
                // The serialised form leaves out what is not set; no path is an empty list.
                // A table of attributes names a column, or there is none to be read.
                DefaultValue::Otherwise(_) if place == "attributes.static" => {}
                DefaultValue::Otherwise(_) => {
                    let unset = found.is_none_or(|v| v.as_array().is_some_and(Vec::is_empty));
                    assert!(unset, "{place} has a default");
                }
                DefaultValue::Required => {
                    let refused = parse(&without_setting(name, setting.key)).unwrap_err();
                    let expected = format!("missing field `{}`", setting.key);
                    assert!(refused.contains(&expected), "{place}: {refused}");
                }
            }
        }
    }
}

fn integer(number: usize) -> toml::Value {
    i64::try_from(number).unwrap().into()
}

fn table(settings: &impl Serialize) -> toml::Table {
    toml::Table::try_from(settings).unwrap()
}

fn toml_value(text: &str) -> toml::Value {
    let mut table: toml::Table = format!("value = {text}").parse().unwrap();
    table.remove("value").unwrap()
}

#[test]
fn the_ranges_are_those_that_the_parser_accepts() {
    let mut compared = 0;
    for section in &SECTIONS {
        for setting in section.settings.iter() {
            let place = format!("{}.{}", section.name, setting.key);
            let (legal, illegal) = setting.range.examples();
            for value in &legal {
                let accepted = parse(&with_setting(section.name, setting.key, value));
                assert!(accepted.is_ok(), "{place} = {value}: {accepted:?}");
            }
            for value in &illegal {
                let refused = parse(&with_setting(section.name, setting.key, value));
                let message = refused.expect_err(&format!("{place} = {value} is accepted"));
                assert!(message.contains("line "), "{place} = {value}: {message}");
                compared += 1;
            }
        }
    }
    assert!(compared > 40, "only {compared} illegal values were tried");
}

/// A type in words with a value of another type, which must be refused.
#[test]
fn the_types_are_those_that_the_parser_accepts() {
    for section in &SECTIONS {
        for setting in section.settings.iter() {
            let wrong = match setting.value {
                "string" | "string or `{ expr }`" => "[1]",
                "integer" | "number" | "boolean" | "number or numbers by horizon" => "\"one\"",
                "list of tables" | "table" | "date" => "[1]",
                "string or list of strings" | "integer or list of integers" => "{ a = 1 }",
                other => panic!("no example of what `{other}` is not"),
            };
            let refused = parse(&with_setting(section.name, setting.key, wrong));
            assert!(
                refused.is_err(),
                "{}.{} = {wrong} is accepted",
                section.name,
                setting.key
            );
        }
    }
}
