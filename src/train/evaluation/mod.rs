//! From predictions and what then happened to the figures of the card.

pub(crate) mod baselines;
pub(crate) mod holdout;
pub mod metrics;
pub(crate) mod slices;

use super::data::dataset::Dataset;
use super::evaluation::baselines::Baseline;
use super::evaluation::metrics::{
    FIGURES, Metrics, Ranking, bootstrap, calibration_curve, gains, precision_recall, roc,
};
use super::evaluation::slices::Slicing;
use crate::card::verdict::Verdict;
use crate::card::{BaselineCard, DateCard, Evaluation, SliceCard, SliceMetrics};
use crate::history::Day;

/// Rows that were judged: one entry for each in every list.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// Whose row it is; intervals come from resampling users, not rows.
    pub users: &'a [u32],
    /// What became of them.
    pub churned: &'a [bool],
    /// The probability that the model gave.
    pub model: &'a [f64],
    /// What the model has to beat, the simplest first.
    pub baselines: Vec<Baseline>,
    /// Parts of the rows to look at.
    pub slicings: Vec<Slicing>,
}

/// Which dates taught what was judged, and on which it was judged.
#[derive(Clone, Debug)]
pub struct JudgedOn {
    /// See [`Evaluation::train`].
    pub train: Vec<Day>,
    /// See [`Evaluation::calibration`].
    pub calibration: Option<Day>,
    /// See [`Evaluation::test`].
    pub test: Day,
}

/// Predictions for the users of one date by a model that knew only what came before it.
#[derive(Clone, Debug)]
pub struct Predictions {
    /// The date.
    pub date: Day,
    /// The probability given to each user.
    pub predicted: Vec<f64>,
    /// What became of each.
    pub churned: Vec<bool>,
}

/// Points of the model's curves, and of each baseline's.
const POINTS: usize = 100;
const RIVAL_POINTS: usize = 50;
/// Parts with fewer users say nothing.
const SLICE_USERS: usize = 30;

/// The figures of all that was judged. Everything is resampled together, so every difference is paired.
pub fn evaluation(judged: &Judged<'_>, on: JudgedOn, seed: u64) -> Evaluation {
    let Judged {
        users,
        churned,
        model,
        ..
    } = judged;
    let mut known: Vec<u32> = users.to_vec();
    known.sort_unstable();
    known.dedup();
    let users: Vec<u32> = users
        .iter()
        .map(|u| known.partition_point(|k| k < u) as u32)
        .collect();
    let slices = slices(judged, &users);
    let contenders =
        std::iter::once(*model).chain(judged.baselines.iter().map(|r| r.predicted.as_slice()));
    let mut rankings: Vec<Ranking> = contenders
        .map(|p| Ranking::new(p, churned, &users))
        .collect();
    rankings.extend(slices.iter().filter_map(|(_, ranking)| ranking.clone()));
    let draws = bootstrap(known.len(), seed, |counts| {
        rankings.iter().flat_map(|r| r.figures(counts)).collect()
    });
    let baseline = |(k, baseline): (usize, &Baseline)| {
        let first = (k + 1) * FIGURES;
        BaselineCard {
            name: baseline.name.clone(),
            feature: baseline.feature.clone(),
            metrics: Metrics::from_draws(&draws, first),
            log_loss_difference: draws.difference(0, first),
            auc_difference: draws.difference(1, first + 1),
            gains: gains(&baseline.predicted, churned)
                .into_iter()
                .map(|g| (g * 1e4).round() / 1e4)
                .collect(),
            roc: roc(&baseline.predicted, churned, RIVAL_POINTS),
            precision_recall: precision_recall(&baseline.predicted, churned, RIVAL_POINTS),
        }
    };
    let baselines: Vec<BaselineCard> = judged.baselines.iter().enumerate().map(baseline).collect();
    let model_metrics = Metrics::from_draws(&draws, 0);
    let recency = baselines.iter().find(|r| r.name == "recency_only");
    let mut at = (1 + baselines.len()) * FIGURES;
    let slices = slices.into_iter().map(|(mut slice, ranking)| {
        if ranking.is_some() {
            let Metrics {
                log_loss,
                auc,
                bias,
                ..
            } = Metrics::from_draws(&draws, at);
            slice.metrics = Some(SliceMetrics {
                log_loss,
                auc: auc.value.is_finite().then_some(auc),
                bias,
            });
            at += FIGURES;
        }
        slice
    });
    let churners = churned.iter().filter(|y| **y).count() as u64;
    Evaluation {
        slices: slices.collect(),
        train: on.train,
        calibration: on.calibration,
        test: on.test,
        users: known.len() as u64,
        churn_rate: share(churned),
        verdict: Verdict::new(&baselines, churned.len() as u64, churners),
        beats_recency_only: recency
            .map(|r| model_metrics.log_loss.value < r.metrics.log_loss.value),
        model: model_metrics,
        calibration_curve: calibration_curve(model, churned),
        gains: gains(model, churned),
        roc: roc(model, churned, POINTS),
        precision_recall: precision_recall(model, churned, POINTS),
        baselines,
    }
}

