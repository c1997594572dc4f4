//! How a command ends, and what it prints.

use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::Context;
use ebb::output::visible_lines;
use ebb::report::lines::Line;
use ebb::terminal::columns;

use crate::hints;
use crate::progress::ProgressForm;
use crate::terminal;
use crate::wrap::wrapped;

/// Why a command ended without success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Bad usage or configuration.
    Usage(anyhow::Error),
    /// The work could not be done.
    Failed(anyhow::Error),
    /// A model was evaluated and is not good enough; with a message, unless the figures have been printed already.
    Verdict(Option<String>),
}

impl Failure {
    pub(crate) const USAGE: u8 = 64;

    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => Self::USAGE,
            Self::Verdict(_) => 2,
            Self::Failed(_) => 1,
        }
    }

    /// The error with its causes, unless a cause only repeats it, and with a hint at the flags that help.
    pub(crate) fn message(&self) -> Option<String> {
        let error = match self {
            Self::Usage(error) | Self::Failed(error) => error,
            Self::Verdict(verdict) => return verdict.clone(),
        };
        let mut text = error.to_string();
        for cause in error.chain().skip(1).map(ToString::to_string) {
            if !text.contains(&cause) {
                let _ = write!(text, ": {cause}");
            }
        }
        if let Some(hint) = hints::hint(error) {
            let _ = write!(text, "\nhint: {hint}");
        }
        Some(text)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

pub(crate) type Outcome = Result<(), Failure>;

pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Usage(error.into())
}

pub(crate) fn failed(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Failed(error.into())
}

/// How to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) quiet: bool,
    pub(crate) json: bool,
    pub(crate) progress: ProgressForm,
}

impl Output {
    /// The result: JSON or text on standard output, or nothing. Control characters are written out.
    pub(crate) fn result(self, json: &serde_json::Value, text: &str) -> Outcome {
        match (self.json, self.quiet) {
            (true, _) => print(&visible_lines(&json.to_string())),
            (false, true) => Ok(()),
            (false, false) => {
                let text = visible_lines(text.trim_end());
                match columns(std::io::stdout()) {
                    Some(columns) => print(&wrapped(&text, columns)),
                    None => print(&text),
                }
            }
        }
    }

    /// The same in lines for a terminal, in its colours.
    pub(crate) fn painted(self, json: &serde_json::Value, lines: &[Line]) -> Outcome {
        match (self.json, self.quiet) {
            (true, _) => print(&visible_lines(&json.to_string())),
            (false, true) => Ok(()),
            (false, false) => print(&terminal::painted(lines)),
        }
    }

    /// A result for another program, such as a query: as it is, but for control characters where it goes to a terminal. Its
    /// lines are not broken: it may be copied from there. It is all that was asked for, so it is printed quietly too.
    pub(crate) fn document(self, json: &serde_json::Value, text: &str) -> Outcome {
        let text = text.trim_end();
        if self.json {
            self.result(json, text)
        } else if std::io::stdout().is_terminal() {
            print(&visible_lines(text))
        } else {
            print(text)
        }
    }

    /// Something that may make the result wrong, on standard error, also where nothing else is printed.
    pub(crate) fn warn(self, text: &str) {
        say(&format!("warning: {}", text.trim_end()));
    }

    /// What is likely to be typed next, on standard error. It is copied from there, so it stays on one line.
    pub(crate) fn next(self, command: &str) {
        if self.has_notes() {
            say(&format!("next: {command}"));
        }
    }

    /// A remark on the way, on standard error.
    pub(crate) fn note(self, text: &str) {
        if self.has_notes() {
            match columns(std::io::stderr()) {
                Some(columns) => say(&wrapped(text.trim_end(), columns)),
                None => say(text.trim_end()),
            }
        }
    }

    fn has_notes(self) -> bool {
        !self.quiet && !self.json
    }
}

fn print(line: &str) -> Outcome {
    let mut output = std::io::stdout();
    match writeln!(output, "{line}").and_then(|()| output.flush()) {
        // The reader has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output").map_err(Failure::Failed),
    }
}

/// A line on standard error, with control characters written out. Where it cannot be written, the work goes on without it.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", visible_lines(line));
}

/// A path for people and JSON to read; what is not UTF-8 in it is replaced by U+FFFD.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A path as a shell takes it: in quotes where it has to be.
pub(crate) fn quoted(path: &Path) -> String {
    let text = shown(path);
    let is_plain = |letter: char| letter.is_alphanumeric() || "_-./:=@%+,".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_a_shell_would_take_them_apart() {
        for (path, expected) in [
            ("models/next-2.v1", "models/next-2.v1"),
            ("my models/x", "'my models/x'"),
            ("it's", r"'it'\''s'"),
            ("$HOME/*", "'$HOME/*'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(Path::new(path)), expected);
        }
    }
}
