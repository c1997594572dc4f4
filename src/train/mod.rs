//! From histories to a model bundle: labelled datasets at dates in the past, the fit, its evaluation out of
//! time, the card and the report.
//!
//! Reading order: [`settings`], [`labels`] (who is asked about, what became of them), [`schedule`] (at which dates),
//! `dataset` (the rows), `few_rows` (why there are hardly any), [`suspects`] (what is too good to be true) and `doubts`
//! (what is merely odd), [`bgnbd`], [`logistic`] and [`kmeans`] (the fits), `design` (what is weighed), [`segments`],
//! [`hyperparameters`], [`origins`] and [`procedure`] (how to fit, chosen by dates in the past), `horizon` and `judge` (one model,
//! fitted and judged), [`untested`] (why it was not judged), [`metrics`] and `evaluation` (how good it is), `baselines` and
//! `random_forest` (against what), [`verdict`] (whether that is enough), `slices`, [`population`] and [`retention`] (of whom),
//! [`probe`] (no feature sees the future), [`fit`] (all of it), [`card`], `reach` (what contacting some users reaches),
//! [`refused`] (what of the log was not used), [`check`], [`inspect`], [`report`]; [`scores`] and [`features`] of
//! everybody, in a `table`.

pub mod checks;
pub mod config;
pub mod data;
pub mod estimators;
pub(crate) mod evaluation;
pub(crate) mod horizon;
pub mod pipeline;
pub mod population;
pub mod selection;
pub mod settings;

pub use checks::few_rows::FewRows;

use crate::features::FeatureError;
use crate::history::{Day, HistoryError, Stretch};
use crate::model::ModelError;

/// What can go wrong in training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A setting that is out of range.
    #[error("{0}")]
    Setting(String),
    /// Nothing happened before the as-of day.
    #[error("there is no event before {as_of}; choose a later --as-of, or check `events.paths`")]
    NoEvents {
        /// The as-of day.
        as_of: Day,
    },
    /// None of the kinds of `churn.activity` occurs.
    #[error("no event is of a kind in churn.activity ({}); the log's kinds are: {}", activity.join(", "), kinds.join(", "))]
    NoActivity {
        /// The configured kinds.
        activity: Vec<String>,
        /// The log's kinds.
        kinds: Vec<String>,
    },
    /// The churn event never happens.
    #[error("no event is of the kind churn.churn_event = \"{name}\"; the log's kinds are: {}", kinds.join(", "))]
    NoChurnEvent {
        /// The configured kind.
        name: String,
        /// The log's kinds.
        kinds: Vec<String>,
    },
    /// No label window fits into the log.
    #[error(
        "churn.horizon_days = {horizon_days} with churn.lead_days = {lead_days} was never observed: the log spans \
         {span_days} days, which allows a horizon of at most {longest} days{}",
        without(holes)
    )]
    HorizonNotObserved {
        /// The horizon.
        horizon_days: u16,
        /// The lead.
        lead_days: u32,
        /// Days from the first event to the end of what was observed.
        span_days: i32,
        /// The longest horizon that could be labelled, but for the holes.
        longest: i32,
        /// The days inside that were not observed.
        holes: Vec<Stretch>,
    },
    /// Hardly anybody to learn from.
    #[error(
        "only {rows} labelled rows (user, date) of {users} user{} for horizon {horizon_days}: at least {least} are needed; \
         {cause}",
        if *users == 1 { "" } else { "s" }
    )]
    TooFewRows {
        /// The horizon.
        horizon_days: u16,
        /// How many there are.
        rows: usize,
        /// How many users they come from.
        users: usize,
        /// How many there must be.
        least: usize,
        /// Why there are so few.
        cause: FewRows,
    },
    /// Nobody is ever active again.
    #[error(
        "no user comes back: each of the {users} users with activity ({}) has it on one day only, so all churn; \
         `events.user` must name users, not orders, sessions or rows", activity.join(", ")
    )]
    NobodyReturns {
        /// Users with activity.
        users: u64,
        /// The kinds that count as activity.
        activity: Vec<String>,
    },
    /// Everybody stays or everybody leaves.
    #[error(
        "all {rows} labelled rows (user, date) for horizon {horizon_days} {}: there is nothing to tell apart; {}{}",
        if *churned { "churned" } else { "stayed" },
        crate::card::untested::horizon_advice(*silence, !churned),
        if *churned == *silence { ", or choose an earlier --as-of if the feed of these events stopped before the log ends" }
        else { "" }
    )]
    OneClass {
        /// The horizon.
        horizon_days: u16,
        /// How many rows there are.
        rows: usize,
        /// What became of all of them.
        churned: bool,
        /// Whether churn is silence, and not an event.
        silence: bool,
    },
    /// The logistic fit failed.
    #[error("horizon {horizon_days}: {source}")]
    Logistic {
        /// The horizon.
        horizon_days: u16,
        /// Why.
        source: estimators::logistic::LogisticError,
    },
    /// Input that is too odd or too good to be true.
    #[error(
        "{first}; if it is meant, add to model.allow_leakage: {}",
        names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    )]
    Suspect {
        /// The first of what was found.
        first: Box<checks::target_leakage::Suspicion>,
        /// What `model.allow_leakage` must also hold for everything that was found to be let through.
        names: Vec<String>,
    },
    /// A feature that sees the future.
    #[error(
        "feature `{feature}` as of {as_of} changes when the days from then on are {change}: it sees the future, and no \
         figure of such a model can be trusted; this is a fault of this build of ebb, not of the log"
    )]
    Leak {
        /// The feature.
        feature: String,
        /// The as-of day.
        as_of: Day,
        /// What revealed it.
        change: checks::leakage::OtherFuture,
    },
    /// A leakage probe that found nothing to compare.
    #[error("the leakage probe compared nothing: it was given {users} users and {dates} dates")]
    NothingProbed {
        /// How many users there were.
        users: usize,
        /// How many dates.
        dates: usize,
    },
    /// The segments could not be fitted.
    #[error("segments with k = {k}: {source}")]
    Segments {
        /// The number of segments.
        k: usize,
        /// Why.
        source: estimators::kmeans::KMeansError,
    },
    /// The random_forest could not be fitted.
    #[error("random_forest: {problem}")]
    Challenger {
        /// What the library said.
        problem: String,
    },
    /// A schema that makes no catalogue.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// A bundle that could not be made or written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A history that is not legal.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// The holes, for the end of a description.
fn without(holes: &[Stretch]) -> String {
    let days = |hole: &Stretch| format!("{} to {}", hole.from, hole.until.plus(-1));
    match holes {
        [] => String::new(),
        holes => {
            let holes: Vec<String> = holes.iter().map(days).collect();
            format!(
                "; a label window must not overlap the holes of the log: {}",
                holes.join(", ")
            )
        }
    }
}
