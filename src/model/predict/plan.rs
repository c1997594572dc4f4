//! What scoring reads over and over, looked up once for each bundle: positions instead of names, columns of figures
//! instead of rows.

use crate::features::{Catalogue, Feature, FeatureGroup, Quantity, Scale};
use crate::lifecycle::{FeaturePositions, Question};
use crate::model::value::scorer::ValuePlan;
use crate::model::{BgNbd, BundleSpec, ChurnModel, Column, Derived, Expansion, SpendRegression};

/// The feature groups, in the order in which equal effects are reported.
pub(crate) const GROUPS: [FeatureGroup; 8] = [
    FeatureGroup::Recency,
    FeatureGroup::Frequency,
    FeatureGroup::Tenure,
    FeatureGroup::Rhythm,
    FeatureGroup::Amount,
    FeatureGroup::OtherEvents,
    FeatureGroup::Season,
    FeatureGroup::Attribute,
];

/// See the module. Columns are those of the preprocessing: features, then derived numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// The features that the lifecycle rules read.
    pub(crate) positions: FeaturePositions,
    /// Position of the days since the first active day.
    pub(crate) active_age: usize,
    /// Where the derived numbers come from; `None` when there are none.
    pub(crate) bg_nbd: Option<BgNbd>,
    /// The derived numbers, in the order of the last columns.
    pub(crate) derived: Vec<Derived>,
    /// Their names.
    pub(crate) derived_names: Vec<String>,
    /// For each column how it is transformed, then centred, scaled and clipped.
    pub(crate) scales: Vec<Scale>,
    pub(crate) means: Vec<f64>,
    pub(crate) std_devs: Vec<f64>,
    pub(crate) clip_min: Vec<f64>,
    pub(crate) clip_max: Vec<f64>,
    /// The groups that have columns, each with theirs, in order.
    pub(crate) groups: Vec<(FeatureGroup, Vec<usize>)>,
    /// The positions in a feature vector of the features that segments are made of.
    pub(crate) segments: Vec<usize>,
    /// How these features are standardised for the segments; empty where they are as the columns are.
    pub(crate) segment_columns: Vec<Column>,
    /// One for each horizon.
    pub(crate) models: Vec<CompiledModel>,
    /// What the value model looks up; `None` without one.
    pub(crate) value: Option<ValuePlan>,
}

impl Plan {
    /// The plan of a bundle whose parts were checked against each other. `segments` are the positions of the features
    /// that segments are made of.
    pub(crate) fn new(
        spec: &BundleSpec,
        question: &Question,
        catalogue: &Catalogue,
        segments: Vec<usize>,
    ) -> Self {
        let columns = &spec.preprocessing.columns;
        let derived = spec.preprocessing.derived(catalogue);
        let figures = |of: fn(&Column) -> f64| columns.iter().map(of).collect();
        // Who converts has been the more active.
        let is_of_leaving = !question.is_conversion();
        let model = |model| CompiledModel::new(model, is_of_leaving, catalogue, &derived);
        Self {
            positions: FeaturePositions::new(catalogue),
            active_age: catalogue.required(Quantity::ActiveAge),
            bg_nbd: spec.preprocessing.bg_nbd,
            derived_names: derived.iter().map(|d| d.name()).collect(),
            scales: columns.iter().map(|c| c.scale).collect(),
            means: figures(|c| c.mean),
            std_devs: figures(|c| c.std_dev),
            clip_min: figures(|c| c.clip_min),
            clip_max: figures(|c| c.clip_max),
            groups: groups(catalogue, &derived),
            segments,
            segment_columns: spec.segments.columns.clone(),
            models: spec.models.iter().map(model).collect(),
            value: ValuePlan::new(spec, catalogue, &derived),
            derived,
        }
    }
}

fn groups(catalogue: &Catalogue, derived: &[Derived]) -> Vec<(FeatureGroup, Vec<usize>)> {
    let of_columns: Vec<FeatureGroup> = catalogue
        .features()
        .iter()
        .map(|f| f.group)
        .chain(derived.iter().map(|d| d.group()))
        .collect();
    let members = |group| -> Vec<usize> {
        (0..of_columns.len())
            .filter(|column| of_columns[*column] == group)
            .collect()
    };
    GROUPS
        .into_iter()
        .map(|group| (group, members(group)))
        .filter(|(_, members)| !members.is_empty())
        .collect()
}

