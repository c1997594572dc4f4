use std::path::PathBuf;

use ebb::history::Day;
use ebb::rollup_sql::SqlRequest;
use ebb::train::config::Config;
use serde_json::json;

use crate::outcome::{Outcome, Output, failed, usage};
use crate::values::{Dialect, TimeType};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
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

pub(crate) fn rollup_sql(args: &Args, output: Output) -> Outcome {
    let config = Config::load(&args.config).map_err(usage)?;
    let request = SqlRequest {
        config: &config.events,
        base_dir: &config.folder,
        dialect: args.dialect.into(),
        table: args.table.as_deref(),
        time_type: args.time_type.map(Into::into),
        until: args.as_of,
        default_kind: config.default_kind(),
    };
    let sql = ebb::rollup_sql::rollup_sql(&request)
        .map_err(|e| if e.is_setting() { usage(e) } else { failed(e) })?;
    output.document(
        &json!({"dialect": request.dialect.name(), "sql": sql}),
        &sql,
    )
}
