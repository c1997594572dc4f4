//! What a server needs before it can answer: the models and the users that its configuration names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::config::Config;
use super::detached::{READ_LIMIT, within};
use super::errors::ServeError;
use super::registry::label_file::{FILE_NAME, KeptLabels, OverruledLabel};
use super::registry::labels::Labels;
use super::registry::served_model::{folder_below, name_of};
use super::registry::users::KnownUsers;
use super::registry::{Label, ServedModel};
use super::transport::credentials::Credentials;

/// A model with its labels.
pub type ModelWithLabels = (Arc<ServedModel>, Vec<Label>);

/// What a server needs before it can answer.
#[derive(Debug)]
pub struct InitialState {
    /// The models with their labels, which may be none; one of them must be stable.
    pub models: Vec<ModelWithLabels>,
    /// The users known by id; `None` without a roll-up.
    pub users: Option<Arc<KnownUsers>>,
}

impl InitialState {
    /// Reads what a configuration names, models and roll-up at the same time.
    pub fn load(config: &Config) -> Result<Self, ServeError> {
        let rollup = config.rollup.as_deref();
        let (users, models) = std::thread::scope(|threads| {
            let users = threads.spawn(|| rollup.map(KnownUsers::read).transpose());
            (users.join(), load_models(config))
        });
        let crashed = |_| ServeError::Setting("reading the roll-up crashed".into());
        Ok(Self {
            models: models?,
            users: users.map_err(crashed)??.map(Arc::new),
        })
    }

    /// The stable model.
    pub fn stable(&self) -> Option<&ServedModel> {
        self.models
            .iter()
            .find(|(_, labels)| labels.contains(&Label::Stable))
            .map(|(model, _)| model.as_ref())
    }
}

/// The folders that a configuration names, each with its label.
fn configured_folders(config: &Config) -> impl Iterator<Item = (&PathBuf, Label)> {
    let folders = [
        (config.model.as_ref(), Label::Stable),
        (config.canary.as_ref(), Label::Canary),
        (config.shadow.as_ref(), Label::Shadow),
    ];
    folders
        .into_iter()
        .filter_map(|(folder, label)| Some((folder?, label)))
}

/// The names of the models that a configuration labels.
pub(crate) fn configured_labels(config: &Config) -> Labels {
    let mut labels = Labels::default();
    for (folder, label) in configured_folders(config) {
        labels.set(label, name_of(folder));
    }
    labels
}

/// The models of a start: those that the configuration names, and those that callers gave a label when the server ran last. A
/// folder that has two labels is loaded once.
fn load_models(config: &Config) -> Result<Vec<ModelWithLabels>, ServeError> {
    let configured = configured_labels(config);
    let mut labels = kept_labels(config, &configured);
    let mut models: Vec<Arc<ServedModel>> = Vec::new();
    for label in Label::ALL {
        let (Some(name), Some(folder)) = (labels.get(label), config.models.as_ref()) else {
            continue;
        };
        // A name that the configuration names is the model of that folder, wherever the folder is.
        if is_configured(name, &configured) || models.iter().any(|model| model.name() == name) {
            continue;
        }
        match load_kept(folder, name) {
            Ok(model) => models.push(Arc::new(model)),
            Err(reason) => {
                tracing::warn!(
                    label = label.name(),
                    model = name,
                    reason,
                    "a model with a moved label cannot be used; the configuration's has the label"
                );
                labels.set(label, configured.get(label).map(str::to_owned));
            }
        }
    }
    let mut folders: Vec<&PathBuf> = configured_folders(config)
        .map(|(folder, _)| folder)
        .collect();
    folders.dedup();
    for folder in folders {
        if models.iter().any(|model| model.folder() == Some(folder)) {
            continue;
        }
        let has_label = name_of(folder).is_none_or(|name| labels.of(&name).next().is_some());
        match load_model(folder, &models) {
            Ok(model) => models.push(Arc::new(model)),
            // A model that lost its labels to another may have been deleted since, and the server starts without it.
            Err(error) if !has_label => {
                tracing::warn!(folder = %folder.display(), %error, "a model without a label is not loaded");
            }
            Err(error) => return Err(error),
        }
    }
    let with_labels = |model: Arc<ServedModel>| {
        let own = labels.of(model.name()).collect();
        (model, own)
    };
    Ok(models.into_iter().map(with_labels).collect())
}

fn is_configured(name: &str, configured: &Labels) -> bool {
    configured.of(name).next().is_some()
}

/// The labels as callers left them, where the configuration is the same; the configuration's otherwise.
fn kept_labels(config: &Config, configured: &Labels) -> Labels {
    let Some(folder) = &config.models else {
        return configured.clone();
    };
    let file = folder.join(FILE_NAME);
    let kept = match KeptLabels::read(folder) {
        Ok(None) => return configured.clone(),
        Ok(Some(kept)) => kept,
        Err(reason) => {
            tracing::warn!(file = %file.display(), reason, "moved labels cannot be read; the configuration's hold");
            return configured.clone();
        }
    };
    let (labels, overruled) = kept.resolve(configured);
    for OverruledLabel {
        label,
        kept,
        configured,
    } in overruled
    {
        tracing::warn!(
            label = label.name(),
            model = configured,
            moved_to = kept,
            "the configuration has changed since the label was moved, and holds"
        );
    }
    for label in Label::ALL {
        if labels.get(label) != configured.get(label) {
            tracing::info!(
                label = label.name(),
                model = labels.get(label),
                configured = configured.get(label),
                "a label is where it was moved to before the restart"
            );
        }
    }
    labels
}

/// The model of a name in the models' folder; the error is in plain words.
fn load_kept(models: &Path, name: &str) -> Result<ServedModel, String> {
    let folder = folder_below(models, name).ok_or("is not a model's name")?;
    ServedModel::load_as(name.to_owned(), &folder).map_err(|error| error.to_string())
}

/// The model of a folder, whose name must be nothing else's.
fn load_model(folder: &Path, others: &[Arc<ServedModel>]) -> Result<ServedModel, ServeError> {
    let fault = |problem: &str| ServeError::Folder {
        path: folder.to_owned(),
        problem: problem.to_owned(),
    };
    let model = ServedModel::load(folder)?;
    if Label::ALL.iter().any(|label| label.name() == model.name()) {
        return Err(fault("is the name of a label; rename the folder"));
    }
    if others.iter().any(|other| other.name() == model.name()) {
        return Err(fault(
            "is the name of two models; rename one of the folders",
        ));
    }
    Ok(model)
}

/// Checks everything that a configuration names, as a start would.
pub fn check(config: &Config) -> Result<InitialState, ServeError> {
    Credentials::read(config)?;
    check_folder(config.models.as_ref())?;
    InitialState::load(config)
}

/// The folder that models are loaded from may be empty, but must be there.
pub(crate) fn check_folder(models: Option<&PathBuf>) -> Result<(), ServeError> {
    let Some(folder) = models else {
        return Ok(());
    };
    let fault = |problem: String| ServeError::Folder {
        path: folder.clone(),
        problem,
    };
    let sought = folder.clone();
    match within(READ_LIMIT, move || sought.is_dir()) {
        Some(true) => Ok(()),
        Some(false) => Err(fault(
            "is no folder; `models` names the one from which models may be loaded".into(),
        )),
        None => Err(fault(format!(
            "does not answer within {} s",
            READ_LIMIT.as_secs()
        ))),
    }
}
