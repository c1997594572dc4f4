/// A label of a model. `ModelLabel` of the protocol says what each one means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// The model answers calls that name no model.
    Stable,
    /// The model answers calls that name "canary".
    Canary,
    /// The model's scores are compared with the stable model's.
    Shadow,
}

impl Label {
    /// Every label, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Stable, Self::Canary, Self::Shadow];

    /// The label's name in requests and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
            Self::Shadow => "shadow",
        }
    }

    /// The label of this name; `None` for any other name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|label| label.name() == name)
    }
}

/// The model that each label stands for, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels([Option<String>; Label::ALL.len()]);

impl Labels {
    /// The name of the label's model.
    pub(crate) fn get(&self, label: Label) -> Option<&str> {
        self.0[label as usize].as_deref()
    }

    /// Assigns the label to a model, or removes it.
    pub(crate) fn set(&mut self, label: Label, name: Option<String>) {
        self.0[label as usize] = name;
    }

    /// The labels of a model.
    pub(crate) fn of(&self, name: &str) -> impl Iterator<Item = Label> {
        Label::ALL
            .into_iter()
            .filter(move |label| self.get(*label) == Some(name))
    }
}
