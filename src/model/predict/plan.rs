//! What scoring reads over and over, looked up once: positions instead of names, columns of numbers instead of rows.

use crate::features::{Catalogue, Feature, Quantity, Scale, Theme};
use crate::lifecycle::Places;
use crate::math::{Log1p, logit};
use crate::model::bg_nbd::Purchases;
use crate::model::bundle::{BundleSpec, ChurnModel};
use crate::model::transform::{Column, Derived, above, purchases_of};

/// The themes, in the order in which equal effects are told.
const THEMES: [Theme; 6] = [
    Theme::Recency,
    Theme::Frequency,
    Theme::Tenure,
    Theme::Rhythm,
    Theme::Amount,
    Theme::OtherKinds,
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
    /// The themes that have columns, each with theirs, in order.
    pub(crate) themes: Vec<(Theme, Vec<usize>)>,
    pub(crate) models: Vec<Weighing>,
}

impl Plan {
    /// The plan of a bundle whose parts fit each other.
    pub(crate) fn new(spec: &BundleSpec, catalogue: &Catalogue, derived: &[Derived]) -> Self {
        let columns = &spec.design.columns;
        let of_columns: Vec<Theme> = catalogue
            .features()
            .iter()
            .map(|f| f.theme)
            .chain(derived.iter().map(|d| d.theme()))
            .collect();
        let members = |theme: Theme| -> Vec<usize> {
            (0..of_columns.len())
                .filter(|k| of_columns.get(*k) == Some(&theme))
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
            centers: number(|c| c.center),
            spreads: number(|c| c.spread),
            lows: number(|c| c.low),
            highs: number(|c| c.high),
            themes: THEMES
                .map(|theme| (theme, members(theme)))
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
        for (value, ((center, spread), (low, high))) in values.iter_mut().zip(columns) {
            *value = standard(*value, *center, *spread, *low, *high);
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
pub(crate) fn standard(bent: f64, center: f64, spread: f64, low: f64, high: f64) -> f64 {
    let z = (held(bent, low, high) - center) / spread;
    if bent.is_nan() { 0.0 } else { z }
}

/// `f64::clamp` without its check of the range.
#[inline]
pub(crate) fn held(x: f64, low: f64, high: f64) -> f64 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// One horizon's model, with what its kinks and products need side by side.
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
    kinks: Terms,
    pairs: Terms,
}

/// Kinks or products in columns: `weight * ((x - center) / spread)`, where `x` is what lies above a knot, or a product
/// held in its range.
#[derive(Clone, Debug, Default, PartialEq)]
struct Terms {
    first: Vec<usize>,
    /// The other factor of a product; none for kinks.
    second: Vec<usize>,
    /// The knot of a kink, the low end of a product.
    low: Vec<f64>,
    /// The high end of a product; none for kinks.
    high: Vec<f64>,
    center: Vec<f64>,
    spread: Vec<f64>,
    /// The weight of a kink; half of that of a product, whose factors have half of it each.
    weight: Vec<f64>,
}

impl Weighing {
    fn new(model: &ChurnModel, catalogue: &Catalogue, derived: &[Derived]) -> Self {
        let slope = model.calibration.slope;
        let expansion = &model.expansion;
        let (own, more) = model
            .weights
            .split_at(model.weights.len().saturating_sub(expansion.len()));
        let (kink_weights, pair_weights) = more.split_at(expansion.kinks.len().min(more.len()));
        let (mut kinks, mut pairs) = (Terms::default(), Terms::default());
        for (kink, weight) in expansion.kinks.iter().zip(kink_weights) {
            kinks.first.push(kink.column);
            kinks.low.push(kink.knot);
            kinks.push(kink.center, kink.spread, *weight);
        }
        for (pair, weight) in expansion.pairs.iter().zip(pair_weights) {
            pairs.first.push(pair.first);
            pairs.second.push(pair.second);
            pairs.low.push(pair.low);
            pairs.high.push(pair.high);
            pairs.push(pair.center, pair.spread, 0.5 * weight);
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
            kinks,
            pairs,
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
        terms.extend(self.kinks.first.iter().map(at));
        for (term, knot) in terms.iter_mut().zip(&self.kinks.low) {
            *term = above(*term, *knot);
        }
        self.kinks.weigh(terms);
        add(shares, self.kinks.first.iter().zip(terms.iter()));
        terms.clear();
        terms.extend(
            self.pairs
                .first
                .iter()
                .zip(&self.pairs.second)
                .map(|(first, second)| at(first) * at(second)),
        );
        for ((term, low), high) in terms.iter_mut().zip(&self.pairs.low).zip(&self.pairs.high) {
            *term = held(*term, *low, *high);
        }
        self.pairs.weigh(terms);
        let factors = self
            .pairs
            .first
            .iter()
            .zip(&self.pairs.second)
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
            low,
            center,
            spread,
            weight,
            ..
        } = &self.kinks;
        let numbers = center.iter().zip(spread).zip(weight);
        for ((column, knot), ((center, spread), weight)) in first.iter().zip(low).zip(numbers) {
            let (Some(z), Some(share)) = (z.get(*column), shares.get_mut(*column)) else {
                continue;
            };
            for (share, z) in share.iter_mut().zip(z) {
                *share += weight * ((above(*z, *knot) - center) / spread);
            }
        }
        let Terms {
            first,
            second,
            low,
            high,
            center,
            spread,
            weight,
        } = &self.pairs;
        let ranges = low.iter().zip(high);
        let numbers = center.iter().zip(spread).zip(weight);
        for (((first, second), (low, high)), ((center, spread), weight)) in
            first.iter().zip(second).zip(ranges).zip(numbers)
        {
            let (Some(one), Some(other)) = (z.get(*first), z.get(*second)) else {
                continue;
            };
            let mut half = [0.0; N];
            for (half, (one, other)) in half.iter_mut().zip(one.iter().zip(other)) {
                *half = weight * ((held(one * other, *low, *high) - center) / spread);
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
    fn push(&mut self, center: f64, spread: f64, weight: f64) {
        self.center.push(center);
        self.spread.push(spread);
        self.weight.push(weight);
    }

    fn weigh(&self, terms: &mut [f64]) {
        let numbers = self.center.iter().zip(&self.spread).zip(&self.weight);
        for (term, ((center, spread), weight)) in terms.iter_mut().zip(numbers) {
            *term = weight * ((*term - center) / spread);
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
