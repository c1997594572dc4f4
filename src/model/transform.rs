//! From a raw feature vector to the numbers that a model weighs.

use serde::{Deserialize, Serialize};

use super::bg_nbd::{BgNbd, MOST_ACTIVE_DAYS, Purchases};
use crate::features::{Catalogue, FeatureGroup, Quantity, Scale};
use crate::math::signed_log1p;

/// How one number is standardised: bent by its scale, held inside the range that training saw, centred and divided. An
/// unknown value becomes 0, the average.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The name of the feature or derived number, for readers of the file; the order is fixed.
    pub feature: String,
    /// How the raw value is bent first.
    pub scale: Scale,
    /// Mean of the bent values in training.
    pub mean: f64,
    /// Standard deviation of the bent values in training; positive.
    pub std_dev: f64,
    /// Smallest bent value in training.
    pub clip_min: f64,
    /// Largest bent value in training.
    pub clip_max: f64,
}

/// Probabilities are held this far from 0 and 1 before their log-odds are taken.
const LOGIT_EDGE: f64 = 1e-4;

impl Column {
    /// The raw value bent by the scale.
    pub fn bend(scale: Scale, raw: f64) -> f64 {
        match scale {
            Scale::Log => libm::log1p(raw.max(0.0)),
            Scale::SignedLog => signed_log1p(raw),
            Scale::Linear => raw,
            Scale::Logit => crate::math::logit(Self::within_logit(raw)),
        }
    }

    /// A probability held where its log-odds are taken.
    pub(crate) fn within_logit(probability: f64) -> f64 {
        probability.clamp(LOGIT_EDGE, 1.0 - LOGIT_EDGE)
    }

    /// The standardised value; 0 for NaN.
    pub fn standardise(&self, raw: f64) -> f64 {
        if raw.is_nan() {
            return 0.0;
        }
        (Self::bend(self.scale, raw).clamp(self.clip_min, self.clip_max) - self.mean) / self.std_dev
    }

    /// What is wrong with the numbers; `None` when they are in order.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let finite = [self.mean, self.std_dev, self.clip_min, self.clip_max]
            .iter()
            .all(|x| x.is_finite());
        let legal = finite && self.std_dev > 0.0 && self.clip_min <= self.clip_max;
        (!legal).then_some("needs finite numbers, a positive std_dev and clip_min <= clip_max")
    }
}

/// What [`BgNbd`] makes of a user's recency, frequency and age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Derived {
    /// The probability that the user is still there.
    Alive,
    /// Active days that the user would have in a year while there.
    Rate,
    /// The probability of no active day in this many days.
    Silent(u16),
}

impl Derived {
    /// The name, as of a feature.
    pub fn name(self) -> String {
        match self {
            Self::Alive => "bg_nbd_alive".to_owned(),
            Self::Rate => "bg_nbd_days_a_year".to_owned(),
            Self::Silent(days) => format!("bg_nbd_silent_{days}d"),
        }
    }

    /// The unit of the value.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Rate => "active days",
            Self::Alive | Self::Silent(_) => "probability",
        }
    }

    /// What it is about.
    pub fn group(self) -> FeatureGroup {
        match self {
            Self::Rate => FeatureGroup::Frequency,
            Self::Alive | Self::Silent(_) => FeatureGroup::Recency,
        }
    }

    /// As [`Quantity::larger_means_leaving`].
    pub fn larger_means_leaving(self) -> Option<bool> {
        match self {
            Self::Silent(_) => Some(true),
            Self::Alive | Self::Rate => Some(false),
        }
    }

    /// How it is bent before it is standardised.
    pub fn scale(self) -> Scale {
        match self {
            Self::Alive => Scale::Linear,
            Self::Rate => Scale::Log,
            Self::Silent(_) => Scale::Logit,
        }
    }

    /// What it is, in one sentence.
    pub fn description(self) -> String {
        match self {
            Self::Alive => {
                "Probability of still being there by recency, frequency and age (BG/NBD)."
                    .to_owned()
            }
            Self::Rate => {
                "Active days in a year expected of the user while there (BG/NBD).".to_owned()
            }
            Self::Silent(days) => {
                format!(
                    "Probability of no active day in {days} days by recency, frequency and age (BG/NBD)."
                )
            }
        }
    }

    fn value(self, model: &BgNbd, user: &Purchases) -> f64 {
        match self {
            Self::Rate => self.value_if(model, user, f64::NAN),
            Self::Alive | Self::Silent(_) => self.value_if(model, user, model.p_alive(user)),
        }
    }

    /// The value for a user who is alive with the probability `alive`.
    fn value_if(self, model: &BgNbd, user: &Purchases, alive: f64) -> f64 {
        match self {
            Self::Alive => alive,
            Self::Rate => {
                (model.r + f64::from(user.frequency())) / (model.alpha + user.age_days()) * 365.0
            }
            Self::Silent(days) => model.p_silent_if(alive, user, days),
        }
    }

    /// The values of several numbers; NaN for an unknown user.
    pub(crate) fn values<'a>(
        all: &'a [Self],
        model: &'a BgNbd,
        user: Option<Purchases>,
    ) -> impl Iterator<Item = f64> + 'a {
        let alive = user.as_ref().map(|user| model.p_alive(user));
        let known = user.zip(alive);
        all.iter().map(move |d| {
            known
                .as_ref()
                .map_or(f64::NAN, |(user, alive)| d.value_if(model, user, *alive))
        })
    }
}

