//! A bundle that was judged later, made from the card of the report's tests.

use crate::card::{
    BaselineSource, Evaluation, Interval, JudgedModel, LATER_SCHEMA_VERSION, LaterEvaluation,
    LaterHorizon, Promise, Standing, Untested,
};
use crate::report::html::fixture::card;

/// A horizon that kept its promise but for the bias, and one without labels.
pub(crate) fn judged() -> LaterEvaluation {
    let card = card();
    let day = |text: &str| text.parse().unwrap();
    let horizon = |horizon_days: u16, evaluation: Option<Evaluation>| LaterHorizon {
        horizon_days,
        from: day("2011-10-10"),
        until: day("2011-10-10").plus(i32::from(horizon_days)),
        user_step: 1,
        untested: evaluation.is_none().then_some(Untested::LabelsNotObserved {
            date: day("2011-10-10"),
            until: day("2012-01-08"),
            observed_until: day("2011-12-10"),
        }),
        baselines_from: evaluation.is_some().then_some(BaselineSource::Log),
        promised_churn_rate: evaluation.is_some().then_some(0.5),
        promises: evaluation.iter().flat_map(promises).collect(),
        standing: evaluation.is_some().then_some(Standing::Within),
        evaluation,
    };
    LaterEvaluation {
        schema_version: LATER_SCHEMA_VERSION,
        ebb_version: "0.0.0".to_owned(),
        model: JudgedModel {
            version: "0123456789ab".to_owned(),
            fitted_as_of: day("2011-09-01"),
        },
        as_of: day("2011-10-10"),
        out_of_time: true,
        label_definition: card.label_definition.clone(),
        horizons: vec![
            horizon(30, card.horizons[0].evaluation.clone()),
            horizon(90, None),
        ],
        notes: Vec::new(),
    }
}

fn promises(e: &Evaluation) -> Vec<Promise> {
    let promise = |metric: &str, found: Interval, off: f64, standing| Promise {
        metric: metric.to_owned(),
        found,
        promised: Some(Interval {
            value: found.value - off,
            low: found.low - off,
            high: found.high - off,
        }),
        difference: Some(Interval {
            value: off,
            low: off - 0.01,
            high: off + 0.01,
        }),
        standing: Some(standing),
    };
    vec![
        promise("log_loss", e.model.log_loss, 0.004, Standing::Within),
        promise("bias", e.model.bias, 0.05, Standing::Worse),
        promise("gain_over_bg_nbd", e.model.auc, 0.02, Standing::Better),
    ]
}
