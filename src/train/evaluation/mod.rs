//! From predictions and what then happened to the figures of the card.

pub(crate) mod baselines;
pub(crate) mod by_date;
pub(crate) mod holdout;
pub(crate) mod next_window;
pub(crate) mod paired;
pub(crate) mod slices;
pub(crate) mod verdict;

use super::metrics::{
    Figures, RESAMPLES, Ranking, bootstrap, calibration_curve, gains, metrics, precision_recall,
    roc,
};
use baselines::Baseline;
use slices::{Slice, Slicing, slices};
use verdict::verdict;

use crate::card::{BaselineCard, Evaluation, SliceCard, SliceMetrics};
use crate::history::Day;
use crate::phases::{Phases, Unit};

/// Predictions for the users of the test date: one entry for each row in every list.
#[derive(Clone, Debug)]
pub(crate) struct Predictions<'a> {
    /// Whose row it is; intervals come from resampling users, not rows.
    pub(crate) users: &'a [u32],
    /// What became of them.
    pub(crate) churned: &'a [bool],
    /// The probability that the model gave.
    pub(crate) model: &'a [f64],
    /// What the model has to beat, the simplest first.
    pub(crate) baselines: Vec<Baseline>,
    /// Parts of the rows to look at.
    pub(crate) slicings: Vec<Slicing>,
}

/// How the rows that were fitted on and those that were predicted were kept apart.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    /// See [`Evaluation::train`].
    pub(crate) train: Vec<Day>,
    /// See [`Evaluation::calibration`].
    pub(crate) calibration: Option<Day>,
    /// See [`Evaluation::test`].
    pub(crate) test: Day,
    /// See [`Evaluation::user_parts`].
    pub(crate) user_parts: u32,
}

/// Points of the model's curves, and of each baseline's.
const MODEL_POINTS: usize = 100;
const BASELINE_POINTS: usize = 50;

/// The figures of everything that is resampled together, so that every difference is paired.
struct Drawn {
    model: Figures,
    baselines: Vec<Figures>,
    /// Those of the slices with users enough to be measured.
    slices: Vec<Figures>,
}

/// The evaluation of the predictions; `seed` draws the resamples.
pub(crate) fn evaluation(
    predictions: &Predictions<'_>,
    protocol: Protocol,
    seed: u64,
    phases: Phases<'_>,
) -> Evaluation {
    let Predictions {
        churned,
        model,
        baselines,
        ..
    } = predictions;
    let (users, user_count) = numbered(predictions.users);
    let slices = slices(predictions, &users);
    let own = Ranking::new(model, churned, &users);
    let of_baselines: Vec<Ranking> = baselines
        .iter()
        .map(|baseline| Ranking::new(&baseline.predicted, churned, &users))
        .collect();
    let measured: Vec<&Ranking> = slices.iter().filter_map(|s| s.ranking.as_ref()).collect();
    let name = format!("intervals at {}", protocol.test);
    // All users themselves come before the resamples.
    let phase = phases.begin(name, RESAMPLES + 1, Unit::Resamples);
    let draws = bootstrap(user_count, seed, |counts| {
        let drawn = Drawn {
            model: own.figures(counts),
            baselines: of_baselines.iter().map(|r| r.figures(counts)).collect(),
            slices: measured.iter().map(|r| r.figures(counts)).collect(),
        };
        phase.advance(1);
        drawn
    });
    let baselines: Vec<BaselineCard> = baselines
        .iter()
        .enumerate()
        .map(|(k, baseline)| baseline_card(baseline, k, &draws, churned))
        .collect();
    let model_metrics = metrics(&draws, |drawn| &drawn.model);
    let recency = baselines.iter().find(|b| b.name == "recency_only");
    let churners = churned.iter().filter(|y| **y).count() as u64;
    Evaluation {
        slices: slice_cards(slices, &draws),
        train: protocol.train,
        calibration: protocol.calibration,
        test: protocol.test,
        user_parts: protocol.user_parts,
        users: user_count as u64,
        churn_rate: share(churned),
        verdict: verdict(&baselines, churned.len() as u64, churners),
        beats_recency_only: recency
            .map(|r| model_metrics.log_loss.value < r.metrics.log_loss.value),
        model: model_metrics,
        calibration_curve: calibration_curve(model, churned),
        gains: gains(model, churned),
        roc: roc(model, churned, MODEL_POINTS),
        precision_recall: precision_recall(model, churned, MODEL_POINTS),
        baselines,
    }
}

