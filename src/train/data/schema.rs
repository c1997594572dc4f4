//! Which kinds of events and which horizons the features are made of.

use super::attribute_levels::attributes;
use super::labels::Labeller;
use super::snapshots::Observed;
use crate::features::season::YEAR_DAYS;
use crate::features::{FeatureSchema, SEASONAL_YEARS_LIMIT, nearest};
use crate::history::{Day, Histories};
use crate::train::TrainError;
use crate::train::settings::{TrainConfig, ValueConfig};

/// The fewest users of a kind that gets features of its own, whatever the size of the log.
const LEAST_USERS: u64 = 10;

/// From which similarity on, from 0 to 1, one name is taken for another that is misspelt: a letter of four may differ, or two
/// of eight.
const ALIKE: f64 = 0.75;

/// The schema of the features for a log under a configuration.
///
/// # Errors
/// [`TrainError::NoActivity`], [`TrainError::NoChurnEvent`], [`TrainError::NoAmounts`] and [`TrainError::NoValueKind`] where
/// the log lacks what the configuration names.
pub fn feature_schema(
    histories: &Histories,
    config: &TrainConfig,
    observed: &Observed,
) -> Result<FeatureSchema, TrainError> {
    let labeller = Labeller::new(&config.churn, histories.kinds(), observed.clone());
    labelled_schema(histories, config, observed, &labeller)
}

/// The same for the rows that have a label.
///
/// # Errors
/// Those of [`feature_schema`].
pub(crate) fn labelled_schema(
    histories: &Histories,
    config: &TrainConfig,
    observed: &Observed,
    labeller: &Labeller,
) -> Result<FeatureSchema, TrainError> {
    let kinds = histories.kinds();
    let churn = &config.churn;
    let activity: Vec<String> = churn
        .activity
        .iter()
        .filter(|kind| kinds.contains(kind))
        .cloned()
        .collect();
    if activity.is_empty() {
        return Err(TrainError::NoActivity {
            activity: churn.activity.clone(),
            kinds: kinds.to_vec(),
        });
    }
    if let Some(name) = &churn.churn_event
        && !kinds.contains(name)
    {
        return Err(TrainError::NoChurnEvent {
            name: name.clone(),
            kinds: kinds.to_vec(),
        });
    }
    let mut horizon_days = churn.horizon_days.clone();
    horizon_days.sort_unstable();
    horizon_days.dedup();
    let value_kinds = match &config.value {
        Some(value) => value_kinds(histories, value)?,
        None => Vec::new(),
    };
    let shortest_days = horizon_days[0];
    let seasonal_years = seasonal_years(config, observed, shortest_days);
    Ok(FeatureSchema {
        activity,
        other_kinds: other_kinds(histories, config),
        horizon_days,
        amounts: histories.totals().has_amounts(),
        seasonal_years,
        // Only the windows of earlier years depend on it.
        lead_days: if seasonal_years > 0 {
            churn.lead_days
        } else {
            0
        },
        value_kinds,
        attributes: attributes(histories, config, (observed, labeller), shortest_days)?,
    })
}

/// The kinds whose amounts make orders, in order of their names: the features do not depend on the order of a configuration. A
/// kind that is not in this log stays: the next log may have it, and features are the same from one fit to the next.
fn value_kinds(histories: &Histories, value: &ValueConfig) -> Result<Vec<String>, TrainError> {
    if !histories.totals().has_amounts() {
        return Err(TrainError::NoAmounts);
    }
    let kinds = histories.kinds();
    let (known, absent): (Vec<&String>, Vec<&String>) =
        value.kinds.iter().partition(|kind| kinds.contains(kind));
    // A kind that is configured itself is no misspelling of another.
    let others = kinds.iter().filter(|kind| !value.kinds.contains(kind));
    let meant = |name: &str| others.clone().find(|kind| are_alike(name, kind));
    let wrong = match known.is_empty() {
        true => absent.first(),
        false => absent.iter().find(|name| meant(name).is_some()),
    };
    if let Some(&name) = wrong {
        let similar = || nearest(name, kinds.iter().map(String::as_str));
        let nearest = meant(name).map(String::as_str).or_else(similar);
        return Err(TrainError::NoValueKind {
            nearest: nearest.map(str::to_owned),
            name: name.clone(),
            kinds: kinds.to_vec(),
        });
    }
    let mut names = value.kinds.clone();
    names.sort_unstable();
    Ok(names)
}

/// Whether two names differ by so little that one is probably the other, misspelt.
fn are_alike(a: &str, b: &str) -> bool {
    strsim::normalized_damerau_levenshtein(&a.to_lowercase(), &b.to_lowercase()) >= ALIKE
}

/// The earlier years whose same season has features at the shortest horizon.
fn seasonal_years(config: &TrainConfig, observed: &Observed, horizon_days: u16) -> u16 {
    let window = config.churn.lead_days as i32 + i32::from(horizon_days);
    learnable_years(observed.first, observed.until, window)
        .min(SEASONAL_YEARS_LIMIT)
        .min(u16::from(config.model.most_anniversaries()))
}

/// The earlier years whose same season is known of users at the newest date that is labelled by the day `asked`, and at those of
/// a label window before it: on a single date nothing could be learnt from. `first` is the log's first day.
pub(crate) fn learnable_years(first: Day, asked: Day, window_days: i32) -> u16 {
    let days = asked.since(first) - 2 * window_days;
    u16::try_from(days / i32::from(YEAR_DAYS)).unwrap_or(0)
}

/// The kinds that features are made of, of the log's, in order of their names: activity, and the most widespread others.
pub(crate) fn described_kinds(histories: &Histories, config: &TrainConfig) -> Vec<String> {
    let activity = config.churn.activity.iter();
    let known = activity.filter(|kind| histories.kinds().contains(kind));
    let mut kinds: Vec<String> = known.cloned().collect();
    kinds.extend(other_kinds(histories, config));
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// The most widespread kinds beside activity, in order of their names.
fn other_kinds(histories: &Histories, config: &TrainConfig) -> Vec<String> {
    // One user in a hundred: rarer kinds are unknown of nearly all users.
    let widespread = (histories.len() as u64 / 100).max(LEAST_USERS);
    let totals = histories.totals().kinds().iter();
    let mut others: Vec<(u64, &String)> = totals
        .map(|total| total.users)
        .zip(histories.kinds())
        .filter(|(users, kind)| *users >= widespread && !config.churn.activity.contains(kind))
        .collect();
    others.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    others.truncate(config.model.kinds);
    // How widespread kinds are changes with every log, and the order of features must not.
    let mut names: Vec<String> = others.into_iter().map(|(_, kind)| kind.clone()).collect();
    names.sort_unstable();
    names
}

/// A note for each configured kind of activity, and of value, that the log lacks.
pub(crate) fn absent_kinds(kinds: &[String], config: &TrainConfig) -> Vec<String> {
    let of_value = config.value.iter().flat_map(|value| &value.kinds);
    let activity = config.churn.activity.iter().map(|kind| {
        let note = format!("The activity kind `{kind}` does not occur in the log.");
        (kind, note)
    });
    let of_value = of_value.map(|kind| {
        let note = format!(
            "The kind `{kind}` of value.kinds does not occur in the log: value is estimated from the others."
        );
        (kind, note)
    });
    activity
        .chain(of_value)
        .filter(|(kind, _)| !kinds.contains(kind))
        .map(|(_, note)| note)
        .collect()
}
