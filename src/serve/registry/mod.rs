//! What the server has loaded: models with their labels, the shadow's statistics, and the users of a roll-up.
//!
//! [`ModelTable`] is plain data and its rules; [`ModelRegistry`] guards it and reads folders. A call takes its model once
//! and keeps it to its end, so that a swap of models never mixes two of them in one answer.

pub(crate) mod feature_orders;
pub(crate) mod label_file;
pub(crate) mod labels;
pub(crate) mod moved_labels;
pub(crate) mod served_model;
pub(crate) mod shadow_stats;
pub(crate) mod status;
pub(crate) mod table;
#[cfg(test)]
mod tests;
pub(crate) mod training_scores;
pub(crate) mod users;
pub(crate) mod vocabulary;

pub use labels::Label;
pub use served_model::ServedModel;
pub(crate) use shadow_stats::ShadowStats;
pub(crate) use status::{ModelPage, ModelState, ModelStatus};
pub(crate) use table::ModelTable;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::context::CallContext;
use super::detached;
use super::errors::{CallError, clip};
use super::telemetry::metrics::{Metrics, Reload};
use labels::Labels;
use moved_labels::MovedLabels;
use served_model::folder_below;
use shadow_stats::ShadowTracker;

/// How many readings there may be at the same time: one, and some that hang. Each of these holds a thread.
const READS_MAX: usize = 4;

/// How often the calls of an unloaded model are checked for their end.
const FINISHED_CHECK: Duration = Duration::from_millis(20);

/// All models of a server.
pub(crate) struct ModelRegistry {
    table: RwLock<ModelTable>,
    shadow: Mutex<ShadowTracker>,
    /// The folder below which models may be loaded from.
    folder: Option<PathBuf>,
    /// What keeps moved labels over a restart; `None` without that folder.
    moved_labels: Option<Arc<MovedLabels>>,
    /// Reading a model takes memory and a processor: one at a time.
    reading: tokio::sync::Mutex<()>,
    /// Places for readings, those that took too long and may never end included.
    reads: Arc<Semaphore>,
    /// How long reading a folder may take.
    load_limit: Duration,
    metrics: Arc<Metrics>,
}

/// What a change of models or labels led to, before anything else could change.
pub(crate) struct Changed {
    /// The model's state; `None` when no model is meant, or none is loaded.
    pub(crate) status: Option<ModelStatus>,
    /// The etag after the change.
    pub(crate) etag: String,
}

impl Changed {
    fn of(table: &ModelTable, name: &str) -> Self {
        Self {
            status: table.status(name),
            etag: table.etag(),
        }
    }
}

