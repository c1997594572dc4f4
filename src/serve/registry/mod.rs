//! The models that are loaded, and what each is for.
//!
//! [`Shelf`] is the plain data and its rules; [`Models`] guards it and does the reading of folders. A call takes its
//! model once and keeps it to its end, so that exchanging models never mixes two of them in one answer.

pub(crate) mod served;
pub(crate) mod shadow;
pub(crate) mod shelf;
#[cfg(test)]
mod tests;

pub(crate) use shadow::Comparison;
pub(crate) use shelf::{Entry, Shelf, State};

use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::errors::{CallError, ServeError};
use super::registry::served::Served;
use super::telemetry::metrics::{Metrics, Swap};
use shadow::Tally;

/// A label's meaning is in `ModelLabel` of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// Answers whoever names no model.
    Stable,
    /// Answers whoever asks for it.
    Canary,
    /// Is compared with the stable one.
    Shadow,
}

impl Label {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stable, Self::Canary, Self::Shadow];

    /// The label's name in requests and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
            Self::Shadow => "shadow",
        }
    }
}

/// A model with the name that it goes by.
#[derive(Debug)]
pub struct Loaded {
    /// The name of its folder.
    pub name: String,
    /// The folder, to read it again; `None` for a model that came from elsewhere.
    pub folder: Option<PathBuf>,
    /// The model.
    pub served: Served,
}

impl Loaded {
    /// A model from its directory, named after it.
    pub fn load(folder: &Path) -> Result<Self, ServeError> {
        let name = folder
            .canonicalize()
            .ok()
            .and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
        let own = folder
            .file_name()
            .and_then(|name| name.to_str())
            .map(str::to_owned);
        let fault = || ServeError::Folder {
            path: folder.to_owned(),
            problem: "has no name that is text".into(),
        };
        let name = own.or(name).ok_or_else(fault)?;
        Ok(Self {
            name,
            folder: Some(folder.to_owned()),
            served: Served::load(folder)?,
        })
    }
}

/// The longest name of a model.
const NAME_BYTES_MAX: usize = 128;

/// All models of a server.
pub(crate) struct Models {
    shelf: RwLock<Shelf>,
    tally: Mutex<Tally>,
    /// The folder below which models may be loaded from.
    folder: Option<PathBuf>,
    /// Reading is heavy: one at a time.
    reading: tokio::sync::Mutex<()>,
    metrics: Arc<Metrics>,
}

impl Models {
    /// No models yet. `salt` tells this run's etags from another's.
    pub(crate) fn new(
        folder: Option<PathBuf>,
        most: usize,
        salt: u32,
        metrics: Arc<Metrics>,
    ) -> Self {
        let shelf = RwLock::new(Shelf::new(most, salt));
        Self {
            shelf,
            tally: Mutex::default(),
            folder,
            reading: tokio::sync::Mutex::new(()),
            metrics,
        }
    }

    /// The models and labels as they are now.
    pub(crate) fn shelf(&self) -> RwLockReadGuard<'_, Shelf> {
        // Every change of the shelf is complete before anything in it could panic.
        self.shelf.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelf_mut(&self) -> RwLockWriteGuard<'_, Shelf> {
        self.shelf.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model to ask: a label's, or one by name; the stable one when the name is empty.
    pub(crate) fn select(&self, name: &str) -> Result<Arc<Loaded>, CallError> {
        self.shelf().select(name)
    }

    /// Whether the order of features has changed, since the server started, under the name that a call asks by: a matrix that
    /// does not say which order it is in may be in another one.
    pub(crate) fn has_changed_features(&self, name: &str) -> bool {
        self.shelf().has_changed_features(name)
    }

    /// Puts the models in place that the server starts with.
    pub(crate) fn install(&self, models: Vec<(Arc<Loaded>, Vec<Label>)>) {
        let mut shelf = self.shelf_mut();
        for (model, labels) in models {
            let name = model.name.clone();
            shelf.put(model);
            for label in labels {
                shelf.set_label(label, Some(name.clone()));
            }
        }
        self.tally().follow(&shelf);
    }

    /// Loads a model from the folder of that name, or only proves that it could be loaded.
    /// `tell` looks at what came of it before anything else can change.
    pub(crate) async fn load<T>(
        &self,
        name: &str,
        validate_only: bool,
        tell: impl FnOnce(&Shelf) -> T,
    ) -> Result<(Arc<Loaded>, T), CallError> {
        let folder = self.folder_of(name)?;
        let _one_at_a_time = self.reading.lock().await;
        if !folder.exists() {
            return Err(CallError::unknown_model("model folder", name));
        }
        if validate_only {
            let model = read(folder)
                .await
                .map_err(|problem| refused(name, problem))?;
            return Ok((Arc::new(model), tell(&self.shelf())));
        }
        self.shelf_mut().begin(name)?;
        let outcome = read(folder).await.map(Arc::new);
        let mut shelf = self.shelf_mut();
        match outcome {
            Ok(model) => {
                let in_use = shelf.labels().of(name).next().is_some();
                shelf.put(Arc::clone(&model));
                self.tally().follow(&shelf);
                let told = tell(&shelf);
                drop(shelf);
                if in_use {
                    self.metrics.swapped(Swap::Done);
                }
                tracing::info!(
                    model = name,
                    version = model.served.bundle().version(),
                    "model loaded"
                );
                Ok((model, told))
            }
            Err(problem) => {
                shelf.fail(name, problem.clone());
                drop(shelf);
                self.metrics.swapped(Swap::Refused);
                tracing::warn!(model = name, reason = problem, "model refused");
                Err(refused(name, problem))
            }
        }
    }

