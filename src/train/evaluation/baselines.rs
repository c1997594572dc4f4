//! What a model has to beat.

use super::metrics::area_under_roc;
use crate::math::evenly;
use crate::model::Column;
use crate::train::data::dataset::Dataset;

/// Another way to tell who will churn.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Its name in the card.
    pub name: String,
    /// The feature that it goes by, if it is a single one.
    pub feature: Option<String>,
    /// The probability that it gives each judged row.
    pub predicted: Vec<f64>,
}

impl Baseline {
    /// A baseline that goes by more than one feature, or by none.
    pub fn new(name: &str, predicted: Vec<f64>) -> Self {
        Self {
            name: name.to_owned(),
            feature: None,
            predicted,
        }
    }

    /// The same, going by one feature.
    pub fn on(self, feature: &str) -> Self {
        Self {
            feature: Some(feature.to_owned()),
            ..self
        }
    }
}

/// Rows on which features are compared at most.
const COMPARED_ROWS: usize = 20_000;

/// The position of the feature that alone ranks the rows best, whichever way it points; the first of equals. `None`
/// without rows of both kinds.
pub fn best_feature(data: &Dataset, columns: &[Column]) -> Option<usize> {
    let rows: Vec<usize> = evenly(data.len(), COMPARED_ROWS).collect();
    let churned: Vec<bool> = rows
        .iter()
        .filter_map(|row| data.labels.get(*row))
        .copied()
        .collect();
    let skill = |(position, column): (usize, &Column)| {
        let value = |row: &usize| {
            data.raw
                .get(row * data.width + position)
                .map(|raw| column.standardise(*raw))
        };
        let values: Vec<f64> = rows.iter().filter_map(value).collect();
        let skill = (area_under_roc(&values, &churned) - 0.5).abs();
        skill.is_finite().then_some((position, skill))
    };
    let skills = columns.iter().enumerate().filter_map(skill);
    skills
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(position, _)| position)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::features::Scale;
    use crate::history::Day;

    /// 200 users on two dates; the second of three features tells who churned.
    pub(crate) fn dataset() -> Dataset {
        let day = |k: i32| "2024-01-01".parse::<Day>().unwrap().plus(k);
        let mut data = Dataset {
            width: 3,
            ..Dataset::default()
        };
        for i in 0..400_u32 {
            let churned = i % 3 == 0;
            let mixed = f64::from(i * 37 % 100) - 40.0 * f64::from(churned);
            data.raw.extend([f64::from(i % 7), mixed, 1.0]);
            data.labels.push(churned);
            data.users.push(i / 2);
            data.dates.push(day((i % 2) as i32 * 30));
        }
        data
    }

    #[test]
    fn the_best_feature_may_point_either_way() {
        let column = |name: &str| Column {
            feature: name.to_owned(),
            scale: Scale::Linear,
            mean: 0.0,
            std_dev: 1.0,
            clip_min: -1e9,
            clip_max: 1e9,
        };
        let columns = ["noise", "falls", "constant"].map(column);
        assert_eq!(best_feature(&dataset(), &columns), Some(1));
        let mut same = dataset();
        same.labels.iter_mut().for_each(|y| *y = true);
        assert_eq!(best_feature(&same, &columns), None);
        assert_eq!(best_feature(&Dataset::default(), &columns), None);
    }
}
