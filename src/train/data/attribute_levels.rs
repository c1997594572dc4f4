//! Which attributes a model weighs, and which of their categories have a feature each.

use std::collections::{BTreeMap, BTreeSet};

use super::labels::Labeller;
use super::snapshots::{Observed, Schedule};
use crate::configuration::SettingError;
use crate::features::{Attribute, LEVELS_LIMIT, is_reserved_level};
use crate::history::{AttributeColumn, AttributeKind, AttributeValue, Block, Day, Histories};
use crate::train::TrainError;
use crate::train::settings::TrainConfig;

/// The fewest users of a category with a feature of its own, whatever may be published about fewer.
const LEAST_USERS: u64 = 50;

/// The attributes of a log, with the categories that enough users of the training rows have. Empty where no attributes were
/// joined.
///
/// # Errors
/// Those of the schedule of the shortest horizon.
pub(crate) fn attributes(
    histories: &Histories,
    config: &TrainConfig,
    (observed, labeller): (&Observed, &Labeller),
    horizon_days: u16,
) -> Result<Vec<Attribute>, TrainError> {
    let mut signals = signals(histories, config)?;
    let columns = histories.attribute_columns();
    if columns.is_empty() {
        return Ok(signals);
    }
    let users = users_of(histories, config, (observed, labeller), horizon_days)?;
    let least = LEAST_USERS.max(config.privacy.min_users as u64);
    let attribute = |(position, column): (u16, &AttributeColumn)| Attribute {
        name: column.name.clone(),
        levels: match column.kind {
            AttributeKind::Category => Some(levels(position, column, &users, least)),
            AttributeKind::Number => None,
        },
        signal: false,
    };
    let mut all: Vec<Attribute> = (0..).zip(columns).map(attribute).collect();
    all.append(&mut signals);
    Ok(all)
}

/// The signals of the configuration, in order of their names.
fn signals(histories: &Histories, config: &TrainConfig) -> Result<Vec<Attribute>, TrainError> {
    let mut names = config.model.signals.clone();
    names.sort_unstable();
    names.dedup();
    let kinds = histories.kinds();
    if let Some(name) = names.iter().find(|name| !kinds.contains(name)) {
        let problem = format!(
            "model.signals names `{name}`, and the log has no event of that kind; it has {}",
            kinds.join(", ")
        );
        return Err(SettingError::new("model", "signals", problem).into());
    }
    let signal = |name| Attribute {
        name,
        levels: None,
        signal: true,
    };
    Ok(names.into_iter().map(signal).collect())
}

/// Users of the training rows with each category, by column and category.
type Users = BTreeMap<(u16, u32), u64>;

/// The categories of a column that enough users have, the most frequent ones where there are too many; sorted by name.
fn levels(position: u16, column: &AttributeColumn, users: &Users, least: u64) -> Vec<String> {
    let mut frequent: Vec<(u64, &String)> = (0..)
        .zip(&column.categories)
        .filter(|(_, name)| !is_reserved_level(name))
        .filter_map(|(category, name)| Some((*users.get(&(position, category))?, name)))
        .filter(|(users, _)| *users >= least)
        .collect();
    frequent.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    frequent.truncate(LEVELS_LIMIT);
    let mut names: Vec<String> = frequent.into_iter().map(|(_, name)| name.clone()).collect();
    names.sort_unstable();
    names
}

/// Counts the users with a row of the shortest horizon by the categories that they have in one.
fn users_of(
    histories: &Histories,
    config: &TrainConfig,
    (observed, labeller): (&Observed, &Labeller),
    horizon_days: u16,
) -> Result<Users, TrainError> {
    let schedule = Schedule::of_config(observed, observed.until, config, horizon_days)?;
    let dates = schedule.dates();
    let columns = histories.attribute_columns();
    let count = |block: &Block| {
        let mut users = Users::new();
        for (_, _, history) in block.iter() {
            let labelled = |date: &&Day| labeller.label(history, **date, horizon_days).is_ok();
            let mut own = BTreeSet::new();
            for date in dates.iter().filter(labelled) {
                let known = history.before(*date).attributes();
                for (position, column) in (0..).zip(columns) {
                    if let Some((_, AttributeValue::Category(category))) = known.last(&column.name)
                    {
                        own.insert((position, category));
                    }
                }
            }
            own.into_iter()
                .for_each(|key| *users.entry(key).or_default() += 1);
        }
        users
    };
    let mut all = Users::new();
    for part in histories.map_blocks(count)? {
        for (key, users) in part {
            *all.entry(key).or_default() += users;
        }
    }
    Ok(all)
}
