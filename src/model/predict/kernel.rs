//! The arithmetic of scoring, for `N` rows side by side. A single row is the case of one lane; a block of rows lets the
//! processor work on several at a time. Every row gets the same bits either way, because each lane takes the same
//! operations in the same order.

use super::plan::{CompiledModel, GROUPS, Plan, Terms};
use crate::features::Scale;
use crate::math::{Log1p, logit};
use crate::model::derived::{Derived, purchases_of};
use crate::model::expansion::above;
use crate::model::{Column, Segments};

/// One number of each of `N` rows.
type Lane<const N: usize> = [f64; N];

/// What an empty sum is, whichever sign the standard library gives to its zero.
const EMPTY_SUM: f64 = -0.0;

/// The numbers of `N` rows on their way from raw features to log-odds.
///
/// The steps, in order: [`Self::set_row`], [`Self::derive`], [`Self::standardise`]; then for each horizon
/// [`Self::contribute`] and, row by row, [`Self::effects`].
#[derive(Clone, Debug)]
pub(crate) struct Kernel<const N: usize> {
    /// The features, then the derived numbers: raw first, then standardised.
    columns: Vec<Lane<N>>,
    /// The features of segments on scales of their own; none where segments have the scales of the columns.
    segment_columns: Vec<Lane<N>>,
    /// What each column adds to the log-odds of a horizon.
    contributions: Vec<Lane<N>>,
    /// What each feature group adds, in the order of the plan's groups.
    group_effects: Vec<Lane<N>>,
    /// Room for the hinges or interactions of a single row.
    terms: Vec<f64>,
}

impl<const N: usize> Kernel<N> {
    pub(crate) fn new(plan: &Plan) -> Self {
        let lanes = |count| vec![[f64::NAN; N]; count];
        Self {
            columns: lanes(plan.scales.len()),
            segment_columns: lanes(plan.segment_columns.len()),
            contributions: lanes(plan.scales.len()),
            group_effects: lanes(plan.groups.len()),
            terms: Vec::new(),
        }
    }

    /// Puts a raw feature vector into a row.
    #[inline]
    pub(crate) fn set_row(&mut self, row: usize, vector: &[f64]) {
        for (column, value) in self.columns.iter_mut().zip(vector) {
            column[row] = *value;
        }
    }

    /// Puts the derived numbers of a row after its features.
    #[inline]
    pub(crate) fn derive(&mut self, plan: &Plan, row: usize) {
        let Some(model) = &plan.bg_nbd else { return };
        let [days, recency, age] = [
            plan.positions.active_days,
            plan.positions.recency,
            plan.active_age,
        ]
        .map(|column| self.columns[column][row]);
        let user = purchases_of(days, recency, age);
        let first = self.columns.len() - plan.derived.len();
        let values = Derived::values(&plan.derived, model, user);
        for (column, value) in self.columns[first..].iter_mut().zip(values) {
            column[row] = value;
        }
    }

    /// Standardises every column where it stands.
    pub(crate) fn standardise(&mut self, plan: &Plan) {
        let log = Log1p::new();
        let of_segments = plan.segment_columns.iter().zip(&plan.segments);
        for (lane, (column, position)) in self.segment_columns.iter_mut().zip(of_segments) {
            *lane = self.columns[*position].map(|raw| standardised(log, column, raw));
        }
        // In two passes, because logarithms are computed one by one and the rest several at a time.
        for (lane, scale) in self.columns.iter_mut().zip(&plan.scales) {
            for value in lane {
                *value = transform(log, *scale, *value);
            }
        }
        let ranges = plan.clip_min.iter().zip(&plan.clip_max);
        let figures = plan.means.iter().zip(&plan.std_devs).zip(ranges);
        for (lane, ((mean, std_dev), (clip_min, clip_max))) in self.columns.iter_mut().zip(figures)
        {
            for value in lane {
                *value = standard(*value, *mean, *std_dev, *clip_min, *clip_max);
            }
        }
    }

