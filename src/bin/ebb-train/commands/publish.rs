use std::path::PathBuf;

use ebb::model::{self, ModelError, Published};
use serde_json::json;

use crate::outcome::{Failure, Outcome, Output, failed, shown, usage};
use crate::outputs;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The new bundle's folder. It is loaded and must reproduce its golden answers; a copy of it is published.
    #[arg(
        long,
        value_name = "FOLDER",
        requires = "live",
        required_unless_present = "rollback"
    )]
    pub(crate) model: Option<PathBuf>,
    /// The folder of the bundle in use, which is kept beside it as FOLDER.previous.
    #[arg(
        long,
        value_name = "FOLDER",
        requires = "model",
        required_unless_present = "rollback"
    )]
    pub(crate) live: Option<PathBuf>,
    /// Swap the bundle in this folder with the one that was there before; a second time swaps them back.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["model", "live"])]
    pub(crate) rollback: Option<PathBuf>,
}

pub(crate) fn publish(args: &Args, output: Output) -> Outcome {
    let Args {
        model,
        live,
        rollback,
    } = args;
    let (live, done) = match (model, live, rollback) {
        (_, _, Some(live)) => (live, model::roll_back(live)),
        (Some(model), Some(live), None) => (live, model::publish(model, live)),
        // The parser of arguments asks for both.
        _ => {
            return Err(usage(anyhow::anyhow!(
                "give --model and --live, or --rollback"
            )));
        }
    };
    let Published {
        version,
        previous,
        previous_dir,
        unchanged,
    } = done.map_err(refused)?;
    let how = if unchanged {
        "was in use already at"
    } else {
        "is in use now at"
    };
    let kept = previous.as_ref().map(|previous| {
        format!(
            "; {previous}, the one before, is kept at {}",
            previous_dir.display()
        )
    });
    let text = format!(
        "Model {version} {how} {}{}",
        live.display(),
        kept.unwrap_or_default()
    );
    let json = json!({
        "model": version,
        "live": shown(live),
        "previous": previous,
        "previous_dir": previous.as_ref().map(|_| shown(&previous_dir)),
        "unchanged": unchanged,
    });
    output.result(&json, &text)
}

fn refused(error: ModelError) -> Failure {
    match error {
        ModelError::SameFolder { .. } => usage(error),
        ModelError::Output(error) => outputs::refused(error),
        _ => failed(error),
    }
}
