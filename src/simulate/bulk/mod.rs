//! A plain heavy-tailed log of any size, for measuring speed.
//!
//! Users come at rates that differ by orders of magnitude, join through the log, and leave; some fade before they do,
//! and some have trouble first. That is enough for a model to learn more than recency, but no causes are planted and
//! no truth is written down: for those, see [`simulate`](super::simulate()).
//!
//! The calendar is cut into slices, each a file. What a user does in a slice depends on the seed, the user and the
//! slice alone, so slices are made on any number of threads, and in memory for a few slices only. The cut follows from
//! the options, never from the threads: equal options give equal bytes.

pub(crate) mod population;
pub(crate) mod slice;
#[cfg(test)]
mod tests;
pub(crate) mod write;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::Serialize;

use super::event::{DAY_SECONDS, Kind};
use super::random::{Purpose, Rng};
use super::world::World;
use super::{SimulateError, check_calendar, default_start};
use crate::history::Day;
use slice::{Calendar, Plan};

/// The events of a bulk log unless another number is asked for.
pub const DEFAULT_BULK_EVENTS: u64 = 50_000_000;

/// How many events there are for each user unless the number of users is given.
const EVENTS_PER_USER: u64 = 50;

/// The fewest events for each user: most users join inside the log, with one session of up to four events or so.
const FEWEST_EVENTS_PER_USER: u64 = 5;

/// The most events a day of an average user: beyond it the busiest would have something to do every second.
const MOST_EVENTS_PER_USER_AND_DAY: u64 = 10;

/// How many events a slice holds about: what is sorted in memory by each thread.
const EVENTS_PER_SLICE: u64 = 3_000_000;

/// The fewest slices, so that a log is always several files.
const FEWEST_SLICES: u64 = 8;

/// How a bulk log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkFormat {
    /// Parquet, packed with Snappy; times are UTC timestamps in microseconds.
    #[default]
    Parquet,
    /// CSV with a header line, not packed; times are `YYYY-MM-DD HH:MM:SS`.
    Csv,
}

impl BulkFormat {
    /// The ending of its files' names.
    fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
        }
    }
}

/// What to make up in bulk. [`simulate_bulk`] checks the values.
#[derive(Clone, Debug)]
pub struct BulkOptions {
    /// How many events are expected: at least 5 for each user, and at most 10 a day. The true number differs by chance,
    /// by less than 1 % in logs of a million events or more.
    pub events: u64,
    /// How many users there are or will be, at least one. A few have no event.
    pub users: u32,
    /// How many days the log covers, [`SHORTEST_DAYS`](super::SHORTEST_DAYS) to [`LONGEST_DAYS`](super::LONGEST_DAYS).
    pub days: u32,
    /// Equal seeds give equal logs.
    pub seed: u64,
    /// The first day of the log.
    pub start: Day,
    /// How to write the events.
    pub format: BulkFormat,
    /// How many threads work, at least one. The log does not depend on it.
    pub threads: usize,
    /// The folder to write to; made when it is not there. An earlier bulk log in it is replaced, in one step and once the
    /// new one is complete.
    pub out: PathBuf,
}

impl BulkOptions {
    /// Options for so many events over so many days, with a user for every 50 events, as Parquet, on all processors.
    pub fn new(events: u64, days: u32, seed: u64, out: PathBuf) -> Self {
        let users = u32::try_from(events.div_ceil(EVENTS_PER_USER)).unwrap_or(u32::MAX);
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            events,
            users,
            days,
            seed,
            start: default_start(),
            format: BulkFormat::default(),
            threads,
            out,
        }
    }

    fn check(&self) -> Result<(), SimulateError> {
        if self.users == 0 {
            return Err(SimulateError::NoUsers);
        }
        check_calendar(self.days, self.start)?;
        let fewest = u64::from(self.users) * FEWEST_EVENTS_PER_USER;
        let most = u64::from(self.users) * u64::from(self.days) * MOST_EVENTS_PER_USER_AND_DAY;
        if !(fewest..=most).contains(&self.events) {
            return Err(SimulateError::Events {
                events: self.events,
                users: self.users,
                fewest,
                most,
            });
        }
        if self.threads == 0 {
            return Err(SimulateError::NoThreads);
        }
        Ok(())
    }

    /// How many slices the calendar is cut into, each at least a day.
    fn slices(&self) -> u32 {
        let slices = self
            .events
            .div_ceil(EVENTS_PER_SLICE)
            .clamp(FEWEST_SLICES, u64::from(self.days));
        u32::try_from(slices).unwrap_or(self.days)
    }
}

/// What was made up in bulk, in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BulkSummary {
    /// Rows in the log.
    pub events: u64,
    /// Users who may have events.
    pub users: u32,
    /// First day of the log.
    pub start: Day,
    /// First day after the log.
    pub end: Day,
    /// Files that hold the log, in order of time.
    pub files: u32,
    /// How they are written.
    pub format: BulkFormat,
}

impl fmt::Display for BulkSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            events,
            users,
            start,
            end,
            files,
            format,
        } = self;
        writeln!(
            f,
            "{events} events of {users} users in {files} {} files",
            format.extension()
        )?;
        write!(f, "{start} to {end} (exclusive)")
    }
}

/// Makes up a log in bulk and writes `ebb.toml` and `events/part-00000.parquet` (or `.csv`) and so on to the folder
/// `options.out`.
///
/// Files and the rows in them are in order of time, and no row repeats another. Equal options give equal bytes,
/// whatever the number of threads. Fails when an option is out of range or a file cannot be written.
pub fn simulate_bulk(options: &BulkOptions) -> Result<BulkSummary, SimulateError> {
    options.check()?;
    let files = write::Files::new(options)?;
    let calendar = Calendar::new(options.start, options.days);
    let shoppers = population::draw(options, &calendar);
    let plan = Plan {
        seed: options.seed,
        calendar,
        shoppers,
        slices: options.slices(),
    };
    let events = in_parallel(options.threads, plan.slices, |number| {
        files.part(options, number, &plan.events(number))
    })?;
    files.finish(options)?;
    Ok(BulkSummary {
        events,
        users: options.users,
        start: options.start,
        end: options.start.plus(plan.calendar.days()),
        files: plan.slices,
        format: options.format,
    })
}

/// The sum of what `work` gives for 0 to `count` - 1, shared out among threads; the first error of one of them ends all.
fn in_parallel(
    threads: usize,
    count: u32,
    work: impl Fn(u32) -> Result<u64, SimulateError> + Sync,
) -> Result<u64, SimulateError> {
    let next = AtomicU32::new(0);
    let worker = || {
        let mut sum = 0;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(sum);
            }
            sum += work(number).inspect_err(|_| next.store(count, Ordering::Relaxed))?;
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(count as usize))
            .map(|_| scope.spawn(worker))
            .collect();
        let sums = workers.into_iter().map(|worker| {
            worker
                .join()
                .unwrap_or_else(|e| std::panic::resume_unwind(e))
        });
        sums.sum()
    })
}
