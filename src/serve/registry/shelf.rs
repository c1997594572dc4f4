use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Label, Loaded};
use crate::serve::errors::CallError;

/// What a model is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is being read and proven.
    Loading,
    /// It can be asked.
    Active,
    /// It takes no more calls.
    Unloading,
    /// It could not be loaded.
    Failed,
}

impl State {
    fn words(self) -> &'static str {
        match self {
            Self::Loading => "is still loading",
            Self::Active => "is loaded",
            Self::Unloading => "is being unloaded",
            Self::Failed => "could not be loaded; ListModels tells why",
        }
    }
}

/// A model's place on the shelf.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// What it is doing.
    pub(crate) state: State,
    /// Why it is no use, or why its folder could not be loaded again.
    pub(crate) reason: String,
    /// The model that answers; `None` while there is none.
    pub(crate) model: Option<Arc<Loaded>>,
}

/// Which model each label stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels([Option<String>; 3]);

impl Labels {
    /// The name of the label's model.
    pub(crate) fn get(&self, label: Label) -> Option<&str> {
        self.0.get(label as usize)?.as_deref()
    }

    /// The labels of a model.
    pub(crate) fn of(&self, name: &str) -> impl Iterator<Item = Label> {
        Label::ALL
            .into_iter()
            .filter(move |label| self.get(*label) == Some(name))
    }
}

/// In which order the models of one name or label read their features.
#[derive(Clone, Debug)]
struct Order {
    feature_hash: String,
    has_changed: bool,
}

/// The models by name and the labels they have.
#[derive(Debug)]
pub(crate) struct Shelf {
    entries: BTreeMap<String, Entry>,
    labels: Labels,
    /// The models of the labels, looked up.
    labelled: [Option<Arc<Loaded>>; 3],
    /// What was asked by each name or label that has answered.
    orders: BTreeMap<String, Order>,
    most: usize,
    salt: u32,
    revision: u64,
}

impl Shelf {
    /// An empty shelf for at most so many models.
    pub(crate) fn new(most: usize, salt: u32) -> Self {
        let (entries, labels, orders) = (BTreeMap::new(), Labels::default(), BTreeMap::new());
        Self {
            entries,
            labels,
            labelled: Default::default(),
            orders,
            most,
            salt,
            revision: 0,
        }
    }

