//! The labels that callers have moved, in a file of the models' folder, so that a restart does not undo them.
//!
//! The file also has the labels of the configuration at that time. A start compares them, label by label, with what the
//! configuration names now: where both are the same, the moved label holds; where the configuration names another model, it
//! has been edited since, and wins.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::labels::{Label, Labels};
use crate::regular_file;

/// The file's name in the models' folder.
pub(crate) const FILE_NAME: &str = "labels.json";
/// The present form of the file.
const FORMAT: u32 = 1;
/// More than any file of this form has.
const MAX_BYTES: u64 = 64 << 10;

/// The labels as they were left, and what the configuration said then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptLabels {
    /// The labels.
    pub(crate) labels: Labels,
    /// Those that the configuration gave.
    pub(crate) configured: Labels,
}

/// The file's form: models by their labels.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelFile {
    format: u32,
    labels: BTreeMap<String, String>,
    configured: BTreeMap<String, String>,
}

/// A label that was moved, in a server whose configuration has named another model since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OverruledLabel {
    /// The label.
    pub(crate) label: Label,
    /// The model that had it; `None` when it was removed.
    pub(crate) kept: Option<String>,
    /// The model that the configuration names; `None` for none.
    pub(crate) configured: Option<String>,
}

impl KeptLabels {
    /// Those of a models' folder; `None` when it has no such file. The error is in plain words.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, String> {
        let text = match regular_file::read(&folder.join(FILE_NAME), MAX_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| error.to_string())?,
        };
        let file: LabelFile = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        if file.format != FORMAT {
            return Err(format!("has the form {}, not {FORMAT}", file.format));
        }
        Ok(Some(Self {
            labels: labels(&file.labels),
            configured: labels(&file.configured),
        }))
    }

    /// Writes them in one step: whatever happens meanwhile, the file is the one before or this one.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let file = LabelFile {
            format: FORMAT,
            labels: names(&self.labels),
            configured: names(&self.configured),
        };
        let mut text = serde_json::to_string_pretty(&file)?;
        text.push('\n');
        // A hidden name: no model is ever loaded from it.
        let mut temporary = tempfile::Builder::new()
            .prefix(".labels-")
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(folder)?;
        temporary.write_all(text.as_bytes())?;
        temporary.as_file().sync_all()?;
        temporary.persist(folder.join(FILE_NAME))?;
        // The new name is as safe as the content only once the folder is on the disk as well.
        File::open(folder)?.sync_all()
    }

    /// The labels of a start with this configuration, and what it overrules.
    pub(crate) fn resolve(&self, configured: &Labels) -> (Labels, Vec<OverruledLabel>) {
        let (mut labels, mut overruled) = (configured.clone(), Vec::new());
        for label in Label::ALL {
            let (kept, now) = (self.labels.get(label), configured.get(label));
            // Some model must be stable, whatever was written.
            let is_possible = kept.is_some() || label != Label::Stable;
            if self.configured.get(label) == now && is_possible {
                labels.set(label, kept.map(str::to_owned));
            } else if kept != now {
                overruled.push(OverruledLabel {
                    label,
                    kept: kept.map(str::to_owned),
                    configured: now.map(str::to_owned),
                });
            }
        }
        (labels, overruled)
    }
}

fn names(labels: &Labels) -> BTreeMap<String, String> {
    let named = |label: Label| Some((label.name().to_owned(), labels.get(label)?.to_owned()));
    Label::ALL.into_iter().filter_map(named).collect()
}

fn labels(names: &BTreeMap<String, String>) -> Labels {
    let mut labels = Labels::default();
    for label in Label::ALL {
        labels.set(label, names.get(label.name()).cloned());
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stable: &str, canary: &str, shadow: &str) -> Labels {
        let mut labels = Labels::default();
        for (label, name) in Label::ALL.into_iter().zip([stable, canary, shadow]) {
            labels.set(label, (!name.is_empty()).then(|| name.to_owned()));
        }
        labels
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(KeptLabels::read(folder.path()), Ok(None));
        for labels in [of("next", "", "live"), of("live", "x \"y\"", "")] {
            let kept = KeptLabels {
                labels,
                configured: of("live", "", ""),
            };
            kept.write(folder.path()).unwrap();
            assert_eq!(KeptLabels::read(folder.path()), Ok(Some(kept)));
        }
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(files.len(), 1, "nothing temporary is left");
        assert!(kept_nowhere(&folder.path().join("missing")).is_err());
    }

    fn kept_nowhere(folder: &Path) -> io::Result<()> {
        let labels = of("live", "", "");
        let configured = labels.clone();
        KeptLabels { labels, configured }.write(folder)
    }

    #[test]
    fn a_file_that_is_none_or_of_another_form_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let refused = |text: &str| {
            std::fs::write(&path, text).unwrap();
            KeptLabels::read(folder.path()).unwrap_err()
        };
        assert!(refused("").contains("EOF"));
        assert!(refused(r#"{"format":2,"labels":{},"configured":{}}"#).contains("form 2"));
        assert!(refused(r#"{"format":1,"labels":{},"configured":{},"x":1}"#).contains("`x`"));
        assert!(refused(&" ".repeat(70_000)).contains("at most 65536 are read"));
        std::fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let problem = KeptLabels::read(folder.path()).unwrap_err();
        assert_eq!(problem, "is a FIFO, and only regular files are read");
    }

    #[test]
    fn a_moved_label_holds_until_the_configuration_names_another_model() {
        let kept = KeptLabels {
            labels: of("next", "", "live"),
            configured: of("live", "trial", ""),
        };
        let (labels, overruled) = kept.resolve(&of("live", "trial", ""));
        assert_eq!((labels, overruled), (of("next", "", "live"), Vec::new()));
        // The stable model is another one in the configuration now; the other labels are as they were left.
        let (labels, overruled) = kept.resolve(&of("newest", "trial", ""));
        assert_eq!(labels, of("newest", "", "live"));
        let expected = OverruledLabel {
            label: Label::Stable,
            kept: Some("next".into()),
            configured: Some("newest".into()),
        };
        assert_eq!(overruled, [expected]);
        // The configuration has caught up: there is nothing to say.
        let (labels, overruled) = kept.resolve(&of("next", "trial", ""));
        assert_eq!((labels, overruled), (of("next", "", "live"), Vec::new()));
        // Without a stable model no server can be.
        let none = KeptLabels {
            labels: of("", "", ""),
            configured: of("live", "", ""),
        };
        assert_eq!(none.resolve(&of("live", "", "")).0, of("live", "", ""));
    }
}
