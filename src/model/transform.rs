//! From a raw feature vector to standardised numbers: the formulas. Training uses them row by row; scoring computes the
//! same bits in [`super::predict`], which is tested against them.

use serde::{Deserialize, Serialize};

use super::bg_nbd::{BgNbd, Purchases};
use super::derived::{Derived, purchases_of};
use super::{FigureError, all_finite};
use crate::features::{Catalogue, Quantity, Scale};
use crate::math::signed_log1p;

/// How one number is standardised: transformed by its scale, clipped to the range that training saw, centred and divided.
/// An unknown value becomes 0, the average.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The name of the feature or derived number, for readers of the file; the order is fixed.
    pub feature: String,
    /// How the raw value is transformed first.
    pub scale: Scale,
    /// Mean of the transformed values in training.
    pub mean: f64,
    /// Standard deviation of the transformed values in training; positive.
    pub std_dev: f64,
    /// Smallest transformed value in training.
    pub clip_min: f64,
    /// Largest transformed value in training.
    pub clip_max: f64,
}

/// Probabilities are clipped this far from 0 and 1 before their log-odds are taken.
const LOGIT_EDGE: f64 = 1e-4;

impl Column {
    /// The raw value on its scale.
    pub fn transform(scale: Scale, raw: f64) -> f64 {
        match scale {
            Scale::Log => libm::log1p(raw.max(0.0)),
            Scale::SignedLog => signed_log1p(raw),
            Scale::Linear => raw,
            Scale::Logit => crate::math::logit(Self::within_logit(raw)),
        }
    }

    /// A probability clipped to where its log-odds are taken.
    pub(crate) fn within_logit(probability: f64) -> f64 {
        probability.clamp(LOGIT_EDGE, 1.0 - LOGIT_EDGE)
    }

    /// The standardised value; 0 for NaN.
    pub fn standardise(&self, raw: f64) -> f64 {
        if raw.is_nan() {
            return 0.0;
        }
        (Self::transform(self.scale, raw).clamp(self.clip_min, self.clip_max) - self.mean)
            / self.std_dev
    }

    /// Whether the figures standardise every value to a finite one.
    pub(crate) fn validate(&self) -> Result<(), FigureError> {
        let finite = all_finite(&[self.mean, self.std_dev, self.clip_min, self.clip_max]);
        if finite && self.std_dev > 0.0 && self.clip_min <= self.clip_max {
            Ok(())
        } else {
            Err(FigureError::Column)
        }
    }
}

/// How a raw feature vector becomes standardised numbers: the features in catalogue order, then the derived numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// One entry for each feature of the catalogue, then one for each derived number.
    pub columns: Vec<Column>,
    /// Where the derived numbers come from; `None` when no user in training ever came back.
    pub bg_nbd: Option<BgNbd>,
}

impl Preprocessing {
    /// The derived numbers, in the order of their columns.
    pub fn derived(&self, catalogue: &Catalogue) -> Vec<Derived> {
        match self.bg_nbd {
            Some(_) => Derived::of(catalogue).collect(),
            None => Vec::new(),
        }
    }

    /// Appends the standardised numbers of a raw vector to `z`.
    pub fn standardise(&self, catalogue: &Catalogue, raw: &[f64], z: &mut Vec<f64>) {
        let (features, derived) = self.columns.split_at(raw.len());
        let pairs = features.iter().zip(raw);
        z.extend(pairs.map(|(column, raw)| column.standardise(*raw)));
        let Some(model) = &self.bg_nbd else { return };
        let user = purchases(catalogue, raw);
        for (column, number) in derived.iter().zip(Derived::of(catalogue)) {
            let value = user.as_ref().map(|user| number.value(model, user));
            z.push(column.standardise(value.unwrap_or(f64::NAN)));
        }
    }

    /// A derived number of a raw vector, not standardised; `None` where it is unknown.
    pub fn derive(&self, catalogue: &Catalogue, raw: &[f64], number: Derived) -> Option<f64> {
        Some(number.value(self.bg_nbd.as_ref()?, &purchases(catalogue, raw)?))
    }
}

/// What BG/NBD reads of a raw vector; `None` when it is unknown or contradicts itself.
fn purchases(catalogue: &Catalogue, raw: &[f64]) -> Option<Purchases> {
    let value = |quantity| raw[catalogue.required(quantity)];
    purchases_of(
        value(Quantity::ActiveDays),
        value(Quantity::Recency),
        value(Quantity::ActiveAge),
    )
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
            seasonal_years: 0,
            lead_days: 0,
            value_kinds: Vec::new(),
            attributes: Vec::new(),
        })
        .unwrap()
    }

    fn preprocessing(catalogue: &Catalogue) -> Preprocessing {
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
        let more = Derived::of(catalogue).map(|d| plain(d.name(), d.scale()));
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
        let preprocessing = preprocessing(&catalogue);
        let named = [
            ("active_days", 3.0),
            ("recency_days", 59.0),
            ("active_age_days", 272.0),
        ];
        let raw = catalogue.vector(named.into_iter()).unwrap();
        let user = Purchases::new(2, 213.0, 272.0).unwrap();
        let model = preprocessing.bg_nbd.unwrap();
        let value = |number| preprocessing.derive(&catalogue, &raw, number).unwrap();
        assert_eq!(value(Derived::Alive), model.p_alive(&user));
        assert_eq!(value(Derived::Silent(30)), model.p_silent(&user, 30));
        let mut z = Vec::new();
        preprocessing.standardise(&catalogue, &raw, &mut z);
        assert_eq!(z.len(), preprocessing.columns.len());
        assert_eq!(z[catalogue.len()], value(Derived::Alive));
        assert_eq!(
            z[catalogue.len() + 2],
            crate::math::logit(value(Derived::Silent(30)))
        );
    }

    #[test]
    fn what_is_unknown_or_contradicts_itself_is_average() {
        let catalogue = catalogue();
        let preprocessing = preprocessing(&catalogue);
        let silent = |named: &[(&str, f64)]| {
            let mut z = Vec::new();
            preprocessing.standardise(
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
}