    /// What every column adds to the calibrated log-odds by one model, then every feature group.
    pub(crate) fn contribute(&mut self, plan: &Plan, model: &CompiledModel) {
        let z = &self.columns;
        for ((share, z), weight) in self.contributions.iter_mut().zip(z).zip(&model.own) {
            *share = z.map(|z| weight * z);
        }
        self.add_hinges(model);
        self.add_interactions(model);
        for share in self.contributions.iter_mut().flatten() {
            *share *= model.slope;
        }
        for (effect, (_, members)) in self.group_effects.iter_mut().zip(&plan.groups) {
            *effect = [EMPTY_SUM; N];
            for member in members {
                add(effect, &self.contributions[*member]);
            }
        }
    }

    fn add_hinges(&mut self, model: &CompiledModel) {
        if N == 1 {
            return self.add_hinges_of_a_row(model);
        }
        for hinge in model.hinges.iter() {
            let sums = self.contributions[hinge.first].iter_mut();
            for (sum, z) in sums.zip(&self.columns[hinge.first]) {
                *sum += hinge.weigh(above(*z, hinge.clip_min));
            }
        }
    }

    fn add_interactions(&mut self, model: &CompiledModel) {
        if N == 1 {
            return self.add_interactions_of_a_row(model);
        }
        for interaction in model.interactions.iter() {
            let factors = [interaction.first, interaction.second];
            let [first, second] = factors.map(|column| &self.columns[column]);
            let mut halves = [0.0; N];
            for (half, (first, second)) in halves.iter_mut().zip(first.iter().zip(second)) {
                let product = clamp(first * second, interaction.clip_min, interaction.clip_max);
                *half = interaction.weigh(product);
            }
            // Half of it to each factor: the weights are halved already.
            for column in factors {
                add(&mut self.contributions[column], &halves);
            }
        }
    }

    /// The hinges of one row, step by step for all of them, so that the processor does several at a time.
    fn add_hinges_of_a_row(&mut self, model: &CompiledModel) {
        let Terms { first, .. } = &model.hinges;
        self.terms.clear();
        self.terms
            .extend(first.iter().map(|column| self.columns[*column][0]));
        for (term, knot) in self.terms.iter_mut().zip(&model.hinges.clip_min) {
            *term = above(*term, *knot);
        }
        model.hinges.weigh(&mut self.terms);
        for (term, column) in self.terms.iter().zip(first) {
            self.contributions[*column][0] += term;
        }
    }

    /// As [`Self::add_hinges_of_a_row`].
    fn add_interactions_of_a_row(&mut self, model: &CompiledModel) {
        let Terms {
            first,
            second,
            clip_min,
            clip_max,
            ..
        } = &model.interactions;
        let factors = first.iter().zip(second);
        let z = |column: &usize| self.columns[*column][0];
        self.terms.clear();
        self.terms
            .extend(factors.clone().map(|(first, second)| z(first) * z(second)));
        for (term, (min, max)) in self.terms.iter_mut().zip(clip_min.iter().zip(clip_max)) {
            *term = clamp(*term, *min, *max);
        }
        model.interactions.weigh(&mut self.terms);
        for (term, (first, second)) in self.terms.iter().zip(factors) {
            self.contributions[*first][0] += term;
            self.contributions[*second][0] += term;
        }
    }

    /// What the feature groups add to a row's log-odds by the model of the last [`Self::contribute`].
    #[inline]
    pub(crate) fn effects(&self, row: usize) -> GroupEffects {
        let mut effects = GroupEffects::default();
        for (group, lane) in self.group_effects.iter().enumerate() {
            effects.insert(group, lane[row]);
        }
        effects
    }

    /// The nearest segment of each row, the first of those that are equally near, and the squared distance to its
    /// centroid; `None` without segments. `positions` are the columns that segments are made of.
    pub(crate) fn nearest_segments(
        &self,
        segments: &Segments,
        positions: &[usize],
    ) -> [Option<(usize, f64)>; N] {
        let mut nearest = [0; N];
        let mut least = [f64::INFINITY; N];
        for (id, segment) in segments.items.iter().enumerate() {
            let mut squared = [EMPTY_SUM; N];
            for (axis, (centroid, position)) in segment.centroid.iter().zip(positions).enumerate() {
                let own = self.segment_columns.get(axis);
                let lane = own.unwrap_or(&self.columns[*position]);
                for (sum, z) in squared.iter_mut().zip(lane) {
                    *sum += (centroid - z) * (centroid - z);
                }
            }
            for ((nearest, least), squared) in nearest.iter_mut().zip(&mut least).zip(squared) {
                if squared < *least {
                    (*nearest, *least) = (id, squared);
                }
            }
        }
        let any = !segments.items.is_empty();
        std::array::from_fn(|row| any.then(|| (nearest[row], least[row])))
    }
}

