//! Pages and examples of configurations that must agree with the code. `just docs` writes the pages anew.

#[path = "../../examples/docs/pages.rs"]
#[expect(dead_code, reason = "the server's tests compare its own pages")]
mod pages;

use std::path::{Path, PathBuf};
use std::process::Command;

use ebb::configuration::reference::{DefaultValue, Section};
use ebb::serve::reference::sections;
use ebb::train::config::Config;
use ebb::train::config::reference::SECTIONS;

fn docs(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("docs").join(name)
}

fn read(name: &str) -> String {
    let path = docs(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares without printing both pages.
fn check(name: &str, made: &str) {
    let committed = read(name);
    let differs = made
        .lines()
        .zip(committed.lines())
        .find(|(made, committed)| made != committed);
    assert!(
        made == committed,
        "docs/{name} is not what the code says; `just docs` writes it anew. {differs:?}"
    );
}

#[test]
fn the_page_of_settings_is_the_reference() {
    let made = pages::configuration();
    assert!(made.contains("| `horizon_days` | integer or list of integers | days | required |"));
    check("configuration.md", &made);
}

#[test]
fn the_page_of_commands_is_what_help_prints() {
    let program = |name: &str| match name {
        "ebb-train" => Command::new(env!("CARGO_BIN_EXE_ebb-train")),
        _ => Command::new(env!("CARGO_BIN_EXE_ebb-serve")),
    };
    let made = pages::command_line(program).unwrap();
    assert!(made.contains("### `ebb-train fit`") && made.contains("--allow-below-baseline"));
    check("cli.md", &made);
}

/// An example of a configuration with every key that is commented out put in force.
fn uncommented(text: &str, sections: &[Section]) -> String {
    let mut section = "";
    let mut lines = String::new();
    for line in text.lines() {
        let header = line.strip_prefix("# ").filter(|rest| {
            ["[traces]", "[[releases]]"]
                .iter()
                .any(|h| rest.starts_with(h))
        });
        let line = header.unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name.trim_matches(['[', ']']);
        }
        let known = |setting: &str| {
            let key = setting.split_once(" = ").map(|(key, _)| key);
            let known = sections.iter().find(|s| s.name == section);
            known.is_some_and(|s| s.settings.iter().any(|s| Some(s.key) == key))
        };
        let setting = line.strip_prefix("# ").filter(|setting| known(setting));
        lines += setting.unwrap_or(line);
        lines.push('\n');
    }
    lines
}

#[test]
fn the_example_of_the_trainers_configuration_has_every_key_with_its_default() {
    let text = read("ebb.toml");
    Config::parse(&text, &docs("ebb.toml")).unwrap();
    let in_force: toml::Table = text.parse().unwrap();
    let text = uncommented(&text, &SECTIONS);
    Config::parse(&text, &docs("ebb.toml")).unwrap();
    let all: toml::Table = text.parse().unwrap();
    assert_eq!(all.len(), SECTIONS.len());
    for section in &SECTIONS {
        // A section of tables has one of them.
        let found = &all[section.name];
        let first = found.as_array().and_then(|tables| tables.first());
        let found = first.unwrap_or(found).as_table().unwrap();
        assert_eq!(found.len(), section.settings.len(), "[{}]", section.name);
        for setting in section.settings.iter() {
            let place = format!("{}.{}", section.name, setting.key);
            assert!(found.contains_key(setting.key), "{place} is missing");
            if let DefaultValue::Value(default) = setting.default {
                let default: toml::Table = format!("value = {default}").parse().unwrap();
                let found = in_force[section.name].get(setting.key);
                assert_eq!(found, default.get("value"), "{place}");
            }
        }
    }
}

#[test]
fn the_example_of_the_servers_configuration_has_every_key() {
    let text = uncommented(&read("ebb-serve.toml"), &sections());
    let all: toml::Table = text.parse().unwrap();
    for section in sections() {
        let found = match section.name {
            "" => &all,
            name => all[name].as_table().unwrap(),
        };
        for setting in section.settings.iter() {
            let place = format!("{}.{}", section.name, setting.key);
            assert!(found.contains_key(setting.key), "{place} is missing");
            // Addresses and folders are examples, limits are the defaults.
            if let DefaultValue::Number(default) = setting.default {
                assert_eq!(
                    found[setting.key].as_integer(),
                    i64::try_from(default).ok(),
                    "{place}"
                );
            }
        }
    }
}

#[test]
fn the_sample_logs_configuration_is_in_order() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/shop/ebb.toml");
    let config = Config::load(&path).unwrap();
    assert_eq!(config.default_kind(), Some("purchase"));
}
