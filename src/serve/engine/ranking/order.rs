//! Users in the order of their risk at each horizon, and of their value at risk, in as few bytes as that takes.

use std::cmp::Reverse;
use std::hash::Hasher as _;

use twox_hash::XxHash64;

use crate::history::Day;
use crate::lifecycle::Stage;
use crate::model::{Prediction, RiskBand};
use crate::serve::convert::listing::{Listing, ListingOrder};
use crate::serve::quota::Share;
use crate::serve::registry::ServedModel;

/// Stands for a user without a segment.
const NO_SEGMENT: u32 = u32::MAX;
/// Stands for a user without a tier.
const NO_TIER: u32 = u32::MAX;
/// What a user takes beside its horizons: its position, its stage and its segment.
const USER_BYTES: usize = size_of::<u32>() + size_of::<Stage>() + size_of::<u32>();
/// What a user takes for a horizon: its band and its place in the order.
const HORIZON_BYTES: usize = size_of::<RiskBand>() + size_of::<u32>();
/// What a user takes for its value: its tier and its place in the order.
const VALUE_BYTES: usize = 2 * size_of::<u32>();

/// How many bytes a ranking of so many users takes while it is computed.
pub(super) fn computing_bytes(users: usize, model: &ServedModel) -> usize {
    let horizons = model.spec().schema.horizon_days.len();
    let value = match model.spec().value {
        Some(_) => VALUE_BYTES + size_of::<f64>(),
        None => 0,
    };
    let each = USER_BYTES + horizons * (HORIZON_BYTES + size_of::<f64>()) + value;
    // Lists grow: there may be room for twice as much as they hold.
    2 * each * users
}

/// What is kept of users, side by side: one place in each list for each of them that has a score, in order of their ids.
#[derive(Default)]
pub(super) struct ScoredUsers {
    /// Their positions in the roll-up.
    positions: Vec<u32>,
    stages: Vec<Stage>,
    segments: Vec<u32>,
    /// For each horizon their probabilities and bands.
    horizons: Vec<(Vec<f64>, Vec<RiskBand>)>,
    /// Their values at risk; nothing where the model has no value part.
    at_risk: Vec<f64>,
    /// Their tiers; as above.
    tiers: Vec<u32>,
}

impl ScoredUsers {
    /// Nobody, at so many horizons.
    pub(super) fn new(horizons: usize) -> Self {
        Self {
            horizons: vec![Default::default(); horizons],
            ..Self::default()
        }
    }

    /// Adds the user at a position of the roll-up, if it has a score.
    pub(super) fn push(&mut self, position: u32, prediction: &Prediction<'_>) {
        let Prediction::Scored(score) = prediction else {
            return;
        };
        let segment = score.segment.map(|segment| segment.id);
        self.positions.push(position);
        self.stages.push(score.stage);
        self.segments
            .push(segment.map_or(NO_SEGMENT, |id| u32::try_from(id).unwrap_or(NO_SEGMENT)));
        for ((probabilities, bands), horizon) in self.horizons.iter_mut().zip(&score.horizons) {
            probabilities.push(horizon.probability);
            bands.push(horizon.band);
        }
        if let Some(value) = &score.value {
            // A value that is unknown is not at risk as far as is known.
            self.at_risk.push(value.value_at_risk.max(0.0));
            let tier = value.tier.and_then(|tier| u32::try_from(tier).ok());
            self.tiers.push(tier.unwrap_or(NO_TIER));
        }
    }

    /// Adds the users that come after these.
    pub(super) fn extend(&mut self, other: Self) {
        self.positions.extend(other.positions);
        self.stages.extend(other.stages);
        self.segments.extend(other.segments);
        self.at_risk.extend(other.at_risk);
        self.tiers.extend(other.tiers);
        for (own, other) in self.horizons.iter_mut().zip(other.horizons) {
            own.0.extend(other.0);
            own.1.extend(other.1);
        }
    }
}

/// The users of a roll-up that have a score, in the order of their risk.
pub(crate) struct Ranking {
    id: u64,
    positions: Vec<u32>,
    stages: Vec<Stage>,
    segments: Vec<u32>,
    horizons: Vec<RankedHorizon>,
    /// `None` where the model has no value part.
    value: Option<RankedValue>,
    /// What it takes of the memory that callers share.
    _memory: Share,
}

/// The users at one horizon.
struct RankedHorizon {
    bands: Vec<RiskBand>,
    /// Places in the lists of users, those with the highest probability first.
    order: Vec<u32>,
}

/// The users by what they are worth.
struct RankedValue {
    tiers: Vec<u32>,
    /// Places in the lists of users, those with the highest value at risk first.
    order: Vec<u32>,
}

/// A page of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Their positions in the roll-up.
    pub(crate) positions: Vec<u32>,
    /// The place where the next page begins; `None` on the last one.
    pub(crate) next: Option<u32>,
    /// How many users all pages have.
    pub(crate) total: usize,
}

