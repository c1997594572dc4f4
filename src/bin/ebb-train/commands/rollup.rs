use std::path::PathBuf;

use ebb::events::ReadLog;
use ebb::history::{Day, Users, rollup_destination, write_rollup_observed};
use ebb::train::config::Config;
use serde_json::json;

use super::log::read;
use crate::args;
use crate::outcome::{Outcome, Output, failed, quoted, shown, usage};
use crate::outputs;
use crate::progress::ProgressDisplay;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) log: args::Log,
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

pub(crate) fn rollup(args: &Args, output: Output) -> Outcome {
    if args.partitions == 0 {
        return Err(usage(anyhow::anyhow!("--partitions must be at least 1")));
    }
    let config = Config::load(&args.log.config).map_err(usage)?;
    let destination = rollup_destination(&args.out).map_err(outputs::refused)?;
    outputs::check(&args.log, &config, &[], vec![destination])?;
    let ReadLog { histories, .. } = read(&args.log, &config, args.as_of, Users::All, output)?;
    let display = ProgressDisplay::new(output);
    let written = write_rollup_observed(&args.out, &histories, args.partitions, display.phases())
        .map_err(failed)?;
    drop(display);
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
    output.result(&json, &text)?;
    output.next(&format!(
        "ebb-serve --model FOLDER --rollup {}",
        quoted(&args.out)
    ));
    Ok(())
}
