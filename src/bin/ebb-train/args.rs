use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ebb::history::{Day, Partition, Space};

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
    /// Make up the event log of a shop, with its configuration and the true causes of churn.
    Simulate(Simulate),
    /// Fit segments and churn models and write a model bundle.
    Fit(Fit),
    /// Score every user of a log.
    Score(Score),
    /// Hold a bundle's card against floors: exit code 2 below them.
    Check(Check),
    /// Put a bundle in the place of the one in use, in one step, and keep that one for --rollback.
    Publish(Publish),
    /// Print a bundle's model card.
    Inspect(Inspect),
    /// Write the daily roll-up of a log as Parquet.
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
    /// Memory for the log's records, such as 512MiB or 4GiB; what is more goes to temporary files [default: an eighth of
    /// what this process may take].
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) memory: Option<usize>,
    /// The folder for temporary files, of which nothing is left however the command ends [default: the system's].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) temp: Option<PathBuf>,
}

impl Log {
    /// The space that the log's records may take.
    pub(crate) fn space(&self) -> Space {
        let machine = Space::of_machine(self.temp.clone().unwrap_or_else(std::env::temp_dir));
        Space {
            memory_bytes: self.memory.unwrap_or(machine.memory_bytes),
            ..machine
        }
    }
}

/// Bytes, with a unit or without.
fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor = match text.get(digits.len()..).unwrap_or_default().trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => 0,
    };
    let bytes = digits
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| format!("`{text}` is no size; write it like 512MiB or 4GiB"))
}

/// A share of users.
fn share(text: &str) -> Result<f64, String> {
    let share = text
        .parse::<f64>()
        .ok()
        .filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| format!("`{text}` is no share of users; give one above 0 and up to 1"))
}

/// A share of rows.
fn share_of_rows(text: &str) -> Result<f64, String> {
    let share = text
        .parse::<f64>()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("`{text}` is no share of rows; give one from 0 to 1"))
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
    #[arg(long, default_value_t = ebb::simulate::DEFAULT_DIRTY_SHARE)]
    pub(crate) dirty_share: f64,
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
    /// Also fit a random forest and put its figures into the card beside the model's.
    #[arg(long = "random-forest-baseline")]
    pub(crate) random_forest: bool,
    /// Write the bundle even if a model does not beat one that knows recency only.
    #[arg(long)]
    pub(crate) allow_below_baseline: bool,
    /// Fit on this share of the users, such as 0.05; a hash of their ids decides who it is.
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
    /// Score also more than three days beyond what the log covers, where everybody looks silent.
    #[arg(long)]
    pub(crate) allow_stale: bool,
    /// Score also if the log has no event of a kind that the model uses.
    #[arg(long)]
    pub(crate) allow_missing_kinds: bool,
    /// Succeed also if nobody is scored.
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
pub(crate) struct Check {
    /// The bundle's folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model: PathBuf,
    /// The smallest acceptable area under the ROC curve.
    #[arg(long, value_name = "AUC")]
    pub(crate) min_auc: Option<f64>,
    /// The largest acceptable log loss.
    #[arg(long, value_name = "LOSS")]
    pub(crate) max_log_loss: Option<f64>,
    /// The largest acceptable expected calibration error.
    #[arg(long, value_name = "ERROR")]
    pub(crate) max_ece: Option<f64>,
    /// The largest acceptable share of the log's rows that were refused; rows that name no user are not among them
    /// [default: 0.05].
    #[arg(long, value_name = "SHARE", value_parser = share_of_rows)]
    pub(crate) max_refused_share: Option<f64>,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The new bundle's folder. It is loaded and has to give its golden answers; a copy of it is published.
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
    /// Exchange the bundle in this folder with the one that was there before; done twice, all is as it was.
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

/// A SQL engine.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Dialect {
    /// Spark SQL, 4.0 or newer.
    Spark,
    /// BigQuery.
    Bigquery,
    /// Snowflake.
    Snowflake,
    /// ClickHouse.
    Clickhouse,
    /// DuckDB, 1.2 or newer.
    Duckdb,
    /// PostgreSQL, 16 or newer.
    Postgres,
}

impl From<Dialect> for ebb::events::Dialect {
    fn from(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Spark => Self::Spark,
            Dialect::Bigquery => Self::BigQuery,
            Dialect::Snowflake => Self::Snowflake,
            Dialect::Clickhouse => Self::ClickHouse,
            Dialect::Duckdb => Self::DuckDb,
            Dialect::Postgres => Self::Postgres,
        }
    }
}

/// What the time column of a table is.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TimeType {
    /// Text or a number, as `events.time_format` says.
    Text,
    /// A date, or a timestamp without a time zone.
    Local,
    /// A timestamp with a time zone, or in UTC.
    Instant,
}

impl From<TimeType> for ebb::events::TimeType {
    fn from(kind: TimeType) -> Self {
        match kind {
            TimeType::Text => Self::Text,
            TimeType::Local => Self::Local,
            TimeType::Instant => Self::Instant,
        }
    }
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
