//! Candidates of the made-up card.

use crate::card::{Hyperparameters, TrialCard};

/// The candidate that the others are compared with.
pub(crate) const DEFAULT: Hyperparameters = Hyperparameters {
    l2: 1_000.0,
    nonlinear_terms: true,
    half_life: Some(1.0),
    spacing: 1,
};

/// The candidate that was selected.
pub(crate) const SELECTED: Hyperparameters = Hyperparameters {
    l2: 300.0,
    half_life: Some(3.0),
    ..DEFAULT
};

/// A candidate in words, and what of it differs from the default.
fn trial(
    hyperparameters: Hyperparameters,
    [name, difference]: [&str; 2],
    log_loss_delta: f64,
    standard_error: f64,
) -> TrialCard {
    TrialCard {
        hyperparameters,
        name: name.to_owned(),
        difference: difference.to_owned(),
        log_loss: 0.5549 + log_loss_delta,
        log_loss_delta,
        standard_error,
        default: hyperparameters == DEFAULT,
        selected: hyperparameters == SELECTED,
    }
}

/// Candidates by what changes the default.
pub(crate) fn trials() -> Vec<TrialCard> {
    let of = |l2: f64| Hyperparameters { l2, ..DEFAULT };
    let all_alike = Hyperparameters {
        half_life: None,
        ..of(300.0)
    };
    let every_second = Hyperparameters {
        spacing: 2,
        ..DEFAULT
    };
    let columns = Hyperparameters {
        nonlinear_terms: false,
        ..of(300.0)
    };
    let words = [
        [
            "L2 300, hinges and interactions, half-life 1 window, every date",
            "L2 300",
        ],
        [
            "L2 1000, hinges and interactions, half-life 1 window, every date",
            "",
        ],
        [
            "L2 3000, hinges and interactions, half-life 1 window, every date",
            "L2 3000",
        ],
        [
            "L2 10000, hinges and interactions, half-life 1 window, every date",
            "L2 10000",
        ],
        [
            "L2 300, hinges and interactions, all rows alike, every date",
            "L2 300, all rows alike",
        ],
        [SELECTED_IN_WORDS, "L2 300, half-life 3 windows"],
        [
            "L2 1000, hinges and interactions, half-life 1 window, one date in 2",
            "one date in 2",
        ],
        [
            "L2 300, columns only, half-life 1 window, every date",
            "L2 300, columns only",
        ],
    ];
    vec![
        trial(of(300.0), words[0], -0.0067, 0.0012),
        trial(DEFAULT, words[1], 0.0, 0.0),
        trial(of(3_000.0), words[2], 0.0126, 0.0011),
        trial(of(10_000.0), words[3], 0.0317, 0.0022),
        trial(all_alike, words[4], -0.0071, 0.0015),
        trial(SELECTED, words[5], -0.0077, 0.0012),
        trial(every_second, words[6], -0.0014, 0.0011),
        trial(columns, words[7], 0.0028, 0.0017),
    ]
}

/// The same in words.
pub(crate) const SELECTED_IN_WORDS: &str =
    "L2 300, hinges and interactions, half-life 3 windows, every date";