    /// All models in order of their names.
    pub(crate) fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.entries
    }

    /// The labels.
    pub(crate) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Changes with every change of the shelf.
    pub(crate) fn etag(&self) -> String {
        format!("{:08x}-{}", self.salt, self.revision)
    }

    /// The model of a label.
    pub(crate) fn labelled_by(&self, label: Label) -> Option<&Arc<Loaded>> {
        self.labelled.get(label as usize)?.as_ref()
    }

    /// Every model with a label, once.
    pub(crate) fn labelled(&self) -> Vec<Arc<Loaded>> {
        let mut all: Vec<Arc<Loaded>> = self.labelled.iter().flatten().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.dedup_by(|a, b| a.name == b.name);
        all
    }

    /// See [`super::Models::select`].
    pub(crate) fn select(&self, name: &str) -> Result<Arc<Loaded>, CallError> {
        let label = match name {
            "" => Some(Label::Stable),
            _ => Label::ALL.into_iter().find(|label| label.name() == name),
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
            (Some(model), State::Active | State::Loading) => Ok(Arc::clone(model)),
            (_, state) => Err(wrong_state(name, state)),
        }
    }

    /// Whether the models that answered to a name or label did not all read their features in one order.
    pub(crate) fn has_changed_features(&self, name: &str) -> bool {
        let name = if name.is_empty() {
            Label::Stable.name()
        } else {
            name
        };
        self.orders.get(name).is_some_and(|order| order.has_changed)
    }

    /// Notes that a model is being read.
    pub(crate) fn begin(&mut self, name: &str) -> Result<(), CallError> {
        let full = self.entries.len() >= self.most;
        match self.entries.get_mut(name) {
            Some(entry) if entry.state == State::Unloading => {
                return Err(wrong_state(name, State::Unloading));
            }
            Some(entry) => entry.state = State::Loading,
            None if full => {
                let problem = format!(
                    "there are {} models, as many as limits.models allows; unload one",
                    self.most
                );
                return Err(CallError::ModelsFixed(problem));
            }
            None => {
                let entry = Entry {
                    state: State::Loading,
                    reason: String::new(),
                    model: None,
                };
                self.entries.insert(name.to_owned(), entry);
            }
        }
        self.revision += 1;
        Ok(())
    }

    /// Puts a model that has proven itself in its place, and behind its labels.
    pub(crate) fn put(&mut self, model: Arc<Loaded>) {
        let entry = Entry {
            state: State::Active,
            reason: String::new(),
            model: Some(Arc::clone(&model)),
        };
        self.entries.insert(model.name.clone(), entry);
        self.look_up();
    }

    /// Puts what came of reading a model's folder again in the place of that very model; nothing if it has been exchanged
    /// or unloaded meanwhile. Returns whether the model is another one now.
    pub(crate) fn renew(&mut self, old: &Arc<Loaded>, outcome: Result<Loaded, String>) -> bool {
        let Some(entry) = self.entries.get_mut(&old.name) else {
            return false;
        };
        if !entry
            .model
            .as_ref()
            .is_some_and(|model| Arc::ptr_eq(model, old))
        {
            return false;
        }
        self.revision += 1;
        match outcome {
            Err(problem) => {
                entry.reason = problem;
                false
            }
            Ok(new) if new.served.bundle().version() == old.served.bundle().version() => {
                entry.reason = String::new();
                false
            }
            Ok(new) => {
                entry.reason = String::new();
                entry.model = Some(Arc::new(Loaded {
                    name: old.name.clone(),
                    ..new
                }));
                self.look_up();
                true
            }
        }
    }

    /// Notes why a folder could not be loaded. A model that was there before stays in use.
    pub(crate) fn fail(&mut self, name: &str, reason: String) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.state = if entry.model.is_some() {
                State::Active
            } else {
                State::Failed
            };
            entry.reason = reason;
            self.revision += 1;
        }
    }

    /// Gives a label away without asking.
    pub(crate) fn set_label(&mut self, label: Label, name: Option<String>) {
        if let Some(slot) = self.labels.0.get_mut(label as usize) {
            *slot = name;
        }
        self.look_up();
    }

    /// See [`super::Models::activate`].
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
            self.set_label(label, None);
            return Ok(());
        }
        let entry = self
            .entries
            .get(name)
            .ok_or_else(|| CallError::unknown_model("model", name))?;
        if entry.state != State::Active {
            return Err(wrong_state(name, entry.state));
        }
        self.set_label(label, Some(name.to_owned()));
        Ok(())
    }

    /// Takes a model out of use; what is left of it is given back.
    pub(crate) fn unload(
        &mut self,
        name: &str,
        etag: &str,
    ) -> Result<Option<Arc<Loaded>>, CallError> {
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
        if matches!(entry.state, State::Loading | State::Unloading) {
            return Err(wrong_state(name, entry.state));
        }
        entry.state = State::Unloading;
        self.revision += 1;
        Ok(entry.model.take())
    }

    /// Removes what was being unloaded.
    pub(crate) fn forget(&mut self, name: &str) {
        if self
            .entries
            .get(name)
            .is_some_and(|entry| entry.state == State::Unloading)
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

    fn look_up(&mut self) {
        let model = |label| self.entries.get(self.labels.get(label)?)?.model.clone();
        self.labelled = Label::ALL.map(model);
        self.revision += 1;
        self.follow_orders();
    }

    /// Notes the order of features of whatever can be asked now.
    fn follow_orders(&mut self) {
        let labelled = Label::ALL.into_iter().zip(&self.labelled);
        let by_label = labelled.filter_map(|(label, model)| Some((label.name(), model.as_ref()?)));
        let by_name = self
            .entries
            .iter()
            .filter_map(|(name, entry)| Some((name.as_str(), entry.model.as_ref()?)));
        for (name, model) in by_label.chain(by_name) {
            let feature_hash = &model.served.bundle().spec().feature_hash;
            match self.orders.get_mut(name) {
                Some(order) if order.feature_hash == *feature_hash => {}
                Some(order) => {
                    *order = Order {
                        feature_hash: feature_hash.clone(),
                        has_changed: true,
                    }
                }
                None => {
                    let order = Order {
                        feature_hash: feature_hash.clone(),
                        has_changed: false,
                    };
                    self.orders.insert(name.to_owned(), order);
                }
            }
        }
    }
}

fn wrong_state(name: &str, state: State) -> CallError {
    CallError::ModelState {
        name: name.to_owned(),
        problem: state.words().to_owned(),
    }
}
