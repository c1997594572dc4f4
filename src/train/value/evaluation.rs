//! The fit as it would have been done on the newest date whose spend is known, judged on what was then spent.

use super::blend::Expected;
use super::fit::{Asked, SpendFit, fit_for};
use super::orders::ByOrders;
use super::regression::SpendRows;
use super::users::{UserValue, tiers};
use crate::card::{ValueBaseline, ValueEvaluation};
use crate::lifecycle::Stage;
use crate::math::dot;
use crate::model::value::scorer::tier_of;
use crate::model::{Expansion, Preprocessing, RiskBand, ValueTier};
use crate::phases::Unit;
use crate::train::TrainError;
use crate::train::data::context::TrainContext;
use crate::train::data::dataset::Dataset;
use crate::train::data::snapshots::Schedule;
use crate::train::data::value_rows::{ValueRows, judged_schedule};
use crate::train::estimators::training_rows::TrainingRows;
use crate::train::estimators::transform::{fit_bg_nbd, fit_preprocessing};
use crate::train::metrics::value::{
    Interval, Spend, deciles, gini_curves, interval_coverage, value_metrics,
};
use crate::train::settings::ValueConfig;

/// Some rows with their spend.
struct Chosen {
    data: Dataset,
    spend: Vec<f64>,
}

impl Chosen {
    fn new(rows: &ValueRows, positions: &[usize]) -> Self {
        Self {
            data: rows.data.only(positions),
            spend: positions.iter().map(|row| rows.spend[*row]).collect(),
        }
    }
}

/// Judges the fit out of time; the text says why it cannot be.
pub(super) fn evaluate(
    ctx: &TrainContext<'_>,
    config: &ValueConfig,
    learnt: &ValueRows,
) -> Result<Result<ValueEvaluation, String>, TrainError> {
    let Some(schedule) = judged_schedule(ctx, &learnt.schedule) else {
        return Ok(Err(too_short(&learnt.schedule)));
    };
    let own;
    let rows = if schedule == learnt.schedule {
        learnt
    } else {
        own = ValueRows::build(ctx, schedule)?;
        &own
    };
    let schedule = &rows.schedule;
    let Some(test_date) = schedule.test else {
        return Ok(Err(too_short(schedule)));
    };
    let known_dates = schedule.before(test_date);
    let is_known = |row: &usize| {
        schedule
            .learnt_at(test_date, ctx.config.model.most_anniversaries())
            .contains(&rows.data.dates[*row])
    };
    let all = 0..rows.data.len();
    let known: Vec<usize> = all.clone().filter(is_known).collect();
    let tested: Vec<usize> = all
        .filter(|row| rows.data.dates[*row] == test_date)
        .collect();
    let (known, test) = (Chosen::new(rows, &known), Chosen::new(rows, &tested));
    let bg_nbd = fit_bg_nbd(ctx, test_date)?;
    let preprocessing = fit_preprocessing(&known.data, &ctx.bundle_catalogue, bg_nbd);
    let training = TrainingRows::of_spend(ctx, schedule, &known.data, &preprocessing);
    let spend_rows = SpendRows {
        rows: &training,
        spend: &known.spend,
    };
    let all: Vec<usize> = (0..known.data.len()).collect();
    if !spend_rows.usable(&all) || test.spend.iter().all(|y| *y == 0.0) {
        return Ok(Err(too_short(schedule)));
    }
    let asked = Asked {
        date: test_date,
        known_dates: &known_dates,
        learnt_days: schedule.horizon_days,
        method: config.method,
        interval: config.interval,
    };
    let phase = ctx.phases.begin("spend at the test date", 1, Unit::Fits);
    let fitted = fit_for(ctx, &spend_rows, asked, &phase)?;
    phase.finish();
    let predicted = Predicted::new(ctx, &preprocessing, &training.expansion, &fitted, &test);
    let judged = predicted.judged(ctx, config, schedule, &fitted, &test);
    Ok(judged.ok_or_else(|| too_short(schedule)))
}

fn too_short(schedule: &Schedule) -> String {
    format!(
        "The log is too short to judge the estimates: a window of {} days to learn from, and another one after it to judge on, \
         do not fit into it, or hardly anybody spent in them.",
        schedule.horizon_days
    )
}

