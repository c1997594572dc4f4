//! From histories to a model bundle: labelled datasets at dates in the past, the fit, its evaluation out of time, and
//! the card.
//!
//! [`pipeline`] has the steps in order; the folders below it have one job each: [`data`] (which users have a label at
//! which dates), [`checks`] (what stops or qualifies a fit), [`estimators`] (the fitters), `selection` (which way to
//! fit), `evaluation` (how good the model is, and against what), `population` (who the users are), [`laws`] (how often
//! they are active, and where that turns). `horizons` is the fit of one horizon, which `conversion` carries out for
//! potential users too. [`matrix`] fits features that others made, [`later`] judges bundles on days after their fit.
//! [`config`] and [`settings`] are the configuration file.

pub mod checks;
pub mod config;
pub(crate) mod conversion;
pub mod data;
pub mod estimators;
pub(crate) mod evaluation;
pub(crate) mod horizons;
pub mod later;
pub mod laws;
pub mod matrix;
pub(crate) mod metrics;
pub mod pipeline;
pub(crate) mod population;
pub mod proposals;
pub(crate) mod selection;
pub mod settings;
pub(crate) mod value;

pub use checks::few_rows::FewRows;

use crate::configuration::SettingError;
use crate::features::FeatureError;
use crate::history::{Day, HistoryError, Stretch};
use crate::model::ModelError;

