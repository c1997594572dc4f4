//! What the configuration files of the trainer and of the server have in common: settings that are described in a reference,
//! lists that may be one value, and errors that name the section and the key at fault.

pub mod one_or_many;
pub mod reference;

use std::fmt;

/// A setting with a value that it must not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// The table of the file that holds the setting, such as `churn`.
    pub section: &'static str,
    /// The key in that table.
    pub key: &'static str,
    /// A sentence that names the setting, its value and what is legal.
    pub problem: String,
}

impl SettingError {
    /// A setting whose `value` violates `requirement`, such as "be at least 1".
    pub fn illegal(
        section: &'static str,
        key: &'static str,
        value: impl fmt::Display,
        requirement: impl fmt::Display,
    ) -> Self {
        let problem = format!("{section}.{key} is {value}: it must {requirement}");
        Self::new(section, key, problem)
    }

    /// A setting with a description of its own of what is wrong.
    pub fn new(section: &'static str, key: &'static str, problem: impl Into<String>) -> Self {
        Self {
            section,
            key,
            problem: problem.into(),
        }
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for SettingError {}
