//! Inputs that are too odd or too good to be true: columns that were mapped to identifiers or times, and features that
//! give the answer away. Each stops a fit until `model.allow_leakage` says that it is meant.

pub(crate) mod columns;
pub(crate) mod rows;
#[cfg(test)]
mod tests;

use crate::configuration::SettingError;
use crate::features::Catalogue;
use crate::history::Histories;
use crate::train::TrainError;
use crate::train::data::dataset::Dataset;

/// What looks wrong, with the figures that say so.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LeakageFinding {
    /// `events.kind` was mapped to something that names single users or events.
    #[error(
        "`events.kind` looks like an identifier: the log has {kinds} kinds of events, most of them of at most \
         {RARE_USERS} users, and {:.0} % of its events are of such kinds; map events.kind to what the events are",
        100.0 * .share
    )]
    KindIdentifier {
        /// Kinds in the log.
        kinds: usize,
        /// The share of events that are of rare kinds.
        share: f64,
    },
    /// `events.amount` was mapped to something that names users.
    #[error(
        "`events.amount` looks like an identifier of users: {constant} of {users} users have one and the same whole \
         number in all their events, and {distinct} of these numbers differ; leave events.amount out, or map it to a \
         quantity"
    )]
    AmountIdentifier {
        /// Users with events enough to tell.
        users: usize,
        /// Those of them whose amount never changes.
        constant: usize,
        /// How many different amounts those have.
        distinct: usize,
    },
    /// `events.amount` was mapped to a time.
    #[error(
        "`events.amount` looks like a time: over {records} records it follows the day of the event with a rank \
         correlation of {correlation:.4}; leave events.amount out, or map it to a quantity"
    )]
    AmountTime {
        /// Records that were looked at.
        records: usize,
        /// Spearman's correlation of the amount of an event and its day.
        correlation: f64,
    },
    /// One feature answers the question nearly alone, and far better than activity does.
    #[error(
        "feature `{feature}` alone separates churners from retained users: its AUC at horizon {horizon_days} is {auc:.4}, that \
         of the best feature of activity {own:.4}; if its events are recorded because users left, map them away from \
         {column} or name them in churn.churn_event"
    )]
    TooGood {
        /// The feature.
        feature: String,
        /// What allows it: the feature, or the kind that it counts.
        name: String,
        /// The column of the log that it comes from.
        column: &'static str,
        /// The horizon.
        horizon_days: u16,
        /// Its area under the ROC curve, in the direction in which it is above one half.
        auc: f64,
        /// The largest one of the features that are made of activity alone.
        own: f64,
    },
    /// A kind of event after which every user churns.
    #[error(
        "feature `{feature}` is a leaky event type: {:.1} % of the {rows} rows ({users} users) with a `{kind}` churned at horizon \
         {horizon_days}, of the others {:.1} %; if `{kind}` is recorded because users left, map it away from events.kind \
         or name it in churn.churn_event",
        100.0 * .churned, 100.0 * .others
    )]
    LeakyEventType {
        /// The feature.
        feature: String,
        /// The kind that it counts.
        kind: String,
        /// The horizon.
        horizon_days: u16,
        /// Rows where it is not 0.
        rows: usize,
        /// Users that these rows describe.
        users: usize,
        /// The share of them that churned.
        churned: f64,
        /// The share of the other rows that churned.
        others: f64,
    },
}

/// A kind with at most so many users is rare.
const RARE_USERS: u32 = 2;

/// The names of the columns that are checked.
const COLUMNS: [&str; 2] = ["events.kind", "events.amount"];

impl LeakageFinding {
    /// What `model.allow_leakage` must hold for it to be let through.
    pub fn allowed_by(&self) -> &str {
        match self {
            Self::KindIdentifier { .. } => COLUMNS[0],
            Self::AmountIdentifier { .. } | Self::AmountTime { .. } => COLUMNS[1],
            Self::TooGood { name, .. } => name,
            Self::LeakyEventType { kind, .. } => kind,
        }
    }

    fn is_allowed(&self, allow: &[String]) -> bool {
        let named = |name: &str| allow.iter().any(|a| a == name);
        let own = match self {
            Self::TooGood { feature, .. } | Self::LeakyEventType { feature, .. } => named(feature),
            _ => false,
        };
        own || named(self.allowed_by())
    }
}

/// Looks for columns of the log that are no kinds and no amounts. Gives a note for each one that is allowed.
///
/// # Errors
///
/// [`TrainError::TargetLeakage`] with those that are not.
pub(crate) fn in_columns(
    histories: &Histories,
    allow: &[String],
) -> Result<Vec<String>, TrainError> {
    let amounts = columns::Amounts::sample(histories)?;
    let found = [
        columns::kind_identifier(histories),
        amounts.identifier(),
        amounts.time(),
    ];
    sift(found.into_iter().flatten().collect(), allow)
}

/// Looks for features that give the answer away, on the labelled rows of one horizon. Gives a note for each one
/// that is allowed, and one when activity itself leaves nothing to predict.
///
/// # Errors
///
/// [`TrainError::TargetLeakage`] with those that are not allowed, and [`TrainError::Setting`] when `allow` holds a name
/// that is neither a feature, nor a kind with features, nor a column that are checked.
pub(crate) fn in_rows(
    data: &Dataset,
    catalogue: &Catalogue,
    horizon_days: u16,
    allow: &[String],
) -> Result<Vec<String>, TrainError> {
    for name in allow
        .iter()
        .filter(|name| !COLUMNS.contains(&name.as_str()) && !catalogue.kinds().contains(name))
    {
        if let Err(error) = catalogue.position_of(name) {
            let problem = format!("model.allow_leakage: {error}");
            return Err(SettingError::new("model", "allow_leakage", problem).into());
        }
    }
    let (mut found, easy) = rows::too_good(data, catalogue, horizon_days);
    found.extend(rows::leaky_event_types(data, catalogue, horizon_days));
    let mut notes = sift(found, allow)?;
    notes.extend(easy);
    Ok(notes)
}

/// The same of potential users: a note where one feature tells alone who converts. It stops no fit, for what people do before a
/// purchase may well tell of it.
pub(crate) fn in_conversion_rows(
    data: &Dataset,
    catalogue: &Catalogue,
    horizon_days: u16,
) -> Option<String> {
    let (feature, auc) = rows::tells_conversion(data, catalogue)?;
    Some(format!(
        "`{feature}` alone tells who converts within {horizon_days} days (AUC {auc:.4}): if its events are recorded because of the \
         conversion, map them away from events.kind or add them to conversion.event."
    ))
}

/// Lets through what is allowed, with a note each.
fn sift(found: Vec<LeakageFinding>, allow: &[String]) -> Result<Vec<String>, TrainError> {
    let (allowed, mut stopping): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|s| s.is_allowed(allow));
    let mut names: Vec<String> = Vec::new();
    for suspicion in &stopping {
        if !names.iter().any(|name| name == suspicion.allowed_by()) {
            names.push(suspicion.allowed_by().to_owned());
        }
    }
    if stopping.is_empty() {
        return Ok(allowed
            .iter()
            .map(|s| format!("Allowed by model.allow_leakage: {s}."))
            .collect());
    }
    Err(TrainError::TargetLeakage {
        first: Box::new(stopping.swap_remove(0)),
        names,
    })
}