impl Ranking {
    /// Sorts users. `memory` is what they took until now, of which what is not kept is given back.
    pub(super) fn new(users: ScoredUsers, version: &str, as_of: Day, memory: Share) -> Self {
        let ScoredUsers {
            mut positions,
            mut stages,
            mut segments,
            horizons,
            at_risk,
            mut tiers,
        } = users;
        let mut hash = XxHash64::with_seed(0);
        hash.write(version.as_bytes());
        hash.write_i32(as_of.number());
        positions
            .iter()
            .for_each(|position| hash.write_u32(*position));
        let ranked = horizons.into_iter().map(|(probabilities, mut bands)| {
            bands.shrink_to_fit();
            probabilities
                .iter()
                .for_each(|probability| hash.write_u64(probability.to_bits()));
            RankedHorizon {
                order: falling(&probabilities),
                bands,
            }
        });
        let horizons: Vec<RankedHorizon> = ranked.collect();
        positions.shrink_to_fit();
        stages.shrink_to_fit();
        segments.shrink_to_fit();
        tiers.shrink_to_fit();
        at_risk
            .iter()
            .for_each(|value| hash.write_u64(value.to_bits()));
        // Users with a score all have a value, or none has.
        let value = (!at_risk.is_empty()).then(|| RankedValue {
            order: falling(&at_risk),
            tiers,
        });
        let value_bytes = value.as_ref().map_or(0, |_| VALUE_BYTES);
        let each = USER_BYTES + horizons.len() * HORIZON_BYTES + value_bytes;
        memory.shrink_to(positions.len() * each);
        Self {
            // Equal for equal users by an equal model, on every server that has them: pages may come from several.
            id: hash.finish(),
            positions,
            stages,
            segments,
            horizons,
            value,
            _memory: memory,
        }
    }

    /// What tells this order from others.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The page of a listing that begins at a place of its order.
    pub(crate) fn page(&self, listing: &Listing, from: u32) -> Page {
        let horizon = &self.horizons[listing.horizon];
        let tiers = self.value.as_ref().map(|value| &value.tiers);
        let order = match listing.order {
            ListingOrder::Risk => Some(&horizon.order),
            // Without a user there is no value either.
            ListingOrder::ValueAtRisk => self.value.as_ref().map(|value| &value.order),
            ListingOrder::UserId => None,
        };
        let is_listed = |user: usize| {
            let bands = listing.bands.is_empty() || listing.bands.contains(&horizon.bands[user]);
            let stages = listing.stages.is_empty() || listing.stages.contains(&self.stages[user]);
            let segments =
                listing.segments.is_empty() || listing.segments.contains(&self.segments[user]);
            let tiers = listing.tiers.is_empty()
                || tiers.is_some_and(|tiers| listing.tiers.contains(&tiers[user]));
            bands && stages && segments && tiers
        };
        let mut page = Page {
            positions: Vec::new(),
            next: None,
            total: (0..self.positions.len())
                .filter(|user| is_listed(*user))
                .count(),
        };
        let places = u32::try_from(self.positions.len()).unwrap_or(u32::MAX);
        for place in from..places {
            let user = order.map_or(place, |order| order[place as usize]) as usize;
            if !is_listed(user) {
                continue;
            }
            if page.positions.len() == listing.page_size {
                page.next = Some(place);
                break;
            }
            page.positions.push(self.positions[user]);
        }
        page
    }
}

/// Places in the order of falling figures, none below 0; equal ones stay in theirs.
fn falling(figures: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..figures.len())
        .map(|place| u32::try_from(place).unwrap_or(u32::MAX))
        .collect();
    // The bits of numbers that are not negative have their order.
    order.sort_unstable_by_key(|place| (Reverse(figures[*place as usize].to_bits()), *place));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::value::{estimate, scored, unknown};
    use crate::model::{Score, ValueEstimate};

    #[test]
    fn users_are_kept_with_what_they_are_worth_and_an_unknown_value_comes_last() {
        let mut users = ScoredUsers::new(2);
        let scores = [
            Some(ValueEstimate {
                value_at_risk: 5.0,
                tier: Some(2),
                ..estimate()
            }),
            Some(unknown()),
            Some(estimate()),
        ];
        for (position, value) in scores.into_iter().enumerate() {
            let score = Score {
                value,
                ..scored(0.25)
            };
            users.push(position as u32, &Prediction::Scored(score));
        }
        assert_eq!(users.tiers, [2, NO_TIER, 0]);
        assert_eq!(falling(&users.at_risk), [2, 0, 1]);
    }

    #[test]
    fn the_highest_probability_comes_first_and_equal_ones_keep_their_order() {
        assert_eq!(falling(&[0.25, 1.0, 0.0, 0.25, 5e-324]), [1, 0, 3, 4, 2]);
        assert!(falling(&[]).is_empty());
    }
}
