//! The whole fitting procedure for one horizon: dates in the past choose the hyperparameters, the hyperparameters is fitted on
//! everything, and what went wrong at every rehearsal in the same way is put right.

use serde::{Deserialize, Serialize};

use super::backtest::{Rehearsal, origins, rehearse};
use super::candidate::{Hyperparameters, Table};
use crate::history::Day;
use crate::math::{mean, sigmoid};
use crate::model::Calibration;
use crate::train::TrainError;
use crate::train::estimators::logistic::Fitted;
use crate::train::evaluation::metrics::calibration_line;
use crate::train::settings::{ModelConfig, Solver};

/// How one hyperparameters did in rehearsals, for the card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialCard {
    /// The hyperparameters.
    pub hyperparameters: Hyperparameters,
    /// The hyperparameters in words.
    pub name: String,
    /// Its mean log loss over the rehearsals.
    pub log_loss: f64,
    /// Its log loss minus the default hyperparameters's on the same users.
    pub log_loss_delta: f64,
    /// The standard error of that difference.
    pub standard_error: f64,
    /// Whether it is the default.
    pub default: bool,
    /// Whether it was taken.
    pub selected: bool,
}

/// What rehearsals decide.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) hyperparameters: Hyperparameters,
    pub(crate) trials: Vec<TrialCard>,
    /// Rehearsals of the chosen hyperparameters, newest first.
    pub(crate) rehearsals: Vec<Rehearsal>,
    pub(crate) calibration: Calibration,
    /// A fit of fewer rows, to start from.
    pub(crate) near: Option<Fitted>,
}

/// The penalties that are tried, over the default's.
const L2_GRID: [f64; 4] = [0.1, 0.3, 1.0, 3.0];
/// Standard errors by which a hyperparameters must beat the default.
pub(crate) const CLEAR: f64 = 2.0;
/// Rehearsals at which candidates are compared at most.
pub(crate) const COMPARED: usize = 4;
/// Rehearsals of the chosen hyperparameters at most.
const TRACKED: usize = 8;

/// Chooses a hyperparameters by rehearsals at the dates of the table. The default stays unless another clearly does
/// better.
pub(crate) fn choose(
    table: &Table<'_>,
    dates: &[Day],
    config: &ModelConfig,
) -> Result<Choice, TrainError> {
    let default = default(config, table.data.len());
    let origins = origins(dates, table.window_days);
    let compared = origins
        .get(..COMPARED.min(origins.len()))
        .unwrap_or_default();
    let with_l2: Vec<Hyperparameters> = match config.l2 {
        Some(_) => vec![default],
        None => L2_GRID
            .iter()
            .map(|times| Hyperparameters {
                l2: round(times * default.l2),
                ..default
            })
            .collect(),
    };
    let mut trials = Trials::new(default);
    let mut near = None;
    trials.run(table, compared, &with_l2, &mut near)?;
    let hyperparameters = trials.best();
    let alternatives = alternatives(&hyperparameters, config);
    trials.run(table, compared, &alternatives, &mut near)?;
    let hyperparameters = trials.best();
    let mut rehearsals = trials.rehearsals_of(&hyperparameters).to_vec();
    for date in origins.iter().skip(COMPARED).take(TRACKED - COMPARED) {
        rehearsals
            .extend(rehearse(table, *date, &[hyperparameters], &mut near)?.unwrap_or_default());
    }
    let calibration = calibration(&rehearsals, table.window_days);
    Ok(Choice {
        hyperparameters,
        trials: trials.cards(&hyperparameters),
        rehearsals,
        calibration,
        near,
    })
}

/// The mean gradient at which a model counts as fitted.
pub(crate) const TOLERANCE: f64 = 1e-7;

/// The hyperparameters that stays unless another is clearly better: what is set, and the default for the rest.
fn default(config: &ModelConfig, rows: usize) -> Hyperparameters {
    let usual = if config.solver == Solver::Linfa {
        Hyperparameters::REFERENCE
    } else {
        Hyperparameters::usual(rows)
    };
    Hyperparameters {
        l2: config.l2.unwrap_or(usual.l2),
        nonlinear_terms: config.nonlinear_terms.unwrap_or(usual.nonlinear_terms),
        half_life: config
            .half_life_windows
            .map_or(usual.half_life, |h| (h > 0.0).then_some(h)),
        ..usual
    }
}

/// To tenths, so that penalties read well.
fn round(l2: f64) -> f64 {
    (l2 * 10.0).round() / 10.0
}

/// What is tried beside a hyperparameters: one thing changed, of those that are not set.
fn alternatives(hyperparameters: &Hyperparameters, config: &ModelConfig) -> Vec<Hyperparameters> {
    let mut all = Vec::new();
    if config.solver == Solver::Linfa {
        return all;
    }
    if config.half_life_windows.is_none() {
        all.extend([None, Some(3.0)].map(|half_life| Hyperparameters {
            half_life,
            ..*hyperparameters
        }));
    }
    if config.spacing_days.is_none() {
        all.push(Hyperparameters {
            spacing: 2,
            ..*hyperparameters
        });
    }
    if config.nonlinear_terms.is_none() {
        let l2 = config.l2.unwrap_or(round(0.1 * hyperparameters.l2));
        all.push(Hyperparameters {
            nonlinear_terms: false,
            l2,
            ..*hyperparameters
        });
    }
    all
}