/// The model of one horizon, or the regression of spend, with what its hinges and interactions need side by side.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CompiledModel {
    /// The calibrated log-odds of the average user; of a regression of spend, the logarithm of the average user's spend.
    pub(crate) base_log_odds: f64,
    /// What calibration multiplies contributions by.
    pub(crate) slope: f64,
    /// The weights of the columns themselves.
    pub(crate) own: Vec<f64>,
    pub(crate) hinges: Terms,
    pub(crate) interactions: Terms,
    /// For each column whether a larger value is expected of users who leave, or of users who stay; `None` for either.
    leaving: Vec<Option<bool>>,
    /// Whether a larger sum means leaving, as of churn; of spend and of conversion it means staying.
    is_of_leaving: bool,
    /// For each feature whether it counts events of a kind that may be good or bad.
    kind_counts: Vec<bool>,
}

/// Hinges or interactions in columns: `weight * ((x - mean) / std_dev)`, where `x` is what lies above a knot, or a
/// product clipped to its range.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Terms {
    /// The column of a hinge, or the one factor of an interaction.
    pub(crate) first: Vec<usize>,
    /// The other factor of an interaction; none for hinges.
    pub(crate) second: Vec<usize>,
    /// The knot of a hinge, or the lower end of an interaction.
    pub(crate) clip_min: Vec<f64>,
    /// The upper end of an interaction; none for hinges.
    pub(crate) clip_max: Vec<f64>,
    mean: Vec<f64>,
    std_dev: Vec<f64>,
    /// The weight of a hinge; half of that of an interaction, whose factors have half of it each.
    weight: Vec<f64>,
}

impl Terms {
    fn push(&mut self, mean: f64, std_dev: f64, weight: f64) {
        self.mean.push(mean);
        self.std_dev.push(std_dev);
        self.weight.push(weight);
    }

    /// The terms one by one.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = Term> {
        (0..self.first.len()).map(|k| Term {
            first: self.first[k],
            second: self.second.get(k).copied().unwrap_or(self.first[k]),
            clip_min: self.clip_min[k],
            clip_max: self.clip_max.get(k).copied().unwrap_or(f64::INFINITY),
            mean: self.mean[k],
            std_dev: self.std_dev[k],
            weight: self.weight[k],
        })
    }

    /// Standardises and weighs a value of each term.
    #[inline]
    pub(crate) fn weigh(&self, values: &mut [f64]) {
        let figures = self.mean.iter().zip(&self.std_dev).zip(&self.weight);
        for (value, ((mean, std_dev), weight)) in values.iter_mut().zip(figures) {
            *value = weighed(*value, *mean, *std_dev, *weight);
        }
    }
}

/// One of the [`Terms`]. A hinge has one factor and no upper end.
#[derive(Clone, Copy)]
pub(crate) struct Term {
    pub(crate) first: usize,
    pub(crate) second: usize,
    pub(crate) clip_min: f64,
    pub(crate) clip_max: f64,
    mean: f64,
    std_dev: f64,
    weight: f64,
}

impl Term {
    /// Standardises and weighs a value.
    #[inline]
    pub(crate) fn weigh(&self, value: f64) -> f64 {
        weighed(value, self.mean, self.std_dev, self.weight)
    }
}

#[inline]
fn weighed(value: f64, mean: f64, std_dev: f64, weight: f64) -> f64 {
    weight * ((value - mean) / std_dev)
}

/// A linear predictor as it lies in a bundle.
struct LinearPredictor<'a> {
    /// Its calibrated intercept.
    base: f64,
    /// What calibration multiplies contributions by.
    slope: f64,
    expansion: &'a Expansion,
    weights: &'a [f64],
    /// Whether a larger sum means leaving; it means staying otherwise.
    is_of_leaving: bool,
}

