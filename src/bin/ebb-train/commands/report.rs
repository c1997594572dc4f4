use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use ebb::model;
use ebb::output::{self, Destination, Inputs, check_apart};
use serde_json::json;

use crate::outcome::{Outcome, Output, failed, quoted, shown};
use crate::outputs;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The bundle's folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model: PathBuf,
    /// Copy the page to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Open the page in a browser.
    #[arg(long)]
    pub(crate) open: bool,
}

pub(crate) fn report(args: &Args, output: Output) -> Outcome {
    let destination = args.out.as_deref().map(Destination::file).transpose();
    let destination = destination.map_err(outputs::refused)?;
    let mut inputs = Inputs::default();
    inputs.add(&args.model);
    let destinations: Vec<Destination> = destination.iter().cloned().collect();
    check_apart(&destinations, &inputs).map_err(outputs::refused)?;
    let model::Report { version, html } = model::report(&args.model).map_err(failed)?;
    let page = match destination {
        Some(destination) => {
            let page = destination.given().to_owned();
            output::write(destination, &html).map_err(outputs::refused)?;
            page
        }
        None => args.model.join("report.html"),
    };
    output.result(
        &json!({"model": version, "report": shown(&page)}),
        &shown(&page),
    )?;
    output.next(&format!(
        "ebb-train score --model {} --config ebb.toml --out scores.csv",
        quoted(&args.model)
    ));
    if args.open {
        open(&page)?;
    }
    Ok(())
}

/// The program that opens a file as its user would.
const OPENER: &str = if cfg!(target_os = "macos") {
    "open"
} else {
    "xdg-open"
};

/// Opens a page in the browser of this desktop.
fn open(page: &Path) -> anyhow::Result<()> {
    let path = page
        .canonicalize()
        .with_context(|| page.display().to_string())?;
    let by_hand = || format!("open {} in a browser", path.display());
    let status = Command::new(OPENER)
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("{OPENER} cannot be started; {}", by_hand()))?;
    ensure!(status.success(), "{OPENER} failed; {}", by_hand());
    Ok(())
}
