use super::Thresholds;
use crate::features::{Catalogue, FeatureSchema, Quantity};
use crate::math::binomial_cdf_below;

/// The window of the activity drop: the shortest horizon.
fn window_days(schema: &FeatureSchema) -> u16 {
    schema.horizon_days.first().copied().unwrap_or(1)
}

/// The part of a user's behaviour that the rules read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Behaviour {
    /// Days since the first event.
    pub tenure_days: f64,
    /// Days since the last activity.
    pub recency_days: f64,
    /// Days with activity, ever.
    pub active_days: f64,
    /// Mean days between active days; `None` for a single one.
    pub gap_mean_days: Option<f64>,
    /// Days with activity in the last `recent_window_days`.
    pub recent_active_days: f64,
    /// The window of the activity drop: the shortest horizon.
    pub recent_window_days: f64,
}

impl Behaviour {
    /// The features that [`Self::of`] reads.
    pub fn quantities(schema: &FeatureSchema) -> [Quantity; 5] {
        [
            Quantity::Tenure,
            Quantity::Recency,
            Quantity::ActiveDays,
            Quantity::GapMean,
            Quantity::ActiveDaysIn(window_days(schema)),
        ]
    }

    /// The behaviour that a whole feature vector describes, or the name of a feature that is unknown.
    pub fn of(catalogue: &Catalogue, vector: &[f64]) -> Result<Self, String> {
        FeaturePositions::new(catalogue)
            .behaviour(vector)
            .map_err(|position| catalogue.features()[position].name.clone())
    }

    /// Whether activity in the recent window fell by more than `drop_share` below the user's own earlier rate,
    /// and is improbably low under that rate.
    ///
    /// Given the total number of active days, those of the recent window are binomial with the window's share
    /// of the time, if the rate never changed (the conditional test of two Poisson rates: Przyborowski and
    /// Wilenski 1940, Biometrika 31). A fall from 3 to 2 is no alarm, one from 30 to 10 is.
    pub fn activity_dropped(&self, thresholds: &Thresholds) -> bool {
        let earlier_days = self.tenure_days - self.recent_window_days;
        let earlier = self.active_days - self.recent_active_days;
        if earlier_days <= 0.0 || earlier <= 0.0 {
            return false;
        }
        let expected = earlier / earlier_days * self.recent_window_days;
        let share = self.recent_window_days / self.tenure_days;
        self.recent_active_days < (1.0 - thresholds.drop_share) * expected
            && binomial_cdf_below(
                self.recent_active_days as u32,
                self.active_days as u32,
                share,
                thresholds.drop_probability,
            )
    }
}

/// Where the features that the rules read stand in a feature vector, looked up once for many vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeaturePositions {
    /// Position of the days since the first event.
    pub tenure: usize,
    /// Position of the days since the last activity.
    pub recency: usize,
    /// Position of the days with activity, ever.
    pub active_days: usize,
    /// Position of the mean gap.
    pub gap_mean: usize,
    /// Position of the days with activity in the recent window.
    pub recent_active_days: usize,
    recent_window_days: f64,
}

impl FeaturePositions {
    /// The positions in vectors of a catalogue, which has all these features.
    pub fn new(catalogue: &Catalogue) -> Self {
        let [tenure, recency, active_days, gap_mean, recent_active_days] =
            Behaviour::quantities(catalogue.schema()).map(|quantity| catalogue.required(quantity));
        Self {
            tenure,
            recency,
            active_days,
            gap_mean,
            recent_active_days,
            recent_window_days: f64::from(window_days(catalogue.schema())),
        }
    }

    /// The positions of the features that the rules cannot do without, in the order in which a missing one is reported.
    pub fn needed(&self) -> [usize; 4] {
        [
            self.tenure,
            self.recency,
            self.active_days,
            self.recent_active_days,
        ]
    }

    /// The behaviour that a whole feature vector describes, or the position of a feature that is unknown.
    pub fn behaviour(&self, vector: &[f64]) -> Result<Behaviour, usize> {
        let known = |position: usize| Some(vector[position]).filter(|value| !value.is_nan());
        let [tenure_days, recency_days, active_days, recent_active_days] = self
            .needed()
            .map(|position| known(position).ok_or(position));
        Ok(Behaviour {
            tenure_days: tenure_days?,
            recency_days: recency_days?,
            active_days: active_days?,
            gap_mean_days: known(self.gap_mean),
            recent_active_days: recent_active_days?,
            recent_window_days: self.recent_window_days,
        })
    }
}