impl CompiledModel {
    fn new(
        model: &ChurnModel,
        is_of_leaving: bool,
        catalogue: &Catalogue,
        derived: &[Derived],
    ) -> Self {
        let slope = model.calibration.slope;
        let predictor = LinearPredictor {
            base: model.calibration.intercept + slope * model.intercept,
            slope,
            expansion: &model.expansion,
            weights: &model.weights,
            is_of_leaving,
        };
        Self::compile(&predictor, catalogue, derived)
    }

    /// The regression of spend, which has no calibration of its own.
    pub(crate) fn of_spend(
        regression: &SpendRegression,
        catalogue: &Catalogue,
        derived: &[Derived],
    ) -> Self {
        let predictor = LinearPredictor {
            base: regression.intercept,
            slope: 1.0,
            expansion: &regression.expansion,
            weights: &regression.weights,
            is_of_leaving: false,
        };
        Self::compile(&predictor, catalogue, derived)
    }

    fn compile(
        predictor: &LinearPredictor<'_>,
        catalogue: &Catalogue,
        derived: &[Derived],
    ) -> Self {
        let expansion = predictor.expansion;
        let columns = catalogue.len() + derived.len();
        let (own, more) = predictor.weights.split_at(columns);
        let (of_hinges, of_interactions) = more.split_at(expansion.hinges.len());
        let (mut hinges, mut interactions) = (Terms::default(), Terms::default());
        for (hinge, weight) in expansion.hinges.iter().zip(of_hinges) {
            hinges.first.push(hinge.column);
            hinges.clip_min.push(hinge.knot);
            hinges.push(hinge.mean, hinge.std_dev, *weight);
        }
        for (pair, weight) in expansion.interactions.iter().zip(of_interactions) {
            interactions.first.push(pair.first);
            interactions.second.push(pair.second);
            interactions.clip_min.push(pair.clip_min);
            interactions.clip_max.push(pair.clip_max);
            interactions.push(pair.mean, pair.std_dev, 0.5 * weight);
        }
        let features = catalogue.features().iter();
        Self {
            base_log_odds: predictor.base,
            slope: predictor.slope,
            own: own.to_vec(),
            hinges,
            interactions,
            leaving: expectations(own, predictor.is_of_leaving, catalogue, derived),
            is_of_leaving: predictor.is_of_leaving,
            kind_counts: features.map(|f| kind_of(f.quantity).is_some()).collect(),
        }
    }

    /// Whether a contribution speaks for leaving.
    pub(crate) fn means_leaving(&self, contribution: f64) -> bool {
        (contribution >= 0.0) == self.is_of_leaving
    }

    /// Whether a standardised value speaks for leaving, or for staying, as a reader expects of it. What is unknown, or like
    /// the average, is neither large nor small.
    pub(crate) fn is_expected(&self, column: usize, z: f64, means_leaving: bool) -> bool {
        match self.leaving[column] {
            Some(leaving) => z == 0.0 || (z > 0.0) == (leaving == means_leaving),
            None => true,
        }
    }

    /// Whether a column counts events of one kind.
    pub(crate) fn counts_kind(&self, column: usize) -> bool {
        // Derived numbers, beyond the features, count none.
        self.kind_counts.get(column).copied().unwrap_or(false)
    }
}

/// The kind whose events a feature counts.
fn kind_of(quantity: Quantity) -> Option<u16> {
    match quantity {
        Quantity::KindCount(kind) | Quantity::KindCountIn(kind, _) => Some(kind),
        _ => None,
    }
}

/// For each column whether a larger value is expected of leavers. What a kind of event means only the model can say: all
/// its counts taken together.
fn expectations(
    own: &[f64],
    is_of_leaving: bool,
    catalogue: &Catalogue,
    derived: &[Derived],
) -> Vec<Option<bool>> {
    let mut net = vec![0.0; catalogue.kinds().len()];
    for (feature, weight) in catalogue.features().iter().zip(own) {
        if let Some(kind) = kind_of(feature.quantity) {
            net[usize::from(kind)] += weight;
        }
    }
    let of_feature = |feature: &Feature| match kind_of(feature.quantity) {
        Some(kind) => Some((net[usize::from(kind)] > 0.0) == is_of_leaving),
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
