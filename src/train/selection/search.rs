//! Which candidate is fitted: the default, unless the backtest shows another to be clearly better.

use super::backtest::{FITS_OF_A_FOLD, Fold, backtest};
use super::calibration::{BacktestCalibration, calibrate};
use super::candidate::{
    EarlierYears, alternatives, default_candidate, difference, name, penalties,
};
use super::guard::{Guard, guard};
use crate::card::{BacktestFold, Hyperparameters, SelectionRule, TrialCard};
use crate::history::Day;
use crate::math::mean;
use crate::phases::Phase;
use crate::train::data::snapshots::cutoffs;
use crate::train::estimators::newton::{Fitted, NewtonError};
use crate::train::estimators::training_rows::TrainingRows;
use crate::train::settings::ModelConfig;

/// What the backtest decides.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) candidate: Hyperparameters,
    pub(crate) trials: Vec<TrialCard>,
    pub(crate) rule: SelectionRule,
    /// Folds of the selected candidate, newest first.
    pub(crate) folds: Vec<Fold>,
    pub(crate) calibration: BacktestCalibration,
    /// The model beside simpler ways to predict.
    pub(crate) guard: Guard,
    /// A fit of fewer rows, to start from.
    pub(crate) warm_start: Option<Fitted>,
}

impl Selection {
    /// The folds, for the card.
    pub(crate) fn backtest_cards(&self) -> Vec<BacktestFold> {
        let forecaster = &self.calibration.forecaster;
        let folds = self.folds.iter();
        folds
            .map(|fold| fold.card(forecaster.shift(&fold.forecasts)))
            .collect()
    }
}

/// Standard errors by which a candidate must beat the default.
const MARGIN_STANDARD_ERRORS: f64 = 2.0;
/// Folds at which candidates are compared at most.
const COMPARED_FOLDS: usize = 4;
/// Folds after which a candidate that is behind the default is given up.
const FIRST_FOLDS: usize = 2;

/// Selects a candidate for predictions at the day `asked` by a backtest at some dates of the rows. First the penalty, then
/// what else may differ. `begin` begins the phase of so many fits.
pub(crate) fn select<'p>(
    rows: &TrainingRows<'_>,
    dates: &[Day],
    asked: Day,
    config: &ModelConfig,
    begin: &dyn Fn(usize) -> Phase<'p>,
) -> Result<Selection, NewtonError> {
    let earlier = EarlierYears {
        anniversaries: rows.anniversaries(asked),
        features: rows.learns_seasons(asked),
    };
    let known = rows.data.dates.iter().zip(&rows.data.counts);
    let known = known.filter(|(date, _)| rows.is_known(**date, asked));
    let count: f64 = known.map(|(_, count)| count).sum();
    let default = default_candidate(config, count as usize, earlier);
    let cutoffs = cutoffs(dates, rows.window_days);
    let (compared, older) = cutoffs.split_at(COMPARED_FOLDS.min(cutoffs.len()));
    let mut trials = Trials::new(default);
    let penalties = penalties(&default, config);
    let candidates = penalties.len() + alternatives(&default, config).len();
    // Fewer where candidates are given up, or dates have too few users.
    let phase = begin(FITS_OF_A_FOLD * (compared.len() * candidates + older.len() + cutoffs.len()));
    let warm_start = trials.run(rows, compared, &penalties, None, &phase)?;
    let alternatives = alternatives(&trials.best(), config);
    let mut warm_start = trials.run(rows, compared, &alternatives, warm_start, &phase)?;
    let candidate = trials.best();
    let mut folds = trials.folds_of(&candidate).to_vec();
    let rule = SelectionRule {
        margin_standard_errors: MARGIN_STANDARD_ERRORS,
        compared_folds: folds.len(),
    };
    for date in older {
        let tested = backtest(rows, *date, &[candidate], warm_start, &phase)?;
        folds.extend(tested.folds.into_iter().flatten());
        warm_start = tested.warm_start;
    }
    folds.iter_mut().for_each(|fold| fold.forecast(rows));
    let calibration = calibrate(&folds, rows.window_days);
    let guard = guard(rows, &folds, &calibration, &phase)?;
    phase.finish();
    Ok(Selection {
        candidate,
        trials: trials.cards(&candidate),
        rule,
        guard,
        calibration,
        folds,
        warm_start,
    })
}

/// A candidate with its folds, one for each date that could be backtested.
struct Trial {
    candidate: Hyperparameters,
    folds: Vec<Fold>,
}

/// The backtest of several candidates at the same dates.
struct Trials {
    default: Hyperparameters,
    run: Vec<Trial>,
}

/// How much larger a candidate's loss is than the default's.
struct LossDelta {
    mean: f64,
    standard_error: f64,
}

impl Trials {
    fn new(default: Hyperparameters) -> Self {
        Self {
            default,
            run: Vec::new(),
        }
    }

    /// Backtests more candidates; the warm start for the next fit comes back.
    fn run(
        &mut self,
        rows: &TrainingRows<'_>,
        dates: &[Day],
        candidates: &[Hyperparameters],
        mut warm_start: Option<Fitted>,
        phase: &Phase<'_>,
    ) -> Result<Option<Fitted>, NewtonError> {
        let first = self.run.len();
        self.run.extend(candidates.iter().map(|candidate| Trial {
            candidate: *candidate,
            folds: Vec::new(),
        }));
        for (position, date) in dates.iter().enumerate() {
            let going_on: Vec<usize> = (first..self.run.len())
                .filter(|trial| position < FIRST_FOLDS || self.is_promising(*trial))
                .collect();
            if going_on.is_empty() {
                break;
            }
            let candidates: Vec<Hyperparameters> = going_on
                .iter()
                .map(|trial| self.run[*trial].candidate)
                .collect();
            let tested = backtest(rows, *date, &candidates, warm_start, phase)?;
            warm_start = tested.warm_start;
            for (trial, fold) in going_on.iter().zip(tested.folds.into_iter().flatten()) {
                self.run[*trial].folds.push(fold);
            }
        }
        Ok(warm_start)
    }