/// Users by number, without gaps, and how many there are: resampling counts each of them.
fn numbered(users: &[u32]) -> (Vec<u32>, usize) {
    let mut known: Vec<u32> = users.to_vec();
    known.sort_unstable();
    known.dedup();
    let number = |user: &u32| known.partition_point(|other| other < user) as u32;
    (users.iter().map(number).collect(), known.len())
}

/// The `k`-th baseline with its differences to the model.
fn baseline_card(
    baseline: &Baseline,
    k: usize,
    draws: &super::metrics::Draws<Drawn>,
    churned: &[bool],
) -> BaselineCard {
    let predicted = &baseline.predicted;
    BaselineCard {
        name: baseline.name.clone(),
        feature: baseline.feature.clone(),
        metrics: metrics(draws, |drawn| &drawn.baselines[k]),
        log_loss_difference: draws
            .interval(|drawn| drawn.model.log_loss - drawn.baselines[k].log_loss),
        auc_difference: draws.interval(|drawn| drawn.model.auc - drawn.baselines[k].auc),
        gains: gains(predicted, churned)
            .into_iter()
            .map(super::metrics::curves::round)
            .collect(),
        roc: roc(predicted, churned, BASELINE_POINTS),
        precision_recall: precision_recall(predicted, churned, BASELINE_POINTS),
    }
}

/// The slices, those that were measured with their metrics.
fn slice_cards(slices: Vec<Slice>, draws: &super::metrics::Draws<Drawn>) -> Vec<SliceCard> {
    let mut measured = 0;
    let mut cards = Vec::with_capacity(slices.len());
    for Slice { mut card, ranking } in slices {
        if ranking.is_some() {
            let own = metrics(draws, |drawn| &drawn.slices[measured]);
            card.metrics = Some(SliceMetrics {
                log_loss: own.log_loss,
                auc: own.auc.value.is_finite().then_some(own.auc),
                bias: own.bias,
            });
            measured += 1;
        }
        cards.push(card);
    }
    cards
}

