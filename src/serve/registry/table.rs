use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::feature_orders::FeatureOrders;
use super::labels::{Label, Labels};
use super::served_model::ServedModel;
use super::status::{ModelPage, ModelState, ModelStatus};
use crate::serve::errors::CallError;

/// A model that is loaded, is loading or could not be loaded.
#[derive(Clone, Debug)]
struct ModelEntry {
    state: ModelState,
    /// Why the model cannot be used, or could not be loaded again; empty without a problem.
    reason: String,
    /// The model that answers; `None` while there is none.
    model: Option<Arc<ServedModel>>,
}

/// The models by name, and their labels: data and its rules, without locks, files or time.
#[derive(Debug)]
pub(crate) struct ModelTable {
    entries: BTreeMap<String, ModelEntry>,
    labels: Labels,
    /// The labels' models, looked up whenever one of both changes.
    labelled: [Option<Arc<ServedModel>>; Label::ALL.len()],
    orders: FeatureOrders,
    max_models: usize,
    salt: u32,
    revision: u64,
}

impl ModelTable {
    /// An empty table for at most so many models. `salt` makes this run's etags differ from another's.
    pub(crate) fn new(max_models: usize, salt: u32) -> Self {
        Self {
            entries: BTreeMap::new(),
            labels: Labels::default(),
            labelled: Default::default(),
            orders: FeatureOrders::default(),
            max_models,
            salt,
            revision: 0,
        }
    }

    /// Changes with every change of the table.
    pub(crate) fn etag(&self) -> String {
        format!("{:08x}-{}", self.salt, self.revision)
    }

    /// The state of the model of this name; `None` without such a model.
    pub(crate) fn status(&self, name: &str) -> Option<ModelStatus> {
        let entry = self.entries.get(name)?;
        Some(self.status_of(name, entry))
    }

    /// The states of all models, in order of their names.
    pub(crate) fn statuses(&self) -> Vec<ModelStatus> {
        let statuses = self.entries.iter();
        statuses
            .map(|(name, entry)| self.status_of(name, entry))
            .collect()
    }

    /// The states of all models as [`Self::statuses`], each with the model that answers.
    pub(crate) fn models(&self) -> impl Iterator<Item = (ModelStatus, Option<&Arc<ServedModel>>)> {
        let entries = self.entries.iter();
        entries.map(|(name, entry)| (self.status_of(name, entry), entry.model.as_ref()))
    }

    fn status_of(&self, name: &str, entry: &ModelEntry) -> ModelStatus {
        let ModelEntry {
            state,
            reason,
            model,
        } = entry;
        ModelStatus {
            name: name.to_owned(),
            state: *state,
            reason: reason.clone(),
            version: model.as_ref().map(|model| model.version().to_owned()),
            labels: self.labels.of(name).collect(),
        }
    }

    /// At most `size` models after the one called `after`, from the first one when that is empty.
    ///
    /// # Errors
    /// When no model is called `after`: the list has changed since the page before.
    pub(crate) fn page(&self, after: &str, size: usize) -> Result<ModelPage, CallError> {
        let first = if after.is_empty() {
            Bound::Unbounded
        } else if self.entries.contains_key(after) {
            Bound::Excluded(after)
        } else {
            let problem = "is not a token of this list any more; begin with an empty one";
            return Err(CallError::field("page_token", problem));
        };
        let mut rest = self.entries.range::<str, _>((first, Bound::Unbounded));
        let models = rest
            .by_ref()
            .take(size)
            .map(|(name, entry)| self.status_of(name, entry))
            .collect();
        Ok(ModelPage {
            models,
            has_more: rest.next().is_some(),
            etag: self.etag(),
        })
    }

    /// The model that each label stands for.
    pub(crate) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The model of a label.
    pub(crate) fn labelled_by(&self, label: Label) -> Option<&Arc<ServedModel>> {
        self.labelled[label as usize].as_ref()
    }