    /// Whether a trial may still beat the default clearly: one that is behind after some folds hardly will.
    fn is_promising(&self, trial: usize) -> bool {
        let Trial { candidate, folds } = &self.run[trial];
        *candidate == self.default || self.against_default(folds).mean < 0.0
    }

    /// The folds of a candidate; none where it was not run.
    fn folds_of(&self, candidate: &Hyperparameters) -> &[Fold] {
        let trial = self.run.iter().find(|trial| trial.candidate == *candidate);
        trial.map_or(&[][..], |trial| trial.folds.as_slice())
    }

    /// How much larger the losses of some folds are than the default's.
    fn against_default(&self, folds: &[Fold]) -> LossDelta {
        let pairs = folds.iter().zip(self.folds_of(&self.default));
        let deltas: Vec<Vec<f64>> = pairs.map(|(own, default)| deltas(own, default)).collect();
        let means: Vec<f64> = deltas.iter().map(|fold| mean(fold)).collect();
        let by_date = error_of_mean(&means);
        let by_user = deltas.iter().map(|fold| error_of_mean(fold).powi(2));
        let by_user = by_user.sum::<f64>().sqrt() / means.len().max(1) as f64;
        LossDelta {
            mean: mean(&means),
            // Dates differ by more than their users do: the larger of the two errors is the honest one.
            standard_error: by_date.max(by_user),
        }
    }

    /// The candidate with the least loss among those that beat the default clearly and at more than one date; the
    /// default if none does.
    fn best(&self) -> Hyperparameters {
        let most = self.folds_of(&self.default).len().max(2);
        // One that was given up was judged on other dates.
        let several = self.run.iter().filter(|trial| trial.folds.len() >= most);
        let clear = several.filter_map(|trial| {
            let delta = self.against_default(&trial.folds);
            let clear = delta.mean < -MARGIN_STANDARD_ERRORS * delta.standard_error;
            clear.then_some((trial.candidate, delta.mean))
        });
        clear
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map_or(self.default, |(candidate, _)| candidate)
    }

    /// The trials with a fold at least, for the card.
    fn cards(&self, selected: &Hyperparameters) -> Vec<TrialCard> {
        let tested = self.run.iter().filter(|trial| !trial.folds.is_empty());
        tested.map(|trial| self.card(trial, selected)).collect()
    }

    fn card(&self, trial: &Trial, selected: &Hyperparameters) -> TrialCard {
        let delta = self.against_default(&trial.folds);
        let losses: Vec<f64> = trial.folds.iter().map(Fold::loss).collect();
        TrialCard {
            hyperparameters: trial.candidate,
            name: name(&trial.candidate),
            difference: difference(&trial.candidate, &self.default),
            folds: trial.folds.len(),
            log_loss: mean(&losses),
            log_loss_delta: delta.mean,
            standard_error: delta.standard_error,
            default: trial.candidate == self.default,
            selected: trial.candidate == *selected,
        }
    }
}

/// The differences of two candidates' losses on the same rows.
fn deltas(own: &Fold, other: &Fold) -> Vec<f64> {
    let losses = own.losses().into_iter().zip(other.losses());
    losses.map(|(own, other)| own - other).collect()
}

/// The standard error of a mean; 0 of fewer than two values.
fn error_of_mean(values: &[f64]) -> f64 {
    let (n, middle) = (values.len() as f64, mean(values));
    let squares: f64 = values.iter().map(|v| (v - middle) * (v - middle)).sum();
    if n > 1.0 {
        (squares / (n - 1.0) / n).sqrt()
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::train::selection::candidate::penalties;

    /// A fold of 200 users, half of whom churn, at which every log-odds lies on the right side by `margin`.
    fn fold(margin: f64) -> Fold {
        let churned: Vec<bool> = (0..200).map(|user| user % 2 == 0).collect();
        Fold {
            date: Day::new(500).unwrap(),
            log_odds: churned
                .iter()
                .map(|y| if *y { margin } else { -margin })
                .collect(),
            churned,
            shift: 0.0,
            fits: Vec::new(),
            forecasts: BTreeMap::new(),
        }
    }

    #[test]
    fn a_candidate_that_was_given_up_is_not_selected_for_the_dates_it_missed() {
        let config = ModelConfig::default();
        let default = default_candidate(&config, 10_000, EarlierYears::default());
        let others = penalties(&default, &config);
        let (ahead, gone) = (others[0], others[1]);
        let mut trials = Trials::new(default);
        for (candidate, margins) in [
            (default, &[1.0, 1.0, 1.0, 1.0][..]),
            (ahead, &[1.1, 1.12, 1.1, 1.11]),
            (gone, &[3.0, 3.0]),
        ] {
            trials.run.push(Trial {
                candidate,
                folds: margins.iter().map(|margin| fold(*margin)).collect(),
            });
        }
        assert_eq!(trials.best(), ahead);
        assert!(trials.is_promising(0) && trials.is_promising(1));
        trials.run[1].folds = [0.9, 0.8].map(fold).into();
        assert!(!trials.is_promising(1));
        assert_eq!(trials.best(), default);
        let cards = trials.cards(&default);
        let folds: Vec<usize> = cards.iter().map(|card| card.folds).collect();
        assert_eq!(folds, [4, 2, 2]);
    }
}