/// The share of rows that churned; 0 without rows.
pub(crate) fn share(churned: &[bool]) -> f64 {
    churned.iter().filter(|y| **y).count() as f64 / churned.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 600 users of whom the model knows much, recency some and the base rate nothing.
    struct Made {
        users: Vec<u32>,
        churned: Vec<bool>,
        model: Vec<f64>,
        recency: Vec<f64>,
    }

    fn made() -> Made {
        let n = 600_usize;
        let noise = |i: usize, k: usize| ((i * 7_919 + k * 104_729) % 1_000) as f64 / 1_000.0;
        let truth: Vec<f64> = (0..n).map(|i| 0.05 + 0.9 * noise(i, 1)).collect();
        Made {
            users: (0..n as u32).collect(),
            churned: (0..n)
                .map(|i| ((i * 611_953) % 997) as f64 / 997.0 < truth[i])
                .collect(),
            recency: truth.iter().map(|p| 0.35 + 0.3 * p).collect(),
            model: truth,
        }
    }

    fn judge(made: &Made, slicings: Vec<Slicing>) -> Evaluation {
        let baselines = vec![
            Baseline::new("base_rate", vec![0.5; made.users.len()]),
            Baseline::new("recency_only", made.recency.clone()).on("recency_days"),
            Baseline::new("twin", made.model.clone()),
        ];
        let predictions = Predictions {
            users: &made.users,
            churned: &made.churned,
            model: &made.model,
            baselines,
            slicings,
        };
        let day = |text: &str| text.parse().unwrap();
        evaluation(
            &predictions,
            Protocol {
                train: vec![day("2024-01-01")],
                calibration: None,
                test: day("2024-03-01"),
                user_parts: 3,
            },
            7,
            Phases::UNOBSERVED,
        )
    }

    #[test]
    fn differences_are_paired_and_the_verdict_follows_the_log_loss() {
        let mut made = made();
        let e = judge(&made, Vec::new());
        assert_eq!(e.beats_recency_only, Some(true));
        let twin = e.baseline("twin").unwrap();
        assert_eq!(
            (twin.log_loss_difference.low, twin.log_loss_difference.high),
            (0.0, 0.0),
            "paired: nothing is left"
        );
        assert!(twin.metrics.log_loss.high - twin.metrics.log_loss.low > 0.01);
        let recency = e.baseline("recency_only").unwrap();
        let d = recency.log_loss_difference;
        assert!(
            (d.value - (e.model.log_loss.value - recency.metrics.log_loss.value)).abs() < 1e-12
                && d.high < 0.0
        );
        assert!(recency.auc_difference.value.abs() < 1e-12, "the same order");
        assert_eq!(e.baseline("base_rate").unwrap().metrics.auc.value, 0.5);
        std::mem::swap(&mut made.model, &mut made.recency);
        assert_eq!(judge(&made, Vec::new()).beats_recency_only, Some(false));
        made.recency = made.model.clone();
        assert_eq!(
            judge(&made, Vec::new()).beats_recency_only,
            Some(false),
            "as good is not better"
        );
    }

    #[test]
    fn small_slices_are_listed_and_large_ones_measured() {
        let made = made();
        let part = |user: &u32| match user {
            0..20 => Some(2),
            20..50 => Some(1),
            599 => None,
            _ => Some(0),
        };
        let names = ["most", "thirty", "few", "nobody"]
            .map(str::to_owned)
            .into();
        let of = made.users.iter().map(part).collect();
        let e = judge(
            &made,
            vec![Slicing {
                dimension: "made".to_owned(),
                names,
                of,
            }],
        );
        let seen: Vec<(&str, u64, bool)> = e
            .slices
            .iter()
            .map(|s| (s.name.as_str(), s.users, s.metrics.is_some()))
            .collect();
        assert_eq!(
            seen,
            [
                ("most", 549, true),
                ("thirty", 30, true),
                ("few", 20, false)
            ]
        );
        let most = e.slices[0].metrics.as_ref().unwrap();
        assert!((most.bias.value - (e.slices[0].predicted - e.slices[0].churn_rate)).abs() < 1e-12);
        let alone =
            crate::train::metrics::evaluate(&made.model[50..599], &made.churned[50..599], 1);
        assert!((most.auc.unwrap().value - alone.auc.value).abs() < 1e-12);
        assert!((most.log_loss.value - alone.log_loss.value).abs() < 1e-12);
    }

    #[test]
    fn a_slice_of_retained_users_has_no_auc() {
        let mut made = made();
        made.churned.iter_mut().take(100).for_each(|y| *y = false);
        let of = (0..600).map(|i| Some(usize::from(i >= 100))).collect();
        let names = vec!["retained".to_owned(), "rest".to_owned()];
        let e = judge(
            &made,
            vec![Slicing {
                dimension: "made".to_owned(),
                names,
                of,
            }],
        );
        let auc = |k: usize| e.slices[k].metrics.as_ref().unwrap().auc;
        assert!(auc(0).is_none() && auc(1).is_some());
        let json = serde_json::to_string(&e).unwrap();
        assert_eq!(
            serde_json::from_str::<Evaluation>(&json).unwrap(),
            e,
            "what was written can be read"
        );
    }

    /// Two rows of one user are drawn together: intervals of a log where every row is there twice are those of the
    /// log itself.
    #[test]
    fn users_are_resampled_and_not_rows() {
        let once = made();
        let twice = |v: &[f64]| v.iter().chain(v).copied().collect::<Vec<f64>>();
        let doubled = Made {
            users: once.users.iter().chain(&once.users).copied().collect(),
            churned: once.churned.iter().chain(&once.churned).copied().collect(),
            model: twice(&once.model),
            recency: twice(&once.recency),
        };
        let (a, b) = (judge(&once, Vec::new()), judge(&doubled, Vec::new()));
        assert_eq!(b.users, 600);
        assert!((a.model.log_loss.low - b.model.log_loss.low).abs() < 1e-12);
        assert!((a.model.auc.high - b.model.auc.high).abs() < 1e-12);
    }
}