/// Fits the chosen hyperparameters on all rows of the table.
pub(crate) fn carry_out(table: &Table<'_>, choice: &Choice) -> Result<Fitted, TrainError> {
    let rows: Vec<usize> = (0..table.data.len()).collect();
    table.fit(
        &choice.hyperparameters,
        &rows,
        choice.near.as_ref(),
        TOLERANCE,
    )
}

/// Rehearsals of several candidates at the same dates.
struct Trials {
    default: Hyperparameters,
    /// Each hyperparameters with its rehearsals, one for each date that could be rehearsed.
    run: Vec<(Hyperparameters, Vec<Rehearsal>)>,
}

impl Trials {
    fn new(default: Hyperparameters) -> Self {
        Self {
            default,
            run: Vec::new(),
        }
    }

    fn run(
        &mut self,
        table: &Table<'_>,
        dates: &[Day],
        candidates: &[Hyperparameters],
        near: &mut Option<Fitted>,
    ) -> Result<(), TrainError> {
        let from = self.run.len();
        self.run.extend(
            candidates
                .iter()
                .map(|hyperparameters| (*hyperparameters, Vec::new())),
        );
        for date in dates {
            let Some(rehearsals) = rehearse(table, *date, candidates, near)? else {
                continue;
            };
            for ((_, all), rehearsal) in self.run[from..].iter_mut().zip(rehearsals) {
                all.push(rehearsal);
            }
        }
        Ok(())
    }

    fn rehearsals_of(&self, hyperparameters: &Hyperparameters) -> &[Rehearsal] {
        self.run
            .iter()
            .find(|(r, _)| r == hyperparameters)
            .map(|(_, all)| all.as_slice())
            .unwrap_or_default()
    }

    /// The mean difference of a hyperparameters's losses to the default's, and its standard error.
    fn against_default(&self, rehearsals: &[Rehearsal]) -> (f64, f64) {
        let default = self.rehearsals_of(&self.default);
        let apart = |(own, other): (&Rehearsal, &Rehearsal)| {
            own.losses()
                .iter()
                .zip(other.losses())
                .map(|(a, b)| a - b)
                .collect::<Vec<f64>>()
        };
        let apart: Vec<Vec<f64>> = rehearsals.iter().zip(default).map(apart).collect();
        let middles: Vec<f64> = apart.iter().map(|date| mean(date)).collect();
        // Dates differ by more than their users do: the larger of the two errors is the honest one.
        let (by_date, by_user) = (
            error_of_mean(&middles),
            apart.iter().map(|date| error_of_mean(date).powi(2)),
        );
        (
            mean(&middles),
            by_date.max(by_user.sum::<f64>().sqrt() / middles.len().max(1) as f64),
        )
    }

    /// The hyperparameters with the least loss among those that beat the default clearly and at more than one
    /// date; the default if none does.
    fn best(&self) -> Hyperparameters {
        let several = self
            .run
            .iter()
            .filter(|(_, rehearsals)| rehearsals.len() > 1);
        let clear = several.filter_map(|(hyperparameters, rehearsals)| {
            let (difference, error) = self.against_default(rehearsals);
            (difference < -CLEAR * error).then_some((*hyperparameters, difference))
        });
        clear
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map_or(self.default, |(hyperparameters, _)| hyperparameters)
    }

