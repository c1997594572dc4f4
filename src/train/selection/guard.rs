//! Whether the model is better than simpler ways to predict, at every date of the backtest; a model that is not is drawn towards
//! the churn rate.

use std::collections::BTreeMap;

use linfa::ParamGuard;

use super::backtest::{FITS_OF_A_FOLD, Fold, Sides, sides};
use super::calibration::{BacktestCalibration, effective_folds, interval_over_dates};
use crate::card::BacktestComparison;
use crate::history::Day;
use crate::math::{evenly, log_loss_of_logit, mean};
use crate::model::Calibration;
use crate::phases::Phase;
use crate::train::estimators::newton::{Newton, NewtonError, Rows, fit_logistic};
use crate::train::estimators::training_rows::TrainingRows;

/// Rows that recency alone is fitted on at most.
const MOST_ROWS: usize = 6_000;

/// What the backtest says of the model beside simpler ways to predict.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Guard {
    /// The comparisons, for the card.
    pub(crate) comparisons: Vec<BacktestComparison>,
    /// How far log-odds are drawn towards those of the base rate, 0 to 1.
    pub(crate) shrinkage: f64,
}

impl Guard {
    /// A line drawn towards the log-odds of the base rate.
    pub(crate) fn drawn(&self, line: Calibration, base_rate: f64) -> Calibration {
        let kept = 1.0 - self.shrinkage;
        Calibration {
            intercept: kept * line.intercept + self.shrinkage * base_rate,
            // A slope of 0 would rank nobody.
            slope: (kept * line.slope).max(0.01),
        }
    }
}

/// The log-odds of simpler ways to predict, in the order of a fold's rows.
type Baselines = BTreeMap<&'static str, Vec<f64>>;

/// Compares the calibrated folds of the selected candidate with the baselines.
pub(crate) fn guard(
    rows: &TrainingRows<'_>,
    folds: &[Fold],
    calibration: &BacktestCalibration,
    phase: &Phase<'_>,
) -> Result<Guard, NewtonError> {
    let effective = effective_folds(folds, rows.window_days);
    let mut differences: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    let mut pairs = Vec::new();
    for fold in folds {
        let line = calibration.line(&fold.forecasts);
        let own: Vec<f64> = fold
            .log_odds
            .iter()
            .map(|x| line.intercept + line.slope * x)
            .collect();
        let loss = |log_odds: &[f64]| mean_loss(log_odds, &fold.churned);
        let mut baselines = baselines(rows, fold.date)?;
        phase.advance(FITS_OF_A_FOLD as u64);
        for (name, log_odds) in &baselines {
            let difference = loss(&own) - loss(log_odds);
            differences.entry(name).or_default().push(difference);
        }
        if let Some(base_rate) = baselines.remove(BASE_RATE) {
            pairs.push((own, base_rate, &fold.churned));
        }
    }
    let comparisons = differences.iter().filter_map(|(name, differences)| {
        let effective = effective * differences.len() as f64 / folds.len() as f64;
        Some(BacktestComparison {
            baseline: (*name).to_owned(),
            dates: differences.len(),
            log_loss_difference: interval_over_dates(differences, effective)?,
        })
    });
    let comparisons: Vec<BacktestComparison> = comparisons.collect();
    let behind = comparisons
        .iter()
        .any(|c| c.baseline == BASE_RATE && c.log_loss_difference.value > 0.0);
    let shrinkage = if behind { shrinkage(&pairs) } else { 0.0 };
    Ok(Guard {
        comparisons,
        shrinkage,
    })
}

const BASE_RATE: &str = "base_rate";

fn mean_loss(log_odds: &[f64], churned: &[bool]) -> f64 {
    let losses = log_odds.iter().zip(churned);
    let losses: Vec<f64> = losses.map(|(x, y)| log_loss_of_logit(*x, *y)).collect();
    mean(&losses)
}

/// How far log-odds are best drawn towards others, in twentieths: the least mean loss over the dates.
fn shrinkage(pairs: &[(Vec<f64>, Vec<f64>, &Vec<bool>)]) -> f64 {
    let loss = |share: f64| {
        let losses = pairs.iter().map(|(own, base, churned)| {
            let drawn = own.iter().zip(base).map(|(x, b)| x + share * (b - x));
            mean_loss(&drawn.collect::<Vec<f64>>(), churned)
        });
        losses.sum::<f64>()
    };
    let shares = (0..=20).map(|twentieths| f64::from(twentieths) / 20.0);
    let best = shares.map(|share| (share, loss(share)));
    best.min_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(0.0, |(share, _)| share)
}

/// The baselines at a date, none of which is fitted on a user that it predicts.
fn baselines(rows: &TrainingRows<'_>, date: Day) -> Result<Baselines, NewtonError> {
    let mut baselines = Baselines::new();
    for half in 0..2 {
        let Sides {
            known, predicted, ..
        } = sides(rows, date, half);
        let rate = rows.data.recent_churn_log_odds(&known, rows.window_days);
        let base_rate = baselines.entry(BASE_RATE).or_default();
        base_rate.resize(base_rate.len() + predicted.len(), rate);
        let known: Vec<usize> = evenly(known.len(), MOST_ROWS).map(|k| known[k]).collect();
        let recency = recency_only(rows, &known, &predicted)?;
        baselines.entry("recency_only").or_default().extend(recency);
        if let Some(silent) = rows.silence_log_odds(&predicted) {
            baselines.entry("bg_nbd").or_default().extend(silent);
        }
    }
    Ok(baselines)
}

