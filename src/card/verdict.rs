//! Whether a model is worth having: how sure it is that it beats the strongest of its baselines.

use serde::{Deserialize, Serialize};

use super::{BaselineCard, Evaluation};
use crate::train::evaluation::metrics::Interval;

/// How far a model is shown to beat the strongest baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// Even at the near end of the interval its log loss is lower by [`STRONG_GAIN`] of the baseline's.
    Strong,
    /// The whole interval favours it.
    Modest,
    /// The interval holds a difference of 0 or worse, or too few users stayed or left to trust one.
    NotShown,
}

impl Strength {
    /// The strength in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Strong => "strong",
            Self::Modest => "modest",
            Self::NotShown => "not shown",
        }
    }
}

/// The verdict on a judged model: data, so that the report, `inspect` and `check` say the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// How far it is shown to beat the baseline.
    pub strength: Strength,
    /// The baseline's name: of those that are baselines the one with the lowest log loss on the test date.
    pub baseline: String,
    /// Log loss of the model less that of the baseline on the same resampled users; below 0 the model is better.
    pub log_loss_difference: Interval,
}

/// The share of the baseline's log loss that a strong model saves at least.
pub const STRONG_GAIN: f64 = 0.02;

/// With fewer churners or stayers on the test date resampling says nothing: the interval would be that of a few users.
pub const LEAST_OF_A_CLASS: u64 = 10;

/// The baseline that is no baseline: as heavy as the model itself, and only fitted on demand.
pub const RANDOM_FOREST: &str = "random_forest";

impl Verdict {
    /// The verdict on a model whose baselines were judged on `users` users, of whom `churners` left; `None` without a
    /// baseline.
    pub fn new(baselines: &[BaselineCard], users: u64, churners: u64) -> Option<Self> {
        let baselines = baselines.iter().filter(|r| r.name != RANDOM_FOREST);
        let loss = |r: &BaselineCard| r.metrics.log_loss.value;
        let strongest = baselines.min_by(|a, b| loss(a).total_cmp(&loss(b)))?;
        let difference = strongest.log_loss_difference;
        let few = churners.min(users.saturating_sub(churners)) < LEAST_OF_A_CLASS;
        let strength = if few || !below(difference, 0.0) {
            Strength::NotShown
        } else if below(difference, -STRONG_GAIN * loss(strongest)) {
            Strength::Strong
        } else {
            Strength::Modest
        };
        Some(Self {
            strength,
            baseline: strongest.name.clone(),
            log_loss_difference: difference,
        })
    }

    /// The verdict as a description without its full stop.
    pub fn description(&self, e: &Evaluation) -> String {
        let Self {
            strength,
            baseline,
            log_loss_difference: d,
        } = self;
        let name = in_words(e, baseline);
        let (churners, users) = (e.churners(), e.users);
        if churners.min(users.saturating_sub(churners)) < LEAST_OF_A_CLASS {
            return format!(
                "Not shown to be better than its strongest baseline, {name}: {churners} of {users} users left, and with \
                 fewer than {LEAST_OF_A_CLASS} on either side no difference can be told from chance"
            );
        }
        let [value, low, high] = [d.value, d.low, d.high].map(difference);
        let interval = format!("its log loss is {value} (95 % interval: {low} to {high})");
        match strength {
            Strength::Strong => {
                format!("Clearly better than its strongest baseline, {name}: {interval}")
            }
            Strength::Modest => {
                format!("Better than its strongest baseline, {name}, but not by much: {interval}")
            }
            Strength::NotShown => {
                format!("Not shown to be better than its strongest baseline, {name}: {interval}")
            }
        }
    }
}

/// Whether all of an interval lies below a number; never so where something is unknown.
fn below(interval: Interval, limit: f64) -> bool {
    interval.value.is_finite() && interval.low.is_finite() && interval.high < limit
}

/// A difference in log loss in words: `0.0480 lower`.
fn difference(d: f64) -> String {
    let digits = if d.abs() < 0.000_5 { 6 } else { 4 };
    let off = format!("{:.digits$}", d.abs());
    match off.trim_start_matches(['0', '.']).is_empty() {
        true => "the same".to_owned(),
        false => format!("{off} {}", if d < 0.0 { "lower" } else { "higher" }),
    }
}

