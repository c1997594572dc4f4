//! One way to fit: how strong a penalty, with hinges and interactions or without, and which dates count how much.

use crate::card::Hyperparameters;
use crate::train::settings::{ModelConfig, Solver};

/// The penalties that are tried, over the default's.
const L2_GRID: [f64; 4] = [0.1, 0.3, 1.0, 3.0];

/// Selected for some 60,000 rows unless dates in the past speak clearly for another.
const DEFAULT: Hyperparameters = Hyperparameters {
    l2: 2_000.0,
    nonlinear_terms: true,
    hinge_penalty: 1.0,
    interaction_penalty: 1.0,
    half_life: Some(3.0),
    spacing: 1,
    anniversaries: 0,
    seasonal_features: false,
};

/// The same for a solver that knows no row weights and takes long.
const REFERENCE: Hyperparameters = Hyperparameters {
    l2: 10.0,
    nonlinear_terms: false,
    hinge_penalty: 1.0,
    interaction_penalty: 1.0,
    half_life: None,
    spacing: 1,
    anniversaries: 0,
    seasonal_features: false,
};

/// The default for a number of rows: the penalty grows with their square root, between one that is always the same
/// and one that is the same for every row. On public logs this did as well as the best of both with few rows and
/// with many.
fn usual(rows: usize) -> Hyperparameters {
    let l2 = 8.0 * (rows as f64).sqrt();
    // Two digits are as much as can be meant.
    let digit = 10.0_f64.powi(if l2 >= 1_000.0 {
        2
    } else {
        i32::from(l2 >= 100.0)
    });
    Hyperparameters {
        l2: ((l2 / digit).round() * digit).max(1.0),
        ..DEFAULT
    }
}

/// What of earlier years a fit can use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EarlierYears {
    /// Anniversaries of the predicted day that there are rows of.
    pub(crate) anniversaries: u8,
    /// Whether the same season has features of its own.
    pub(crate) features: bool,
}

/// The candidate that stays unless another is clearly better: what is set, and the default for the rest. Of earlier years
/// it uses all there is.
pub(crate) fn default_candidate(
    config: &ModelConfig,
    rows: usize,
    earlier: EarlierYears,
) -> Hyperparameters {
    let usual = match config.solver {
        Solver::Newton => Hyperparameters {
            anniversaries: earlier.anniversaries,
            seasonal_features: earlier.features,
            ..usual(rows)
        },
        Solver::Linfa => REFERENCE,
    };
    Hyperparameters {
        l2: config.l2.unwrap_or(usual.l2),
        nonlinear_terms: config.nonlinear_terms.unwrap_or(usual.nonlinear_terms),
        half_life: match config.half_life_windows {
            None => usual.half_life,
            Some(windows) => (windows > 0.0).then_some(windows),
        },
        ..usual
    }
}

/// The default with each penalty of the grid, unless the penalty is set.
pub(crate) fn penalties(default: &Hyperparameters, config: &ModelConfig) -> Vec<Hyperparameters> {
    if config.l2.is_some() {
        return vec![*default];
    }
    let times = |factor: &f64| Hyperparameters {
        l2: to_tenths(factor * default.l2),
        ..*default
    };
    L2_GRID.iter().map(times).collect()
}

/// What is tried beside a candidate: one thing changed, of those that are not set.
pub(crate) fn alternatives(
    candidate: &Hyperparameters,
    config: &ModelConfig,
) -> Vec<Hyperparameters> {
    let mut all = Vec::new();
    if config.solver == Solver::Linfa {
        return all;
    }
    if config.half_life_windows.is_none() {
        all.extend([None, Some(1.0)].map(|half_life| Hyperparameters {
            half_life,
            ..*candidate
        }));
    }
    if candidate.anniversaries > 0 && config.anniversaries.is_none() {
        all.push(Hyperparameters {
            anniversaries: 0,
            seasonal_features: false,
            ..*candidate
        });
        if candidate.seasonal_features {
            all.push(Hyperparameters {
                seasonal_features: false,
                ..*candidate
            });
        }
    }
    if config.spacing_days.is_none() {
        all.push(Hyperparameters {
            spacing: 2,
            ..*candidate
        });
    }
    if config.nonlinear_terms.is_none() {
        all.push(Hyperparameters {
            hinge_penalty: 4.0,
            interaction_penalty: 4.0,
            ..*candidate
        });
        // Fewer numbers to weigh need a lighter penalty.
        all.push(Hyperparameters {
            nonlinear_terms: false,
            l2: config.l2.unwrap_or(to_tenths(0.1 * candidate.l2)),
            ..*candidate
        });
    }
    all
}

