//! What a model weighs beyond the columns themselves: hinges, which bend a line at a knot, and interactions, the products
//! of two columns.

use serde::{Deserialize, Serialize};

use super::{FigureError, all_finite};

/// A hinge at `knot` in how a column counts: what lies above the knot, standardised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hinge {
    /// Position of the column.
    pub column: usize,
    /// Where the hinge is, in standardised units.
    pub knot: f64,
    /// Mean of what lies above the knot in training.
    pub mean: f64,
    /// Its standard deviation; positive.
    pub std_dev: f64,
}

/// The product of two columns, clipped to the range that training saw and standardised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interaction {
    /// Position of the one column.
    pub first: usize,
    /// Position of the other; the same for a square.
    pub second: usize,
    /// Mean of the product in training.
    pub mean: f64,
    /// Its standard deviation; positive.
    pub std_dev: f64,
    /// Smallest product in training.
    pub clip_min: f64,
    /// Largest product in training.
    pub clip_max: f64,
}

/// What a model weighs beyond the columns themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expansion {
    /// Hinges.
    pub hinges: Vec<Hinge>,
    /// Interactions.
    pub interactions: Vec<Interaction>,
}

/// What lies above a knot.
#[inline]
pub(crate) fn above(z: f64, knot: f64) -> f64 {
    let more = z - knot;
    if more > 0.0 { more } else { 0.0 }
}

impl Hinge {
    fn value(&self, z: &[f64]) -> f64 {
        (above(z[self.column], self.knot) - self.mean) / self.std_dev
    }
}

impl Interaction {
    fn value(&self, z: &[f64]) -> f64 {
        let product = z[self.first] * z[self.second];
        (product.clamp(self.clip_min, self.clip_max) - self.mean) / self.std_dev
    }
}

impl Expansion {
    /// How many numbers it adds to a row.
    pub fn len(&self) -> usize {
        self.hinges.len() + self.interactions.len()
    }

    /// Whether it adds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the hinges and interactions of the row that `row` ends with, which begins at `start`.
    pub fn extend(&self, row: &mut Vec<f64>, start: usize) {
        let width = row.len();
        for hinge in &self.hinges {
            row.push(hinge.value(&row[start..width]));
        }
        for pair in &self.interactions {
            row.push(pair.value(&row[start..width]));
        }
    }

    /// Whether every hinge and interaction can be computed from a number of columns.
    pub(crate) fn validate(&self, columns: usize) -> Result<(), FigureError> {
        let hinge = |h: &Hinge| {
            let finite = all_finite(&[h.knot, h.mean, h.std_dev]);
            finite && h.column < columns && h.std_dev > 0.0
        };
        let interaction = |i: &Interaction| {
            let finite = all_finite(&[i.mean, i.std_dev, i.clip_min, i.clip_max]);
            let exist = i.first < columns && i.second < columns;
            finite && exist && i.clip_min <= i.clip_max && i.std_dev > 0.0
        };
        if self.hinges.iter().all(hinge) && self.interactions.iter().all(interaction) {
            Ok(())
        } else {
            Err(FigureError::Expansion)
        }
    }

    /// Adds every hinge's and interaction's share of the log-odds to the columns that it is made of, half and half for an
    /// interaction.
    pub(crate) fn share(&self, z: &[f64], weights: &[f64], shares: &mut [f64]) {
        let (hinges, interactions) = weights.split_at(self.hinges.len());
        for (hinge, weight) in self.hinges.iter().zip(hinges) {
            shares[hinge.column] += weight * hinge.value(z);
        }
        for (pair, weight) in self.interactions.iter().zip(interactions) {
            let half = 0.5 * weight * pair.value(z);
            shares[pair.first] += half;
            shares[pair.second] += half;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_hinges_and_interactions_add_up_to_their_part_of_the_log_odds() {
        let hinges = vec![Hinge {
            column: 1,
            knot: 0.5,
            mean: 0.2,
            std_dev: 0.7,
        }];
        let pair = |first, second| Interaction {
            first,
            second,
            mean: 0.1,
            std_dev: 1.3,
            clip_min: -4.0,
            clip_max: 1.5,
        };
        let expansion = Expansion {
            hinges,
            interactions: vec![pair(0, 1), pair(2, 2)],
        };
        let mut row = vec![9.0, 1.0, 2.0, -3.0];
        expansion.extend(&mut row, 1);
        assert_eq!(
            row[4..],
            [(1.5 - 0.2) / 0.7, (1.5 - 0.1) / 1.3, (1.5 - 0.1) / 1.3],
            "2 and 9 are clipped to 1.5"
        );
        let weights = [0.3, -0.5, 0.25];
        let mut shares = [0.0; 3];
        expansion.share(&row[1..4], &weights, &mut shares);
        let whole: f64 = row[4..].iter().zip(weights).map(|(x, w)| x * w).sum();
        assert!((shares.iter().sum::<f64>() - whole).abs() < 1e-15);
        assert_eq!(shares[0], -0.25 * row[5], "half of the interaction");
        assert_eq!(expansion.validate(3), Ok(()));
        assert_eq!(expansion.validate(2), Err(FigureError::Expansion));
    }
}
