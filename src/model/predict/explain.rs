//! Why a user has a score, or a value: each feature group's effect, explained by its most influential feature.

use super::answer::{FeatureContribution, Reason};
use super::kernel::Kernel;
use super::plan::CompiledModel;
use crate::features::{Contrast, Quantity};
use crate::model::{Bundle, Derived};

/// What the reasons of one user are found in, for one horizon or for the spend.
pub(crate) struct Explanation<'a, 'm> {
    pub(crate) bundle: &'m Bundle,
    pub(crate) model: &'a CompiledModel,
    /// After [`Kernel::contribute`] with `model`.
    pub(crate) kernel: &'a Kernel<1>,
    /// The raw feature vector.
    pub(crate) vector: &'a [f64],
    /// The derived numbers, not standardised.
    pub(crate) derived: &'a [f64],
}

/// What feature groups add to the logarithm of a user's spend by the regression, largest effect first, at most `reason_count`
/// of them. The explanation's kernel is that after [`Kernel::contribute`] with the plan's `value`, which is its model.
pub(crate) fn value_reasons<'m>(
    explanation: &Explanation<'_, 'm>,
    reason_count: usize,
) -> Vec<Reason<'m>> {
    let effects = explanation.kernel.effects(0);
    let first = effects.ranked().iter().take(reason_count);
    first
        .map(|(group, effect)| explanation.reason(*group, *effect))
        .collect()
}

/// A column of the preprocessing with a user's raw value.
struct Measured<'m> {
    feature: &'m str,
    unit: &'static str,
    /// `None` where it is unknown.
    value: Option<f64>,
}

/// The column that explains a group's effect.
struct MostInfluential {
    column: usize,
    /// Its description, if that takes more than its own value.
    contrast: Option<String>,
}

impl<'m> Explanation<'_, 'm> {
    /// The effect of a group, by its position in the plan's groups, and the feature that explains it.
    pub(crate) fn reason(&self, group: usize, contribution: f64) -> Reason<'m> {
        let plan = self.bundle.plan();
        let (group, members) = &plan.groups[group];
        let MostInfluential { column, contrast } = self.most_influential(members, contribution);
        let Measured {
            feature,
            unit,
            value,
        } = self.measured(column);
        Reason {
            group: *group,
            contribution,
            feature,
            value,
            unit,
            description: contrast.unwrap_or_else(|| self.description(column, value)),
        }
    }

    /// What every column that the churn models weigh adds, by feature groups and within them in the order of the columns.
    pub(crate) fn contributions(&self) -> Vec<FeatureContribution<'m>> {
        let groups = self.bundle.plan().groups.iter();
        let columns = groups.flat_map(|(group, members)| members.iter().map(|m| (*group, *m)));
        let orders = self.bundle.catalogue().orders();
        columns
            .filter(|(_, column)| !orders.contains(column))
            .map(|(group, column)| {
                let Measured {
                    feature,
                    unit,
                    value,
                } = self.measured(column);
                FeatureContribution {
                    group,
                    feature,
                    value,
                    unit,
                    contribution: self.kernel.contribution(column),
                    description: self.description(column, value),
                }
            })
            .collect()
    }

    /// What a column measures, and its raw value.
    fn measured(&self, column: usize) -> Measured<'m> {
        let plan = self.bundle.plan();
        let features = self.bundle.catalogue().features();
        let (feature, unit, value) = match column.checked_sub(features.len()) {
            None => {
                let feature = &features[column];
                (feature.name.as_str(), feature.unit, self.vector[column])
            }
            Some(number) => (
                plan.derived_names[number].as_str(),
                plan.derived[number].unit(),
                self.derived[number],
            ),
        };
        Measured {
            feature,
            unit,
            value: (!value.is_nan()).then_some(value),
        }
    }

    /// The column of a group that explains its effect.
    ///
    /// Only a column whose own contribution has the sign of the group's can explain it. Of those the largest is taken
    /// whose value is as a reader expects: many purchases for staying, few for leaving. Where the weights of columns that
    /// measure nearly the same make up for each other, a value may point the other way; that is understood only in
    /// contrast to what the user did lately, if there is one.
    fn most_influential(&self, members: &[usize], contribution: f64) -> MostInfluential {
        let means_leaving = self.model.means_leaving(contribution);
        let catalogue = self.bundle.catalogue();
        let towards = |column: usize| self.kernel.contribution(column) * contribution.signum();
        let is_clear = |contrast: &Contrast| match means_leaving {
            true => contrast.is_fall,
            false => contrast.is_rise,
        };
        let mut candidates: Vec<usize> = members
            .iter()
            .copied()
            .filter(|column| towards(*column) > 0.0)
            .collect();
        candidates.sort_by(|a, b| towards(*b).total_cmp(&towards(*a)));
        for &column in &candidates {
            // Whether much of a kind is good or bad is for the reader to say, who needs to know when it was.
            let is_kind = self.model.counts_kind(column);
            let contrast = catalogue
                .phrase_by_contrast(column, self.vector)
                .filter(|contrast| is_kind || is_clear(contrast));
            let z = self.kernel.number(column);
            let is_expected = self.model.is_expected(column, z, means_leaving);
            if is_expected || contrast.as_ref().is_some_and(is_clear) {
                return MostInfluential {
                    column,
                    contrast: contrast.map(|contrast| contrast.words),
                };
            }
        }
        // A group has columns; where none of them has its sign, all its effects are 0.
        let column = candidates.first().copied().unwrap_or(members[0]);
        let contrast = catalogue.phrase_by_contrast(column, self.vector);
        MostInfluential {
            column,
            contrast: contrast.map(|contrast| contrast.words),
        }
    }

    /// A column's value in plain words.
    fn description(&self, column: usize, value: Option<f64>) -> String {
        let catalogue = self.bundle.catalogue();
        let phrase = |position| catalogue.phrase(position, self.vector);
        let derived = column
            .checked_sub(catalogue.len())
            .map(|number| self.bundle.derived()[number]);
        let known = match derived {
            None => phrase(column),
            // A probability of silence is explained by what anyone can check: how long it is, and how long it usually is.
            Some(Derived::Alive | Derived::Silent(_)) => {
                phrase(catalogue.required(Quantity::Recency))
            }
            Some(Derived::Rate) => {
                value.map(|days| format!("as frequent as users with {days:.1} active days a year"))
            }
        };
        known.unwrap_or_else(|| {
            let description = match derived {
                None => catalogue.features()[column].description.clone(),
                Some(number) => number.description(),
            };
            format!("{}: unknown", description.trim_end_matches('.'))
        })
    }
}