    fn cards(&self, selected: &Hyperparameters) -> Vec<TrialCard> {
        let rehearsed = self
            .run
            .iter()
            .filter(|(_, rehearsals)| !rehearsals.is_empty());
        let card = |(hyperparameters, rehearsals): &(Hyperparameters, Vec<Rehearsal>)| {
            let (difference, error) = self.against_default(rehearsals);
            TrialCard {
                hyperparameters: *hyperparameters,
                name: hyperparameters.name(),
                log_loss: mean(&rehearsals.iter().map(Rehearsal::loss).collect::<Vec<_>>()),
                log_loss_delta: difference,
                standard_error: error,
                default: *hyperparameters == self.default,
                selected: hyperparameters == selected,
            }
        };
        rehearsed.map(card).collect()
    }
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

/// How far apart in log-odds shifts of the churn rate lie where nothing is known: as in the public logs that this was
/// made on.
const SHIFT_VARIANCE: f64 = 0.03;
/// A lasting shift counts only as far as its square exceeds its variance this many times.
const SHIFT_DOUBT: f64 = 4.0;
/// The share of a lasting shift that is taken to last on.
const SHIFT_SHARE: f64 = 0.5;
/// Rehearsals' worth of belief that the slope is 1.
const SLOPE_DOUBT: f64 = 2.0;

/// How many of some rehearsals, `days` from the first to the last, tell something of their own: neighbours share much
/// of their label windows.
pub(crate) fn apart(days: i32, rehearsals: usize, window_days: i32) -> f64 {
    (1.0 + f64::from(days) / f64::from(window_days)).min(rehearsals as f64)
}

/// The part of the shifts at rehearsals that is taken to last on, of which `apart` tell something of their own.
pub(crate) fn lasting_shift(shifts: &[f64], apart: f64) -> f64 {
    let middle = mean(shifts);
    let std_dev = shifts
        .iter()
        .map(|s| (s - middle) * (s - middle))
        .sum::<f64>()
        / (shifts.len() as f64 - 1.0).max(1.0);
    let variance = (std_dev * (apart - 1.0) + SHIFT_VARIANCE) / apart;
    SHIFT_SHARE
        * middle
        * (1.0 - SHIFT_DOUBT * variance / apart / (middle * middle).max(1e-12)).max(0.0)
}

/// What all rehearsals have in common is put right, as far as it is more than chance: a shift that keeps coming back,
/// and log-odds that are too bold. The latest shift alone says nothing of the next: on three public logs, at some 130
/// dates, neither it nor the last weeks' activity had any correlation with it.
fn calibration(rehearsals: &[Rehearsal], window_days: i32) -> Calibration {
    let (Some(newest), Some(oldest)) = (rehearsals.first(), rehearsals.last()) else {
        return Calibration::IDENTITY;
    };
    let shifts: Vec<f64> = rehearsals.iter().map(|r| r.shift).collect();
    let apart = apart(
        newest.date.since(oldest.date),
        rehearsals.len(),
        window_days,
    );
    let shift = lasting_shift(&shifts, apart);
    let (mut predicted, mut churned) = (Vec::new(), Vec::new());
    let (mut mean, mut bend) = (0.0, 0.0);
    for r in rehearsals {
        for (x, y) in r.log_odds.iter().zip(&r.churned) {
            let p = sigmoid(x + r.shift);
            (mean, bend) = (mean + p * (1.0 - p) * x, bend + p * (1.0 - p));
            predicted.push(p);
            churned.push(*y);
        }
    }
    let (_, bold) = calibration_line(&predicted, &churned, 1e-6);
    // Fits on fewer rows are more timid under the same penalty, so that only boldness tells of the final fit.
    let slope = 1.0 + (bold.clamp(0.5, 1.0) - 1.0) * apart / (apart + SLOPE_DOUBT);
    // Turned about the middle of the log-odds, so that the slope leaves the churn rate as it was.
    Calibration {
        intercept: shift + (1.0 - slope) * mean / bend.max(1e-12),
        slope,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rehearsals(shifts: &[f64], bold: f64) -> Vec<Rehearsal> {
        let made = |(k, shift): (usize, &f64)| {
            let truth: Vec<f64> = (0..2_000).map(|i| f64::from(i % 41) / 10.0 - 2.0).collect();
            let churned = truth
                .iter()
                .enumerate()
                .map(|(i, x)| ((i * 7_919 + k * 31) % 2_000) as f64 / 2_000.0 < sigmoid(x + shift));
            let date = "2024-06-01".parse::<Day>().unwrap().plus(-(k as i32) * 30);
            let log_odds = truth.iter().map(|x| bold * x).collect();
            let churned: Vec<bool> = churned.collect();
            Rehearsal {
                date,
                log_odds,
                churned,
                shift: *shift,
            }
        };
        shifts.iter().enumerate().map(made).collect()
    }

    #[test]
    fn a_shift_that_keeps_coming_back_is_put_right_and_one_that_comes_and_goes_is_not() {
        let lasting = calibration(&rehearsals(&[0.5, 0.45, 0.55, 0.5, 0.48, 0.52], 1.0), 60);
        assert!((lasting.intercept - 0.25).abs() < 0.06, "{lasting:?}");
        let mixed = calibration(&rehearsals(&[0.5, -0.4, 0.1, -0.5, 0.45, -0.1], 1.0), 60);
        assert!(mixed.intercept.abs() < 0.05, "{mixed:?}");
        // Not even a large one, if it was seen once.
        let once = calibration(&rehearsals(&[0.35], 1.0), 60);
        assert!(once.intercept.abs() < 0.05, "{once:?}");
        assert_eq!(calibration(&[], 60), Calibration::IDENTITY);
    }

    #[test]
    fn bold_log_odds_are_toned_down_without_moving_the_churn_rate() {
        let bold = rehearsals(&[0.0; 6], 1.5);
        let line = calibration(&bold, 30);
        assert!(line.slope < 0.85 && line.slope > 1.0 / 1.5, "{line:?}");
        let rate = |line: Calibration| {
            mean(
                &bold[0]
                    .log_odds
                    .iter()
                    .map(|x| sigmoid(line.intercept + line.slope * x))
                    .collect::<Vec<_>>(),
            )
        };
        assert!((rate(line) - rate(Calibration::IDENTITY)).abs() < 0.01);
        let timid = calibration(&rehearsals(&[0.0; 6], 0.7), 30);
        assert_eq!(timid.slope, 1.0);
    }
}