impl ModelRegistry {
    /// No models yet. `salt` makes this run's etags differ from another's; `configured` are the labels that the configuration
    /// gives.
    pub(crate) fn new(
        folder: Option<PathBuf>,
        configured: Labels,
        max_models: usize,
        salt: u32,
        load_limit: Duration,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            table: RwLock::new(ModelTable::new(max_models, salt)),
            shadow: Mutex::default(),
            moved_labels: folder
                .clone()
                .map(|folder| Arc::new(MovedLabels::new(folder, configured))),
            folder,
            reading: tokio::sync::Mutex::new(()),
            reads: Arc::new(Semaphore::new(READS_MAX)),
            load_limit,
            metrics,
        }
    }

    /// The models and labels as they are now. The guard holds up every change: drop it soon.
    pub(crate) fn table(&self) -> RwLockReadGuard<'_, ModelTable> {
        // Every change of the table is complete before anything in it could panic.
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the table, and lets the shadow's statistics follow before anybody else sees the change.
    fn change<T>(&self, change: impl FnOnce(&mut ModelTable) -> T) -> T {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let outcome = change(&mut table);
        // Still under the table's lock: a score must not be added to the statistics of the pair before.
        self.shadow().follow(&table);
        outcome
    }

    fn shadow(&self) -> MutexGuard<'_, ShadowTracker> {
        self.shadow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model of a label or of a name; the stable one when the name is empty.
    pub(crate) fn select(&self, name: &str) -> Result<Arc<ServedModel>, CallError> {
        self.table().select(name)
    }

    /// Whether the order of features under this name or label has changed since the start: a matrix that does not name
    /// its order may be in another one.
    pub(crate) fn has_changed_features(&self, name: &str) -> bool {
        self.table().has_changed_features(name)
    }

    /// The shadow of this model: `None` unless it is the stable one, and another model is its shadow.
    pub(crate) fn shadow_of(&self, model: &Arc<ServedModel>) -> Option<Arc<ServedModel>> {
        let table = self.table();
        let shadow = table
            .labelled_by(Label::Shadow)
            .filter(|shadow| !Arc::ptr_eq(shadow, model))?;
        let stable = table.labelled_by(Label::Stable);
        stable
            .is_some_and(|stable| Arc::ptr_eq(stable, model))
            .then(|| Arc::clone(shadow))
    }

    /// The shadow's statistics so far; `None` without a shadow.
    pub(crate) fn shadow_stats(&self) -> Option<ShadowStats> {
        self.shadow().stats()
    }

    /// Adds to the statistics of these two models, unless another pair is compared by now.
    pub(crate) fn compare(
        &self,
        stable: &Arc<ServedModel>,
        shadow: &Arc<ServedModel>,
        add: impl FnOnce(&mut ShadowStats),
    ) {
        if let Some(stats) = self.shadow().of_pair(stable, shadow) {
            add(stats);
        }
    }

    /// Adds the models that the server starts with.
    pub(crate) fn install(&self, models: Vec<(Arc<ServedModel>, Vec<Label>)>) {
        self.change(|table| {
            for (model, labels) in models {
                let name = model.name().to_owned();
                table.put(model);
                for label in labels {
                    table.set_label(label, Some(name.clone()));
                }
            }
        });
    }

    /// Loads the model of the folder of that name, or with `validate_only` reads and tests it without any change.
    pub(crate) async fn load(
        &self,
        name: &str,
        validate_only: bool,
        call: &CallContext,
    ) -> Result<(Arc<ServedModel>, Changed), CallError> {
        let folder = self.folder_of(name)?;
        let _one_at_a_time = self.reading.lock().await;
        let sought = folder.clone();
        let exists = self.aside(move || Ok(sought.exists())).await;
        if !exists.map_err(|problem| refused(name, problem))? {
            return Err(CallError::unknown_model("model folder", name));
        }
        if validate_only {
            // Not noted as loading: nothing about the model in use changes, whatever comes of it.
            let model = self
                .read(name, folder)
                .await
                .map_err(|problem| refused(name, problem))?;
            return Ok((Arc::new(model), Changed::of(&self.table(), name)));
        }
        self.change(|table| table.begin(name))?;
        match self.read(name, folder).await.map(Arc::new) {
            Ok(model) => {
                let (in_use, changed) = self.change(|table| {
                    // Only a model behind a label changes what callers get.
                    let in_use = table.has_label(name);
                    table.put(Arc::clone(&model));
                    (in_use, Changed::of(table, name))
                });
                if in_use {
                    self.metrics.reloaded(Reload::Success);
                }
                tracing::info!(
                    model = name,
                    version = model.version(),
                    key = call.caller.name(),
                    request_id = call.request_id(),
                    "model loaded"
                );
                Ok((model, changed))
            }
            Err(problem) => {
                self.change(|table| table.fail(name, problem.clone()));
                self.metrics.reloaded(Reload::Refused);
                tracing::warn!(
                    model = name,
                    reason = problem,
                    key = call.caller.name(),
                    request_id = call.request_id(),
                    "model rejected"
                );
                Err(refused(name, problem))
            }
        }
    }

    /// Reads the folders of all models with a label again. A model whose folder cannot be used stays in use.
    pub(crate) async fn reload(&self) {
        let _one_at_a_time = self.reading.lock().await;
        let labelled = self.table().labelled();
        for old in labelled {
            let Some(folder) = old.folder() else {
                continue;
            };
            let outcome = self.read(old.name(), folder.to_owned()).await;
            let version = outcome.as_ref().ok().map(|new| new.version().to_owned());
            let problem = outcome.as_ref().err().cloned();
            // The table may have changed while the folder was read: `renew` compares with the model that it was read for.
            let renewed = self.change(|table| table.renew(&old, outcome));
            if renewed {
                self.metrics.reloaded(Reload::Success);
                tracing::info!(model = old.name(), version, "model loaded again");
            }
            if let Some(reason) = problem {
                self.metrics.reloaded(Reload::Refused);
                tracing::warn!(
                    model = old.name(),
                    reason,
                    "model rejected; the one in use stays"
                );
            }
        }
    }

    /// Reads and tests a model. The error is in plain words, short enough for the header of a response.
    async fn read(&self, name: &str, folder: PathBuf) -> Result<ServedModel, String> {
        let name = name.to_owned();
        // A reason may quote what is in the bundle, which may be long.
        self.aside(move || {
            ServedModel::load_as(name, &folder).map_err(|error| clip(error.to_string()))
        })
        .await
    }

    /// The result of work with files, on a thread of its own, for as long as a load may take. Work that takes longer holds
    /// its place until it ends.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let place = Arc::clone(&self.reads).try_acquire_owned();
        let place = place.map_err(|_| {
            format!("{READS_MAX} earlier loads took too long and have not ended; is a disk or mount stuck?")
        })?;
        let result = detached::begin(move || {
            let result = work();
            drop(place);
            result
        });
        match timeout(self.load_limit, result).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err("reading it crashed".into()),
            Err(_) => Err(format!(
                "reading it takes longer than limits.model_load_seconds allows: {} s",
                self.load_limit.as_secs()
            )),
        }
    }

    /// Assigns a label to a model, or removes it from its model when the name is empty.
    pub(crate) fn activate(
        &self,
        label: Label,
        name: &str,
        etag: &str,
        call: &CallContext,
    ) -> Result<Changed, CallError> {
        let outcome = self.change(|table| {
            table.activate(label, name, etag)?;
            Ok(Changed::of(table, name))
        });
        self.metrics.reloaded(if outcome.is_ok() {
            Reload::Success
        } else {
            Reload::Refused
        });
        if outcome.is_ok() {
            tracing::info!(
                label = label.name(),
                model = name,
                key = call.caller.name(),
                request_id = call.request_id(),
                "label moved"
            );
        }
        outcome
    }

    /// Writes the labels as they are now, for the next start. Waits for the disk, but not for long; a failure is logged and
    /// changes nothing here.
    pub(crate) async fn keep_labels(self: &Arc<Self>) {
        if let Some(moved) = &self.moved_labels {
            let registry = Arc::clone(self);
            moved.keep(move || registry.table().labels().clone()).await;
        }
    }

    /// Writes the labels of a start whose configuration is not the one that the kept labels were moved under: it must not be
    /// overruled when it changes back.
    pub(crate) async fn renew_kept_labels(self: &Arc<Self>) {
        if let Some(moved) = &self.moved_labels
            && moved.are_outdated().await
        {
            self.keep_labels().await;
        }
    }

    /// Unloads a model without labels, and removes it once its calls are finished. Returns the etag.
    pub(crate) fn unload(
        self: &Arc<Self>,
        name: &str,
        etag: &str,
        call: &CallContext,
    ) -> Result<String, CallError> {
        let (last, etag) = self.change(|table| {
            let last = table.unload(name, etag)?;
            Ok::<_, CallError>((last, table.etag()))
        })?;
        tracing::info!(
            model = name,
            key = call.caller.name(),
            request_id = call.request_id(),
            "model unloading"
        );
        let (registry, name) = (Arc::clone(self), name.to_owned());
        tokio::spawn(async move {
            // The table has given its own reference away: all others are of calls in progress.
            while last
                .as_ref()
                .is_some_and(|last| Arc::strong_count(last) > 1)
            {
                tokio::time::sleep(FINISHED_CHECK).await;
            }
            registry.change(|table| table.remove(&name));
        });
        Ok(etag)
    }

    /// The folder that a name stands for: directly below the models' folder and nowhere else.
    fn folder_of(&self, name: &str) -> Result<PathBuf, CallError> {
        // Without a folder every name is checked all the same: its fault comes first.
        let below = self.folder.clone().unwrap_or_default();
        let folder = folder_below(&below, name).ok_or_else(|| {
            let problem =
                "must be the name of a folder below the server's model folder, and no label";
            CallError::field("name", problem)
        })?;
        let fixed = || {
            CallError::ModelsFixed(
                "this server was started without --models and loads no others".into(),
            )
        };
        self.folder.as_ref().ok_or_else(fixed)?;
        Ok(folder)
    }
}

fn refused(name: &str, problem: String) -> CallError {
    CallError::Refused {
        name: name.to_owned(),
        problem,
    }
}
