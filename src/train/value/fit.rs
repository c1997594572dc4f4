//! The fit of spend as it is done for predictions on one day, from what was known by then.

use std::collections::BTreeMap;

use super::blend::Expected;
use super::intervals::intervals;
use super::orders::{OrderCards, OrderModels};
use super::regression::{FittedSpend, SpendRows};
use super::rehearsal::{SpendFold, blended, shift};
use crate::card::{Hyperparameters, ValueTrial};
use crate::history::Day;
use crate::math::mean;
use crate::model::SpendIntervals;
use crate::phases::Phase;
use crate::train::TrainError;
use crate::train::data::context::TrainContext;
use crate::train::data::dataset::user_part;
use crate::train::data::snapshots::cutoffs;
use crate::train::selection::calibration::effective_folds;
use crate::train::selection::candidate::{EarlierYears, default_candidate, name, penalties};
use crate::train::selection::forecast::{Forecaster, KnownShifts, forecasts};
use crate::train::settings::ValueMethod;

/// The weights of the regression in the blend that are compared, the default first.
const SHARES: [f64; 3] = [0.5, 1.0, 0.0];

/// Standard errors by which another candidate or weight must beat the default.
const MARGIN_STANDARD_ERRORS: f64 = 2.0;

/// Past dates at which candidates are compared at most.
const COMPARED_FOLDS: usize = 3;

/// The mean gradient at which the final fit is done.
const TOLERANCE: f64 = 1e-8;

/// Everything that is fitted for a day.
#[derive(Clone, Debug)]
pub(super) struct SpendFit {
    pub(super) candidate: Hyperparameters,
    pub(super) trials: Vec<ValueTrial>,
    pub(super) regression: Option<FittedSpend>,
    pub(super) orders: OrderModels,
    pub(super) cards: OrderCards,
    /// The weight of the regression in the blend.
    pub(super) share: f64,
    pub(super) share_rule: String,
    /// The logarithm of the factor of the level.
    pub(super) level: f64,
    pub(super) intervals: SpendIntervals,
    /// Past dates that it was rehearsed on, newest first.
    pub(super) rehearsed: Vec<Day>,
}

/// What a fit is for, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The day of the predictions.
    pub(super) date: Day,
    /// Regular dates whose windows had ended by then, oldest first.
    pub(super) known_dates: &'a [Day],
    pub(super) learnt_days: u16,
    pub(super) method: ValueMethod,
    pub(super) interval: f64,
}

/// Fits for one day; `phase` counts the fits.
pub(super) fn fit_for(
    ctx: &TrainContext<'_>,
    rows: &SpendRows<'_>,
    asked: Asked<'_>,
    phase: &Phase<'_>,
) -> Result<SpendFit, TrainError> {
    let window_days = rows.rows.window_days;
    let rehearsals = Rehearsals::run(ctx, rows, asked, phase)?;
    let Rehearsals {
        candidate,
        trials,
        mut folds,
    } = rehearsals;
    let (share, share_rule) = choose_share(asked.method, &folds);
    for fold in &mut folds {
        fold.set_shift(share, window_days);
    }
    let forecaster = Forecaster::new(&folds, effective_folds(&folds, window_days));
    let (orders, cards) = OrderModels::fit(ctx, asked.date, asked.learnt_days)?;
    let known: Vec<usize> = rows.rows.known_at(asked.date).collect();
    let sample = rows.rows.whole(known.clone());
    let regression = if asked.method.has_regression() {
        Some(rows.fit(&candidate, &sample, asked.date, TOLERANCE)?)
    } else {
        None
    };
    phase.advance(1);
    let expected = |row: usize| Expected {
        log_regression: regression.as_ref().map(|f| rows.log_spend(&f.fitted, row)),
        by_orders: orders.of(rows.raw(row)),
    };
    let shifts = known_shifts(rows, &known, expected, (share, orders.new_customer()));
    let level = forecaster.shift(&forecasts(&shifts, asked.date, window_days));
    let intervals = match folds.is_empty() {
        false => {
            let of = |fold: &SpendFold| -> Vec<f64> {
                let factor = libm::exp(forecaster.shift(&fold.forecasts));
                fold.blended(share).iter().map(|e| e * factor).collect()
            };
            let expected: Vec<f64> = folds.iter().flat_map(of).collect();
            let actual: Vec<f64> = folds.iter().flat_map(|f| f.spend.clone()).collect();
            intervals(asked.interval, &expected, &actual)
        }
        true => cross_fitted(rows, asked, &candidate, (share, &orders))?,
    };
    Ok(SpendFit {
        candidate,
        trials,
        regression,
        share,
        share_rule,
        level,
        intervals,
        rehearsed: folds.iter().map(|fold| fold.date).collect(),
        orders,
        cards,
    })
}