/// A logistic model on recency alone.
fn recency_only(
    rows: &TrainingRows<'_>,
    known: &[usize],
    predicted: &[usize],
) -> Result<Vec<f64>, NewtonError> {
    let value = |row: &usize| rows.recency(*row);
    let values: Vec<f64> = known.iter().map(value).collect();
    let labels: Vec<bool> = known.iter().map(|row| rows.data.labels[*row]).collect();
    let fitted = fit_logistic(
        &Newton::default().tolerance(1e-6).check()?,
        &Rows {
            values: &values,
            width: 1,
            targets: &labels,
            weights: &vec![1.0; labels.len()],
            penalty_factors: &[],
        },
        None,
    )?;
    Ok(predicted
        .iter()
        .map(|row| fitted.predictor(&[value(row)]))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::Interval;
    use crate::math::sigmoid;
    use crate::phases::{Phases, Unit};
    use crate::train::data::dataset::Dataset;
    use crate::train::selection::forecast::Forecaster;

    /// 400 users at four dates a window of 30 days apart. Two in five churn at each date.
    fn data() -> (Dataset, Vec<Day>) {
        let dates: Vec<Day> = (0..4).map(|k| Day::new(500 + 30 * k).unwrap()).collect();
        let rows = || (0..400_u32).flat_map(|user| dates.iter().map(move |date| (user, *date)));
        let data = Dataset {
            width: 0,
            raw: Vec::new(),
            labels: rows().map(|(user, _)| user % 5 < 2).collect(),
            users: rows().map(|(user, _)| user).collect(),
            dates: rows().map(|(_, date)| date).collect(),
            counts: vec![1.0; 1_600],
            user_step: 1,
        };
        (data, dates)
    }

    /// Folds of the three newest dates with the log-odds that a model gives each user.
    fn folds(rows: &TrainingRows<'_>, dates: &[Day], log_odds: impl Fn(u32) -> f64) -> Vec<Fold> {
        let fold = |date: &Day| {
            let asked: Vec<usize> = (0..2)
                .flat_map(|half| sides(rows, *date, half).predicted)
                .collect();
            Fold {
                date: *date,
                log_odds: asked
                    .iter()
                    .map(|row| log_odds(rows.data.users[*row]))
                    .collect(),
                churned: asked.iter().map(|row| rows.data.labels[*row]).collect(),
                shift: 0.0,
                fits: Vec::new(),
                forecasts: BTreeMap::new(),
            }
        };
        dates[1..].iter().rev().map(fold).collect()
    }

    const PLAIN: BacktestCalibration = BacktestCalibration {
        forecaster: Forecaster {
            method: None,
            lasting: 0.0,
        },
        slope: 1.0,
        centre: 0.0,
    };

    fn made(log_odds: impl Fn(u32) -> f64) -> Guard {
        let (data, dates) = data();
        let mut rows = TrainingRows::of_dates(&data, &dates, 30);
        // Recency says nothing: all users were active on the same day.
        rows.matrix.width = 1;
        rows.matrix.columns = 1;
        rows.matrix.values = vec![0.0; data.len()];
        let folds = folds(&rows, &dates, log_odds);
        let phase = Phases::UNOBSERVED.begin("guard", 0, Unit::Fits);
        guard(&rows, &folds, &PLAIN, &phase).unwrap()
    }

    #[test]
    fn a_model_that_ranks_users_is_left_as_it_is() {
        let guard = made(|user| if user % 5 < 2 { 0.5 } else { -1.0 });
        assert_eq!(guard.shrinkage, 0.0);
        let names: Vec<&str> = guard
            .comparisons
            .iter()
            .map(|c| c.baseline.as_str())
            .collect();
        assert_eq!(names, ["base_rate", "recency_only"]);
        for comparison in &guard.comparisons {
            let Interval { value, low, high } = comparison.log_loss_difference;
            assert_eq!(comparison.dates, 3);
            assert!(
                low <= value && value <= high && high < 0.0,
                "{comparison:?}"
            );
        }
        let line = Calibration {
            intercept: 0.3,
            slope: 0.9,
        };
        assert_eq!(guard.drawn(line, -2.0), line);
    }

    #[test]
    fn a_model_that_loses_to_the_base_rate_is_drawn_towards_it() {
        // Sure of what is not so.
        let wrong = made(|user| if user % 3 == 0 { 2.0 } else { -2.0 });
        let base_rate = &wrong.comparisons[0];
        assert!(base_rate.baseline == "base_rate" && base_rate.log_loss_difference.low > 0.0);
        assert!(wrong.shrinkage > 0.9, "{}", wrong.shrinkage);
        let line = wrong.drawn(Calibration::IDENTITY, -0.4);
        for log_odds in [-2.0, 2.0] {
            let p = sigmoid(line.intercept + line.slope * log_odds);
            assert!((p - sigmoid(-0.4)).abs() < 0.06, "{p}");
        }
        assert!(line.slope > 0.0, "users keep their order");
        // Right in the ranking, but too sure: half way is best.
        let sure = made(|user| {
            if (user % 5 < 2) ^ (user % 10 == 9) ^ (user % 7 == 0) {
                5.0
            } else {
                -6.0
            }
        });
        assert!((0.2..0.95).contains(&sure.shrinkage), "{}", sure.shrinkage);
    }
}
