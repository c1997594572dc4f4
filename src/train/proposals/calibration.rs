//! The record of accepted proposals: `calibration.log` beside the configuration, one JSON object a line.

use serde::{Deserialize, Serialize};

use super::{Change, Trigger};
use crate::history::Day;

/// The record's file name.
pub const CALIBRATION_LOG: &str = "calibration.log";

/// An accepted proposal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// When it was accepted, RFC 3339 in UTC.
    pub at: String,
    /// By whom.
    pub by: String,
    /// The proposal's hash.
    pub proposal: String,
    /// What it rested on.
    pub trigger: Trigger,
    /// The day as of which it was made.
    pub as_of: Day,
    /// What was changed.
    pub changes: Vec<Change>,
    /// The day from which the change should be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Day>,
}

/// A line that is no accepted proposal.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {source}; the file is written by `ebb-train accept` alone")]
pub struct CalibrationError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub source: serde_json::Error,
}

/// The accepted proposals of a record, oldest first.
///
/// # Errors
/// [`CalibrationError`] names the line.
pub fn read(text: &str) -> Result<Vec<Accepted>, CalibrationError> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            serde_json::from_str(line).map_err(|source| CalibrationError {
                line: number + 1,
                source,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_and_a_damaged_line_is_named() {
        let accepted = Accepted {
            at: "2026-03-01T10:00:00Z".to_owned(),
            by: "ann".to_owned(),
            proposal: "0123456789ab".to_owned(),
            trigger: Trigger::Shock,
            as_of: "2026-03-01".parse().unwrap(),
            changes: Vec::new(),
            expires: Some("2026-04-26".parse().unwrap()),
        };
        let line = serde_json::to_string(&accepted).unwrap();
        assert_eq!(
            read(&format!("{line}\n\n{line}\n")).unwrap(),
            [accepted.clone(), accepted]
        );
        let error = read(&format!("{line}\n{{}}\n")).unwrap_err().to_string();
        assert!(error.starts_with("line 2: missing field"), "{error}");
    }
}
