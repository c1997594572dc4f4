use std::path::PathBuf;

use ebb::report::text as card_text;
use serde_json::json;

use super::card::card_of;
use crate::outcome::{Outcome, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The bundle's folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model: PathBuf,
}

pub(crate) fn inspect(args: &Args, output: Output) -> Outcome {
    let (bundle, card) = card_of(&args.model)?;
    let text = format!("Model {}\n{}", bundle.version(), card_text::render(&card));
    output.result(&json!({"model": bundle.version(), "card": card}), &text)
}