/// By date, how far the total that is expected of known rows is from the actual one, as a logarithm.
fn known_shifts(
    rows: &SpendRows<'_>,
    known: &[usize],
    expected: impl Fn(usize) -> Expected,
    (share, new_customer): (f64, f64),
) -> KnownShifts {
    let mut by_date: BTreeMap<Day, (Vec<Expected>, Vec<f64>)> = BTreeMap::new();
    for row in known {
        let (seen, spent) = by_date.entry(rows.rows.data.dates[*row]).or_default();
        seen.push(expected(*row));
        spent.push(rows.spend[*row]);
    }
    let shifts = by_date.into_iter().filter_map(|(date, (seen, spent))| {
        Some((date, shift(&blended(&seen, share, new_customer), &spent)?))
    });
    shifts.collect()
}

/// The intervals where there is no past date to rehearse: each half of the users predicted from the other, at the known dates.
fn cross_fitted(
    rows: &SpendRows<'_>,
    asked: Asked<'_>,
    candidate: &Hyperparameters,
    (share, orders): (f64, &OrderModels),
) -> Result<SpendIntervals, TrainError> {
    let known: Vec<usize> = rows.rows.known_at(asked.date).collect();
    let (mut expected, mut actual) = (Vec::new(), Vec::new());
    for half in 0..2 {
        let is_of = |row: &&usize| user_part(rows.rows.data.users[**row], 2) == half;
        let own: Vec<usize> = known.iter().filter(is_of).copied().collect();
        let others: Vec<usize> = known.iter().filter(|row| !is_of(row)).copied().collect();
        let fitted = if asked.method.has_regression() && rows.usable(&others) {
            let sample = rows.rows.whole(others);
            Some(rows.fit(candidate, &sample, asked.date, super::rehearsal::TOLERANCE)?)
        } else {
            None
        };
        for row in own {
            let both = Expected {
                log_regression: fitted.as_ref().map(|f| rows.log_spend(&f.fitted, row)),
                by_orders: orders.of(rows.raw(row)),
            };
            expected.push(libm::exp(both.log_spend(share, orders.new_customer())));
            actual.push(rows.spend[row]);
        }
    }
    Ok(intervals(asked.interval, &expected, &actual))
}

/// The weight of the regression, and how it was chosen.
fn choose_share(method: ValueMethod, folds: &[SpendFold]) -> (f64, String) {
    match method {
        ValueMethod::Glm => return (1.0, "The configuration asks for the regression alone.".to_owned()),
        ValueMethod::Btyd => return (0.0, "The configuration asks for orders alone.".to_owned()),
        ValueMethod::Auto => {}
    }
    let default = SHARES[0];
    if folds.is_empty() {
        let rule = "No past date could be rehearsed, so both models count half.".to_owned();
        return (default, rule);
    }
    let of = |share: f64| -> Vec<f64> { folds.iter().flat_map(|f| f.deviances(share)).collect() };
    let usual = of(default);
    let mut best = (default, 0.0);
    for share in &SHARES[1..] {
        let gain = gain(&usual, &of(*share));
        if gain.is_clear() && gain.mean > best.1 {
            best = (*share, gain.mean);
        }
    }
    let dates = folds.len();
    let rule = if best.0 == default {
        format!("Neither model alone was better than both by two standard errors at {dates} past dates.")
    } else {
        let alone = if best.0 == 1.0 { "The regression" } else { "Orders" };
        format!("{alone} alone was better by more than two standard errors at {dates} past dates.")
    };
    (best.0, rule)
}

