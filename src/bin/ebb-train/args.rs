use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ebb::history::{Day, MemoryBudget, Partition};

use crate::commands::{Check, Compare, Evaluate};
use crate::values::{Dialect, Season, TimeType, bytes, share};

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
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Simulate the event log of a shop, with its configuration and the true causes of churn.
    Simulate(Simulate),
    /// Fit segments and churn models and write a model bundle.
    Fit(Fit),
    /// Score every user of a log.
    Score(Score),
    /// Judge a bundle on data that came after its fit, beside what its card promised.
    Evaluate(Evaluate),
    /// Compare two bundles on the same users of a later day.
    Compare(Compare),
    /// Check a bundle's card against a quality gate: exit code 2 where a figure misses its threshold.
    Check(Check),
    /// Replace the bundle in use by another one, in one step, and keep the earlier one for --rollback.
    Publish(Publish),
    /// Print a bundle's model card.
    Inspect(Inspect),
    /// Write the daily roll-up of a log as Parquet, with an index of its users for ebb-serve.
    Rollup(Rollup),
    /// Print the query that makes the daily roll-up of the configured log in a SQL engine.
    RollupSql(RollupSql),
    /// Write every user's features as of some days as Parquet.
    Features(Features),
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

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// How many users.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) users: u32,
    /// How many days.
    #[arg(long, default_value_t = 540)]
    pub(crate) days: u32,
    /// Seed of everything drawn at random.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// The first day.
    #[arg(long, value_name = "DATE", default_value_t = ebb::simulate::default_start())]
    pub(crate) start: Day,
    /// The share of rows that are late, repeated or broken, as in real logs.
    #[arg(long, default_value_t = ebb::simulate::DEFAULT_CORRUPTION_RATE)]
    pub(crate) corruption_rate: f64,
    /// What the time of year does to the business.
    #[arg(long, value_enum, default_value_t = Season::Mild)]
    pub(crate) season: Season,
    /// The folder to write.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Fit {
    #[command(flatten)]
    pub(crate) log: Log,
    /// No event at or after this day is seen [default: the day after the last one that the log covers].
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Day>,
    /// Also fit a random forest on the same rows and put its figures among the baselines of the card.
    #[arg(long = "random-forest-baseline")]
    pub(crate) random_forest: bool,
    /// Write the bundle even if a model does not beat the recency-only baseline.
    #[arg(long)]
    pub(crate) allow_below_baseline: bool,
    /// Fit on this share of the users, such as 0.05, chosen by a hash of their ids.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) sample_users: Option<f64>,
    /// The bundle's folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Score {
    /// The bundle's folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) log: Log,
    /// Score as known at the start of this day [default: the day after the last one that the log covers].
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Day>,
    /// Score also more than three days beyond what the log covers, where all users look silent.
    #[arg(long)]
    pub(crate) allow_stale: bool,
    /// Score also if the log has no event of a kind that the model uses.
    #[arg(long)]
    pub(crate) allow_missing_kinds: bool,
    /// Succeed also if no user is scored.
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// Score one partition of the users only, such as 0/16; together all partitions are all users.
    #[arg(long, value_name = "NUMBER/OF")]
    pub(crate) partition: Option<Partition>,
    /// scores.csv, scores.parquet, or - for CSV on standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The new bundle's folder. It is loaded and must reproduce its golden answers; a copy of it is published.
    #[arg(
        long,
        value_name = "FOLDER",
        requires = "live",
        required_unless_present = "rollback"
    )]
    pub(crate) model: Option<PathBuf>,
    /// The folder of the bundle in use, which is kept beside it as FOLDER.previous.
    #[arg(
        long,
        value_name = "FOLDER",
        requires = "model",
        required_unless_present = "rollback"
    )]
    pub(crate) live: Option<PathBuf>,
    /// Swap the bundle in this folder with the one that was there before; a second time swaps them back.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["model", "live"])]
    pub(crate) rollback: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The bundle's folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Rollup {
    #[command(flatten)]
    pub(crate) log: Log,
    /// Leave out events at or after this day.
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Day>,
    /// How many files, each with a share of the users.
    #[arg(long, default_value_t = 4)]
    pub(crate) partitions: usize,
    /// The folder to write.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RollupSql {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// The engine that is to run the query.
    #[arg(long, value_enum)]
    pub(crate) dialect: Dialect,
    /// The table that holds the log, as the engine writes its name [default: the configured files in Spark and DuckDB,
    /// `events` elsewhere].
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
    /// What the time column of the table is: text (or a number) as `events.time_format` says, a date or timestamp in
    /// local time, or an instant [default: what it is in the configured files].
    #[arg(long, value_enum)]
    pub(crate) time_type: Option<TimeType>,
    /// Leave out events at or after this day.
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<Day>,
}

#[derive(Debug, Args)]
pub(crate) struct Features {
    #[command(flatten)]
    pub(crate) log: Log,
    /// Features as known at the start of this day; may be repeated.
    #[arg(long, value_name = "DATE", required = true)]
    pub(crate) as_of: Vec<Day>,
    /// features.parquet
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}
