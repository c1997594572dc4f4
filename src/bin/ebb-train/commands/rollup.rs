use ebb::events::ReadLog;
use ebb::history::{Users, rollup_destination, write_rollup};
use ebb::rollup_sql::SqlRequest;
use ebb::train::config::Config;
use serde_json::json;

use super::log::read;
use crate::args;
use crate::outcome::{Outcome, Output, failed, shown, usage};
use crate::outputs;

pub(crate) fn rollup(args: &args::Rollup, output: Output) -> Outcome {
    if args.partitions == 0 {
        return Err(usage(anyhow::anyhow!("--partitions must be at least 1")));
    }
    let config = Config::load(&args.log.config).map_err(usage)?;
    let destination = rollup_destination(&args.out).map_err(outputs::refused)?;
    outputs::check(&args.log, &config, None, vec![destination])?;
    let ReadLog { histories, .. } = read(&args.log, &config, args.as_of, Users::All, output)?;
    let written = write_rollup(&args.out, &histories, args.partitions).map_err(failed)?;
    let index = if written.indexed {
        "with an index of the users for ebb-serve"
    } else {
        "without an index of the users, since some rows lie on days that the log does not cover"
    };
    let text = format!(
        "{} rows (user, day, kind) in {} files in {}, {index}",
        written.rows,
        written.files,
        args.out.display()
    );
    let json = json!({
        "out": shown(&args.out),
        "rows": written.rows,
        "files": written.files,
        "indexed": written.indexed,
    });
    output.result(&json, &text)
}

pub(crate) fn rollup_sql(args: &args::RollupSql, output: Output) -> Outcome {
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
    // The query is what was asked for, so it is printed quietly too.
    let output = Output {
        quiet: false,
        ..output
    };
    output.document(
        &json!({"dialect": request.dialect.name(), "sql": sql}),
        &sql,
    )
}
