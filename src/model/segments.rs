//! Groups of users who behave alike: the centroids of a few clusters.

use serde::{Deserialize, Serialize};

use super::{FigureError, all_finite};

/// One segment of users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// What sets its users apart, such as "frequent, recent, high spend".
    pub name: String,
    /// Its centre in the standardised features of [`Segments::features`].
    pub centroid: Vec<f64>,
    /// How many users of the training snapshot fall into it.
    pub users: u64,
    /// Their churn rate over the first horizon.
    pub churn_rate: f64,
}

impl Segment {
    /// Whether there is one finite number for each of the `features`.
    pub(crate) fn validate(&self, features: usize) -> Result<(), FigureError> {
        let finite = all_finite(&self.centroid) && self.churn_rate.is_finite();
        if finite && self.centroid.len() == features {
            Ok(())
        } else {
            Err(FigureError::Segment)
        }
    }
}

/// The segments, from the lowest churn rate to the highest; a segment's id is its position.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segments {
    /// The features that segments are made of.
    pub features: Vec<String>,
    /// The segments; empty when the users were too few or too alike to tell apart.
    pub items: Vec<Segment>,
}

impl Segments {
    /// The position of the segment whose centre is nearest to a point in [`Segments::features`], and how far away
    /// it is; `None` without segments.
    pub fn nearest(&self, point: impl Iterator<Item = f64> + Clone) -> Option<(usize, f64)> {
        let squared = |centroid: &[f64]| {
            centroid
                .iter()
                .zip(point.clone())
                .map(|(c, x)| (c - x) * (c - x))
                .sum::<f64>()
        };
        let all = self
            .items
            .iter()
            .enumerate()
            .map(|(id, segment)| (id, squared(&segment.centroid)));
        all.min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(id, squared)| (id, squared.sqrt()))
    }
}
