//! What a command writes, checked before it begins.

use std::path::Path;

use anyhow::Context;
use ebb::batch::features::FeaturesError;
use ebb::batch::scores::ScoresError;
use ebb::events::{LogFiles, QualityReport};
use ebb::history::HistoryError;
use ebb::model::ModelError;
use ebb::output::{self, Destination, Inputs, OutputError, check_apart};
use ebb::train::config::Config;

use crate::args;
use crate::outcome::{Failure, Outcome, failed, usage};

/// Refuses outputs, `--quality` among them, that the command reads, or that the next run would read with the log.
pub(crate) fn check(
    log: &args::Log,
    config: &Config,
    model: Option<&Path>,
    mut outputs: Vec<Destination>,
) -> Outcome {
    if let Some(path) = log.quality.as_deref().filter(|path| !is_stream(path)) {
        outputs.push(Destination::file(path).map_err(refused)?);
    }
    let found = LogFiles::find(&config.events, &config.folder, &log.events);
    let files = found.map_err(|e| if e.is_setting() { usage(e) } else { failed(e) })?;
    let mut inputs = Inputs::default();
    for path in files
        .paths
        .iter()
        .map(AsRef::as_ref)
        .chain([log.config.as_path()])
        .chain(model)
    {
        inputs.add(path);
    }
    check_apart(&outputs, &inputs).map_err(refused)?;
    match outputs.iter().find_map(|output| {
        files
            .pattern_of(output.path())
            .map(|pattern| (output, pattern))
    }) {
        Some((output, pattern)) => Err(usage(anyhow::anyhow!(
            "{} matches `{pattern}`, which this command reads: the next run would take it for input; choose another name or \
             folder",
            output.given().display()
        ))),
        None => Ok(()),
    }
}

/// What to make of an output that is refused.
pub(crate) fn refused(error: impl Into<anyhow::Error>) -> Failure {
    let error: anyhow::Error = error.into();
    let of_model = error.downcast_ref().and_then(|e| {
        if let ModelError::Output(e) = e {
            Some(e)
        } else {
            None
        }
    });
    let of_rollup = error.downcast_ref().and_then(|e| {
        if let HistoryError::Output(e) = e {
            Some(e)
        } else {
            None
        }
    });
    let of_scores = error.downcast_ref().and_then(|e| {
        if let ScoresError::Output(e) = e {
            Some(e)
        } else {
            None
        }
    });
    let of_features = error.downcast_ref().and_then(|e| {
        if let FeaturesError::Output(e) = e {
            Some(e)
        } else {
            None
        }
    });
    let own = error
        .downcast_ref::<OutputError>()
        .or(of_model)
        .or(of_rollup)
        .or(of_scores)
        .or(of_features);
    let name = matches!(error.downcast_ref(), Some(FeaturesError::Name { .. }));
    if name || own.is_some_and(OutputError::is_usage) {
        usage(error)
    } else {
        failed(error)
    }
}

/// Writes the data-quality report.
pub(crate) fn write_quality(path: &Path, quality: &QualityReport) -> Outcome {
    let text = serde_json::to_string_pretty(quality).map_err(failed)? + "\n";
    if is_stream(path) {
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
        return Ok(());
    }
    let destination = Destination::file(path).map_err(refused)?;
    output::write(destination, text.as_bytes()).map_err(refused)
}

/// Whether a path is that of a pipe or device, which is written to and not replaced.
fn is_stream(path: &Path) -> bool {
    path.starts_with("/dev")
        || path
            .metadata()
            .is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}
