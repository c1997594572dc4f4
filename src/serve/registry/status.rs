use super::labels::Label;

/// Whether a model can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModelState {
    /// It is being read and tested.
    Loading,
    /// It can answer.
    Active,
    /// It takes no more calls.
    Unloading,
    /// It could not be loaded.
    Failed,
}

impl ModelState {
    /// The state in one word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Active => "active",
            Self::Unloading => "unloading",
            Self::Failed => "failed",
        }
    }

    /// The state in an error, after the model's name.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Loading => "is still loading",
            Self::Active => "is loaded",
            Self::Unloading => "is being unloaded",
            Self::Failed => "could not be loaded; ListModels gives the reason",
        }
    }
}

/// A model's state and labels at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelStatus {
    /// The model's name.
    pub(crate) name: String,
    /// Whether it can answer.
    pub(crate) state: ModelState,
    /// Why it cannot be used, or could not be loaded again; empty without a problem.
    pub(crate) reason: String,
    /// The version; `None` when it could not be loaded.
    pub(crate) version: Option<String>,
    /// Its labels.
    pub(crate) labels: Vec<Label>,
}

/// Some models of a list, in order of their names.
#[derive(Clone, Debug)]
pub(crate) struct ModelPage {
    /// The models.
    pub(crate) models: Vec<ModelStatus>,
    /// Whether more models follow.
    pub(crate) has_more: bool,
    /// The etag of the list.
    pub(crate) etag: String,
}
