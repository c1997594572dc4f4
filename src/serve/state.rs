use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use super::errors::{CallError, ServeError};
use crate::features::{FeatureError, Scale};
use crate::history::{Day, DayClock, Histories, HistoriesBuilder, Users, read_rollup};
use crate::lifecycle::Behaviour;
use crate::model::{Bundle, ModelError, Saved, load};

/// The users that can be scored by id.
#[derive(Clone, Debug)]
pub struct KnownUsers {
    histories: Histories,
    as_of: Option<Day>,
}

impl KnownUsers {
    /// The users of these histories.
    pub fn new(histories: Histories) -> Self {
        let as_of = histories.span().map(|(_, last)| last.plus(1));
        Self { histories, as_of }
    }

    /// Their histories.
    pub fn histories(&self) -> &Histories {
        &self.histories
    }

    /// The day after the last event, the as-of day of a question that gives none; `None` when there are no events.
    pub fn as_of(&self) -> Option<Day> {
        self.as_of
    }
}

/// A model together with everything that is looked up for each call: built once, never changed.
#[derive(Clone, Debug)]
pub struct Served {
    bundle: Bundle,
    card: String,
    users: Option<KnownUsers>,
    clock: DayClock,
    /// The kinds that the model reads, sorted, so that inline records get the same order as a roll-up's.
    kinds: Vec<String>,
    positions: HashMap<String, usize>,
    required: Vec<bool>,
}

impl Served {
    /// A model from its directory, and known users from a roll-up.
    pub fn load(model: &Path, rollup: Option<&Path>) -> Result<Self, ServeError> {
        let saved = load(model)?;
        let users = rollup.map(|path| -> Result<_, ServeError> {
            let mut builder = HistoriesBuilder::default();
            read_rollup(path, None, Users::All, &mut builder)?;
            Ok(KnownUsers::new(builder.finish()?))
        });
        Self::new(saved, users.transpose()?)
    }

    /// A loaded model and known users.
    pub fn new(saved: Saved, users: Option<KnownUsers>) -> Result<Self, ServeError> {
        let Saved { bundle, card } = saved;
        let clock = DayClock::new(&bundle.spec().timezone)?;
        let catalogue = bundle.catalogue();
        // The event that is churn need not have features of its own, and must be told from the others all the same.
        let mut kinds: Vec<String> = catalogue.kinds().iter().chain(&bundle.spec().churn_event).cloned().collect();
        kinds.sort_unstable();
        kinds.dedup();
        let features = catalogue.features().iter().enumerate();
        let positions = features.map(|(position, feature)| (feature.name.clone(), position)).collect();
        let required = required(&bundle)?;
        Ok(Self { card, users, clock, kinds, positions, required, bundle })
    }

    /// The model.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The model card, a JSON object.
    pub fn card(&self) -> &str {
        &self.card
    }

    /// The users that can be scored by id; `None` without a roll-up.
    pub fn users(&self) -> Option<&KnownUsers> {
        self.users.as_ref()
    }

    /// A clock of the model's time zone.
    pub(super) fn clock(&self) -> DayClock {
        self.clock.clone()
    }

    /// The kinds that inline records are numbered by.
    pub(super) fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// The number of a kind in an inline record; one past the last for every kind that the model does not know.
    pub(super) fn kind(&self, name: &str) -> u16 {
        let position = self.kinds.binary_search_by(|kind| kind.as_str().cmp(name));
        position.unwrap_or(self.kinds.len()) as u16
    }

    /// A feature's position by name; the error names the most similar one.
    pub(super) fn position(&self, name: &str) -> Result<usize, FeatureError> {
        match self.positions.get(name) {
            Some(position) => Ok(*position),
            None => self.bundle.catalogue().position_of(name),
        }
    }

    /// Whether a finite value is one that the feature at `position` can have.
    pub(super) fn allows(&self, position: usize, value: f64) -> bool {
        value >= 0.0 || self.bundle.catalogue().features().get(position).is_none_or(|f| f.scale != Scale::Log)
    }

    /// Whether every subject must have the feature at `position`.
    pub(super) fn requires(&self, position: usize) -> bool {
        self.required.get(position).copied().unwrap_or(false)
    }
}

/// Which features the lifecycle rules cannot do without, found by asking them until they are content.
fn required(bundle: &Bundle) -> Result<Vec<bool>, ModelError> {
    let catalogue = bundle.catalogue();
    let mut vector = vec![f64::NAN; catalogue.len()];
    for _ in 0..catalogue.len() {
        let Err(name) = Behaviour::of(catalogue, &vector) else { break };
        if let Some(slot) = vector.get_mut(catalogue.position_of(&name)?) {
            *slot = 0.0;
        }
    }
    Ok(vector.iter().map(|value| !value.is_nan()).collect())
}

/// Holds the model in use. A call takes it once and keeps it to its end, so that exchanging the model never mixes
/// two of them in one answer.
#[derive(Debug, Default)]
pub(super) struct ModelSlot {
    current: RwLock<Option<Arc<Served>>>,
}

impl ModelSlot {
    /// The model in use.
    pub(super) fn current(&self) -> Result<Arc<Served>, CallError> {
        // The lock only ever guards a pointer, which a panic cannot leave half written.
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone().ok_or(CallError::NotReady)
    }

    /// Puts a model in use.
    pub(super) fn install(&self, served: Arc<Served>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(served);
    }
}
