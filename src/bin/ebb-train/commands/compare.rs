use std::path::PathBuf;

use clap::Args;
use ebb::output::Destination;
use ebb::report::later as report;
use ebb::train::config::Config;
use ebb::train::later;
use serde_json::json;

use super::evaluate::{DocumentFormat, Form, OutFile, print};
use crate::args::Log;
use crate::judging::{JudgedAt, later_log, load, read_for, refused};
use crate::outcome::{Outcome, Output, failed, usage};
use crate::outputs;

#[derive(Debug, Args)]
pub(crate) struct Compare {
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

pub(crate) fn compare(args: &Compare, output: Output) -> Outcome {
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
    outputs::check(&args.log, &config, Some(&args.a), destinations)?;
    let (a, b) = (load(&args.a)?.bundle, load(&args.b)?.bundle);
    let read = read_for(&[&a, &b], &args.log, &config, &args.at, output)?;
    let log = later_log(&read, &config);
    let compared = later::compare(&log, &a, &b, args.at.request()).map_err(refused)?;
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
