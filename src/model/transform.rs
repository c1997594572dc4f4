//! From a raw feature vector to the numbers that a model weighs.

use serde::{Deserialize, Serialize};

use super::bg_nbd::{BgNbd, MOST_ACTIVE_DAYS, Purchases};
use crate::features::{Catalogue, Quantity, Scale, Theme};
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
    pub center: f64,
    /// Standard deviation of the bent values in training; positive.
    pub spread: f64,
    /// Smallest bent value in training.
    pub low: f64,
    /// Largest bent value in training.
    pub high: f64,
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
        (Self::bend(self.scale, raw).clamp(self.low, self.high) - self.center) / self.spread
    }

    /// What is wrong with the numbers; `None` when they are in order.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let finite = [self.center, self.spread, self.low, self.high]
            .iter()
            .all(|x| x.is_finite());
        let legal = finite && self.spread > 0.0 && self.low <= self.high;
        (!legal).then_some("needs finite numbers, a positive spread and low <= high")
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
    pub fn theme(self) -> Theme {
        match self {
            Self::Rate => Theme::Frequency,
            Self::Alive | Self::Silent(_) => Theme::Recency,
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
    pub fn sentence(self) -> String {
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
pub struct Design {
    /// One entry for each feature of the catalogue, then one for each derived number.
    pub columns: Vec<Column>,
    /// Where the derived numbers come from; `None` when nobody in training ever came back.
    pub bg_nbd: Option<BgNbd>,
}

impl Design {
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

/// A kink at `knot` in how a column counts: what lies above the knot, standardised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kink {
    /// Position of the column.
    pub column: usize,
    /// Where the kink is, in standardised units.
    pub knot: f64,
    /// Mean of what lies above the knot in training.
    pub center: f64,
    /// Its standard deviation; positive.
    pub spread: f64,
}

/// The product of two columns, held inside the range that training saw and standardised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Position of the one column.
    pub first: usize,
    /// Position of the other; the same for a square.
    pub second: usize,
    /// Mean of the product in training.
    pub center: f64,
    /// Its standard deviation; positive.
    pub spread: f64,
    /// Smallest product in training.
    pub low: f64,
    /// Largest product in training.
    pub high: f64,
}

/// What a model weighs beyond the columns themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expansion {
    /// Kinks.
    pub kinks: Vec<Kink>,
    /// Products.
    pub pairs: Vec<Pair>,
}

/// What lies above a knot.
#[inline]
pub(crate) fn above(z: f64, knot: f64) -> f64 {
    let more = z - knot;
    if more > 0.0 { more } else { 0.0 }
}

impl Kink {
    fn value(&self, z: &[f64]) -> f64 {
        (above(z.get(self.column).copied().unwrap_or_default(), self.knot) - self.center)
            / self.spread
    }
}

impl Pair {
    fn value(&self, z: &[f64]) -> f64 {
        let at = |column: usize| z.get(column).copied().unwrap_or_default();
        ((at(self.first) * at(self.second)).clamp(self.low, self.high) - self.center) / self.spread
    }
}

impl Expansion {
    /// How many numbers it adds to a row.
    pub fn len(&self) -> usize {
        self.kinks.len() + self.pairs.len()
    }

    /// Whether it adds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the kinks and products of the row that `row` ends with, which begins at `start`.
    pub fn extend(&self, row: &mut Vec<f64>, start: usize) {
        let width = row.len();
        for kink in &self.kinks {
            row.push(kink.value(&row[start..width]));
        }
        for pair in &self.pairs {
            row.push(pair.value(&row[start..width]));
        }
    }

    /// What is wrong with it for a number of columns; `None` when it is in order.
    pub(crate) fn problem(&self, columns: usize) -> Option<&'static str> {
        let kink = |k: &Kink| {
            k.column < columns && finite(&[k.knot, k.center, k.spread]) && k.spread > 0.0
        };
        let pair = |p: &Pair| {
            let within = p.first < columns && p.second < columns && p.low <= p.high;
            within && finite(&[p.center, p.spread, p.low, p.high]) && p.spread > 0.0
        };
        let legal = self.kinks.iter().all(kink) && self.pairs.iter().all(pair);
        (!legal).then_some("needs finite numbers, positive spreads and columns that exist")
    }

    /// Adds every kink's and product's share of the log-odds to the columns that it is made of, half and half for a
    /// product.
    pub(crate) fn share(&self, z: &[f64], weights: &[f64], shares: &mut [f64]) {
        let (kinks, pairs) = weights.split_at(self.kinks.len().min(weights.len()));
        let mut add = |column: usize, share: f64| {
            if let Some(sum) = shares.get_mut(column) {
                *sum += share;
            }
        };
        for (kink, weight) in self.kinks.iter().zip(kinks) {
            add(kink.column, weight * kink.value(z));
        }
        for (pair, weight) in self.pairs.iter().zip(pairs) {
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

    fn design(catalogue: &Catalogue) -> Design {
        let plain = |feature: String, scale| Column {
            feature,
            scale,
            center: 0.0,
            spread: 1.0,
            low: -9.0,
            high: 9.0,
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
        Design {
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
        let kinks = vec![Kink {
            column: 1,
            knot: 0.5,
            center: 0.2,
            spread: 0.7,
        }];
        let pair = |first, second| Pair {
            first,
            second,
            center: 0.1,
            spread: 1.3,
            low: -4.0,
            high: 1.5,
        };
        let expansion = Expansion {
            kinks,
            pairs: vec![pair(0, 1), pair(2, 2)],
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
