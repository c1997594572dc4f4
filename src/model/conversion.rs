//! The model of conversion: whether a potential user will do something for the first time.

use serde::{Deserialize, Serialize};

use super::BundleSpec;
use crate::lifecycle::Question;

/// The part of a bundle that answers for potential users: a question of its own, and a model of the same kind as that of churn,
/// with features, preprocessing and calibration of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversionModel {
    /// The kinds of events of which any is conversion.
    pub event: Vec<String>,
    /// Whether people are asked about, too, whose last conversion is longer ago than the model's `active_within_days`.
    pub repeat: bool,
    /// The model: its activity are the kinds of events that make a potential user known, its horizons those of conversion. It has
    /// neither segments, nor a value model, nor a conversion model.
    pub model: Box<BundleSpec>,
}

impl ConversionModel {
    /// What is asked of potential users.
    pub fn question(&self) -> Question {
        Question::Conversion {
            signs: self.model.schema.activity.clone(),
            events: self.event.clone(),
            within_days: self.model.active_within_days,
            repeat: self.repeat,
        }
    }

    /// The kinds that features and answers are made of: those that make a potential user known, signals, and the events.
    pub fn kinds(&self) -> impl Iterator<Item = &String> {
        let schema = &self.model.schema;
        let described = schema.activity.iter().chain(&schema.other_kinds);
        described.chain(schema.signal_kinds()).chain(&self.event)
    }

    /// What is wrong with it beside the bundle `of_churn` whose part it is; the figures of the model are checked as those of any.
    pub(crate) fn validate(&self, of_churn: &BundleSpec) -> Result<(), String> {
        let model = &self.model;
        if self.event.is_empty() {
            return Err("names no event".to_owned());
        }
        if model.conversion.is_some() || model.value.is_some() {
            return Err("has a part of its own for value or conversion".to_owned());
        }
        if !model.segments.items.is_empty() {
            return Err("has segments".to_owned());
        }
        if model.timezone != of_churn.timezone || model.lead_days != of_churn.lead_days {
            return Err("has another time zone or lead than the bundle".to_owned());
        }
        Ok(())
    }
}
