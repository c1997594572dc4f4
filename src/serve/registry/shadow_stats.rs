use std::sync::Arc;

use super::labels::Label;
use super::served_model::ServedModel;
use super::table::ModelTable;
use crate::serve::wire;

/// How the shadow's scores differ from the stable model's.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ShadowStats {
    /// The shadow's name.
    pub(crate) name: String,
    /// Users that both models scored.
    pub(crate) compared: u64,
    /// Of them, users with another risk band at the shortest horizon.
    pub(crate) risk_band_mismatches: u64,
    /// Of them, users with another stage.
    pub(crate) stage_mismatches: u64,
    /// Users that only the stable model scored.
    pub(crate) unscored: u64,
    /// Users that were not compared because the server was busy.
    pub(crate) skipped: u64,
    /// The sum of the absolute differences of the churn probability at the shortest horizon.
    sum: f64,
    /// The largest of these differences.
    pub(crate) max_difference: f64,
}

impl ShadowStats {
    /// Adds one user: the score that was returned, and the shadow's; `None` when the shadow failed.
    pub(crate) fn add(&mut self, returned: &wire::Score, shadow: Option<&wire::Score>) {
        if returned.status() != wire::ScoreStatus::Scored {
            return;
        }
        let shadow = shadow.filter(|shadow| shadow.status() == wire::ScoreStatus::Scored);
        let both = shadow.and_then(|shadow| {
            let ours = returned.horizons.first()?;
            // The shadow may have other horizons.
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
        self.stage_mismatches += u64::from(returned.stage != shadow.stage);
        let difference = (ours.churn_probability - theirs.churn_probability).abs();
        self.sum += difference;
        self.max_difference = self.max_difference.max(difference);
    }

    /// The mean absolute difference; 0 before any comparison.
    pub(crate) fn mean_difference(&self) -> f64 {
        if self.compared == 0 {
            0.0
        } else {
            self.sum / self.compared as f64
        }
    }
}

/// The statistics of the present stable model and shadow; none without both.
#[derive(Debug, Default)]
pub(crate) struct ShadowTracker(Option<Pair>);

/// Two models that are compared.
#[derive(Debug)]
struct Pair {
    stable: Arc<ServedModel>,
    shadow: Arc<ServedModel>,
    stats: ShadowStats,
}

impl Pair {
    fn is_of(&self, stable: &Arc<ServedModel>, shadow: &Arc<ServedModel>) -> bool {
        Arc::ptr_eq(&self.stable, stable) && Arc::ptr_eq(&self.shadow, shadow)
    }
}

impl ShadowTracker {
    /// Starts new statistics when the labels stand for another pair of models.
    pub(crate) fn follow(&mut self, table: &ModelTable) {
        let pair = table
            .labelled_by(Label::Stable)
            .zip(table.labelled_by(Label::Shadow));
        let same = match (&self.0, pair) {
            (Some(current), Some((stable, shadow))) => current.is_of(stable, shadow),
            (None, None) => true,
            _ => false,
        };
        if !same {
            self.0 = pair.map(|(stable, shadow)| Pair {
                stable: Arc::clone(stable),
                shadow: Arc::clone(shadow),
                stats: ShadowStats {
                    name: shadow.name().to_owned(),
                    ..ShadowStats::default()
                },
            });
        }
    }

    /// The statistics so far.
    pub(crate) fn stats(&self) -> Option<ShadowStats> {
        self.0.as_ref().map(|pair| pair.stats.clone())
    }

    /// The statistics of these two models; `None` when another pair is compared by now.
    pub(crate) fn of_pair(
        &mut self,
        stable: &Arc<ServedModel>,
        shadow: &Arc<ServedModel>,
    ) -> Option<&mut ShadowStats> {
        self.0
            .as_mut()
            .filter(|pair| pair.is_of(stable, shadow))
            .map(|pair| &mut pair.stats)
    }
}
