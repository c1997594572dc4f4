mod errors;
mod expressions;
mod first_lines;
mod formats;
mod found;
mod nested;
mod old_timestamps;
mod quotes;
mod rejections;
mod values;

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use crate::events::*;
use crate::history::Histories;
use crate::phases::Phases;

/// The plain mapping of the events below.
const PLAIN: &str = r#"
    user = "user"
    time = "at"
    kind = "what"
    amount = "price"
"#;

fn config(text: &str) -> EventsConfig {
    toml::from_str(text).unwrap()
}

/// Reads the files in a folder as `settings` say, the paths being `*` unless they name others.
fn read_dir(
    dir: &Path,
    settings: &str,
    until: Option<&str>,
) -> Result<(Histories, QualityReport), EventsError> {
    let mut config = config(settings);
    if config.paths.is_empty() {
        config.paths.push("*".to_owned());
    }
    let until = until.map(|day| day.parse().unwrap());
    let request = LogRequest {
        config: &config,
        base_dir: dir,
        paths: &[],
        until,
        default_kind: None,
        users: Users::All,
        memory: &MemoryBudget::default(),
        labels: LabelKinds::default(),
        today: None,
    };
    let read = read_log(&request, Phases::UNOBSERVED)?;
    Ok((read.histories, read.quality))
}

/// Reads one file of these bytes.
fn read_bytes(
    name: &str,
    bytes: &[u8],
    settings: &str,
) -> Result<(Histories, QualityReport), EventsError> {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join(name), bytes).unwrap();
    read_dir(dir.path(), settings, None)
}

fn read_csv(text: &str, settings: &str) -> Result<(Histories, QualityReport), EventsError> {
    read_bytes("log.csv", text.as_bytes(), settings)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The reasons and places of a report's rejected rows.
fn rejections(report: &QualityReport) -> Vec<(&'static str, u64, Vec<u64>)> {
    let lines = |rejected: &RejectedRows| rejected.first.iter().map(|place| place.line).collect();
    report
        .rejected
        .iter()
        .map(|rejected| (rejected.reason.name(), rejected.rows, lines(rejected)))
        .collect()
}

/// Every row is kept, rejected or dated after the as-of day.
fn assert_all_accounted_for(report: &QualityReport) {
    assert_eq!(
        report.rows,
        report.events + report.rejected_rows() + report.rows_after_as_of
    );
    assert_eq!(
        report.rows,
        report.files.iter().map(|file| file.rows).sum::<u64>()
    );
    assert_eq!(
        report.events,
        report.kinds.iter().map(|kind| kind.events).sum::<u64>()
    );
}