/// By how much one list of deviances lies below another.
struct Gain {
    mean: f64,
    standard_error: f64,
}

impl Gain {
    fn is_clear(&self) -> bool {
        self.mean > MARGIN_STANDARD_ERRORS * self.standard_error
    }
}

fn gain(usual: &[f64], other: &[f64]) -> Gain {
    let differences: Vec<f64> = usual.iter().zip(other).map(|(a, b)| a - b).collect();
    let middle = mean(&differences);
    let n = differences.len() as f64;
    let squares: f64 = differences.iter().map(|d| (d - middle) * (d - middle)).sum();
    Gain {
        mean: middle,
        standard_error: (squares / (n - 1.0).max(1.0) / n).sqrt(),
    }
}

/// The selected candidate with its past dates, newest first.
struct Rehearsals {
    candidate: Hyperparameters,
    trials: Vec<ValueTrial>,
    folds: Vec<SpendFold>,
}

impl Rehearsals {
    fn run(
        ctx: &TrainContext<'_>,
        rows: &SpendRows<'_>,
        asked: Asked<'_>,
        phase: &Phase<'_>,
    ) -> Result<Self, TrainError> {
        let earlier = EarlierYears {
            anniversaries: rows.rows.anniversaries(asked.date),
            features: rows.rows.learns_seasons(asked.date),
        };
        let count = rows.rows.known_at(asked.date).count();
        let default = default_candidate(&ctx.config.model, count, earlier);
        let dates = cutoffs(asked.known_dates, rows.rows.window_days);
        let mut orders = Vec::new();
        for date in &dates {
            orders.push((*date, OrderModels::fit(ctx, *date, asked.learnt_days)?.0));
        }
        let folds = |candidate: &Hyperparameters, dates: &[(Day, OrderModels)]| {
            let mut folds = Vec::new();
            for (date, orders) in dates {
                let candidate = asked.method.has_regression().then_some(candidate);
                folds.extend(SpendFold::new(rows, *date, candidate, orders)?);
                phase.advance(1);
            }
            Ok::<Vec<SpendFold>, TrainError>(folds)
        };
        let (compared, older) = orders.split_at(COMPARED_FOLDS.min(orders.len()));
        let usual = folds(&default, compared)?;
        let of = |folds: &[SpendFold]| -> Vec<f64> {
            folds.iter().flat_map(|fold| fold.deviances(1.0)).collect()
        };
        let usual_deviances = of(&usual);
        let trial = |candidate: &Hyperparameters, deviances: &[f64]| ValueTrial {
            name: name(candidate),
            deviance: mean(deviances),
        };
        let mut trials = vec![trial(&default, &usual_deviances)];
        let mut best = (default, usual, 0.0);
        if asked.method.has_regression() && !usual_deviances.is_empty() {
            for candidate in penalties(&default, &ctx.config.model) {
                if candidate == default {
                    continue;
                }
                let tried = folds(&candidate, compared)?;
                let deviances = of(&tried);
                trials.push(trial(&candidate, &deviances));
                let gain = gain(&usual_deviances, &deviances);
                if gain.is_clear() && gain.mean > best.2 {
                    best = (candidate, tried, gain.mean);
                }
            }
        }
        let (candidate, mut folds_of_best, _) = best;
        folds_of_best.extend(folds(&candidate, older)?);
        Ok(Self {
            candidate,
            trials,
            folds: folds_of_best,
        })
    }
}