    /// Every model with a label, once.
    pub(crate) fn labelled(&self) -> Vec<Arc<ServedModel>> {
        let mut all: Vec<Arc<ServedModel>> = self.labelled.iter().flatten().cloned().collect();
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all.dedup_by(|a, b| a.name() == b.name());
        all
    }

    /// Whether a model has a label.
    pub(crate) fn has_label(&self, name: &str) -> bool {
        self.labels.of(name).next().is_some()
    }

    /// See [`super::ModelRegistry::select`].
    pub(crate) fn select(&self, name: &str) -> Result<Arc<ServedModel>, CallError> {
        let label = match name {
            "" => Some(Label::Stable),
            _ => Label::from_name(name),
        };
        if let Some(label) = label {
            let missing = || match label {
                Label::Stable => CallError::NotReady,
                Label::Canary | Label::Shadow => CallError::unknown_model("label", name),
            };
            return self.labelled_by(label).cloned().ok_or_else(missing);
        }
        let entry = self
            .entries
            .get(name)
            .ok_or_else(|| CallError::unknown_model("model", name))?;
        match (&entry.model, entry.state) {
            // A model that is loaded again answers until the new version is ready.
            (Some(model), ModelState::Active | ModelState::Loading) => Ok(Arc::clone(model)),
            (_, state) => Err(wrong_state(name, state)),
        }
    }

    /// See [`super::ModelRegistry::has_changed_features`].
    pub(crate) fn has_changed_features(&self, name: &str) -> bool {
        let name = if name.is_empty() {
            Label::Stable.name()
        } else {
            name
        };
        self.orders.has_changed(name)
    }

    /// Notes that a model is being read.
    pub(crate) fn begin(&mut self, name: &str) -> Result<(), CallError> {
        // A model that is loaded again takes no more room; one that failed holds its place until it is unloaded.
        let full = self.entries.len() >= self.max_models;
        match self.entries.get_mut(name) {
            Some(entry) if entry.state == ModelState::Unloading => {
                return Err(wrong_state(name, ModelState::Unloading));
            }
            Some(entry) => entry.state = ModelState::Loading,
            None if full => {
                let problem = format!(
                    "there are {} models, as many as limits.models allows; unload one",
                    self.max_models
                );
                return Err(CallError::ModelsFixed(problem));
            }
            None => {
                let entry = ModelEntry {
                    state: ModelState::Loading,
                    reason: String::new(),
                    model: None,
                };
                self.entries.insert(name.to_owned(), entry);
            }
        }
        self.revision += 1;
        Ok(())
    }

    /// Adds a model that has passed its self-test, or replaces the one of its name, also behind the labels.
    pub(crate) fn put(&mut self, model: Arc<ServedModel>) {
        let entry = ModelEntry {
            state: ModelState::Active,
            reason: String::new(),
            model: Some(Arc::clone(&model)),
        };
        self.entries.insert(model.name().to_owned(), entry);
        self.look_up();
    }

    /// Replaces a model by what its folder holds now, or notes why that cannot be used. No effect when the model has been
    /// replaced or unloaded while the folder was read. Returns whether the table has another version now.
    pub(crate) fn renew(
        &mut self,
        old: &Arc<ServedModel>,
        outcome: Result<ServedModel, String>,
    ) -> bool {
        // The same version loaded twice is two models: only the very one that was read for may be replaced.
        let current = self.entries.get_mut(old.name()).filter(|entry| {
            let model = entry.model.as_ref();
            model.is_some_and(|model| Arc::ptr_eq(model, old))
        });
        let Some(entry) = current else {
            return false;
        };
        self.revision += 1;
        match outcome {
            Err(problem) => {
                entry.reason = problem;
                false
            }
            Ok(new) if new.version() == old.version() => {
                entry.reason = String::new();
                false
            }
            Ok(new) => {
                entry.reason = String::new();
                entry.model = Some(Arc::new(new));
                self.look_up();
                true
            }
        }
    }