    /// Reads the folders of all models with a label again. What fails is served on as it was.
    pub(crate) async fn reload(&self) {
        let _one_at_a_time = self.reading.lock().await;
        let labelled: Vec<Arc<Loaded>> = self.shelf().labelled();
        for old in labelled {
            let Some(folder) = old.folder.clone() else {
                continue;
            };
            let outcome = read(folder).await;
            let problem = outcome.as_ref().err().cloned();
            let mut shelf = self.shelf_mut();
            let renewed = shelf.renew(&old, outcome);
            self.tally().follow(&shelf);
            let version = shelf
                .entries()
                .get(&old.name)
                .and_then(|entry| entry.model.as_ref());
            let version = version
                .map(|model| model.served.bundle().version().to_owned())
                .unwrap_or_default();
            drop(shelf);
            if renewed {
                self.metrics.swapped(Swap::Done);
                tracing::info!(model = old.name, version, "model loaded again");
            }
            if let Some(reason) = problem {
                self.metrics.swapped(Swap::Refused);
                tracing::warn!(
                    model = old.name,
                    reason,
                    "model refused; the one in use serves on"
                );
            }
        }
    }

    /// Gives a label to a model, or takes it away. `tell` looks at what came of it before anything else can change.
    pub(crate) fn activate<T>(
        &self,
        label: Label,
        name: &str,
        etag: &str,
        tell: impl FnOnce(&Shelf) -> T,
    ) -> Result<T, CallError> {
        let mut shelf = self.shelf_mut();
        let outcome = shelf.activate(label, name, etag).map(|()| tell(&shelf));
        self.tally().follow(&shelf);
        drop(shelf);
        self.metrics.swapped(if outcome.is_ok() {
            Swap::Done
        } else {
            Swap::Refused
        });
        if outcome.is_ok() {
            tracing::info!(label = label.name(), model = name, "label given");
        }
        outcome
    }

    /// Forgets a model without labels, once the calls that it began are finished.
    pub(crate) fn unload(self: &Arc<Self>, name: &str, etag: &str) -> Result<String, CallError> {
        let mut shelf = self.shelf_mut();
        let last = shelf.unload(name, etag)?;
        let etag = shelf.etag();
        drop(shelf);
        tracing::info!(model = name, "model unloading");
        let (models, name) = (Arc::clone(self), name.to_owned());
        tokio::spawn(async move {
            while last
                .as_ref()
                .is_some_and(|last| Arc::strong_count(last) > 1)
            {
                tokio::time::sleep(FINISHED_CHECK).await;
            }
            models.shelf_mut().forget(&name);
        });
        Ok(etag)
    }

    /// The folder that a name stands for: directly below the models' folder and nowhere else.
    fn folder_of(&self, name: &str) -> Result<PathBuf, CallError> {
        let mut parts = Path::new(name).components();
        let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
        let label = Label::ALL.iter().any(|label| label.name() == name);
        if !plain
            || name.starts_with('.')
            || name.len() > NAME_BYTES_MAX
            || name.contains(char::is_control)
            || label
        {
            let problem =
                "must be the name of a folder below the server's model folder, and no label";
            return Err(CallError::field("name", problem));
        }
        let fixed = || {
            CallError::ModelsFixed(
                "this server was started without --models and loads no others".into(),
            )
        };
        Ok(self.folder.as_ref().ok_or_else(fixed)?.join(name))
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shadow's comparison so far; `None` without a shadow.
    pub(crate) fn comparison(&self) -> Option<Comparison> {
        self.tally().comparison()
    }

    /// Adds to the comparison of these two models, unless others are compared by now.
    pub(crate) fn compare(
        &self,
        stable: &Arc<Loaded>,
        shadow: &Arc<Loaded>,
        add: impl FnOnce(&mut Comparison),
    ) {
        if let Some(comparison) = self.tally().of_pair(stable, shadow) {
            add(comparison);
        }
    }
}

/// How often it is looked whether an unloaded model's calls are finished.
const FINISHED_CHECK: std::time::Duration = std::time::Duration::from_millis(20);

/// Reads and proves a folder on a thread of its own. The error is for people.
async fn read(folder: PathBuf) -> Result<Loaded, String> {
    let job = tokio::task::spawn_blocking(move || {
        Loaded::load(&folder).map_err(|error| error.to_string())
    });
    job.await
        .unwrap_or_else(|_| Err("reading it crashed".into()))
}

fn refused(name: &str, problem: String) -> CallError {
    CallError::Refused {
        name: name.to_owned(),
        problem,
    }
}
