use std::collections::HashMap;
use std::path::Path;

use crate::features::{Constraints, FeatureError, Scale};
use crate::history::DayClock;
use crate::lifecycle::Behaviour;
use crate::model::{Bundle, ModelError, Saved, load};
use crate::serve::convert::vocabulary::Vocabulary;
use crate::serve::errors::ServeError;

/// A model together with everything that is looked up for each call: built once, never changed.
#[derive(Clone, Debug)]
pub struct Served {
    bundle: Bundle,
    card: String,
    clock: DayClock,
    /// The kinds that the model reads, sorted, so that inline records get the same order as a roll-up's.
    kinds: Vec<String>,
    vocabulary: Vocabulary,
    positions: HashMap<String, usize>,
    required: Vec<bool>,
    constraints: Constraints,
}

impl Served {
    /// A model from its directory.
    pub fn load(model: &Path) -> Result<Self, ServeError> {
        Self::new(load(model)?)
    }

    /// A loaded model.
    pub fn new(saved: Saved) -> Result<Self, ServeError> {
        let Saved { bundle, card } = saved;
        let clock = DayClock::new(&bundle.spec().timezone)?;
        let catalogue = bundle.catalogue();
        // The event that is churn need not have features of its own, and must be told from the others all the same.
        let mut kinds: Vec<String> = catalogue
            .kinds()
            .iter()
            .chain(&bundle.spec().churn_event)
            .cloned()
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        let vocabulary = Vocabulary::new(kinds.iter().chain(&bundle.spec().training.kinds));
        let features = catalogue.features().iter().enumerate();
        let positions = features
            .map(|(position, feature)| (feature.name.clone(), position))
            .collect();
        let (required, constraints) = (required(&bundle)?, Constraints::new(catalogue));
        Ok(Self {
            card,
            clock,
            kinds,
            vocabulary,
            positions,
            required,
            constraints,
            bundle,
        })
    }

    /// The model.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The model card, a JSON object.
    pub fn card(&self) -> &str {
        &self.card
    }

    /// A clock of the model's time zone.
    pub(crate) fn clock(&self) -> DayClock {
        self.clock.clone()
    }

    /// The kinds that inline records are numbered by.
    pub(crate) fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// The number of a kind in an inline record; one past the last for every kind that the model does not know.
    pub(crate) fn kind(&self, name: &str) -> u16 {
        let position = self.kinds.binary_search_by(|kind| kind.as_str().cmp(name));
        position.unwrap_or(self.kinds.len()) as u16
    }

    /// Every kind of the log that the model was fitted on.
    pub(crate) fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// A feature's position by name; the error names the most similar one.
    pub(crate) fn position(&self, name: &str) -> Result<usize, FeatureError> {
        match self.positions.get(name) {
            Some(position) => Ok(*position),
            None => self.bundle.catalogue().position_of(name),
        }
    }

    /// The name of the feature at `position`.
    pub(crate) fn name(&self, position: usize) -> &str {
        self.bundle
            .catalogue()
            .features()
            .get(position)
            .map_or("", |feature| feature.name.as_str())
    }

    /// Whether a finite value is one that the feature at `position` can have.
    pub(crate) fn allows(&self, position: usize, value: f64) -> bool {
        value >= 0.0
            || self
                .bundle
                .catalogue()
                .features()
                .get(position)
                .is_none_or(|f| f.scale != Scale::Log)
    }

    /// What holds of every vector that a history gives.
    pub(crate) fn constraints(&self) -> &Constraints {
        &self.constraints
    }

    /// Whether every subject must have the feature at `position`.
    pub(crate) fn requires(&self, position: usize) -> bool {
        self.required.get(position).copied().unwrap_or(false)
    }
}

/// Which features the lifecycle rules cannot do without, found by asking them until they are content.
fn required(bundle: &Bundle) -> Result<Vec<bool>, ModelError> {
    let catalogue = bundle.catalogue();
    let mut vector = vec![f64::NAN; catalogue.len()];
    for _ in 0..catalogue.len() {
        let Err(name) = Behaviour::of(catalogue, &vector) else {
            break;
        };
        if let Some(slot) = vector.get_mut(catalogue.position_of(&name)?) {
            *slot = 0.0;
        }
    }
    Ok(vector.iter().map(|value| !value.is_nan()).collect())
}