/// What can go wrong in training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A setting that is out of range.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Nothing happened before the as-of day.
    #[error("there is no event before {as_of}; choose a later as-of day, or check `events.paths`")]
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
    /// Value without amounts.
    #[error(
        "[value] is configured, but no event of the log has an amount: map `events.amount` to the amounts of money, or remove \
         [value]"
    )]
    NoAmounts,
    /// A kind of `value.kinds` does not occur.
    #[error(
        "no event is of the kind `{name}` of value.kinds{}; the log's kinds are: {}",
        nearest.as_ref().map(|n| format!("; the nearest is `{n}`")).unwrap_or_default(), kinds.join(", ")
    )]
    NoValueKind {
        /// The configured kind.
        name: String,
        /// The log's most similar one.
        nearest: Option<String>,
        /// The log's kinds.
        kinds: Vec<String>,
    },
    /// Nobody ever spent anything.
    #[error(
        "no user has an order: on no day do the amounts of value.kinds ({}) add up to more than 0; check `events.amount` and \
         its sign", kinds.join(", ")
    )]
    NoOrders {
        /// The configured kinds.
        kinds: Vec<String>,
    },
    /// No window of spend fits into the log twice.
    #[error(
        "value.horizon_days = {horizon_days} with churn.lead_days = {lead_days} cannot be learnt: the log spans {span_days} \
         days, into which windows of at most {longest} days fit twice, and {least} are needed{}",
        without(holes)
    )]
    SpendNotObserved {
        /// The horizon.
        horizon_days: u16,
        /// The lead.
        lead_days: u32,
        /// Days from the first event to the end of what was observed.
        span_days: i32,
        /// The longest window that fits twice, but for the holes.
        longest: i32,
        /// The shortest window that spend is learnt on.
        least: u16,
        /// The days inside that were not observed.
        holes: Vec<Stretch>,
    },
    /// No label window fits into the log.
    #[error(
        "{}.horizon_days = {horizon_days} with churn.lead_days = {lead_days} was never observed: the log spans \
         {span_days} days, which allows a horizon of at most {longest} days{}",
        if *of_conversion { "conversion" } else { "churn" }, without(holes)
    )]
    HorizonNotObserved {
        /// Whether it is one of `[conversion]`, and not of `[churn]`.
        of_conversion: bool,
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
    /// No date from a day on.
    #[error(
        "no date from model.dates_from = {day} on has a complete label window of {window_days} days (horizon {horizon_days}): the \
         newest date is {}; give an earlier day, or wait until the log covers the window after it",
        latest.map_or_else(|| "unknown".to_owned(), |date| date.to_string())
    )]
    NoDatesFrom {
        /// The day.
        day: Day,
        /// The horizon.
        horizon_days: u16,
        /// Days of the label window.
        window_days: i32,
        /// The newest date of the log.
        latest: Option<Day>,
    },
    /// No window of active days fits into the log.
    #[error(
        "the laws of frequency were never observed: the log spans {span_days} days, and the shortest of churn.horizon_days, \
         {shortest} days, needs as many without a hole and half as many before them; read a longer log, or shorten \
         churn.horizon_days"
    )]
    LawsNotObserved {
        /// The shortest horizon in days.
        shortest: u16,
        /// Days from the first event to the end of what was observed.
        span_days: i32,
    },
    /// Hardly any row to learn from.
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
    /// A kind of `conversion.event` that the log lacks.
    #[error(
        "no event is of a kind in conversion.event ({}){}; the log's kinds are: {}", events.join(", "),
        nearest.as_ref().map(|n| format!("; the nearest is `{n}`")).unwrap_or_default(), kinds.join(", ")
    )]
    NoConversionEvent {
        /// The configured kinds.
        events: Vec<String>,
        /// The log's most similar one.
        nearest: Option<String>,
        /// The log's kinds.
        kinds: Vec<String>,
    },
    /// Nothing happens before conversion.
    #[error(
        "all events of the log are of a kind in conversion.event ({}): nobody is known before converting; map `events.kind` \
         so that visits or sign-ups are told apart, set conversion.repeat = true, or leave the [conversion] table out",
        events.join(", ")
    )]
    NoPotentialUsers {
        /// The configured kinds.
        events: Vec<String>,
    },
    /// Hardly any potential user to learn from.
    #[error(
        "only {rows} labelled rows (user, date) of {users} potential user{} for conversion.horizon_days = {horizon_days}: at \
         least {least} are needed ({}); raise conversion.within_days, check conversion.event, or read a longer log",
        if *users == 1 { "" } else { "s" },
        dropped.iter().map(|(reason, n)| format!("{n} {reason}")).collect::<Vec<_>>().join(", ")
    )]
    TooFewPotentialUsers {
        /// The horizon.
        horizon_days: u16,
        /// How many rows there are.
        rows: usize,
        /// How many users they come from.
        users: usize,
        /// How many rows there must be.
        least: usize,
        /// The pairs of user and date without a row, by reason.
        dropped: crate::card::DropCounts,
    },
    /// All potential users convert or none does.
    #[error(
        "{} of the {rows} labelled rows (user, date) of potential users converted within conversion.horizon_days = \
         {horizon_days}: there is nothing to tell apart; {}",
        if *converted { "all" } else { "none" },
        if *converted { "shorten conversion.horizon_days" }
        else { "lengthen conversion.horizon_days, or check conversion.event" }
    )]
    OneConversionClass {
        /// The horizon.
        horizon_days: u16,
        /// How many rows there are.
        rows: usize,
        /// What became of all of them.
        converted: bool,
    },
    /// Hardly any potential user converts, or hardly any does not.
    #[error(
        "fewer than privacy.min_users = {least} potential users {} within {horizon_days} days of any date, and figures of so few are \
         not published; {}, check conversion.event, or read a longer log",
        if *few_converted { "converted" } else { "did not convert" },
        if *few_converted { "lengthen conversion.horizon_days" } else { "shorten conversion.horizon_days" }
    )]
    FewConversions {
        /// The horizon.
        horizon_days: u16,
        /// Whether those who converted are few, or those who did not.
        few_converted: bool,
        /// `privacy.min_users`.
        least: u32,
    },
    /// No user is ever active again.
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
    /// All users stay or all leave.
    #[error(
        "all {rows} labelled rows (user, date) for horizon {horizon_days} {}: there is nothing to tell apart; {}{}",
        if *churned { "churned" } else { "stayed" },
        horizon_advice(*silence, !churned),
        if *churned == *silence { ", or choose an earlier as-of day if the feed of these events stopped before the log ends" }
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
        source: estimators::newton::NewtonError,
    },
    /// The model of orders could not be fitted.
    #[error("value: {0}; leave the [value] table out, or read a longer log")]
    Orders(#[from] estimators::pareto_nbd::ParetoNbdError),
    /// The model of amounts could not be fitted.
    #[error("value: {0}; leave the [value] table out, or read a longer log")]
    Amounts(#[from] estimators::gamma_gamma::NoOrders),
    /// The regression of spend failed.
    #[error("value: {source}")]
    Spend {
        /// Why.
        #[from]
        source: estimators::newton::NewtonError,
    },
    /// Input that is too odd or too good to be true.
    #[error(
        "{first}; if it is meant, add to model.allow_leakage: {}",
        names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    )]
    TargetLeakage {
        /// The first of what was found.
        first: Box<checks::target_leakage::LeakageFinding>,
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
    /// The random forest could not be fitted.
    #[error("random forest: {problem}")]
    RandomForest {
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

/// The setting that makes more users churn, or fewer: silence is rarer the longer one waits, an event likelier.
fn horizon_advice(silence: bool, more_churn: bool) -> &'static str {
    if silence == more_churn {
        "shorten churn.horizon_days"
    } else {
        "lengthen churn.horizon_days"
    }
}
