//! The churn probabilities that a model gave when it was tested, from its card: what the probabilities that it gives now are
//! compared with.

use serde::{Deserialize, Serialize};

/// The distribution of the probabilities at the shortest horizon on the test date.
///
/// The card has ten groups of users of about the same size, in order of their probability, with the mean of each. Between two
/// means lies the bound of two groups, and inside of a group probabilities are taken as spread evenly.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct TrainingScores {
    /// The horizon in days.
    pub(crate) horizon_days: u16,
    /// The date of the test, `YYYY-MM-DD`.
    pub(crate) date: String,
    /// The users of the test date.
    pub(crate) users: u64,
    /// Their mean probability.
    pub(crate) mean: f64,
    /// The groups in order of their probabilities.
    groups: Vec<ScoreGroup>,
}

/// Users with neighbouring probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct ScoreGroup {
    /// The least probability, and the upper bound.
    from: f64,
    until: f64,
    users: u64,
}

/// What is read of the card; everything else in it is left alone.
#[derive(Deserialize)]
struct CardPart {
    horizons: Vec<HorizonPart>,
}

#[derive(Deserialize)]
struct HorizonPart {
    horizon_days: u16,
    evaluation: Option<EvaluationPart>,
}

#[derive(Deserialize)]
struct EvaluationPart {
    test: String,
    calibration_curve: Vec<CurvePart>,
}

#[derive(Deserialize)]
struct CurvePart {
    predicted: f64,
    users: u64,
}

impl TrainingScores {
    /// Those of a card; `None` for a card without an evaluation, or one of another form.
    pub(crate) fn of_card(card: &str) -> Option<Self> {
        let CardPart { horizons } = serde_json::from_str(card).ok()?;
        let shortest = horizons.into_iter().min_by_key(|part| part.horizon_days)?;
        let EvaluationPart {
            test,
            mut calibration_curve,
        } = shortest.evaluation?;
        // An empty group has no mean.
        calibration_curve.retain(|part| part.users > 0 && (0.0..=1.0).contains(&part.predicted));
        calibration_curve.sort_by(|a, b| a.predicted.total_cmp(&b.predicted));
        let users: u64 = calibration_curve.iter().map(|part| part.users).sum();
        let weighted = |part: &CurvePart| part.predicted * part.users as f64;
        (users > 0).then(|| Self {
            horizon_days: shortest.horizon_days,
            date: test,
            users,
            mean: calibration_curve.iter().map(weighted).sum::<f64>() / users as f64,
            groups: groups(&calibration_curve),
        })
    }

    /// The share of the users in each bucket with these upper bounds, the last of which is 1.
    pub(crate) fn shares(&self, bounds: &[f64]) -> Vec<f64> {
        let mut below = 0.0;
        let share = |bound: &f64| {
            let before = std::mem::replace(&mut below, self.share_below(*bound));
            below - before
        };
        bounds.iter().map(share).collect()
    }

    /// The share of the users with a probability of at most `bound`.
    fn share_below(&self, bound: f64) -> f64 {
        let below = |group: &ScoreGroup| {
            let ScoreGroup { from, until, users } = *group;
            let part = if bound >= until {
                1.0
            } else if bound <= from {
                0.0
            } else {
                (bound - from) / (until - from)
            };
            part * users as f64
        };
        self.groups.iter().map(below).sum::<f64>() / self.users as f64
    }
}

/// The groups with these means: bounds lie in the middle of two means, and the outer ones as far from the mean as the inner
/// ones, within 0 and 1.
fn groups(curve: &[CurvePart]) -> Vec<ScoreGroup> {
    let middle = |i: usize| 0.5 * (curve[i].predicted + curve[i + 1].predicted);
    let last = curve.len() - 1;
    let bounds = (0..curve.len()).map(|i| {
        let mean = curve[i].predicted;
        let inner_from = (i > 0).then(|| middle(i - 1));
        let inner_until = (i < last).then(|| middle(i));
        // A single group has no neighbour to take a width from, and gets all there is.
        let mirrored = |bound: Option<f64>, end: f64| bound.map_or(end, |bound| 2.0 * mean - bound);
        ScoreGroup {
            from: inner_from.unwrap_or_else(|| mirrored(inner_until, 0.0).max(0.0)),
            until: inner_until.unwrap_or_else(|| mirrored(inner_from, 1.0).min(1.0)),
            users: curve[i].users,
        }
    });
    bounds.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(curve: &[(f64, u64)]) -> String {
        let points: Vec<String> = curve
            .iter()
            .map(|(predicted, users)| {
                format!(r#"{{"predicted":{predicted},"users":{users},"x":1}}"#)
            })
            .collect();
        format!(
            r#"{{"a":1,"horizons":[{{"horizon_days":90,"evaluation":null}},{{"horizon_days":30,"evaluation":
            {{"test":"2025-05-25","calibration_curve":[{}]}}}}]}}"#,
            points.join(",")
        )
    }

    #[test]
    fn groups_meet_in_the_middle_of_their_means() {
        let scores = TrainingScores::of_card(&card(&[(0.1, 10), (0.3, 10), (0.9, 20)])).unwrap();
        assert_eq!((scores.horizon_days, scores.users), (30, 40));
        assert_eq!(scores.date, "2025-05-25");
        assert!((scores.mean - 0.55).abs() < 1e-12);
        // By hand: the groups reach from 0 to 0.2, from there to 0.6, and from there to 1.
        let shares = scores.shares(&[0.1, 0.2, 0.4, 0.6, 1.0]);
        for (share, expected) in shares.iter().zip([0.125, 0.125, 0.125, 0.125, 0.5]) {
            assert!((share - expected).abs() < 1e-12, "{shares:?}");
        }
    }

    #[test]
    fn shares_of_the_sample_model_add_up_and_keep_its_mean() {
        let card = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/models/shop/card.json"
        ));
        let scores = TrainingScores::of_card(card).unwrap();
        let bounds: Vec<f64> = (1..=1_000).map(|i| f64::from(i) / 1_000.0).collect();
        let shares = scores.shares(&bounds);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let mean: f64 = shares
            .iter()
            .zip(&bounds)
            .map(|(s, b)| s * (b - 0.0005))
            .sum();
        assert!((mean - scores.mean).abs() < 0.01, "{mean} {}", scores.mean);
    }

    #[test]
    fn a_card_of_another_form_has_none() {
        for card in [
            "",
            "{}",
            r#"{"auc": 0.8}"#,
            r#"{"horizons":[]}"#,
            r#"{"horizons":[{"horizon_days":30,"evaluation":null}]}"#,
            &card(&[]),
            &card(&[(0.5, 0)]),
            &card(&[(7.0, 3)]),
        ] {
            assert_eq!(TrainingScores::of_card(card), None, "{card}");
        }
        let single = TrainingScores::of_card(&card(&[(0.5, 3)])).unwrap();
        assert_eq!(single.shares(&[0.25, 1.0]), [0.25, 0.75]);
        // Groups without any width are a step.
        let step = TrainingScores::of_card(&card(&[(0.5, 3), (0.5, 3)])).unwrap();
        assert_eq!(step.shares(&[0.4, 0.5, 1.0]), [0.0, 1.0, 0.0]);
    }
}
