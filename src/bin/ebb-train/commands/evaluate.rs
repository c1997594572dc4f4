use std::path::{Path, PathBuf};

use clap::ValueEnum;
use ebb::output::{self, Destination};
use ebb::report::{html, later as report};
use ebb::train::config::Config;
use ebb::train::later::{self, Candidate};
use serde_json::{Value, json};

use super::card::card_of;
use super::judging::{JudgedAt, later_log, read_for, refused};
use crate::args::Log;
use crate::outcome::{Outcome, Output, failed, usage};
use crate::outputs;
use crate::progress::ProgressDisplay;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The bundle's folder.
    #[arg(long, value_name = "FOLDER")]
    model: PathBuf,
    #[command(flatten)]
    log: Log,
    #[command(flatten)]
    at: JudgedAt,
    /// What to print.
    #[arg(long, value_enum, default_value_t = DocumentFormat::Text)]
    format: DocumentFormat,
    /// Also write the result to this file, as its name ends: .json, .md or .html; may be repeated.
    #[arg(long, value_name = "FILE")]
    out: Vec<PathBuf>,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DocumentFormat {
    /// Text for a terminal.
    Text,
    /// One JSON object, as with --json.
    Json,
    /// Markdown, for a comment or the summary of a job.
    Markdown,
}

pub(crate) fn evaluate(args: &Args, output: Output) -> Outcome {
    let files = args.out.iter().map(|path| OutFile::new(path));
    let files: Vec<OutFile<'_>> = files.collect::<anyhow::Result<_>>().map_err(usage)?;
    let config = Config::load(&args.log.config).map_err(usage)?;
    let destinations = files.iter().map(|file| Destination::file(file.path));
    let destinations = destinations.collect::<Result<_, _>>();
    let destinations = destinations.map_err(outputs::refused)?;
    outputs::check(&args.log, &config, &[&args.model], destinations)?;
    let (bundle, card) = card_of(&args.model)?;
    let read = read_for(&[&bundle], &args.log, &config, &args.at, output)?;
    let candidate = Candidate {
        bundle: &bundle,
        card: &card,
    };
    let display = ProgressDisplay::new(output);
    let log = later_log(&read, &config, &display);
    let judged = later::evaluate(&log, candidate, args.at.request()).map_err(refused)?;
    drop(display);
    let json = json!(judged);
    for file in &files {
        let text = match file.form {
            Form::Json => serde_json::to_string_pretty(&json).map_err(failed)? + "\n",
            Form::Markdown => report::markdown(&judged),
            Form::Html => html::later::render(&judged),
        };
        file.write(&text)?;
    }
    print(
        args.format,
        output,
        &json,
        || report::text(&judged),
        || report::markdown(&judged),
    )
}

/// Prints a result in one of its forms.
pub(crate) fn print(
    format: DocumentFormat,
    output: Output,
    json: &Value,
    text: impl Fn() -> String,
    markdown: impl Fn() -> String,
) -> Outcome {
    let output = Output {
        json: output.json || format == DocumentFormat::Json,
        ..output
    };
    match format {
        DocumentFormat::Text | DocumentFormat::Json => output.result(json, &text()),
        DocumentFormat::Markdown => output.document(json, &markdown()),
    }
}

/// A file to write, and in which form.
pub(crate) struct OutFile<'a> {
    pub(crate) path: &'a Path,
    pub(crate) form: Form,
}

/// The forms of a written result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Markdown,
    Html,
}

impl<'a> OutFile<'a> {
    /// The form that a file's name asks for.
    pub(crate) fn new(path: &'a Path) -> anyhow::Result<Self> {
        let form = match path.extension().and_then(|end| end.to_str()) {
            Some("json") => Form::Json,
            Some("md") => Form::Markdown,
            Some("html") => Form::Html,
            _ => anyhow::bail!(
                "--out {}: the name must end in .json, .md or .html, which says what is written",
                path.display()
            ),
        };
        Ok(Self { path, form })
    }

    /// Writes the whole file in one step.
    pub(crate) fn write(&self, text: &str) -> Outcome {
        let destination = Destination::file(self.path).map_err(outputs::refused)?;
        output::write(destination, text.as_bytes()).map_err(outputs::refused)
    }
}