/// To tenths, so that penalties read well.
fn to_tenths(l2: f64) -> f64 {
    (l2 * 10.0).round() / 10.0
}

/// A candidate in words.
pub(crate) fn name(candidate: &Hyperparameters) -> String {
    let mut words = words(candidate);
    words.retain(|word| !USUAL_WORDS.contains(&word.as_str()));
    words.join(", ")
}

/// A candidate in words, but only what differs from another; empty when nothing does.
pub(crate) fn difference(candidate: &Hyperparameters, other: &Hyperparameters) -> String {
    let different: Vec<String> = words(candidate)
        .into_iter()
        .zip(words(other))
        .filter(|(own, others)| own != others)
        .map(|(own, _)| own)
        .collect();
    different.join(", ")
}

fn words(candidate: &Hyperparameters) -> Vec<String> {
    let terms = if candidate.nonlinear_terms {
        "hinges and interactions"
    } else {
        "columns only"
    };
    let half_life = match candidate.half_life {
        None => "all rows alike".to_owned(),
        Some(1.0) => "half-life 1 window".to_owned(),
        Some(windows) => format!("half-life {windows} windows"),
    };
    let dates = match candidate.spacing {
        0 | 1 => "every date".to_owned(),
        n => format!("one date in {n}"),
    };
    let anniversaries = match candidate.anniversaries {
        0 => "no anniversary".to_owned(),
        1 => "1 anniversary".to_owned(),
        n => format!("{n} anniversaries"),
    };
    let features = if candidate.seasonal_features {
        "features of the season in earlier years"
    } else {
        "no features of earlier years"
    };
    vec![
        format!("L2 {}", candidate.l2),
        terms.to_owned(),
        format!("penalty of hinges x {}", candidate.hinge_penalty),
        format!(
            "penalty of interactions x {}",
            candidate.interaction_penalty
        ),
        half_life,
        dates,
        anniversaries,
        features.to_owned(),
    ]
}

/// Words that go without saying.
const USUAL_WORDS: [&str; 4] = [
    "penalty of hinges x 1",
    "penalty of interactions x 1",
    "no anniversary",
    "no features of earlier years",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_penalty_grows_with_the_root_of_the_rows() {
        let l2 = |rows| usual(rows).l2;
        assert_eq!(
            (l2(50), l2(2_240), l2(62_500), l2(200_000)),
            (57.0, 380.0, 2_000.0, 3_600.0)
        );
        assert_eq!(usual(62_500), DEFAULT);
        assert!(l2(0) > 0.0);
    }

    #[test]
    fn a_candidate_is_named_whole_or_by_what_differs() {
        let other = Hyperparameters {
            half_life: Some(1.0),
            spacing: 2,
            ..DEFAULT
        };
        let seasonal = Hyperparameters {
            hinge_penalty: 4.0,
            anniversaries: 2,
            seasonal_features: true,
            ..DEFAULT
        };
        assert_eq!(
            name(&DEFAULT),
            "L2 2000, hinges and interactions, half-life 3 windows, every date"
        );
        assert_eq!(
            difference(&other, &DEFAULT),
            "half-life 1 window, one date in 2"
        );
        assert_eq!(
            difference(&seasonal, &DEFAULT),
            "penalty of hinges x 4, 2 anniversaries, features of the season in earlier years"
        );
        assert_eq!(
            difference(&DEFAULT, &seasonal),
            "penalty of hinges x 1, no anniversary, no features of earlier years"
        );
        assert_eq!(
            difference(&REFERENCE, &DEFAULT),
            "L2 10, columns only, all rows alike"
        );
        assert_eq!(difference(&other, &other), "");
    }
}
