//! Whether a model is worth having: how sure it is that it beats the strongest of its baselines.

use crate::card::{BaselineCard, Interval, RANDOM_FOREST, Strength, Verdict};

/// The share of the baseline's log loss that a strong model saves at least.
const STRONG_GAIN: f64 = 0.02;

/// With fewer churners or retained users on the test date resampling says nothing: the interval would be that of a few users.
pub(crate) const MIN_CLASS_USERS: u64 = 10;

/// The verdict on a model whose baselines were judged on `users` users, of whom `churners` left; `None` without a
/// baseline.
pub(crate) fn verdict(baselines: &[BaselineCard], users: u64, churners: u64) -> Option<Verdict> {
    let baselines = baselines.iter().filter(|r| r.name != RANDOM_FOREST);
    let loss = |r: &BaselineCard| r.metrics.log_loss.value;
    let strongest = baselines.min_by(|a, b| loss(a).total_cmp(&loss(b)))?;
    let difference = strongest.log_loss_difference;
    let few = churners.min(users.saturating_sub(churners)) < MIN_CLASS_USERS;
    let strength = if few || !below(difference, 0.0) {
        Strength::NotShown
    } else if below(difference, -STRONG_GAIN * loss(strongest)) {
        Strength::Strong
    } else {
        Strength::Modest
    };
    Some(Verdict {
        strength,
        baseline: strongest.name.clone(),
        log_loss_difference: difference,
        strong_gain: STRONG_GAIN,
        min_class_users: MIN_CLASS_USERS,
    })
}

/// Whether all of an interval lies below a number; never so where something is unknown.
fn below(interval: Interval, limit: f64) -> bool {
    interval.value.is_finite() && interval.low.is_finite() && interval.high < limit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::metrics::evaluate;

    /// A baseline of a log loss, by which the model's differs.
    fn baseline(name: &str, log_loss: f64, difference: Interval) -> BaselineCard {
        let mut metrics = evaluate(&[0.4, 0.6], &[false, true], 7);
        metrics.log_loss.value = log_loss;
        BaselineCard {
            name: name.to_owned(),
            feature: None,
            metrics,
            log_loss_difference: difference,
            auc_difference: difference,
            gains: Vec::new(),
            roc: Vec::new(),
            precision_recall: Vec::new(),
        }
    }

    /// Baselines of which BG/NBD is the strongest with a log loss of 0.571; the random forest is stronger still.
    fn baselines(value: f64, low: f64, high: f64) -> Vec<BaselineCard> {
        let none = Interval {
            value: 0.0,
            low: 0.0,
            high: 0.0,
        };
        vec![
            baseline("base_rate", 0.642, none),
            baseline("bg_nbd", 0.571, Interval { value, low, high }),
            baseline(RANDOM_FOREST, 0.556, none),
        ]
    }

    #[test]
    fn the_interval_against_the_strongest_baseline_decides() {
        // 2 % of a log loss of 0.571 are 0.0114.
        for (interval, strength) in [
            ((-0.02, -0.03, -0.0115), Strength::Strong),
            ((-0.02, -0.03, -0.0113), Strength::Modest),
            ((-0.02, -0.03, -0.0001), Strength::Modest),
            ((-0.02, -0.03, 0.0), Strength::NotShown),
            ((-0.001, -0.03, 0.02), Strength::NotShown),
            ((0.02, 0.01, 0.03), Strength::NotShown),
            ((f64::NAN, f64::NAN, f64::NAN), Strength::NotShown),
        ] {
            let baselines = baselines(interval.0, interval.1, interval.2);
            let verdict = verdict(&baselines, 4_338, 1_900).unwrap();
            assert_eq!(
                (verdict.strength, verdict.baseline.as_str()),
                (strength, "bg_nbd"),
                "{interval:?}"
            );
        }
    }

    #[test]
    fn a_random_forest_counts_for_no_verdict_and_no_baseline_is_no_verdict() {
        let mut baselines = baselines(-0.02, -0.03, -0.015);
        baselines.retain(|baseline| baseline.name == RANDOM_FOREST);
        assert_eq!(baselines.len(), 1);
        assert_eq!(verdict(&baselines, 4_338, 1_900), None);
    }

    #[test]
    fn a_handful_of_churners_or_retained_users_shows_nothing() {
        let baselines = baselines(-0.02, -0.03, -0.015);
        let strength = |churners| verdict(&baselines, 4_338, churners).unwrap().strength;
        assert_eq!(strength(1_900), Strength::Strong);
        for churners in [9, 4_338 - 9] {
            assert_eq!(strength(churners), Strength::NotShown);
        }
        assert_eq!(strength(10), Strength::Strong);
    }
}
