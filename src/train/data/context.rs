//! What a fit is given, and what every step of it needs.

use super::labels::Labeller;
use super::schema::labelled_schema;
use super::snapshots::Observed;
use crate::features::{Catalogue, FeatureSchema};
use crate::history::{Coverage, Day, Histories};
use crate::lifecycle::Question;
use crate::model::BundleSpec;
use crate::phases::{Phase, Phases, Unit};
use crate::train::TrainError;
use crate::train::settings::TrainConfig;

/// What a fit works on.
#[derive(Clone, Copy, Debug)]
pub struct FitInput<'a> {
    /// All users' histories, nothing at or after `as_of` in them.
    pub histories: &'a Histories,
    /// What the log covers.
    pub coverage: &'a Coverage,
    /// The configuration.
    pub config: &'a TrainConfig,
    /// No event at or after this day is used.
    pub as_of: Day,
    /// Whether to fit the random forest beside the model.
    pub random_forest: bool,
    /// The bundle before, whose segments keep their keys and whose tiers of value are kept.
    pub previous: Option<&'a BundleSpec>,
    /// The data-quality report, for the card.
    pub data_quality: &'a serde_json::Value,
    /// Where it is seen how far the fit has come.
    pub phases: Phases<'a>,
}

/// The log, its configuration, and what both imply for every horizon: the features and the labels.
#[derive(Clone, Debug)]
pub(crate) struct TrainContext<'a> {
    pub(crate) histories: &'a Histories,
    pub(crate) config: &'a TrainConfig,
    pub(crate) as_of: Day,
    pub(crate) random_forest: bool,
    /// The bundle before.
    pub(crate) previous: Option<&'a BundleSpec>,
    /// The features that churn models weigh: those of the bundle without those of orders.
    pub(crate) catalogue: Catalogue,
    /// The features of the bundle.
    pub(crate) bundle_catalogue: Catalogue,
    /// Who is asked about, and what is predicted of them.
    pub(crate) question: Question,
    pub(crate) labeller: Labeller,
    /// The days on which activity would have been seen.
    pub(crate) observed: Observed,
    pub(crate) phases: Phases<'a>,
}

impl<'a> TrainContext<'a> {
    /// The context of a log whose first event is on `first_day`.
    ///
    /// # Errors
    /// Those of [`labelled_schema`].
    pub(crate) fn new(input: &FitInput<'a>, first_day: Day) -> Result<Self, TrainError> {
        Self::asking(input, first_day, Question::from(&input.config.churn))
    }

    /// The context of any question. The configuration's `churn` table describes it too: its activity, horizons and lead.
    ///
    /// # Errors
    /// Those of [`labelled_schema`].
    pub(crate) fn asking(
        input: &FitInput<'a>,
        first_day: Day,
        question: Question,
    ) -> Result<Self, TrainError> {
        let observed = Observed::new(first_day, input.coverage, input.as_of);
        let labeller = Labeller::asking(
            &question,
            input.config.churn.lead_days,
            input.histories.kinds(),
            observed.clone(),
        );
        let schema = labelled_schema(input.histories, input.config, &observed, &labeller)?;
        let catalogue = Catalogue::new(FeatureSchema {
            value_kinds: Vec::new(),
            ..schema.clone()
        })?;
        Ok(Self {
            histories: input.histories,
            config: input.config,
            as_of: input.as_of,
            random_forest: input.random_forest,
            previous: input.previous,
            catalogue,
            bundle_catalogue: Catalogue::new(schema)?,
            question,
            labeller,
            observed,
            phases: input.phases,
        })
    }

    /// Begins a phase of so many steps of a horizon's computation.
    pub(crate) fn steps(&self, what: &str, horizon_days: u16, steps: u64) -> Phase<'a> {
        let name = format!("{what}, {horizon_days} days");
        self.phases.begin(name, steps, Unit::Steps)
    }

    /// The context of a bundle's features under the configuration of its fit, on what was observed. The rows are scored by the
    /// bundle, so they have all of its features.
    pub(crate) fn of_bundle(
        histories: &'a Histories,
        config: &'a TrainConfig,
        catalogue: Catalogue,
        observed: Observed,
        phases: Phases<'a>,
    ) -> Self {
        let labeller = Labeller::new(&config.churn, histories.kinds(), observed.clone());
        Self {
            histories,
            config,
            as_of: observed.until,
            random_forest: false,
            previous: None,
            bundle_catalogue: catalogue.clone(),
            catalogue,
            question: Question::from(&config.churn),
            labeller,
            observed,
            phases,
        }
    }

    /// Whether churn is silence, and not an event.
    pub(crate) fn churn_is_silence(&self) -> bool {
        self.question.is_silence()
    }
}
