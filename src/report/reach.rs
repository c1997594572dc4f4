//! What contacting some of the users reaches.

use crate::card::Evaluation;

/// What contacting a share of the users reaches: the riskiest of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reach {
    /// Users contacted.
    pub(crate) contacted: u64,
    /// Churners among them; a part of one where users of equal probability are taken in no order.
    pub(crate) churners: f64,
    /// How many times more churners they are than among as many users taken at random; not a number without churners.
    pub(crate) lift: f64,
    /// The same for the best order there could be.
    pub(crate) possible_lift: f64,
}

impl Evaluation {
    /// What the riskiest `percent` of users reach by the `gains` of the model or of a baseline: as many as the gains were
    /// counted on, which is more than the percentage where it is no whole number of users.
    pub(crate) fn reach(&self, gains: &[f64], percent: usize) -> Reach {
        let churners = self.churners();
        let contacted = (self.users * percent as u64).div_ceil(100);
        let possible = contacted.min(churners);
        let share = gains.get(percent.wrapping_sub(1)).copied().unwrap_or(0.0);
        let found = (share * churners as f64).clamp(0.0, possible as f64);
        let lift = |found: f64| found / contacted as f64 * self.users as f64 / churners as f64;
        Reach {
            contacted,
            churners: found,
            lift: lift(found),
            possible_lift: lift(possible as f64),
        }
    }
}
