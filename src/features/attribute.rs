//! What is known of users beside events, as features.

use serde::{Deserialize, Serialize};

use super::FeatureError;
use crate::history::{AttributeKind, AttributeValue, AttributesView, Day, DayRecord};

/// The most categories of an attribute that have a feature each.
pub const LEVELS_LIMIT: usize = 64;

/// The name of the level of all categories without a feature.
pub(crate) const OTHER: &str = "other";

/// The name of the level of users whose category is not known, and of the flag of a number that is not.
pub(crate) const MISSING: &str = "missing";

/// An attribute that a model weighs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// The name.
    pub name: String,
    /// The categories with a feature each, sorted; absent for a number. All others are the level `other`, and users without
    /// one the level `missing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<Vec<String>>,
    /// Whether it is no column of a table but a signal of the log: the mean amount of the events of the kind of this name on the
    /// last day with one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub signal: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// What is known of a user's attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Seen {
    #[default]
    Missing,
    /// The position of a level; that of `other` is the one behind the last.
    Level(u16),
    Number(f64),
}

impl Attribute {
    /// What its values are.
    pub fn kind(&self) -> AttributeKind {
        match self.levels {
            Some(_) => AttributeKind::Category,
            None => AttributeKind::Number,
        }
    }

    /// The names of its levels: those of categories, then `other` and `missing`; none of a number.
    pub(crate) fn level_names(&self) -> impl Iterator<Item = &str> {
        let more = self.levels.iter().flat_map(|_| [OTHER, MISSING]);
        let levels = self.levels.iter().flatten();
        levels.map(String::as_str).chain(more)
    }

    /// What is known of a signal whose kind has this number in sorted records before the as-of day, and the day of it.
    pub(crate) fn signalled(records: &[DayRecord], kind: u16) -> Option<(Seen, Day)> {
        let last = records.iter().rev().find(|record| record.kind == kind)?;
        let mean = last.amount.value() / f64::from(last.count.max(1));
        Some((Seen::Number(mean), last.day))
    }

    /// The level of a category.
    fn level(&self, category: &str) -> Seen {
        let levels = self.levels.as_deref().unwrap_or_default();
        let found = levels.binary_search_by(|level| level.as_str().cmp(category));
        Seen::Level(found.unwrap_or(levels.len()) as u16)
    }

    /// What is known of it in attributes that end before the as-of day.
    pub(crate) fn seen(&self, known: AttributesView<'_>) -> Seen {
        match known.last(&self.name) {
            Some((column, AttributeValue::Category(category))) if self.levels.is_some() => column
                .categories
                .get(category as usize)
                .map_or(Seen::Missing, |category| self.level(category)),
            Some((_, AttributeValue::Number(number))) if self.levels.is_none() => {
                Seen::Number(number.value())
            }
            _ => Seen::Missing,
        }
    }

    pub(super) fn validate(attributes: &[Self]) -> Result<(), FeatureError> {
        for (
            position,
            Self {
                name,
                levels,
                signal,
            },
        ) in attributes.iter().enumerate()
        {
            let fault = |problem: String| {
                let name = name.clone();
                Err(FeatureError::Attribute { name, problem })
            };
            if name.is_empty() {
                return fault("has no name".to_owned());
            }
            let earlier = attributes.iter().take(position);
            if earlier.into_iter().any(|other| other.name == *name) {
                return fault("is there twice".to_owned());
            }
            let Some(levels) = levels else { continue };
            if *signal {
                return fault("is a signal, which has no levels".to_owned());
            }
            if levels.len() > LEVELS_LIMIT {
                let found = levels.len();
                return fault(format!("has {found} levels, more than {LEVELS_LIMIT}"));
            }
            if !levels.is_sorted_by(|a, b| a < b) {
                return fault("has levels that are not sorted, or twice".to_owned());
            }
            if levels.iter().any(|level| is_reserved(level)) {
                return fault(format!("has a level called {OTHER:?}, {MISSING:?} or \"\""));
            }
        }
        Ok(())
    }
}

/// Whether a category cannot have a feature of its own, for its name would be that of another one.
pub(crate) fn is_reserved(category: &str) -> bool {
    [OTHER, MISSING, ""].contains(&category)
}
