use std::fmt;

/// The path of a subject in its request: the beginning of the path of every field in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldPath {
    /// `subject`, of a request for one user.
    Subject,
    /// `subjects[i]`, of a batch.
    Subjects(usize),
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject => f.write_str("subject"),
            Self::Subjects(i) => write!(f, "subjects[{i}]"),
        }
    }
}
