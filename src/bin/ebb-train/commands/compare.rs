use std::path::PathBuf;

use ebb::output::Destination;
use ebb::report::later as report;
use ebb::train::config::Config;
use ebb::train::later;
use serde_json::json;

use super::card::card_of;
use super::evaluate::{DocumentFormat, Form, OutFile, print};
use super::judging::{JudgedAt, later_log, read_for, refused};
use crate::args::Log;
use crate::outcome::{Outcome, Output, failed, usage};
use crate::outputs;
use crate::progress::ProgressDisplay;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The first bundle's folder.
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The second bundle's folder.
    #[arg(value_name = "B")]
    b: PathBuf,
    #[command(flatten)]
    log: Log,
    #[command(flatten)]
    at: JudgedAt,
    /// What to print.
    #[arg(long, value_enum, default_value_t = DocumentFormat::Text)]
    format: DocumentFormat,
    /// Also write the result to this file, as its name ends: .json or .md; may be repeated.
    #[arg(long, value_name = "FILE")]
    out: Vec<PathBuf>,
}

pub(crate) fn compare(args: &Args, output: Output) -> Outcome {
    let files = args.out.iter().map(|path| OutFile::new(path));
    let files: Vec<OutFile<'_>> = files.collect::<anyhow::Result<_>>().map_err(usage)?;
    if let Some(page) = files.iter().find(|file| file.form == Form::Html) {
        return Err(usage(anyhow::anyhow!(
            "--out {}: a comparison is written as .json or .md; `evaluate` writes pages",
            page.path.display()
        )));
    }
    let config = Config::load(&args.log.config).map_err(usage)?;
    let destinations = files.iter().map(|file| Destination::file(file.path));
    let destinations = destinations.collect::<Result<_, _>>();
    let destinations = destinations.map_err(outputs::refused)?;
    outputs::check(&args.log, &config, &[&args.a, &args.b], destinations)?;
    let ((a, _), (b, _)) = (card_of(&args.a)?, card_of(&args.b)?);
    let read = read_for(&[&a, &b], &args.log, &config, &args.at, output)?;
    let display = ProgressDisplay::new(output);
    let log = later_log(&read, &config, &display);
    let compared = later::compare(&log, &a, &b, args.at.request()).map_err(refused)?;
    drop(display);
    let json = json!(compared);
    for file in &files {
        let text = match file.form {
            Form::Json => serde_json::to_string_pretty(&json).map_err(failed)? + "\n",
            Form::Markdown | Form::Html => report::comparison_markdown(&compared),
        };
        file.write(&text)?;
    }
    print(
        args.format,
        output,
        &json,
        || report::comparison_text(&compared),
        || report::comparison_markdown(&compared),
    )
}
