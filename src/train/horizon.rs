//! One horizon's model: the fitting procedure is carried out on everything, and judged where it would have stood one
//! label window ago.

use std::collections::BTreeMap;

use super::TrainError;
use super::data::dataset::Dataset;
use super::data::labels::Labeller;
use super::data::snapshots::Schedule;
use super::estimators::transform::{Matrix, bent, fit_expansion, telling};
use super::evaluation::holdout::{Judgement, judge};
use super::evaluation::slices::Slicer;
use super::evaluation::{Predictions, by_date};
use super::selection::candidate::Table;
use super::selection::search::{Choice, carry_out, choose};
use super::settings::ModelConfig;
use crate::card::{EffectCard, HorizonCard};
use crate::features::{Catalogue, FeatureGroup};
use crate::history::Histories;
use crate::model::{ChurnModel, Expansion, Preprocessing};

/// What one horizon's fit works on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HorizonInput<'a> {
    pub(crate) histories: &'a Histories,
    pub(crate) labeller: &'a Labeller,
    pub(crate) data: &'a Dataset,
    pub(crate) schedule: &'a Schedule,
    pub(crate) design: &'a Preprocessing,
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) horizon_days: u16,
    pub(crate) config: &'a ModelConfig,
    /// Whether churn is silence.
    pub(crate) silence: bool,
    pub(crate) random_forest: bool,
    pub(crate) slicer: &'a Slicer<'a>,
}

/// One horizon's model and its part of the card.
#[derive(Clone, Debug)]
pub(crate) struct FittedHorizon {
    pub(crate) model: ChurnModel,
    pub(crate) card: HorizonCard,
}

/// Rows with all that is weighed in them.
pub(crate) struct Weighed<'a> {
    pub(crate) data: &'a Dataset,
    pub(crate) expansion: Expansion,
    pub(crate) matrix: Matrix,
}

impl HorizonInput<'_> {
    /// Rows with hinges and interactions made for them.
    pub(crate) fn weighed<'d>(&self, data: &'d Dataset, design: &Preprocessing) -> Weighed<'d> {
        let plain = Matrix::new(data, self.catalogue, design, &Expansion::default());
        let bent = bent(self.catalogue, design, self.horizon_days);
        let telling = telling(self.catalogue, design, self.horizon_days);
        let expansion = fit_expansion(&plain.values, plain.width, &bent, &telling);
        let matrix = plain.nonlinear_terms(&expansion);
        Weighed {
            data,
            expansion,
            matrix,
        }
    }

    pub(crate) fn table<'t>(&self, weighed: &'t Weighed<'_>) -> Table<'t> {
        Table {
            data: weighed.data,
            matrix: &weighed.matrix,
            window_days: self.schedule.window_days,
            horizon_days: self.horizon_days,
            solver: self.config.solver,
        }
    }
}

pub(crate) fn fit_horizon(input: &HorizonInput<'_>) -> Result<FittedHorizon, TrainError> {
    let (evaluation, judged, untested) = match judge(input)? {
        Judgement::Judged(evaluation, judged) => (Some(*evaluation), Some(judged), None),
        Judgement::Untested(why) => (None, None, Some(why)),
    };
    let weighed = input.weighed(input.data, input.design);
    let table = input.table(&weighed);
    let choice = choose(&table, &input.schedule.fit, input.config)?;
    let fitted = carry_out(&table, &choice)?;
    let expansion = if choice.hyperparameters.nonlinear_terms {
        weighed.expansion.clone()
    } else {
        Expansion::default()
    };
    let model = ChurnModel {
        horizon_days: input.horizon_days,
        intercept: fitted.intercept,
        expansion,
        weights: fitted.weights,
        calibration: choice.calibration,
    };
    let effects = effects(input, &model, &weighed);
    let predictions: Vec<Predictions> = judged.into_iter().chain(rehearsed(&choice)).collect();
    let card = HorizonCard {
        horizon_days: input.horizon_days,
        snapshots: input.schedule.fit.clone(),
        rows: input.data.len() as u64,
        churn_rate: input.data.churn_rate(),
        dropped: BTreeMap::new(),
        solver: input.config.solver.name().to_owned(),
        hyperparameters: choice.hyperparameters,
        candidate: choice.hyperparameters.name(),
        trials: choice.trials,
        backtest: choice.rehearsals.iter().map(Into::into).collect(),
        calibration: choice.calibration,
        evaluation,
        untested,
        by_date: by_date(input.data, &predictions),
        effects,
    };
    Ok(FittedHorizon { model, card })
}

/// What was said at the dates of the rehearsals.
fn rehearsed(choice: &Choice) -> impl Iterator<Item = Predictions> {
    choice.rehearsals.iter().map(|r| Predictions {
        date: r.date,
        predicted: r.predicted(),
        churned: r.churned.clone(),
    })
}

/// What one standard deviation of each column adds to the log-odds, on average over the users of the newest date:
/// with hinges and interactions in a model it is not the same for everyone.
fn effects(input: &HorizonInput<'_>, model: &ChurnModel, weighed: &Weighed<'_>) -> Vec<EffectCard> {
    let newest = weighed.data.dates.iter().max();
    let columns = input.design.columns.len();
    let (mut together, mut squares) = (vec![0.0; columns], vec![0.0; columns]);
    for (row, _) in weighed
        .data
        .dates
        .iter()
        .enumerate()
        .filter(|(_, date)| Some(*date) == newest)
    {
        let z = &weighed.matrix.row(row)[..columns];
        for ((k, share), z) in model.contributions(z).into_iter().enumerate().zip(z) {
            together[k] += share * z;
            squares[k] += z * z;
        }
    }
    let slope = model.calibration.slope;
    let standardized_effect = |k: usize| {
        if squares[k] > 0.0 {
            slope * together[k] / squares[k]
        } else {
            0.0
        }
    };
    let features = input
        .catalogue
        .features()
        .iter()
        .map(|f| (f.name.clone(), f.description.clone(), f.group));
    let derived = input.design.derived(input.catalogue);
    let derived = derived
        .iter()
        .map(|d| (d.name(), d.description(), d.group()));
    let named: Vec<(String, String, FeatureGroup)> = features.chain(derived).collect();
    let effect = |(k, (feature, description, group))| EffectCard {
        feature,
        description,
        group,
        standardized_effect: standardized_effect(k),
    };
    let mut effects: Vec<EffectCard> = named.into_iter().enumerate().map(effect).collect();
    effects.sort_by(|a, b| {
        b.standardized_effect
            .abs()
            .total_cmp(&a.standardized_effect.abs())
    });
    effects
}
