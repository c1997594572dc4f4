pub(crate) mod expressions;
pub(crate) mod plain;
pub(crate) mod refusals;
pub(crate) mod retail;
pub(crate) mod types;

use std::fs;

use tempfile::TempDir;

use crate::events::config::Field;
use crate::events::mapping::cel::Expression;
use crate::rollup_sql::columns::{Columns, Type};
use crate::rollup_sql::expression::Translator;
use crate::rollup_sql::*;

/// The query for the CSV file `/log/log.csv` with this header line, or the error.
fn attempt(
    dialect: Dialect,
    settings: &str,
    header: &str,
    until: Option<&str>,
) -> std::result::Result<String, String> {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("log.csv"), format!("{header}\n")).unwrap();
    let config: EventsConfig =
        toml::from_str(&format!("paths = [\"log.csv\"]\n{settings}")).unwrap();
    let request = SqlRequest {
        config: &config,
        base_dir: dir.path(),
        dialect,
        table: None,
        time_type: None,
        until: until.map(|day| day.parse().unwrap()),
        default_kind: None,
    };
    let place = dir.path().display().to_string();
    rollup_sql(&request)
        .map(|sql| sql.replace(&place, "/log"))
        .map_err(|error| error.to_string().replace(&place, "/log"))
}

/// The query below its first lines.
fn sql(dialect: Dialect, settings: &str, header: &str, until: Option<&str>) -> String {
    let query = attempt(dialect, settings, header, until).unwrap();
    query
        .lines()
        .filter(|line| !line.starts_with("--"))
        .collect::<Vec<_>>()
        .join("\n")
}