/// How a raw feature vector becomes standardised numbers: the features in catalogue order, then the derived numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// One entry for each feature of the catalogue, then one for each derived number.
    pub columns: Vec<Column>,
    /// Where the derived numbers come from; `None` when nobody in training ever came back.
    pub bg_nbd: Option<BgNbd>,
}

impl Preprocessing {
    /// The derived numbers, in the order of their columns.
    pub fn derived(&self, catalogue: &Catalogue) -> Vec<Derived> {
        match self.bg_nbd {
            Some(_) => derived(catalogue).collect(),
            None => Vec::new(),
        }
    }

    /// Appends the standardised numbers of a raw vector to `z`.
    pub fn standardise(&self, catalogue: &Catalogue, raw: &[f64], z: &mut Vec<f64>) {
        z.extend(
            self.columns
                .iter()
                .zip(raw)
                .map(|(column, raw)| column.standardise(*raw)),
        );
        let Some(model) = &self.bg_nbd else { return };
        let user = purchases(catalogue, raw);
        let columns = self.columns.get(raw.len()..).unwrap_or_default();
        let value = |d: Derived| user.as_ref().map_or(f64::NAN, |user| d.value(model, user));
        z.extend(
            columns
                .iter()
                .zip(derived(catalogue))
                .map(|(column, d)| column.standardise(value(d))),
        );
    }

    /// A derived number of a raw vector, not standardised; `None` where it is unknown.
    pub fn derive(&self, catalogue: &Catalogue, raw: &[f64], number: Derived) -> Option<f64> {
        Some(number.value(self.bg_nbd.as_ref()?, &purchases(catalogue, raw)?))
    }
}

fn derived(catalogue: &Catalogue) -> impl Iterator<Item = Derived> {
    let silences = catalogue
        .schema()
        .horizon_days
        .iter()
        .map(|h| Derived::Silent(*h));
    [Derived::Alive, Derived::Rate].into_iter().chain(silences)
}

/// What BG/NBD needs of a raw vector; `None` when it is unknown or contradicts itself.
fn purchases(catalogue: &Catalogue, raw: &[f64]) -> Option<Purchases> {
    let value = |q| {
        catalogue
            .position(q)
            .and_then(|p| raw.get(p))
            .copied()
            .unwrap_or(f64::NAN)
    };
    purchases_of(
        value(Quantity::ActiveDays),
        value(Quantity::Recency),
        value(Quantity::ActiveAge),
    )
}

/// What BG/NBD needs, from active days, recency and the days since the first active one, each NaN where unknown.
pub(crate) fn purchases_of(days: f64, recency: f64, age: f64) -> Option<Purchases> {
    if days.is_nan() || recency.is_nan() || age.is_nan() {
        return None;
    }
    let again = (days - 1.0).round().clamp(0.0, f64::from(MOST_ACTIVE_DAYS)) as u32;
    Purchases::new(again, if again == 0 { 0.0 } else { age - recency }, age)
}

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

/// The product of two columns, held inside the range that training saw and standardised.
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
    /// Products.
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
        (above(z.get(self.column).copied().unwrap_or_default(), self.knot) - self.mean)
            / self.std_dev
    }
}

impl Interaction {
    fn value(&self, z: &[f64]) -> f64 {
        let at = |column: usize| z.get(column).copied().unwrap_or_default();
        ((at(self.first) * at(self.second)).clamp(self.clip_min, self.clip_max) - self.mean)
            / self.std_dev
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

    /// What is wrong with it for a number of columns; `None` when it is in order.
    pub(crate) fn problem(&self, columns: usize) -> Option<&'static str> {
        let hinge = |k: &Hinge| {
            k.column < columns && finite(&[k.knot, k.mean, k.std_dev]) && k.std_dev > 0.0
        };
        let pair = |p: &Interaction| {
            let within = p.first < columns && p.second < columns && p.clip_min <= p.clip_max;
            within && finite(&[p.mean, p.std_dev, p.clip_min, p.clip_max]) && p.std_dev > 0.0
        };
        let legal = self.hinges.iter().all(hinge) && self.interactions.iter().all(pair);
        (!legal).then_some("needs finite numbers, positive spreads and columns that exist")
    }

