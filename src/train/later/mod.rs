//! Bundles on a later day than they were fitted on: users are described at that day by the bundle's own features, and
//! labelled by what they did after it.
//!
//! [`day`] chooses the day and refuses one that a fit has seen; [`evaluate()`] judges one bundle by the figures of the card;
//! [`compare()`] puts two bundles beside each other. `rows` makes the labelled rows of a bundle, `promise` sets figures
//! beside those of its card.

pub mod compare;
pub mod day;
pub mod evaluate;
pub(crate) mod promise;
pub(crate) mod rows;

pub use compare::compare;
pub use evaluate::evaluate;

use crate::card::Card;
use crate::history::{Coverage, Day, Histories, HistoryError};
use crate::model::{Bundle, ModelError};
use crate::phases::Phases;
use crate::train::TrainError;
use crate::train::settings::TrainConfig;

/// A log to judge bundles on.
#[derive(Clone, Copy, Debug)]
pub struct LaterLog<'a> {
    /// All users' histories, as far as the log goes.
    pub histories: &'a Histories,
    /// What the log covers.
    pub coverage: &'a Coverage,
    /// The configuration; what a bundle fixes (churn, lifecycle) is taken from the bundle.
    pub config: &'a TrainConfig,
    /// Where it is seen how far the work has come.
    pub phases: Phases<'a>,
}

/// The day to judge at.
#[derive(Clone, Copy, Debug, Default)]
pub struct DayRequest {
    /// The day; `None` for the newest one with complete labels.
    pub as_of: Option<Day>,
    /// Whether a day that a fit has seen is allowed.
    pub allow_seen: bool,
}

/// A bundle with its card.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The bundle.
    pub bundle: &'a Bundle,
    /// Its card.
    pub card: &'a Card,
}

/// Why a bundle cannot be judged on a log.
#[derive(Debug, thiserror::Error)]
pub enum LaterError {
    /// A day that a fit has seen.
    #[error(
        "model {model} was fitted as of {fitted_as_of} and has seen what happened before that day, so figures at {as_of} \
         would flatter it; it can be judged at {fitted_as_of} or later, once the log covers the {window_days} days after \
         that (it covers the days before {observed_until})"
    )]
    Seen {
        /// The bundle's version.
        model: String,
        /// The fit saw no event on or after this day.
        fitted_as_of: Day,
        /// The day that was to be judged at.
        as_of: Day,
        /// Days of the shortest label window: lead and horizon.
        window_days: i32,
        /// The day after the last one that the log covers.
        observed_until: Day,
    },
    /// No day has complete labels.
    #[error(
        "no day of the log has complete labels: it covers {first} to {}, and the label window of {window_days} days after \
         a day must be covered without a hole",
        observed_until.plus(-1)
    )]
    NoCompleteDay {
        /// The first day with an event.
        first: Day,
        /// The day after the last one that the log covers.
        observed_until: Day,
        /// Days of the longest label window: lead and horizon.
        window_days: i32,
    },
    /// The labels of the day are complete for no horizon.
    #[error(
        "the labels of {as_of} are not complete: the shortest label window lasts until {}, and the log covers the days \
         before {observed_until}{}", until.plus(-1), if *hole { ", with a hole inside of the window" } else { "" }
    )]
    NotObserved {
        /// The day.
        as_of: Day,
        /// The day after the last one of the shortest label window.
        until: Day,
        /// The day after the last one that the log covers.
        observed_until: Day,
        /// Whether the window overlaps a hole.
        hole: bool,
    },
    /// Nothing happened before the day.
    #[error("no event lies before {as_of}: the first one is on {first}")]
    NothingBefore {
        /// The day.
        as_of: Day,
        /// The first day with an event.
        first: Day,
    },
    /// Two bundles that answer different questions.
    #[error(
        "the two models answer different questions: {setting} is {a} in {model_a} and {b} in {model_b}; compare models of \
         one configuration"
    )]
    DifferentQuestions {
        /// The setting.
        setting: &'static str,
        /// The first bundle's version.
        model_a: String,
        /// Its value.
        a: String,
        /// The second bundle's version.
        model_b: String,
        /// Its value.
        b: String,
    },
    /// A step of the fit that the baselines need.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A bundle that does not score.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A history that is not legal.
    #[error(transparent)]
    History(#[from] HistoryError),
}
