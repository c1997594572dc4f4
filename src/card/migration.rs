//! What became of the segments of the bundle before.

use serde::{Deserialize, Serialize};

use crate::history::Day;
use crate::model::SegmentKey;

/// How users are divided by the segments of the bundle before and by the new ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentMigration {
    /// The as-of day of the bundle before.
    pub previous_as_of: Day,
    /// The latest labelled date, at which the same users are divided in both ways.
    pub date: Day,
    /// Users at that date.
    pub users: u64,
    /// Why the segments cannot be compared, one clause each: they are made of other features. All keys are new then. Empty
    /// where they are comparable.
    pub differences: Vec<String>,
    /// The segments of the bundle before, in its order.
    pub previous: Vec<NamedSegment>,
    /// The new segments, in the order of the card's.
    pub now: Vec<NamedSegment>,
    /// Users by their segment of the bundle before (rows, as `previous`) and by their new one (columns, as `now`);
    /// `None` where they are too few to be published, or would give such a number away. Empty without a comparison.
    pub users_moved: Vec<Vec<Option<u64>>>,
    /// The share of the users whose key is another one, to a hundredth; `None` without a comparison and for too few users.
    pub changed_share: Option<f64>,
    /// The adjusted Rand index of both divisions, to a hundredth: 1 for equal ones, 0 for what chance would give; `None` as above.
    pub adjusted_rand: Option<f64>,
    /// The population stability index between the users of both fits, divided by the segments of the bundle before, to a
    /// hundredth; `None` as above.
    pub population_stability: Option<f64>,
    /// The index up to which the population counts as the same; `None` as above.
    pub population_tolerance: Option<f64>,
    /// Keys that no segment of the bundle before had.
    pub new: Vec<SegmentKey>,
    /// Keys of the bundle before that no segment has now. They are never given again.
    pub retired: Vec<SegmentKey>,
    /// Whether more users change key than is allowed, though they are divided by the earlier segments as at the fit before;
    /// also where the segments cannot be compared.
    pub needs_resegment: bool,
}

/// A segment by its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedSegment {
    /// Its lasting name.
    pub key: SegmentKey,
    /// What sets its users apart.
    pub name: String,
}

/// More users than this share must not change key without being asked to, while the population is the same.
pub const CHANGED_SHARE_LIMIT: f64 = 0.25;

impl SegmentMigration {
    /// Segments whose key stayed and whose name did not: the name before and the name now.
    pub fn renamed(&self) -> impl Iterator<Item = (&NamedSegment, &NamedSegment)> {
        let pairs = self.previous.iter().filter_map(|before| {
            let now = self.now.iter().find(|now| now.key == before.key)?;
            Some((before, now))
        });
        pairs.filter(|(before, now)| before.name != now.name)
    }
}
