//! What scoring reads over and over, looked up once: positions instead of names, columns of numbers instead of rows.

use crate::features::{Catalogue, Feature, FeatureGroup, Quantity, Scale};
use crate::lifecycle::Places;
use crate::math::{Log1p, logit};
use crate::model::bg_nbd::Purchases;
use crate::model::bundle::{BundleSpec, ChurnModel};
use crate::model::transform::{Column, Derived, above, purchases_of};

/// The groups, in the order in which equal effects are told.
const THEMES: [FeatureGroup; 6] = [
    FeatureGroup::Recency,
    FeatureGroup::Frequency,
    FeatureGroup::Tenure,
    FeatureGroup::Rhythm,
    FeatureGroup::Amount,
    FeatureGroup::OtherEvents,
];

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) places: Places,
    pub(crate) active_age: usize,
    /// The names of the derived numbers.
    pub(crate) derived_names: Vec<String>,
    /// For each column how it is bent.
    pub(crate) scales: Vec<Scale>,
    centers: Vec<f64>,
    spreads: Vec<f64>,
    lows: Vec<f64>,
    highs: Vec<f64>,
    /// The groups that have columns, each with theirs, in order.
    pub(crate) groups: Vec<(FeatureGroup, Vec<usize>)>,
    pub(crate) models: Vec<Weighing>,
}

impl Plan {
    /// The plan of a bundle whose parts fit each other.
    pub(crate) fn new(spec: &BundleSpec, catalogue: &Catalogue, derived: &[Derived]) -> Self {
        let columns = &spec.preprocessing.columns;
        let of_columns: Vec<FeatureGroup> = catalogue
            .features()
            .iter()
            .map(|f| f.group)
            .chain(derived.iter().map(|d| d.group()))
            .collect();
        let members = |group: FeatureGroup| -> Vec<usize> {
            (0..of_columns.len())
                .filter(|k| of_columns.get(*k) == Some(&group))
                .collect()
        };
        let number = |of: fn(&Column) -> f64| columns.iter().map(of).collect();
        Self {
            places: Places::new(catalogue),
            active_age: catalogue
                .position(Quantity::ActiveAge)
                .unwrap_or(usize::MAX),
            derived_names: derived.iter().map(|d| d.name()).collect(),
            scales: columns.iter().map(|c| c.scale).collect(),
            centers: number(|c| c.mean),
            spreads: number(|c| c.std_dev),
            lows: number(|c| c.clip_min),
            highs: number(|c| c.clip_max),
            groups: THEMES
                .map(|group| (group, members(group)))
                .into_iter()
                .filter(|(_, m)| !m.is_empty())
                .collect(),
            models: spec
                .models
                .iter()
                .map(|model| Weighing::new(model, catalogue, derived))
                .collect(),
        }
    }

    /// What BG/NBD needs of a raw vector; `None` when it is unknown or contradicts itself.
    pub(crate) fn purchases(&self, raw: &[f64]) -> Option<Purchases> {
        let at = |position: usize| raw.get(position).copied().unwrap_or(f64::NAN);
        purchases_of(
            at(self.places.active_days),
            at(self.places.recency),
            at(self.active_age),
        )
    }

    /// Standardises raw values, one for each column, where they stand.
    pub(crate) fn standardise(&self, values: &mut [f64]) {
        let log = Log1p::new();
        for (value, scale) in values.iter_mut().zip(&self.scales) {
            *value = bend(log, *scale, *value);
        }
        let ranges = self.lows.iter().zip(&self.highs);
        let columns = self.centers.iter().zip(&self.spreads).zip(ranges);
        for (value, ((mean, std_dev), (clip_min, clip_max))) in values.iter_mut().zip(columns) {
            *value = standard(*value, *mean, *std_dev, *clip_min, *clip_max);
        }
    }
}

/// [`Column::bend`] with a table of logarithms; NaN stays NaN.
#[inline]
pub(crate) fn bend(log: Log1p, scale: Scale, raw: f64) -> f64 {
    match scale {
        // Not `max`, which makes a number of NaN.
        Scale::Log => log.of(if raw < 0.0 { 0.0 } else { raw }),
        Scale::SignedLog => log.of(raw.abs()).copysign(raw),
        Scale::Linear => raw,
        Scale::Logit if raw.is_nan() => raw,
        Scale::Logit => logit(Column::within_logit(raw)),
    }
}

/// [`Column::standardise`] of a bent value, written so that the compiler does several at once; 0 for NaN.
#[inline]
pub(crate) fn standard(bent: f64, mean: f64, std_dev: f64, clip_min: f64, clip_max: f64) -> f64 {
    let z = (held(bent, clip_min, clip_max) - mean) / std_dev;
    if bent.is_nan() { 0.0 } else { z }
}

