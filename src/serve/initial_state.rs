//! What a server needs before it can answer: the models and the users that its configuration names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::config::Config;
use super::detached::{READ_LIMIT, within};
use super::errors::ServeError;
use super::registry::users::KnownUsers;
use super::registry::{Label, ServedModel};
use super::transport::credentials::Credentials;

/// A model with its labels.
pub type ModelWithLabels = (Arc<ServedModel>, Vec<Label>);

/// What a server needs before it can answer.
#[derive(Debug)]
pub struct InitialState {
    /// The models with their labels; one of them must be stable.
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

/// The models that a configuration labels. A folder that has two labels is loaded once.
fn load_models(config: &Config) -> Result<Vec<ModelWithLabels>, ServeError> {
    let labelled = [
        (&config.model, Label::Stable),
        (&config.canary, Label::Canary),
        (&config.shadow, Label::Shadow),
    ];
    let mut models: Vec<ModelWithLabels> = Vec::new();
    for (folder, label) in labelled {
        let Some(folder) = folder else { continue };
        let same = models
            .iter_mut()
            .find(|(model, _)| model.folder() == Some(folder.as_path()));
        match same {
            Some((_, labels)) => labels.push(label),
            None => {
                let model = load_model(folder, &models)?;
                models.push((Arc::new(model), vec![label]));
            }
        }
    }
    Ok(models)
}

/// The model of a folder, whose name must be nothing else's.
fn load_model(folder: &Path, others: &[ModelWithLabels]) -> Result<ServedModel, ServeError> {
    let fault = |problem: &str| ServeError::Folder {
        path: folder.to_owned(),
        problem: problem.to_owned(),
    };
    let model = ServedModel::load(folder)?;
    if Label::ALL.iter().any(|label| label.name() == model.name()) {
        return Err(fault("is the name of a label; rename the folder"));
    }
    if others.iter().any(|(other, _)| other.name() == model.name()) {
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