    /// Notes why a folder could not be loaded. A model that was loaded before stays in use.
    pub(crate) fn fail(&mut self, name: &str, reason: String) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.state = if entry.model.is_some() {
                ModelState::Active
            } else {
                ModelState::Failed
            };
            entry.reason = reason;
            self.revision += 1;
        }
    }

    /// Assigns a label, or removes it, without any check.
    pub(crate) fn set_label(&mut self, label: Label, name: Option<String>) {
        self.labels.set(label, name);
        self.look_up();
    }

    /// See [`super::ModelRegistry::activate`].
    pub(crate) fn activate(
        &mut self,
        label: Label,
        name: &str,
        etag: &str,
    ) -> Result<(), CallError> {
        self.check_etag(etag)?;
        if name.is_empty() {
            if label == Label::Stable {
                return Err(CallError::field(
                    "name",
                    "is required: some model must be stable",
                ));
            }
            // Canary and shadow are optional: their calls fail, or nothing is compared.
            self.set_label(label, None);
            return Ok(());
        }
        let entry = self
            .entries
            .get(name)
            .ok_or_else(|| CallError::unknown_model("model", name))?;
        if entry.state != ModelState::Active {
            return Err(wrong_state(name, entry.state));
        }
        self.set_label(label, Some(name.to_owned()));
        Ok(())
    }

    /// Takes a model out of use. Returns it, for calls in progress may still use it; `None` for one that never loaded.
    pub(crate) fn unload(
        &mut self,
        name: &str,
        etag: &str,
    ) -> Result<Option<Arc<ServedModel>>, CallError> {
        self.check_etag(etag)?;
        let label = self.labels.of(name).next();
        let entry = self
            .entries
            .get_mut(name)
            .ok_or_else(|| CallError::unknown_model("model", name))?;
        if let Some(label) = label {
            let problem = format!(
                "is labelled {}; give the label to another one first",
                label.name()
            );
            return Err(CallError::ModelState {
                name: name.to_owned(),
                problem,
            });
        }
        if matches!(entry.state, ModelState::Loading | ModelState::Unloading) {
            return Err(wrong_state(name, entry.state));
        }
        // The entry stays until the last call has ended, so that its name is not loaded again under that call.
        entry.state = ModelState::Unloading;
        self.revision += 1;
        Ok(entry.model.take())
    }

    /// Removes a model that was being unloaded.
    pub(crate) fn remove(&mut self, name: &str) {
        if self
            .entries
            .get(name)
            .is_some_and(|entry| entry.state == ModelState::Unloading)
        {
            self.entries.remove(name);
            self.revision += 1;
        }
    }

    fn check_etag(&self, given: &str) -> Result<(), CallError> {
        let current = self.etag();
        if given.is_empty() || given == current {
            return Ok(());
        }
        Err(CallError::StaleEtag {
            given: given.chars().take(64).collect(),
            current,
        })
    }

    /// Brings everything that depends on models and labels up to date.
    fn look_up(&mut self) {
        let model = |label| self.entries.get(self.labels.get(label)?)?.model.clone();
        self.labelled = Label::ALL.map(model);
        self.revision += 1;
        // The order of features under every name and label that can answer now.
        let labelled = Label::ALL.into_iter().zip(&self.labelled);
        let by_label = labelled.filter_map(|(label, model)| Some((label.name(), model.as_ref()?)));
        let by_name = self
            .entries
            .iter()
            .filter_map(|(name, entry)| Some((name.as_str(), entry.model.as_ref()?)));
        // Names without a model keep their entry: a client may still send the order that it knew them by.
        for (name, model) in by_label.chain(by_name) {
            self.orders.follow(name, &model.spec().feature_hash);
        }
    }
}

fn wrong_state(name: &str, state: ModelState) -> CallError {
    CallError::ModelState {
        name: name.to_owned(),
        problem: state.words().to_owned(),
    }
}