/// `f64::clamp` without its check of the range.
#[inline]
pub(crate) fn held(x: f64, clip_min: f64, clip_max: f64) -> f64 {
    let x = if x < clip_min { clip_min } else { x };
    if x > clip_max { clip_max } else { x }
}

/// One horizon's model, with what its hinges and interactions need side by side.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Weighing {
    /// The calibrated log-odds of the average user.
    pub(crate) base_log_odds: f64,
    /// What calibration multiplies contributions by.
    pub(crate) slope: f64,
    /// For each column whether a larger value is expected of users who leave, or of users who stay; `None` for either.
    leaving: Vec<Option<bool>>,
    /// For each column whether it counts events of a kind that may be good or bad.
    kind_counts: Vec<bool>,
    /// The weights of the columns themselves.
    own: Vec<f64>,
    hinges: Terms,
    interactions: Terms,
}

/// Hinges or products in columns: `weight * ((x - mean) / std_dev)`, where `x` is what lies above a knot, or a product
/// held in its range.
#[derive(Clone, Debug, Default, PartialEq)]
struct Terms {
    first: Vec<usize>,
    /// The other factor of a product; none for hinges.
    second: Vec<usize>,
    /// The knot of a hinge, the clip_min end of a product.
    clip_min: Vec<f64>,
    /// The clip_max end of a product; none for hinges.
    clip_max: Vec<f64>,
    mean: Vec<f64>,
    std_dev: Vec<f64>,
    /// The weight of a hinge; half of that of a product, whose factors have half of it each.
    weight: Vec<f64>,
}

impl Weighing {
    fn new(model: &ChurnModel, catalogue: &Catalogue, derived: &[Derived]) -> Self {
        let slope = model.calibration.slope;
        let expansion = &model.expansion;
        let (own, more) = model
            .weights
            .split_at(model.weights.len().saturating_sub(expansion.len()));
        let (kink_weights, pair_weights) = more.split_at(expansion.hinges.len().min(more.len()));
        let (mut hinges, mut interactions) = (Terms::default(), Terms::default());
        for (hinge, weight) in expansion.hinges.iter().zip(kink_weights) {
            hinges.first.push(hinge.column);
            hinges.clip_min.push(hinge.knot);
            hinges.push(hinge.mean, hinge.std_dev, *weight);
        }
        for (pair, weight) in expansion.interactions.iter().zip(pair_weights) {
            interactions.first.push(pair.first);
            interactions.second.push(pair.second);
            interactions.clip_min.push(pair.clip_min);
            interactions.clip_max.push(pair.clip_max);
            interactions.push(pair.mean, pair.std_dev, 0.5 * weight);
        }
        let base_log_odds = model.calibration.intercept + slope * model.intercept;
        let leaving = expectations(own, catalogue, derived);
        let kind_counts = catalogue
            .features()
            .iter()
            .map(|f| kind_of(f.quantity).is_some())
            .collect();
        Self {
            base_log_odds,
            slope,
            leaving,
            kind_counts,
            own: own.to_vec(),
            hinges,
            interactions,
        }
    }

    /// Whether a standardised value raises the risk, or lowers it, as a reader expects of it. What is unknown, or like the
    /// average, is neither large nor small.
    pub(crate) fn is_expected(&self, column: usize, z: f64, raises: bool) -> bool {
        match self.leaving.get(column).copied().flatten() {
            Some(leaving) => z == 0.0 || (z > 0.0) == (leaving == raises),
            None => true,
        }
    }

    /// Whether a column counts events of one kind.
    pub(crate) fn counts_kind(&self, column: usize) -> bool {
        self.kind_counts.get(column).copied().unwrap_or(false)
    }

    /// What each column adds to the calibrated log-odds, into `shares`: [`ChurnModel::contributions`] times the slope,
    /// with the same additions in the same order. `terms` is room to work in.
    pub(crate) fn contributions(&self, z: &[f64], shares: &mut Vec<f64>, terms: &mut Vec<f64>) {
        let at = |column: &usize| z.get(*column).copied().unwrap_or_default();
        shares.clear();
        shares.extend(self.own.iter().zip(z).map(|(weight, z)| weight * z));
        terms.clear();
        terms.extend(self.hinges.first.iter().map(at));
        for (term, knot) in terms.iter_mut().zip(&self.hinges.clip_min) {
            *term = above(*term, *knot);
        }
        self.hinges.weigh(terms);
        add(shares, self.hinges.first.iter().zip(terms.iter()));
        terms.clear();
        terms.extend(
            self.interactions
                .first
                .iter()
                .zip(&self.interactions.second)
                .map(|(first, second)| at(first) * at(second)),
        );
        for ((term, clip_min), clip_max) in terms
            .iter_mut()
            .zip(&self.interactions.clip_min)
            .zip(&self.interactions.clip_max)
        {
            *term = held(*term, *clip_min, *clip_max);
        }
        self.interactions.weigh(terms);
        let factors = self
            .interactions
            .first
            .iter()
            .zip(&self.interactions.second)
            .zip(terms.iter());
        add(
            shares,
            factors.flat_map(|((first, second), term)| [(first, term), (second, term)]),
        );
        shares.iter_mut().for_each(|share| *share *= self.slope);
    }

