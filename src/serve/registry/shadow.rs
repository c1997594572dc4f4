use std::sync::Arc;

use super::{Label, Loaded, Shelf};
use crate::serve::wire;

/// How a shadow's answers compare with those that were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Comparison {
    /// The shadow.
    pub(crate) name: String,
    /// Answers compared.
    pub(crate) compared: u64,
    /// Of them, those with another risk band at the shortest horizon.
    pub(crate) risk_band_mismatches: u64,
    /// Of them, those with another stage.
    pub(crate) stage_mismatches: u64,
    /// Users whom the shadow did not score.
    pub(crate) unscored: u64,
    /// Users passed over.
    pub(crate) skipped: u64,
    /// The sum of the absolute differences of the probability at the shortest horizon.
    pub(crate) sum: f64,
    /// The largest of them.
    pub(crate) largest: f64,
}

impl Comparison {
    /// Adds one user: what was answered, and what the shadow says; `None` when it cannot say.
    pub(crate) fn add(&mut self, given: &wire::Score, shadow: Option<&wire::Score>) {
        if given.status() != wire::ScoreStatus::Scored {
            return;
        }
        let shadow = shadow.filter(|shadow| shadow.status() == wire::ScoreStatus::Scored);
        let both = shadow.and_then(|shadow| {
            let ours = given.horizons.first()?;
            let theirs = shadow
                .horizons
                .iter()
                .find(|theirs| theirs.horizon_days == ours.horizon_days)?;
            Some((shadow, ours, theirs))
        });
        let Some((shadow, ours, theirs)) = both else {
            self.unscored += 1;
            return;
        };
        self.compared += 1;
        self.risk_band_mismatches += u64::from(ours.risk_band != theirs.risk_band);
        self.stage_mismatches += u64::from(given.stage != shadow.stage);
        let difference = (ours.churn_probability - theirs.churn_probability).abs();
        self.sum += difference;
        self.largest = self.largest.max(difference);
    }

    /// The mean absolute difference; 0 before anything was compared.
    pub(crate) fn mean(&self) -> f64 {
        if self.compared == 0 {
            0.0
        } else {
            self.sum / self.compared as f64
        }
    }
}

/// The comparison of the present stable model and shadow, if there are both.
#[derive(Debug, Default)]
pub(crate) struct Tally(Option<Pair>);

#[derive(Debug)]
struct Pair {
    stable: Arc<Loaded>,
    shadow: Arc<Loaded>,
    comparison: Comparison,
}

impl Pair {
    fn is_of(&self, stable: &Arc<Loaded>, shadow: &Arc<Loaded>) -> bool {
        Arc::ptr_eq(&self.stable, stable) && Arc::ptr_eq(&self.shadow, shadow)
    }
}

impl Tally {
    /// Begins from nothing when the shelf has another pair of models.
    pub(crate) fn follow(&mut self, shelf: &Shelf) {
        let pair = shelf
            .labelled_by(Label::Stable)
            .zip(shelf.labelled_by(Label::Shadow));
        let same = match (&self.0, pair) {
            (Some(current), Some((stable, shadow))) => current.is_of(stable, shadow),
            (None, None) => true,
            _ => false,
        };
        if !same {
            self.0 = pair.map(|(stable, shadow)| Pair {
                stable: Arc::clone(stable),
                shadow: Arc::clone(shadow),
                comparison: Comparison {
                    name: shadow.name.clone(),
                    ..Comparison::default()
                },
            });
        }
    }

    pub(crate) fn comparison(&self) -> Option<Comparison> {
        self.0.as_ref().map(|pair| pair.comparison.clone())
    }

    pub(crate) fn of_pair(
        &mut self,
        stable: &Arc<Loaded>,
        shadow: &Arc<Loaded>,
    ) -> Option<&mut Comparison> {
        self.0
            .as_mut()
            .filter(|pair| pair.is_of(stable, shadow))
            .map(|pair| &mut pair.comparison)
    }
}