/// One row, for explanations.
impl Kernel<1> {
    /// The number of a column: raw before [`Self::standardise`], standardised after it.
    pub(crate) fn number(&self, column: usize) -> f64 {
        self.columns[column][0]
    }

    /// What a column adds to the log-odds by the model of the last [`Self::contribute`].
    pub(crate) fn contribution(&self, column: usize) -> f64 {
        self.contributions[column][0]
    }

    /// All columns in order, as in [`Self::number`].
    pub(crate) fn numbers(&self) -> &[f64] {
        self.columns.as_flattened()
    }
}

#[inline]
fn add<const N: usize>(sums: &mut Lane<N>, more: &Lane<N>) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

/// [`Column::transform`] with a table of logarithms; NaN stays NaN.
#[inline]
fn transform(log: Log1p, scale: Scale, raw: f64) -> f64 {
    match scale {
        // Not `max`, which makes a number of NaN.
        Scale::Log => log.of(if raw < 0.0 { 0.0 } else { raw }),
        Scale::SignedLog => log.of(raw.abs()).copysign(raw),
        Scale::Linear => raw,
        Scale::Logit if raw.is_nan() => raw,
        Scale::Logit => logit(Column::within_logit(raw)),
    }
}

/// [`Column::standardise`] of a transformed value, written so that the compiler does several at once; 0 for NaN.
#[inline]
fn standard(value: f64, mean: f64, std_dev: f64, clip_min: f64, clip_max: f64) -> f64 {
    let z = (clamp(value, clip_min, clip_max) - mean) / std_dev;
    if value.is_nan() { 0.0 } else { z }
}

/// [`Column::standardise`] with a table of logarithms.
#[inline]
fn standardised(log: Log1p, column: &Column, raw: f64) -> f64 {
    let value = transform(log, column.scale, raw);
    standard(
        value,
        column.mean,
        column.std_dev,
        column.clip_min,
        column.clip_max,
    )
}

/// `f64::clamp` without its check of the range, which the bundle passed when it was loaded.
#[inline]
fn clamp(x: f64, min: f64, max: f64) -> f64 {
    let x = if x < min { min } else { x };
    if x > max { max } else { x }
}

/// Whether a longer horizon's own log-odds contradict a shorter one's: an event is likelier in a longer time, and so is
/// an end of silence.
pub(crate) fn contradicts(shorter: f64, longer: f64, silence: bool) -> bool {
    if silence {
        shorter < longer
    } else {
        shorter > longer
    }
}

/// What each feature group, by its position in the plan, adds to the log-odds: by decreasing absolute value, equal ones
/// in the order of the groups.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GroupEffects {
    ranked: [(usize, f64); GROUPS.len()],
    len: usize,
}

impl GroupEffects {
    #[inline]
    fn insert(&mut self, group: usize, effect: f64) {
        let mut place = self.len;
        while place > 0 {
            let before = self.ranked[place - 1];
            if before.1.abs().total_cmp(&effect.abs()).is_ge() {
                break;
            }
            self.ranked[place] = before;
            place -= 1;
        }
        self.ranked[place] = (group, effect);
        self.len += 1;
    }

    /// Groups with their effects, the largest first.
    pub(crate) fn ranked(&self) -> &[(usize, f64)] {
        &self.ranked[..self.len]
    }

    /// The calibrated log-odds that these effects give, added in the order of their size.
    #[inline]
    pub(crate) fn log_odds(&self, model: &CompiledModel) -> f64 {
        let sum: f64 = self.ranked().iter().map(|(_, effect)| effect).sum();
        model.base_log_odds + sum
    }
}