/// What the models expected of the rows of the test date.
struct Predicted {
    model: Vec<f64>,
    regression: Option<Vec<f64>>,
    orders: Vec<f64>,
    past_rate: Vec<f64>,
}

impl Predicted {
    fn new(
        ctx: &TrainContext<'_>,
        preprocessing: &Preprocessing,
        expansion: &Expansion,
        fitted: &SpendFit,
        test: &Chosen,
    ) -> Self {
        let new_customer = fitted.orders.new_customer();
        let mut expected = Vec::with_capacity(test.data.len());
        for raw in test.data.rows() {
            let log_regression = fitted.regression.as_ref().map(|regression| {
                let mut z = Vec::with_capacity(regression.fitted.weights.len());
                preprocessing.standardise(&ctx.bundle_catalogue, raw, &mut z);
                expansion.extend(&mut z, 0);
                regression.fitted.intercept + dot(&regression.fitted.weights, &z)
            });
            let by_orders = fitted.orders.of(raw);
            expected.push(Expected {
                log_regression,
                by_orders,
            });
        }
        let level = libm::exp(fitted.level);
        let blended = expected
            .iter()
            .map(|e| level * libm::exp(e.log_spend(fitted.share, new_customer)));
        let alone = expected.iter().map(|e| e.log_regression.map(libm::exp));
        let of_orders = expected.iter().map(|e| match e.by_orders {
            ByOrders::Customer(log_spend) => libm::exp(log_spend),
            ByOrders::NoOrder => libm::exp(new_customer),
        });
        let past_rate = test.data.rows().map(|raw| fitted.orders.past_rate(raw));
        Self {
            model: blended.collect(),
            regression: alone.collect(),
            orders: of_orders.collect(),
            past_rate: past_rate.collect(),
        }
    }

    fn judged(
        self,
        ctx: &TrainContext<'_>,
        config: &ValueConfig,
        schedule: &Schedule,
        fitted: &SpendFit,
        test: &Chosen,
    ) -> Option<ValueEvaluation> {
        let tiers = tiers_by_spend(config, &self.model);
        let mut baselines = vec![("past_rate".to_owned(), self.past_rate)];
        baselines.push(("orders_alone".to_owned(), self.orders));
        if let Some(regression) = self.regression {
            baselines.push(("regression_alone".to_owned(), regression));
        }
        let rows = |expected: &[f64]| -> Vec<Spend> {
            let pairs = expected.iter().zip(&test.spend);
            pairs
                .map(|(expected, actual)| Spend {
                    expected: *expected,
                    actual: *actual,
                })
                .collect()
        };
        let own = rows(&self.model);
        let seed = ctx.config.model.seed;
        let metrics = |rows: &[Spend]| value_metrics(rows, seed);
        let (gini_curve, perfect_curve) = gini_curves(&own);
        let baselines = baselines.into_iter().filter_map(|(name, expected)| {
            let metrics = metrics(&rows(&expected))?;
            Some(ValueBaseline { name, metrics })
        });
        let interval = |(row, spend): (usize, &Spend)| {
            let (low, high) = fitted.intervals.of(spend.expected);
            Interval {
                low,
                high,
                actual: spend.actual,
                group: tier_of(&tiers, self.model[row]),
            }
        };
        let intervals: Vec<Interval> = own.iter().enumerate().map(interval).collect();
        let names: Vec<String> = tiers.iter().map(|tier| tier.name.clone()).collect();
        Some(ValueEvaluation {
            test: test.data.dates[0],
            window_days: schedule.horizon_days,
            users: own.len() as u64,
            actual: test.spend.iter().sum(),
            model: metrics(&own)?,
            baselines: baselines.collect(),
            deciles: deciles(&own),
            gini_curve,
            perfect_curve,
            interval: config.interval,
            coverage: interval_coverage(&intervals, &names),
        })
    }
}

/// The tiers of the configuration by expected spend: of the residual value nothing was known yet.
fn tiers_by_spend(config: &ValueConfig, expected: &[f64]) -> Vec<ValueTier> {
    let user = |spend: &f64| UserValue {
        expected_spend: *spend,
        residual_value: *spend,
        value_at_risk: 0.0,
        stage: Stage::Mature,
        band: RiskBand::Low,
        orders: None,
    };
    let users: Vec<UserValue> = expected.iter().map(user).collect();
    tiers(&config.tiers, &users)
}
