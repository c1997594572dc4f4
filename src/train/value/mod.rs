//! What users are worth: the regression of spend, orders and amounts, their blend, and how good it was out of time.

mod blend;
mod evaluation;
mod fit;
mod intervals;
mod orders;
mod regression;
mod rehearsal;
mod users;

use evaluation::evaluate;
use fit::{Asked, SpendFit, fit_for};
use regression::SpendRows;
use users::{UserValue, at_risk, rfm_cuts, stages, tier_cards, tiers, user_values};

use super::TrainError;
use super::data::context::TrainContext;
use super::data::snapshots::Schedule;
use super::data::value_rows::ValueRows;
use super::estimators::training_rows::TrainingRows;
use super::population::groups::UserGroups;
use super::population::periods::{Money, periods};
use super::settings::ValueConfig;
use crate::card::{PeriodCard, RegressionCard, ValueCard, ValueEvaluation};
use crate::history::HistoryView;
use crate::model::{
    Bundle, BundleSpec, Expansion, RfmCuts, SpendRegression, ValueModel, ValueTier,
};
use crate::phases::Unit;

/// What the fit of the value gives.
#[derive(Clone, Debug)]
pub(crate) struct ValueFit {
    pub(crate) model: ValueModel,
    pub(crate) card: ValueCard,
}

/// Fits what users are worth, for a bundle whose other parts are fitted. `previous` are the tiers of the bundle before it,
/// whose bounds are kept.
pub(crate) fn fit_value(
    ctx: &TrainContext<'_>,
    config: &ValueConfig,
    value_rows: &ValueRows,
    spec: &BundleSpec,
    previous: Option<&[ValueTier]>,
) -> Result<ValueFit, TrainError> {
    let schedule = &value_rows.schedule;
    let (judged, untested) = match evaluate(ctx, config, value_rows)? {
        Ok(judged) => (Some(judged), None),
        Err(untested) => (None, Some(untested)),
    };
    let rows = TrainingRows::of_spend(ctx, schedule, &value_rows.data, &spec.preprocessing);
    let spend_rows = SpendRows {
        rows: &rows,
        spend: &value_rows.spend,
    };
    let asked = Asked {
        date: ctx.as_of,
        known_dates: &schedule.regular,
        learnt_days: schedule.horizon_days,
        method: config.method,
        interval: config.interval,
    };
    let phase = ctx.phases.begin("spend", 1, Unit::Fits);
    let fitted = fit_for(ctx, &spend_rows, asked, &phase)?;
    phase.finish();
    let mut model = value_model(config, schedule, &rows, &fitted);
    let users = provisional_values(ctx, spec, &model)?;
    model.tiers = kept_tiers(config, previous).unwrap_or_else(|| tiers(&config.tiers, &users));
    model.rfm = rfm_cuts(&users);
    let judged = Judged { judged, untested };
    let bundle = Bundle::new(
        BundleSpec {
            value: Some(model.clone()),
            ..spec.clone()
        },
        String::new(),
    )?;
    let periods = money_by_period(ctx, &bundle)?;
    let card = ValueCard {
        periods,
        ..value_card(ctx, config, value_rows, (&model, fitted), &users, judged)
    };
    Ok(ValueFit { model, card })
}

/// Money per user by period and by the groups of a bundle.
fn money_by_period(ctx: &TrainContext<'_>, bundle: &Bundle) -> Result<Vec<PeriodCard>, TrainError> {
    let kinds = ctx.histories.kinds();
    let value_kinds = &ctx.bundle_catalogue.schema().value_kinds;
    let money = Money::new(kinds, value_kinds, &ctx.labeller);
    let groupings = UserGroups::new(ctx, bundle).groupings();
    periods(
        ctx.histories,
        &money,
        (&ctx.observed, ctx.as_of),
        &groupings,
        || {
            let mut groups = UserGroups::new(ctx, bundle);
            move |history: HistoryView<'_>, date| Ok(groups.of(history, date)?)
        },
    )
}

/// The judgement out of time, or why there is none.
struct Judged {
    judged: Option<ValueEvaluation>,
    untested: Option<String>,
}

