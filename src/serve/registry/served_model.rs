use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use super::labels::Label;
use super::training_scores::TrainingScores;
use super::vocabulary::Vocabulary;
use crate::features::{Catalogue, Constraints, Feature, FeatureError, Scale};
use crate::history::DayClock;
use crate::lifecycle::Behaviour;
use crate::model::{Bundle, BundleSpec, ConversionModel, ModelError, Saved, load};
use crate::serve::errors::ServeError;

/// The longest name of a model, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// A model under its name, with everything that is looked up for each call: built once, never changed.
#[derive(Clone, Debug)]
pub struct ServedModel {
    name: String,
    folder: Option<PathBuf>,
    bundle: Bundle,
    card: String,
    loaded_at: SystemTime,
    training_scores: Option<TrainingScores>,
    clock: DayClock,
    /// The kinds that the model uses, sorted, so that inline records get the same order as a roll-up's.
    kinds: Vec<String>,
    vocabulary: Vocabulary,
    positions: HashMap<String, usize>,
    required: Vec<bool>,
    constraints: Constraints,
}

impl ServedModel {
    /// A model from its folder, under the folder's name.
    ///
    /// # Errors
    /// [`ServeError`] when the folder's name is not text, or when it holds no usable model.
    pub fn load(folder: &Path) -> Result<Self, ServeError> {
        let name = name_of(folder).ok_or_else(|| ServeError::Folder {
            path: folder.to_owned(),
            problem: "has no name that is text".into(),
        })?;
        Self::load_as(name, folder)
    }

    /// A model from its folder, under this name.
    pub(crate) fn load_as(name: String, folder: &Path) -> Result<Self, ServeError> {
        Ok(Self {
            folder: Some(folder.to_owned()),
            ..Self::new(name, load(folder)?)?
        })
    }

    /// A model that is already read, and has no folder to be read again from.
    ///
    /// # Errors
    /// [`ServeError`] when its time zone is unknown to this machine, or its features lack one of the lifecycle rules'.
    pub fn new(name: impl Into<String>, saved: Saved) -> Result<Self, ServeError> {
        let Saved { bundle, card } = saved;
        let clock = DayClock::new(&bundle.spec().timezone)?;
        let catalogue = bundle.catalogue();
        let of_conversion = bundle.spec().conversion.as_ref();
        // The churn event, the kinds of potential users and the kinds that make orders need not have features of their own, and must be distinguished from
        // other kinds all the same.
        let mut kinds: Vec<String> = catalogue
            .kinds()
            .iter()
            .chain(&bundle.spec().churn_event)
            .chain(&catalogue.schema().value_kinds)
            .chain(catalogue.schema().signal_kinds())
            .chain(of_conversion.into_iter().flat_map(ConversionModel::kinds))
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
            name: name.into(),
            folder: None,
            loaded_at: SystemTime::now(),
            training_scores: TrainingScores::of_card(&card),
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

    /// The name that calls use: that of the model's folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder that the model was read from; `None` for a model from elsewhere.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The version, 12 hexadecimal digits.
    pub fn version(&self) -> &str {
        self.bundle.version()
    }

    /// The bundle's content.
    pub fn spec(&self) -> &BundleSpec {
        self.bundle.spec()
    }

    /// The model card, a JSON object.
    pub fn card(&self) -> &str {
        &self.card
    }

    /// When the model was read.
    pub(crate) fn loaded_at(&self) -> SystemTime {
        self.loaded_at
    }

    /// The probabilities that it gave when it was tested; `None` when its card has none.
    pub(crate) fn training_scores(&self) -> Option<&TrainingScores> {
        self.training_scores.as_ref()
    }

    /// The features, in the order of vectors.
    pub(crate) fn catalogue(&self) -> &Catalogue {
        self.bundle.catalogue()
    }

    /// A clock of the model's time zone.
    pub(crate) fn clock(&self) -> DayClock {
        self.clock.clone()
    }

    /// The kinds that inline records are numbered by.
    pub(crate) fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// The number of a kind in an inline record; `None` for a kind that the model does not use.
    pub(crate) fn kind(&self, name: &str) -> Option<u16> {
        let position = self.kinds.binary_search_by(|kind| kind.as_str().cmp(name));
        position.ok().map(|position| position as u16)
    }

    /// The number of all kinds that the model does not use: one past the last that it uses.
    pub(crate) fn other_kind(&self) -> u16 {
        self.kinds.len() as u16
    }

    /// Every kind of the log that the model was fitted on.
    pub(crate) fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// A feature's position by name; the error names the most similar one.
    pub(crate) fn position(&self, name: &str) -> Result<usize, FeatureError> {
        match self.positions.get(name) {
            Some(position) => Ok(*position),
            None => self.catalogue().position_of(name),
        }
    }

    /// The feature at `position`, which must be one of the catalogue's.
    pub(crate) fn feature(&self, position: usize) -> &Feature {
        &self.catalogue().features()[position]
    }

    /// Whether a finite value is one that the feature at `position` can have.
    pub(crate) fn allows(&self, position: usize, value: f64) -> bool {
        value >= 0.0 || self.feature(position).scale != Scale::Log
    }

    /// What holds for every vector that a history gives.
    pub(crate) fn constraints(&self) -> &Constraints {
        &self.constraints
    }

    /// Whether every subject must have the feature at `position`.
    pub(crate) fn requires(&self, position: usize) -> bool {
        self.required[position]
    }
}

/// The name of a folder's model: the folder's own; `None` when that is not text.
pub(crate) fn name_of(folder: &Path) -> Option<String> {
    let given = folder.file_name().map(ToOwned::to_owned);
    // A path such as `.` has no last part of its own.
    let resolved = || Some(folder.canonicalize().ok()?.file_name()?.to_owned());
    given.or_else(resolved)?.into_string().ok()
}

/// The folder that a name stands for: directly below the models' folder and nowhere else. `None` for a name that is none of a
/// model.
pub(crate) fn folder_below(models: &Path, name: &str) -> Option<PathBuf> {
    let mut parts = Path::new(name).components();
    let is_plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
    // Hidden folders are other programs'. Control characters would confuse readers of the log. A model with the name of a
    // label could never be selected.
    let is_name = is_plain
        && !name.starts_with('.')
        && name.len() <= MAX_NAME_BYTES
        && !name.contains(char::is_control)
        && Label::from_name(name).is_none();
    is_name.then(|| models.join(name))
}

/// Which features the lifecycle rules cannot do without: each error names one more, until there is none.
fn required(bundle: &Bundle) -> Result<Vec<bool>, ModelError> {
    let catalogue = bundle.catalogue();
    let mut vector = vec![f64::NAN; catalogue.len()];
    for _ in 0..catalogue.len() {
        let Err(name) = Behaviour::of(catalogue, &vector) else {
            break;
        };
        vector[catalogue.position_of(&name)?] = 0.0;
    }
    Ok(vector.iter().map(|value| !value.is_nan()).collect())
}
