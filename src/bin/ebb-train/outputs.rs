//! What a command writes, checked before it begins.

use std::path::Path;

use anyhow::Context;
use ebb::batch::features::FeaturesError;
use ebb::batch::list::ListError;
use ebb::batch::scores::ScoresError;
use ebb::events::{AttributesError, LogFiles, QualityReport};
use ebb::history::HistoryError;
use ebb::model::ModelError;
use ebb::output::{self, Destination, Inputs, OutputError, check_apart};
use ebb::train::config::Config;

use crate::args;
use crate::outcome::{Failure, Outcome, failed, usage};

/// Refuses outputs, `--quality` among them, that the command reads, the folders of `models` among that, or that the next run
/// would read with the log.
pub(crate) fn check(
    log: &args::Log,
    config: &Config,
    models: &[&Path],
    mut outputs: Vec<Destination>,
) -> Outcome {
    if let Some(path) = log.quality.as_deref().filter(|path| !is_stream(path)) {
        outputs.push(Destination::file(path).map_err(refused)?);
    }
    let found = LogFiles::find(&config.events, &config.folder, &log.events);
    let files = found.map_err(|e| if e.is_setting() { usage(e) } else { failed(e) })?;
    let tables = attribute_files(config)?;
    let mut inputs = Inputs::default();
    for path in files
        .paths
        .iter()
        .chain(tables.iter().flat_map(|tables| &tables.paths))
        .map(AsRef::as_ref)
        .chain([log.config.as_path()])
        .chain(models.iter().copied())
    {
        inputs.add(path);
    }
    check_apart(&outputs, &inputs).map_err(refused)?;
    let pattern_of = |path| {
        let tables = tables.as_ref();
        let of_tables = || tables.and_then(|tables| tables.pattern_of(path));
        files.pattern_of(path).or_else(of_tables)
    };
    match outputs
        .iter()
        .find_map(|output| pattern_of(output.path()).map(|pattern| (output, pattern)))
    {
        Some((output, pattern)) => Err(usage(anyhow::anyhow!(
            "{} matches `{pattern}`, which this command reads: the next run would take it for input; choose another name or \
             folder",
            output.given().display()
        ))),
        None => Ok(()),
    }
}

/// The files of the table of attributes, where one is configured.
fn attribute_files(config: &Config) -> Result<Option<LogFiles>, Failure> {
    let found = config.attributes.as_ref();
    let found = found.map(|attributes| attributes.files(&config.folder));
    let refused = |e: AttributesError| if e.is_setting() { usage(e) } else { failed(e) };
    found.transpose().map_err(refused)
}

/// How the command ends after an output was refused: as bad usage where another output would do.
pub(crate) fn refused(error: impl Into<anyhow::Error>) -> Failure {
    let error: anyhow::Error = error.into();
    let is_name = matches!(error.downcast_ref(), Some(FeaturesError::Name { .. }))
        || matches!(error.downcast_ref(), Some(ListError::Format { .. }));
    if is_name || output_error(&error).is_some_and(OutputError::is_usage) {
        usage(error)
    } else {
        failed(error)
    }
}

/// The error on an output that another error passes on.
fn output_error(error: &anyhow::Error) -> Option<&OutputError> {
    // An error that is passed on as it is doesn't appear among the causes.
    if let Some(ModelError::Output(inner)) = error.downcast_ref() {
        return Some(inner);
    }
    if let Some(HistoryError::Output(inner)) = error.downcast_ref() {
        return Some(inner);
    }
    if let Some(ScoresError::Output(inner)) = error.downcast_ref() {
        return Some(inner);
    }
    if let Some(FeaturesError::Output(inner)) = error.downcast_ref() {
        return Some(inner);
    }
    if let Some(ListError::Output(inner)) = error.downcast_ref() {
        return Some(inner);
    }
    error.downcast_ref()
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