/// The tiers of the bundle before, where they have the names that are configured and are to be kept.
fn kept_tiers(config: &ValueConfig, previous: Option<&[ValueTier]>) -> Option<Vec<ValueTier>> {
    let previous = previous.filter(|_| !config.retier)?;
    let names = previous.iter().map(|tier| &tier.name);
    names
        .eq(config.tiers.iter().map(|tier| &tier.name))
        .then(|| previous.to_vec())
}

/// The values by a model without tiers.
fn provisional_values(
    ctx: &TrainContext<'_>,
    spec: &BundleSpec,
    model: &ValueModel,
) -> Result<Vec<UserValue>, TrainError> {
    let spec = BundleSpec {
        value: Some(model.clone()),
        ..spec.clone()
    };
    user_values(ctx, &Bundle::new(spec, String::new())?)
}

fn value_model(
    config: &ValueConfig,
    schedule: &Schedule,
    rows: &TrainingRows<'_>,
    fitted: &SpendFit,
) -> ValueModel {
    let regression = fitted.regression.as_ref().map(|regression| {
        let expansion = if fitted.candidate.nonlinear_terms {
            rows.expansion.clone()
        } else {
            Expansion::default()
        };
        let mut weights = regression.fitted.weights.clone();
        weights.truncate(rows.matrix.columns + expansion.len());
        SpendRegression {
            intercept: regression.fitted.intercept,
            expansion,
            weights,
        }
    });
    let everybody = ValueTier {
        name: String::new(),
        from: 0.0,
    };
    ValueModel {
        currency: config.currency.clone(),
        margin: config.margin,
        horizon_days: config.horizon_days,
        learnt_days: schedule.horizon_days,
        annual_discount: config.annual_discount,
        residual_years: config
            .residual_years
            .is_finite()
            .then_some(config.residual_years),
        orders: fitted.orders.orders,
        spend: fitted.orders.spend,
        regression_share: fitted.share,
        regression,
        level: libm::exp(fitted.level),
        intervals: fitted.intervals.clone(),
        tiers: vec![everybody],
        rfm: RfmCuts {
            recency_days: Vec::new(),
            orders: Vec::new(),
            amount: Vec::new(),
        },
    }
}

fn value_card(
    ctx: &TrainContext<'_>,
    config: &ValueConfig,
    rows: &ValueRows,
    (model, fitted): (&ValueModel, SpendFit),
    users: &[UserValue],
    judged: Judged,
) -> ValueCard {
    let seed = ctx.config.model.seed;
    let regression = fitted.regression.as_ref().map(|regression| RegressionCard {
        rows: regression.rows,
        snapshots: rows
            .schedule
            .learnt_at(ctx.as_of, fitted.candidate.anniversaries),
        l2: fitted.candidate.l2,
        half_life: fitted.candidate.half_life,
        floored: rows.floored.rows,
        winsorised: regression.winsorised,
        trials: fitted.trials.clone(),
    });
    ValueCard {
        kinds: ctx.bundle_catalogue.schema().value_kinds.clone(),
        currency: model.currency.clone(),
        margin: model.margin,
        horizon_days: model.horizon_days,
        learnt_days: model.learnt_days,
        annual_discount: model.annual_discount,
        residual_years: model.residual_years,
        notes: notes(config, model, &fitted),
        orders: fitted.cards.orders,
        spend: fitted.cards.spend,
        regression,
        regression_share: fitted.share,
        share_rule: fitted.share_rule,
        level: model.level,
        evaluation: judged.judged,
        untested: judged.untested,
        tiers: tier_cards(&model.tiers, users, seed),
        at_risk: at_risk(&model.tiers, users),
        stages: stages(users, seed),
        periods: Vec::new(),
    }
}

/// What the reader should know.
fn notes(config: &ValueConfig, model: &ValueModel, fitted: &SpendFit) -> Vec<String> {
    let mut notes = Vec::new();
    if model.learnt_days < config.horizon_days {
        notes.push(format!(
            "The log is too short to learn the spend of {} days; {} days were learnt, and the rest has the shape of the \
             orders' model.",
            config.horizon_days, model.learnt_days
        ));
    }
    if !fitted.cards.orders.dropout_found {
        notes.push(
            "No user is found to drop out by orders alone: all silence is taken for a low rate of orders.".to_owned(),
        );
    }
    notes.extend(fitted.cards.spend.reason.clone());
    notes
}
