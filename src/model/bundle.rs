//! The content of `bundle.json`, as read and as checked.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::predict::plan::Plan;
use super::transform::Preprocessing;
use super::{Bands, ChurnModel, ConversionModel, Derived, ModelError, Segments, ValueModel};
use crate::features::{Catalogue, Extractor, FeatureSchema};
use crate::history::{Day, DayClock};
use crate::lifecycle::{Eligibility, Question, Thresholds};

/// The format of `bundle.json` that this build writes.
pub const FORMAT_VERSION: u64 = 6;

/// The oldest format that this build reads, with all after it. Bundles of format 3 load for ever: what later formats added
/// is absent in them, and has a default that changes no score.
pub const OLDEST_FORMAT_VERSION: u64 = 3;

/// The format that brought features of earlier years.
const SEASONS_FORMAT_VERSION: u64 = 4;

/// The format that brought the value of users.
const VALUE_FORMAT_VERSION: u64 = 5;

/// Where a bundle comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// No event at or after this day was seen.
    pub as_of: Day,
    /// The first and last day with an event.
    pub first_day: Day,
    /// See `first_day`.
    pub last_day: Day,
    /// The days at which users were described and labelled, oldest first.
    pub snapshots: Vec<Day>,
    /// Rows (user, snapshot) that the final models were fitted on.
    pub rows: u64,
    /// Users in the log before `as_of`.
    pub users: u64,
    /// SHA-256 of all histories before `as_of`.
    pub data_hash: String,
    /// Every kind of event in the log, with features of its own or not, in order of their names.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Seed of everything drawn at random.
    pub seed: u64,
    /// Version of the trainer.
    pub ebb_version: String,
}

/// The content of `bundle.json`, as read: not yet checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleSpec {
    /// See [`FORMAT_VERSION`].
    pub format_version: u64,
    /// What the catalogue of features is made from.
    pub schema: FeatureSchema,
    /// The catalogue's hash when the model was fitted.
    pub feature_hash: String,
    /// IANA name of the time zone whose days the histories count.
    pub timezone: String,
    /// Users without activity in this many days get no probability.
    pub active_within_days: u32,
    /// Days between the as-of day and the start of the horizon.
    pub lead_days: u32,
    /// The kind of event that is churn; `None` when churn is silence.
    pub churn_event: Option<String>,
    /// How a feature vector becomes standardised numbers.
    pub preprocessing: Preprocessing,
    /// One model for each horizon.
    pub models: Vec<ChurnModel>,
    /// The risk bands.
    pub bands: Bands,
    /// The segments.
    pub segments: Segments,
    /// The lifecycle thresholds.
    pub lifecycle: Thresholds,
    /// What users are worth; `None` where no value was configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ValueModel>,
    /// Whether potential users will convert; `None` where that was not configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion: Option<ConversionModel>,
    /// Where it comes from.
    pub training: Training,
}

impl BundleSpec {
    /// What the churn models are asked.
    pub fn question(&self) -> Question {
        Question::Churn {
            activity: self.schema.activity.clone(),
            churn_event: self.churn_event.clone(),
            active_within_days: self.active_within_days,
        }
    }
}

/// A checked model bundle, ready to score.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    spec: BundleSpec,
    catalogue: Catalogue,
    plan: Plan,
    question: Question,
    /// The model of conversion, as a bundle of its own.
    conversion: Option<Box<Bundle>>,
    version: String,
}

impl Bundle {
    /// Checks that every part fits the others and every number is finite. `version` is the short hash of the
    /// file that `spec` was read from or will be written to.
    pub fn new(spec: BundleSpec, version: String) -> Result<Self, ModelError> {
        let question = spec.question();
        Self::asking(spec, question, version)
    }

    fn asking(spec: BundleSpec, question: Question, version: String) -> Result<Self, ModelError> {
        let catalogue = Catalogue::new(spec.schema.clone())?;
        if catalogue.hash() != spec.feature_hash {
            return Err(ModelError::FeatureHash {
                expected: spec.feature_hash,
                found: catalogue.hash(),
            });
        }
        check_seasons(&spec)?;
        let derived = spec.preprocessing.derived(&catalogue);
        check_preprocessing(&spec.preprocessing, &catalogue, &derived)?;
        check_models(&spec)?;
        check_segments(&spec.segments, &catalogue)?;
        spec.bands.validate().map_err(inconsistent("bands"))?;
        spec.lifecycle
            .validate()
            .map_err(inconsistent("lifecycle"))?;
        check_value(&spec)?;
        let segments = &spec.segments.features;
        let segments = segments.iter().map(|name| catalogue.position_of(name));
        let segments = segments.collect::<Result<_, _>>()?;
        let plan = Plan::new(&spec, &question, &catalogue, segments);
        DayClock::new(&spec.timezone)?;
        let conversion = conversion(&spec, &version)?;
        Ok(Self {
            spec,
            catalogue,
            plan,
            question,
            conversion: conversion.map(Box::new),
            version,
        })
    }

    /// Everything in `bundle.json`.
    pub fn spec(&self) -> &BundleSpec {
        &self.spec
    }

    /// The features, in the order of a feature vector.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// What is derived from the features, in the order of the preprocessing's last columns.
    pub fn derived(&self) -> &[Derived] {
        &self.plan.derived
    }

