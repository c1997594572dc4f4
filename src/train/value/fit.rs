//! The fit of spend as it is done for predictions on one day, from what was known by then.

use super::blend::Expected;
use super::orders::{OrderCards, OrderModels};
use super::regression::{FittedSpend, SpendRows};
use super::rehearsal::{Newest, SpendFold};
use crate::card::{Hyperparameters, ValueTrial};
use crate::history::Day;
use crate::math::mean;
use crate::model::SpendIntervals;
use crate::phases::Phase;
use crate::train::TrainError;
use crate::train::data::context::TrainContext;
use crate::train::data::snapshots::cutoffs;
use crate::train::selection::candidate::{EarlierYears, default_candidate, name};
use crate::train::settings::ValueMethod;

/// The weights of the regression in the blend that are compared, the default first.
const SHARES: [f64; 4] = [0.8, 1.0, 0.5, 0.0];

/// The default penalty over that of a churn model: amounts vary far more than labels. On public logs, three times more or less
/// changed the Gini coefficient by 0.002 at most, and a tenth did clearly worse.
const PENALTY: f64 = 10.0;

/// Other penalties that are compared, over the default.
const OTHER_PENALTIES: [f64; 3] = [0.1, 0.3, 3.0];

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
    let Rehearsals {
        candidate,
        trials,
        folds,
    } = Rehearsals::run(ctx, rows, asked, phase)?;
    let (share, share_rule) = choose_share(asked.method, &folds);
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
    let newest = Newest::new(rows, &known, expected);
    let level = newest.level(share, orders.new_customer());
    let intervals = newest.intervals(asked.interval, share, orders.new_customer());
    Ok(SpendFit {
        candidate,
        trials,
        regression,
        share,
        share_rule,
        level,
        intervals,
        orders,
        cards,
    })
}

/// The weight of the regression, and how it was chosen.
fn choose_share(method: ValueMethod, folds: &[SpendFold]) -> (f64, String) {
    match method {
        ValueMethod::Glm => {
            return (
                1.0,
                "The configuration asks for the regression alone.".to_owned(),
            );
        }
        ValueMethod::Btyd => return (0.0, "The configuration asks for orders alone.".to_owned()),
        ValueMethod::Auto => {}
    }
    let default = SHARES[0];
    if folds.is_empty() {
        let rule = format!(
            "No past date could be rehearsed, so the regression has its usual weight of {default} in the blend."
        );
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
        format!(
            "Its usual weight of {default}: no other one was better by two standard errors at {dates} past dates."
        )
    } else {
        format!(
            "A weight of {} was better than the usual {default} by more than two standard errors at {dates} past dates.",
            best.0
        )
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
    let squares: f64 = differences
        .iter()
        .map(|d| (d - middle) * (d - middle))
        .sum();
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
        let of_churn = default_candidate(&ctx.config.model, count, earlier);
        let default = Hyperparameters {
            l2: PENALTY * of_churn.l2,
            ..of_churn
        };
        let dates = cutoffs(asked.known_dates, rows.rows.window_days);
        let mut orders = Vec::new();
        for date in &dates {
            match OrderModels::fit(ctx, *date, asked.learnt_days) {
                Ok((models, _)) => orders.push((*date, models)),
                // So early nobody had ordered twice.
                Err(TrainError::Orders(_) | TrainError::Amounts(_)) => {}
                Err(other) => return Err(other),
            }
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
            for factor in OTHER_PENALTIES {
                let candidate = Hyperparameters {
                    l2: factor * default.l2,
                    ..default
                };
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
