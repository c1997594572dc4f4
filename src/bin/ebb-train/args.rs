//! The command line: what all commands share. Each command's own arguments stand beside it in `commands`.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use ebb::history::MemoryBudget;
use ebb::terminal::help_columns;

use crate::commands::{
    accept, check, compare, completions, evaluate, explain, features, fit, fit_matrix, init,
    inspect, kpi, laws, man, propose, publish, report, rollup, rollup_sql, score, simulate, top,
};
use crate::progress::ProgressForm;
use crate::values::bytes;

/// Trains churn models on an event log and scores its users.
#[derive(Debug, Parser)]
#[command(name = "ebb-train", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print nothing but errors.
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
    /// Print one JSON object on standard output instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Progress on standard error: a bar on a terminal and nothing elsewhere, nothing, lines, or JSON a line.
    #[arg(long, global = true, value_enum, value_name = "FORM", default_value_t = ProgressForm::Auto)]
    pub(crate) progress: ProgressForm,
}

impl Arguments {
    /// What this process was started with.
    ///
    /// # Errors
    /// Mistakes, and what is printed where help or the version is asked for.
    pub(crate) fn of_process() -> Result<Self, clap::Error> {
        let mut command = Self::command().term_width(help_columns());
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Propose a configuration for a log: its columns, formats, kinds, a horizon and an active window.
    Init(init::Args),
    /// Simulate the event log of a shop, with its configuration and the true causes of churn.
    Simulate(simulate::Args),
    /// Fit segments and churn models and write a model bundle.
    Fit(fit::Args),
    /// Score every user of a log.
    Score(score::Args),
    /// Judge a bundle on data that came after its fit, beside what its card promised.
    Evaluate(evaluate::Args),
    /// Compare two bundles on the same users of a later day.
    Compare(compare::Args),
    /// Check a bundle's card against a quality gate: exit code 2 where a figure misses its threshold.
    Check(check::Args),
    /// Replace the bundle in use by another one, in one step, and keep earlier ones for --rollback.
    Publish(publish::Args),
    /// Look for changes of the business that the lifecycle's thresholds should follow, and propose new ones.
    Propose(propose::Args),
    /// Put a proposal of `propose` into the configuration, and record it.
    Accept(accept::Args),
    /// Print a bundle's model card.
    Inspect(inspect::Args),
    /// Print which laws users' activity follows, by stage and value tier, and where it turns.
    Laws(laws::Args),
    /// Print where a bundle's report is, copy it, or open it in a browser.
    Report(report::Args),
    /// Write the daily roll-up of a log as Parquet, with an index of its users for ebb-serve.
    Rollup(rollup::Args),
    /// Print the query that makes the daily roll-up of the configured log in a SQL engine.
    RollupSql(rollup_sql::Args),
    /// List the users to look after first, by risk or by what would be lost with them.
    Top(top::Args),
    /// Explain one user's answer: reasons, the weeks before, and what other events would change.
    Explain(explain::Args),
    /// Print or write key performance indicators by week, month or quarter, of everybody and of groups of users.
    Kpi(kpi::Args),
    /// Write every user's features as of some days as Parquet.
    Features(features::Args),
    /// Fit a logistic model on a table of features that others made, as the classifier for scikit-learn does.
    FitMatrix(fit_matrix::Args),
    /// Print the script by which a shell completes commands and flags.
    Completions(completions::Args),
    /// Write the manual pages.
    Man(man::Args),
}

/// Which log to read, and how.
#[derive(Debug, Args)]
pub(crate) struct Log {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// A file, folder or pattern to read instead of those in the configuration; may be repeated.
    #[arg(long, value_name = "PATH")]
    pub(crate) events: Vec<PathBuf>,
    /// Also write the data-quality report as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) quality: Option<PathBuf>,
    /// Memory for the log's records, such as 512MiB or 4GiB; more than that goes to temporary files [default: an eighth
    /// of what this process may take].
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) memory: Option<usize>,
    /// The folder for temporary files, of which nothing is left however the command ends [default: the system's].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) temp: Option<PathBuf>,
}

impl Log {
    /// The memory that the log's records may take.
    pub(crate) fn memory_budget(&self) -> MemoryBudget {
        let machine =
            MemoryBudget::of_machine(self.temp.clone().unwrap_or_else(std::env::temp_dir));
        MemoryBudget {
            memory_bytes: self.memory.unwrap_or(machine.memory_bytes),
            ..machine
        }
    }
}
