//! Sentences on a card that the page, the text summary and the quality gate have in common.

pub(crate) mod backtest;
pub(crate) mod conversion;
pub(crate) mod laws;
pub(crate) mod segments;
pub(crate) mod untested;
pub(crate) mod value;
pub(crate) mod verdict;

pub(crate) use untested::untested;
pub(crate) use verdict::{baseline_name, strength, verdict};

use crate::card::Card;

/// The notes of a card, and one for each horizon whose model was not judged, does not beat recency or lost to the base rate.
pub(crate) fn notes(card: &Card) -> Vec<String> {
    let mut notes = card.notes.clone();
    for horizon in &card.horizons {
        match horizon.evaluation.as_ref().map(|e| e.beats_recency_only) {
            None => notes.push(untested(horizon, &card.label_definition)),
            Some(Some(false)) => notes.push(format!(
                "The {}-day model does not beat a model that knows recency only.",
                horizon.horizon_days
            )),
            Some(_) => {}
        }
        if let Some(lost) = backtest::lost_to_base_rate(horizon) {
            let comparison = backtest::comparison(lost);
            let days = horizon.horizon_days;
            notes.push(format!(
                "The {days}-day model lost to the base rate. {comparison}."
            ));
        }
    }
    notes
}
