//! What a model has to beat.

use linfa::ParamGuard;

use super::holdout::{Fold, Holdout};
use crate::card::RANDOM_FOREST;
use crate::features::Quantity;
use crate::math::{evenly, sigmoid};
use crate::model::{Column, Derived, Preprocessing};
use crate::phases::Unit;
use crate::train::TrainError;
use crate::train::data::context::TrainContext;
use crate::train::data::dataset::Dataset;
use crate::train::estimators::newton::{Newton, NewtonError, Rows, fit_logistic};
use crate::train::estimators::random_forest::{MOST_ROWS, Sample, random_forest};
use crate::train::estimators::transform::Matrix;
use crate::train::metrics::area_under_roc;

/// A simpler way to predict churn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Baseline {
    /// Its name in the card.
    pub(crate) name: String,
    /// The feature that it goes by, if it is a single one.
    pub(crate) feature: Option<String>,
    /// The probability that it gives each judged row.
    pub(crate) predicted: Vec<f64>,
}

impl Baseline {
    /// A baseline that goes by more than one feature, or by none.
    pub(crate) fn new(name: &str, predicted: Vec<f64>) -> Self {
        Self {
            name: name.to_owned(),
            feature: None,
            predicted,
        }
    }

    /// The same, going by one feature.
    pub(crate) fn on(self, feature: &str) -> Self {
        Self {
            feature: Some(feature.to_owned()),
            ..self
        }
    }
}

/// The baselines' predictions of the test rows, the simplest first.
pub(crate) fn baselines(
    ctx: &TrainContext<'_>,
    preprocessing: &Preprocessing,
    holdout: &Holdout<'_>,
    horizon_days: u16,
) -> Result<Vec<Baseline>, TrainError> {
    let features = ctx.catalogue.features();
    let known = holdout.known;
    let rows: Vec<usize> = known.known_at(holdout.test_date).collect();
    let churn_rate = sigmoid(known.data.recent_churn_log_odds(&rows, known.window_days));
    let mut baselines = vec![Baseline::new(
        "base_rate",
        vec![churn_rate; holdout.test.len()],
    )];
    // What churn models do not weigh is no simpler way to predict churn.
    let columns = &preprocessing.columns[..ctx.catalogue.orders().start];
    let recency = ctx.catalogue.position(Quantity::Recency);
    let best = best_feature(holdout.known.data, columns);
    let singles = [("recency_only", recency), ("best_single", best)];
    let fitted = singles.iter().filter(|(_, feature)| feature.is_some());
    let fits = holdout.folds.len() * (fitted.count() + usize::from(ctx.random_forest));
    let name = format!("baselines, {horizon_days} days");
    let phase = ctx.phases.begin(name, fits as u64, Unit::Fits);
    for (name, position) in singles {
        let Some(position) = position else { continue };
        let predicted = holdout
            .out_of_fold(|fold| {
                let predicted = single_feature(holdout, fold, position)?;
                phase.advance(1);
                Ok(predicted)
            })
            .map_err(|source| TrainError::Logistic {
                horizon_days,
                source,
            })?;
        baselines.push(Baseline::new(name, predicted).on(&features[position].name));
    }
    let rows = holdout.test;
    baselines.extend(bg_nbd(ctx, preprocessing, rows, horizon_days, churn_rate));
    if ctx.random_forest {
        let (width, seed) = (columns.len(), ctx.config.model.seed);
        let predicted = holdout.out_of_fold(|fold| {
            let predicted = forest(holdout, fold, width, seed)?;
            phase.advance(1);
            Ok::<_, TrainError>(predicted)
        })?;
        baselines.push(Baseline::new(RANDOM_FOREST, predicted));
    }
    Ok(baselines)
}

/// The probability of silence by BG/NBD alone, or the churn rate where it has none; `None` where it answers another question
/// or could not be fitted.
pub(crate) fn bg_nbd(
    ctx: &TrainContext<'_>,
    preprocessing: &Preprocessing,
    rows: &Dataset,
    horizon_days: u16,
    churn_rate: f64,
) -> Option<Baseline> {
    let silent = Derived::Silent(horizon_days);
    let derived = preprocessing.derived(&ctx.catalogue);
    let predicted = rows.rows().map(|raw| {
        preprocessing
            .derive(&ctx.catalogue, raw, silent)
            .unwrap_or(churn_rate)
    });
    (ctx.churn_is_silence() && derived.contains(&silent))
        .then(|| Baseline::new("bg_nbd", predicted.collect()))
}

/// The predictions of one part by a logistic model on one feature alone.
fn single_feature(
    holdout: &Holdout<'_>,
    fold: &Fold,
    position: usize,
) -> Result<Vec<f64>, NewtonError> {
    let known = holdout.known;
    let values: Vec<f64> = fold
        .known
        .iter()
        .map(|row| known.matrix.row(*row)[position])
        .collect();
    let labels: Vec<bool> = fold
        .known
        .iter()
        .map(|row| known.data.labels[*row])
        .collect();
    let rows = Rows {
        values: &values,
        width: 1,
        targets: &labels,
        weights: &vec![1.0; labels.len()],
        penalty_factors: &[],
    };
    let fitted = fit_logistic(&Newton::default().check()?, &rows, None)?;
    let predict = |row: &usize| {
        let value = holdout.test_matrix.row(*row)[position];
        sigmoid(fitted.predictor(&[value]))
    };
    Ok(fold.predicted.iter().map(predict).collect())
}

/// The predictions of one part by a random forest on the features.
fn forest(
    holdout: &Holdout<'_>,
    fold: &Fold,
    width: usize,
    seed: u64,
) -> Result<Vec<f64>, TrainError> {
    let known: Vec<usize> = evenly(fold.known.len(), MOST_ROWS)
        .map(|k| fold.known[k])
        .collect();
    let labels = &holdout.known.data.labels;
    let churned: Vec<bool> = known.iter().map(|row| labels[*row]).collect();
    let sample = Sample {
        z: &features_of(&holdout.known.matrix, &known, width),
        width,
        churned: &churned,
    };
    let predicted = features_of(&holdout.test_matrix, &fold.predicted, width);
    random_forest(sample, &predicted, seed)
}

/// The first `width` numbers of some rows, row after row.
fn features_of(matrix: &Matrix, rows: &[usize], width: usize) -> Vec<f64> {
    rows.iter()
        .flat_map(|row| &matrix.row(*row)[..width])
        .copied()
        .collect()
}

/// Rows on which features are compared at most.
const COMPARED_ROWS: usize = 20_000;

/// The position of the feature that alone ranks the rows best, whichever way it points; the first of equals. `None`
/// without rows of both kinds.
fn best_feature(data: &Dataset, columns: &[Column]) -> Option<usize> {
    let rows: Vec<usize> = evenly(data.len(), COMPARED_ROWS).collect();
    let churned: Vec<bool> = rows.iter().map(|row| data.labels[*row]).collect();
    let mut best: Option<(usize, f64)> = None;
    for (position, column) in columns.iter().enumerate() {
        let value = |row: &usize| column.standardise(data.raw[row * data.width + position]);
        let values: Vec<f64> = rows.iter().map(value).collect();
        let skill = (area_under_roc(&values, &churned) - 0.5).abs();
        if skill.is_finite() && best.is_none_or(|(_, most)| skill > most) {
            best = Some((position, skill));
        }
    }
    best.map(|(position, _)| position)
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
            data.counts.push(1.0);
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
