//! Floors for CI: does a bundle's card meet them?

use super::card::Card;

/// The least that a model must reach on its test date; `None` leaves a figure unchecked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Floors {
    /// The smallest acceptable area under the ROC curve.
    pub min_auc: Option<f64>,
    /// The largest acceptable log loss.
    pub max_log_loss: Option<f64>,
    /// The largest acceptable expected calibration error.
    pub max_ece: Option<f64>,
}

/// One figure held against its floor.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Whether the figure is acceptable.
    pub passed: bool,
    /// A line that says so.
    pub line: String,
}

/// Holds every horizon of a card against the floors. A horizon that was not tested fails: what was not measured
/// can't be vouched for.
pub fn check(card: &Card, floors: &Floors) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for horizon in &card.horizons {
        let days = horizon.horizon_days;
        let Some(evaluation) = &horizon.evaluation else {
            let line = format!("horizon {days}: not tested, the log is too short");
            verdicts.push(Verdict { passed: false, line });
            continue;
        };
        let model = &evaluation.model;
        let figures = [
            ("AUC", model.auc.value, floors.min_auc, true),
            ("log loss", model.log_loss.value, floors.max_log_loss, false),
            ("calibration error", model.ece.value, floors.max_ece, false),
        ];
        for (name, value, floor, at_least) in figures {
            let Some(floor) = floor else { continue };
            let passed = if at_least { value >= floor } else { value <= floor };
            let word = if at_least { "at least" } else { "at most" };
            let mark = if passed { "ok" } else { "FAILED" };
            verdicts
                .push(Verdict { passed, line: format!("horizon {days}: {name} {value:.4}, {word} {floor}: {mark}") });
        }
    }
    verdicts
}
