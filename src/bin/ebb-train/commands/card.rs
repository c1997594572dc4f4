//! Bundles that commands read.

use std::path::Path;

use anyhow::Context;
use ebb::card::Card;
use ebb::model;

use crate::outcome::{Failure, failed};

/// A bundle, loaded and checked, and its card.
pub(super) fn card_of(dir: &Path) -> Result<(model::Bundle, Card), Failure> {
    let model::Saved { bundle, card } = model::load(dir).map_err(failed)?;
    let path = dir.join("card.json");
    let card = serde_json::from_str(&card).with_context(|| path.display().to_string())?;
    Ok((bundle, card))
}