/// A baseline within a sentence.
pub fn in_words(e: &Evaluation, name: &str) -> String {
    match name {
        "bg_nbd" => "BG/NBD".to_owned(),
        "base_rate" => "the base rate".to_owned(),
        "recency_only" => "recency alone".to_owned(),
        "best_single" => match e.baseline(name).and_then(|r| r.feature.as_ref()) {
            Some(feature) => format!("the best single feature ({feature})"),
            None => "the best single feature".to_owned(),
        },
        RANDOM_FOREST => "a random forest".to_owned(),
        other => other.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::html::tests::card;

    /// The made-up evaluation with its difference to BG/NBD, the strongest baseline, replaced.
    fn judged(value: f64, low: f64, high: f64) -> (Evaluation, Verdict) {
        let mut e = card().horizons[0].evaluation.clone().unwrap();
        let baseline = e.baselines.iter_mut().find(|r| r.name == "bg_nbd").unwrap();
        baseline.log_loss_difference = Interval { value, low, high };
        let verdict = Verdict::new(&e.baselines, e.users, e.churners()).unwrap();
        (e, verdict)
    }

    #[test]
    fn the_interval_against_the_strongest_baseline_decides() {
        // BG/NBD has a log loss of 0.571, of which 2 % are 0.0114.
        for (interval, strength) in [
            ((-0.02, -0.03, -0.0115), Strength::Strong),
            ((-0.02, -0.03, -0.0113), Strength::Modest),
            ((-0.02, -0.03, -0.0001), Strength::Modest),
            ((-0.02, -0.03, 0.0), Strength::NotShown),
            ((-0.001, -0.03, 0.02), Strength::NotShown),
            ((0.02, 0.01, 0.03), Strength::NotShown),
            ((f64::NAN, f64::NAN, f64::NAN), Strength::NotShown),
        ] {
            let (_, verdict) = judged(interval.0, interval.1, interval.2);
            assert_eq!(
                (verdict.strength, verdict.baseline.as_str()),
                (strength, "bg_nbd"),
                "{interval:?}"
            );
        }
    }

    #[test]
    fn a_challenger_is_no_baseline_and_no_baseline_is_no_verdict() {
        let (mut e, _) = judged(-0.02, -0.03, -0.015);
        assert!(
            e.baselines
                .iter()
                .any(|r| r.name == RANDOM_FOREST && r.metrics.log_loss.value < 0.571),
            "it is stronger"
        );
        e.baselines.retain(|r| r.name == RANDOM_FOREST);
        assert_eq!(Verdict::new(&e.baselines, e.users, e.churners()), None);
    }

    #[test]
    fn a_handful_of_churners_or_stayers_shows_nothing() {
        let (e, clear) = judged(-0.02, -0.03, -0.015);
        assert_eq!(clear.strength, Strength::Strong);
        for churners in [9, e.users - 9] {
            let few = Verdict::new(&e.baselines, e.users, churners).unwrap();
            assert_eq!(few.strength, Strength::NotShown);
            let of = Evaluation {
                churn_rate: churners as f64 / e.users as f64,
                ..e.clone()
            };
            let said = few.description(&of);
            assert!(
                said.contains(&format!("{churners} of 4338 users left")),
                "{said}"
            );
        }
        assert_eq!(
            Verdict::new(&e.baselines, e.users, 10).unwrap().strength,
            Strength::Strong
        );
    }

    #[test]
    fn the_sentence_names_the_baseline_and_its_interval() {
        let said = |value, low, high| {
            let (e, verdict) = judged(value, low, high);
            verdict.description(&e)
        };
        assert_eq!(
            said(-0.048, -0.0649, -0.0323),
            "Clearly better than its strongest baseline, BG/NBD: its log loss is 0.0480 lower (95 % interval: 0.0649 lower \
             to 0.0323 lower)"
        );
        assert!(
            said(-0.005, -0.008, -0.00004)
                .contains("but not by much: its log loss is 0.0050 lower")
        );
        assert!(
            said(-0.005, -0.008, -0.00004).contains("0.000040 lower)"),
            "{}",
            said(-0.005, -0.008, -0.00004)
        );
        assert!(
            said(-0.005, -0.012, 0.003)
                .starts_with("Not shown to be better than its strongest baseline, BG/NBD")
        );
        assert!(said(-0.005, -0.012, 0.003).contains("0.0120 lower to 0.0030 higher"));
    }
}