    /// The same for many rows: columns of `N` rows each.
    pub(crate) fn contributions_of_block<const N: usize>(
        &self,
        z: &[[f64; N]],
        shares: &mut [[f64; N]],
    ) {
        for ((share, z), weight) in shares.iter_mut().zip(z).zip(&self.own) {
            *share = z.map(|z| weight * z);
        }
        let Terms {
            first,
            clip_min,
            mean,
            std_dev,
            weight,
            ..
        } = &self.hinges;
        let numbers = mean.iter().zip(std_dev).zip(weight);
        for ((column, knot), ((mean, std_dev), weight)) in first.iter().zip(clip_min).zip(numbers) {
            let (Some(z), Some(share)) = (z.get(*column), shares.get_mut(*column)) else {
                continue;
            };
            for (share, z) in share.iter_mut().zip(z) {
                *share += weight * ((above(*z, *knot) - mean) / std_dev);
            }
        }
        let Terms {
            first,
            second,
            clip_min,
            clip_max,
            mean,
            std_dev,
            weight,
        } = &self.interactions;
        let ranges = clip_min.iter().zip(clip_max);
        let numbers = mean.iter().zip(std_dev).zip(weight);
        for (((first, second), (clip_min, clip_max)), ((mean, std_dev), weight)) in
            first.iter().zip(second).zip(ranges).zip(numbers)
        {
            let (Some(one), Some(other)) = (z.get(*first), z.get(*second)) else {
                continue;
            };
            let mut half = [0.0; N];
            for (half, (one, other)) in half.iter_mut().zip(one.iter().zip(other)) {
                *half = weight * ((held(one * other, *clip_min, *clip_max) - mean) / std_dev);
            }
            for column in [first, second] {
                let Some(share) = shares.get_mut(*column) else {
                    continue;
                };
                share
                    .iter_mut()
                    .zip(&half)
                    .for_each(|(share, half)| *share += half);
            }
        }
        shares
            .iter_mut()
            .flatten()
            .for_each(|share| *share *= self.slope);
    }
}

/// The kind whose events a feature counts.
fn kind_of(quantity: Quantity) -> Option<u16> {
    match quantity {
        Quantity::KindCount(kind) | Quantity::KindCountIn(kind, _) => Some(kind),
        _ => None,
    }
}

/// See [`Weighing::leaving`]. What a kind of event means is known to the model alone: all its counts taken together.
fn expectations(own: &[f64], catalogue: &Catalogue, derived: &[Derived]) -> Vec<Option<bool>> {
    let mut net = vec![0.0; catalogue.kinds().len()];
    for (feature, weight) in catalogue.features().iter().zip(own) {
        if let Some(sum) = kind_of(feature.quantity).and_then(|kind| net.get_mut(usize::from(kind)))
        {
            *sum += weight;
        }
    }
    let of_feature = |feature: &Feature| match kind_of(feature.quantity) {
        Some(kind) => net.get(usize::from(kind)).map(|net| *net > 0.0),
        None => feature.quantity.larger_means_leaving(),
    };
    let of_derived = derived.iter().map(|d| d.larger_means_leaving());
    catalogue
        .features()
        .iter()
        .map(of_feature)
        .chain(of_derived)
        .collect()
}

impl Terms {
    fn push(&mut self, mean: f64, std_dev: f64, weight: f64) {
        self.mean.push(mean);
        self.std_dev.push(std_dev);
        self.weight.push(weight);
    }

    fn weigh(&self, terms: &mut [f64]) {
        let numbers = self.mean.iter().zip(&self.std_dev).zip(&self.weight);
        for (term, ((mean, std_dev), weight)) in terms.iter_mut().zip(numbers) {
            *term = weight * ((*term - mean) / std_dev);
        }
    }
}

fn add<'a>(shares: &mut [f64], terms: impl Iterator<Item = (&'a usize, &'a f64)>) {
    for (column, term) in terms {
        if let Some(share) = shares.get_mut(*column) {
            *share += term;
        }
    }
}