    /// Adds every hinge's and product's share of the log-odds to the columns that it is made of, half and half for a
    /// product.
    pub(crate) fn share(&self, z: &[f64], weights: &[f64], shares: &mut [f64]) {
        let (hinges, interactions) = weights.split_at(self.hinges.len().min(weights.len()));
        let mut add = |column: usize, share: f64| {
            if let Some(sum) = shares.get_mut(column) {
                *sum += share;
            }
        };
        for (hinge, weight) in self.hinges.iter().zip(hinges) {
            add(hinge.column, weight * hinge.value(z));
        }
        for (pair, weight) in self.interactions.iter().zip(interactions) {
            let half = 0.5 * weight * pair.value(z);
            add(pair.first, half);
            add(pair.second, half);
        }
    }
}

fn finite(numbers: &[f64]) -> bool {
    numbers.iter().all(|x| x.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FeatureSchema;

    fn catalogue() -> Catalogue {
        let (activity, horizon_days) = (vec!["purchase".to_owned()], vec![30]);
        Catalogue::new(FeatureSchema {
            activity,
            other_kinds: vec![],
            horizon_days,
            amounts: false,
        })
        .unwrap()
    }

    fn design(catalogue: &Catalogue) -> Preprocessing {
        let plain = |feature: String, scale| Column {
            feature,
            scale,
            mean: 0.0,
            std_dev: 1.0,
            clip_min: -9.0,
            clip_max: 9.0,
        };
        let features = catalogue
            .features()
            .iter()
            .map(|f| plain(f.name.clone(), f.scale));
        let more = derived(catalogue).map(|d| plain(d.name(), d.scale()));
        let bg_nbd = Some(BgNbd {
            r: 0.243,
            alpha: 30.9,
            a: 0.793,
            b: 2.426,
        });
        Preprocessing {
            columns: features.chain(more).collect(),
            bg_nbd,
        }
    }

    #[test]
    fn derived_numbers_come_from_the_features_alone() {
        let catalogue = catalogue();
        let design = design(&catalogue);
        let named = [
            ("active_days", 3.0),
            ("recency_days", 59.0),
            ("active_age_days", 272.0),
        ];
        let raw = catalogue.vector(named.into_iter()).unwrap();
        let user = Purchases::new(2, 213.0, 272.0).unwrap();
        let model = design.bg_nbd.unwrap();
        let value = |number| design.derive(&catalogue, &raw, number).unwrap();
        assert_eq!(value(Derived::Alive), model.p_alive(&user));
        assert_eq!(value(Derived::Silent(30)), model.p_silent(&user, 30));
        let mut z = Vec::new();
        design.standardise(&catalogue, &raw, &mut z);
        assert_eq!(z.len(), design.columns.len());
        assert_eq!(z[catalogue.len()], value(Derived::Alive));
        assert_eq!(
            z[catalogue.len() + 2],
            crate::math::logit(value(Derived::Silent(30)))
        );
    }

    #[test]
    fn what_is_unknown_or_contradicts_itself_is_average() {
        let catalogue = catalogue();
        let design = design(&catalogue);
        let silent = |named: &[(&str, f64)]| {
            let mut z = Vec::new();
            design.standardise(
                &catalogue,
                &catalogue.vector(named.iter().copied()).unwrap(),
                &mut z,
            );
            z[catalogue.len() + 2]
        };
        assert_eq!(silent(&[("active_days", 3.0), ("recency_days", 59.0)]), 0.0);
        assert_eq!(
            silent(&[
                ("active_days", 3.0),
                ("recency_days", 59.0),
                ("active_age_days", 20.0)
            ]),
            0.0
        );
        assert_ne!(
            silent(&[
                ("active_days", 3.0),
                ("recency_days", 59.0),
                ("active_age_days", 90.0)
            ]),
            0.0
        );
    }

    #[test]
    fn shares_of_kinks_and_products_add_up_to_their_part_of_the_log_odds() {
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
            "2 and 9 are held at 1.5"
        );
        let weights = [0.3, -0.5, 0.25];
        let mut shares = [0.0; 3];
        expansion.share(&row[1..4], &weights, &mut shares);
        let whole: f64 = row[4..].iter().zip(weights).map(|(x, w)| x * w).sum();
        assert!((shares.iter().sum::<f64>() - whole).abs() < 1e-15);
        assert_eq!(shares[0], -0.25 * row[5], "half of the product");
        assert!(expansion.problem(3).is_none() && expansion.problem(2).is_some());
    }
}
