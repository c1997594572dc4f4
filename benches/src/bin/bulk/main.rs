//! Makes up a plain heavy-tailed log of any size, for measuring speed.
//!
//! Users come at rates that differ by orders of magnitude, join through the log, and leave; some fade before they do,
//! and some have trouble first. That is enough for a model to learn more than recency, but no causes are planted and
//! no truth is written down: for those, see `ebb-train simulate`.
//!
//! The calendar is cut into slices, each a file. What a user does in a slice depends on the seed, the user and the
//! slice alone, so slices are made on any number of threads, and in memory for a few slices only. The cut follows from
//! the options, never from the threads: equal options give equal bytes.

mod calendar;
mod chance;
mod log;
mod population;
mod slice;
#[cfg(test)]
mod tests;
mod write;

use std::path::PathBuf;

use clap::Parser;
use ebb::history::Day;

use log::{Format, Options, make_log};

/// Makes up a plain log of about so many events: heavy-tailed, clean, for measuring speed.
#[derive(Parser)]
#[command(name = "bulk")]
struct Arguments {
    /// About how many events.
    #[arg(default_value_t = 50_000_000)]
    events: u64,
    /// How many users [default: one for every 50 events].
    #[arg(long)]
    users: Option<u32>,
    /// How many days.
    #[arg(long, default_value_t = 540)]
    days: u32,
    /// Seed of everything drawn at random.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// The first day.
    #[arg(long, value_name = "DATE", default_value_t = ebb::simulate::default_start())]
    start: Day,
    /// How the events are written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Threads that make the log, which does not depend on them [default: all processors].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// The folder to write.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Print nothing but errors.
    #[arg(long)]
    quiet: bool,
}

impl Arguments {
    fn options(self) -> Options {
        let usual = Options::new(self.events, self.days, self.seed, self.out);
        Options {
            start: self.start,
            format: self.format,
            users: self.users.unwrap_or(usual.users),
            threads: self.threads.unwrap_or(usual.threads),
            ..usual
        }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let quiet = arguments.quiet;
    let summary = make_log(&arguments.options())?;
    if !quiet {
        println!("{summary}");
    }
    Ok(())
}
