use clap::{CommandFactory as _, ValueEnum};
use clap_complete::Shell;
use serde_json::json;

use crate::args::Arguments;
use crate::outcome::{Outcome, Output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell that is to complete commands, flags and files.
    #[arg(value_name = "SHELL")]
    pub(crate) shell: CompletedShell,
}

/// A shell for which there are completions.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum CompletedShell {
    /// GNU Bash 4 or newer, with or without bash-completion.
    Bash,
    /// The Z shell.
    Zsh,
    /// The friendly interactive shell.
    Fish,
}

impl From<CompletedShell> for Shell {
    fn from(shell: CompletedShell) -> Self {
        match shell {
            CompletedShell::Bash => Self::Bash,
            CompletedShell::Zsh => Self::Zsh,
            CompletedShell::Fish => Self::Fish,
        }
    }
}

pub(crate) fn completions(args: &Args, output: Output) -> Outcome {
    let mut script = Vec::new();
    let shell: Shell = args.shell.into();
    clap_complete::generate(shell, &mut Arguments::command(), "ebb-train", &mut script);
    // clap_complete 4.6 writes the program's name in two ways where it has a hyphen, so that Bash finds no flags of a command
    // (clap-rs/clap#6421).
    let script = String::from_utf8_lossy(&script).replace("ebb__subcmd__train", "ebb__train");
    output.document(
        &json!({"shell": shell.to_string(), "script": script}),
        &script,
    )
}