    /// The first 12 hexadecimal digits of the SHA-256 of `bundle.json`: names this model and no other.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// An extractor for histories whose records refer to `kinds`.
    pub fn extractor(&self, kinds: &[String]) -> Extractor<'_> {
        Extractor::new(&self.catalogue, kinds)
    }

    /// Which users can be scored, for histories whose records refer to `kinds`.
    pub fn eligibility(&self, kinds: &[String]) -> Eligibility {
        Eligibility::new(kinds, &self.question)
    }

    /// What its models are asked: whether users leave, or, of the part for potential users, whether they convert.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// The part for potential users, as a bundle whose predictions are conversion; `None` without one.
    pub fn conversion(&self) -> Option<&Bundle> {
        self.conversion.as_deref()
    }

    /// What scoring looks up.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// What is wrong with the figures of a field.
fn inconsistent<E: Display>(field: impl Into<String>) -> impl FnOnce(E) -> ModelError {
    move |problem| ModelError::Inconsistent {
        field: field.into(),
        problem: problem.to_string(),
    }
}

/// The part for potential users, checked.
fn conversion(spec: &BundleSpec, version: &str) -> Result<Option<Bundle>, ModelError> {
    let Some(part) = &spec.conversion else {
        return Ok(None);
    };
    part.validate(spec).map_err(inconsistent("conversion"))?;
    let model = Bundle::asking((*part.model).clone(), part.question(), version.to_owned());
    model.map(Some).map_err(|error| match error {
        ModelError::Inconsistent { field, problem } => {
            inconsistent(format!("conversion.model.{field}"))(problem)
        }
        other => other,
    })
}

fn check_seasons(spec: &BundleSpec) -> Result<(), ModelError> {
    let schema = &spec.schema;
    if schema.seasonal_years == 0 {
        return Ok(());
    }
    if spec.format_version < SEASONS_FORMAT_VERSION {
        let problem = format!(
            "is {} in a bundle of format {}, which has no features of earlier years",
            schema.seasonal_years, spec.format_version
        );
        return Err(inconsistent("schema.seasonal_years")(problem));
    }
    // Else the features would describe another season than the one that is predicted.
    if schema.lead_days != spec.lead_days {
        let problem = format!("is {}, not {}", schema.lead_days, spec.lead_days);
        return Err(inconsistent("schema.lead_days")(problem));
    }
    Ok(())
}

fn check_value(spec: &BundleSpec) -> Result<(), ModelError> {
    if spec.value.is_some() == spec.schema.value_kinds.is_empty() {
        let problem =
            "must name the kinds of orders exactly where there is a value model".to_owned();
        return Err(inconsistent("schema.value_kinds")(problem));
    }
    let Some(value) = &spec.value else {
        return Ok(());
    };
    if spec.format_version < VALUE_FORMAT_VERSION {
        let problem = format!(
            "is there in a bundle of format {}, which has none",
            spec.format_version
        );
        return Err(inconsistent("value")(problem));
    }
    let columns = spec.preprocessing.columns.len();
    value.validate(columns).map_err(inconsistent("value"))
}

fn check_segments(segments: &Segments, catalogue: &Catalogue) -> Result<(), ModelError> {
    for (id, segment) in segments.items.iter().enumerate() {
        let legal = segment.validate(segments.features.len());
        legal.map_err(inconsistent(format!("segments.items[{id}]")))?;
    }
    segments.validate().map_err(inconsistent("segments"))?;
    for column in &segments.columns {
        let position = catalogue.position_of(&column.feature)?;
        let scale = catalogue.features()[position].scale;
        if column.scale != scale {
            let field = format!("segments.columns[{}]", column.feature);
            return Err(inconsistent(field)(format!("should be at scale {scale:?}")));
        }
    }
    Ok(())
}

fn check_preprocessing(
    preprocessing: &Preprocessing,
    catalogue: &Catalogue,
    derived: &[Derived],
) -> Result<(), ModelError> {
    if let Some(model) = &preprocessing.bg_nbd {
        let legal = model.validate();
        legal.map_err(inconsistent("preprocessing.bg_nbd"))?;
    }
    let (found, expected) = (preprocessing.columns.len(), catalogue.len() + derived.len());
    if found != expected {
        let problem = format!("has {found} entries for {expected} features and derived numbers");
        return Err(inconsistent("preprocessing.columns")(problem));
    }
    let features = catalogue.features().iter();
    let features = features.map(|f| (f.name.clone(), f.scale));
    let expected = features.chain(derived.iter().map(|d| (d.name(), d.scale())));
    for (column, (name, scale)) in preprocessing.columns.iter().zip(expected) {
        let field = format!("preprocessing.columns[{}]", column.feature);
        if column.feature != name || column.scale != scale {
            let problem = format!("should describe `{name}` at scale {scale:?}");
            return Err(inconsistent(field)(problem));
        }
        column.validate().map_err(inconsistent(field))?;
    }
    Ok(())
}

fn check_models(spec: &BundleSpec) -> Result<(), ModelError> {
    let expected = &spec.schema.horizon_days;
    let found: Vec<u16> = spec.models.iter().map(|m| m.horizon_days).collect();
    if found != *expected {
        let problem = format!("are for horizons {found:?}, not {expected:?}");
        return Err(inconsistent("models")(problem));
    }
    let columns = spec.preprocessing.columns.len();
    for model in &spec.models {
        let field = format!("models[{} days]", model.horizon_days);
        let expansion = model.expansion.validate(columns);
        expansion.map_err(inconsistent(format!("{field}.expansion")))?;
        model.validate(columns).map_err(inconsistent(field))?;
    }
    Ok(())
}
