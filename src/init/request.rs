//! What a configuration is proposed for, and what can be asked on the way.

use std::path::{Path, PathBuf};

use crate::history::{Day, MemoryBudget};

/// What a configuration is proposed for.
#[derive(Clone, Copy, Debug)]
pub struct InitRequest<'a> {
    /// Files, folders or patterns.
    pub files: &'a [PathBuf],
    /// The folder that the configuration will lie in, to which its paths are relative.
    pub folder: &'a Path,
    /// Columns that are given and not looked for.
    pub columns: &'a Columns,
    /// How much memory the events may take before they go to disk.
    pub memory: &'a MemoryBudget,
    /// The present day; later days are no days of the log. `None` where no day is in the future.
    pub today: Option<Day>,
}

/// Columns that are given and not looked for.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// The user's id.
    pub user: Option<String>,
    /// The time of an event.
    pub time: Option<String>,
    /// The kind of an event.
    pub kind: Option<String>,
    /// The amount of an event.
    pub amount: Option<String>,
}

/// Something that the log leaves open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The field or setting that the answer decides.
    pub field: &'static str,
    /// The question in words.
    pub text: String,
    /// The answers, the most likely first; at least two.
    pub options: Vec<String>,
}

/// Answers a question with the position of an option; `None` where nobody can be asked.
pub type Ask<'a> = dyn FnMut(&Question) -> Option<usize> + 'a;