/// The parts that hold anyone, those with enough users with a ranking of their own.
fn slices(judged: &Judged<'_>, users: &[u32]) -> Vec<(SliceCard, Option<Ranking>)> {
    let mut slices = Vec::new();
    for slicing in &judged.slicings {
        for (part, name) in slicing.names.iter().enumerate() {
            let rows: Vec<usize> = (0..users.len())
                .filter(|row| slicing.of.get(*row) == Some(&Some(part)))
                .collect();
            let predicted: Vec<f64> = rows
                .iter()
                .filter_map(|row| judged.model.get(*row))
                .copied()
                .collect();
            let churned: Vec<bool> = rows
                .iter()
                .filter_map(|row| judged.churned.get(*row))
                .copied()
                .collect();
            let own: Vec<u32> = rows
                .iter()
                .filter_map(|row| users.get(*row))
                .copied()
                .collect();
            if rows.is_empty() {
                continue;
            }
            let ranking =
                (rows.len() >= SLICE_USERS).then(|| Ranking::new(&predicted, &churned, &own));
            let slice = SliceCard {
                dimension: slicing.dimension.clone(),
                name: name.clone(),
                users: rows.len() as u64,
                churn_rate: share(&churned),
                predicted: predicted.iter().sum::<f64>() / rows.len() as f64,
                metrics: None,
            };
            slices.push((slice, ranking));
        }
    }
    slices
}

fn share(churned: &[bool]) -> f64 {
    churned.iter().filter(|y| **y).count() as f64 / churned.len().max(1) as f64
}

/// Churn at every date of the rows, with the predictions for those that have some.
pub fn by_date(data: &Dataset, predictions: &[Predictions]) -> Vec<DateCard> {
    let mut counts: std::collections::BTreeMap<Day, (u64, u64)> = std::collections::BTreeMap::new();
    for (date, churned) in data.dates.iter().zip(&data.labels) {
        let (users, leavers) = counts.entry(*date).or_default();
        *users += 1;
        *leavers += u64::from(*churned);
    }
    let card = |(date, (users, leavers)): (Day, (u64, u64))| {
        let made = predictions
            .iter()
            .find(|p| p.date == date && !p.predicted.is_empty());
        DateCard {
            date,
            users,
            churn_rate: leavers as f64 / users as f64,
            predicted: made.map(|p| crate::math::mean(&p.predicted)),
            deciles: made
                .map(|p| calibration_curve(&p.predicted, &p.churned))
                .unwrap_or_default(),
        }
    };
    counts.into_iter().map(card).collect()
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
        let judged = Judged {
            users: &made.users,
            churned: &made.churned,
            model: &made.model,
            baselines,
            slicings,
        };
        let day = |text: &str| text.parse().unwrap();
        evaluation(
            &judged,
            JudgedOn {
                train: vec![day("2024-01-01")],
                calibration: None,
                test: day("2024-03-01"),
            },
            7,
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
        let alone = super::metrics::evaluate(&made.model[50..599], &made.churned[50..599], 1);
        assert!((most.auc.unwrap().value - alone.auc.value).abs() < 1e-12);
        assert!((most.log_loss.value - alone.log_loss.value).abs() < 1e-12);
    }

    #[test]
    fn a_slice_of_stayers_has_no_auc() {
        let mut made = made();
        made.churned.iter_mut().take(100).for_each(|y| *y = false);
        let of = (0..600).map(|i| Some(usize::from(i >= 100))).collect();
        let names = vec!["stayers".to_owned(), "rest".to_owned()];
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

    #[test]
    fn dates_carry_the_predictions_made_for_them() {
        let data = super::baselines::tests::dataset();
        let date = data.dates[1];
        let churned: Vec<bool> = data.at(&[date]).labels;
        let predicted: Vec<f64> = (0..churned.len())
            .map(|i| i as f64 / churned.len() as f64)
            .collect();
        let cards = by_date(
            &data,
            &[Predictions {
                date,
                predicted,
                churned,
            }],
        );
        assert_eq!(
            cards.iter().map(|c| c.users).collect::<Vec<_>>(),
            [200, 200]
        );
        assert!(cards[0].predicted.is_none() && cards[0].deciles.is_empty());
        assert_eq!(
            (
                cards[1].deciles.len(),
                cards[1].deciles.iter().map(|d| d.users).sum::<u64>()
            ),
            (10, 200)
        );
        let rate = cards[1]
            .deciles
            .iter()
            .map(|d| d.observed * d.users as f64)
            .sum::<f64>()
            / 200.0;
        assert!((rate - cards[1].churn_rate).abs() < 1e-12);
    }
}
