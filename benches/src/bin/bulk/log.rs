//! What to make up, and the work shared out among threads.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use clap::ValueEnum;
use ebb::history::{Day, YEARS};
use ebb::output::OutputError;
use ebb::simulate::{LONGEST_DAYS, SHORTEST_DAYS, default_start};

use crate::calendar::Calendar;
use crate::population;
use crate::slice::Plan;
use crate::write;

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

/// What can go wrong with a bulk log.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    #[error("users is 0; make up at least one user")]
    NoUsers,
    #[error("days is {days}; make up {SHORTEST_DAYS} to {LONGEST_DAYS} days")]
    Days { days: u32 },
    #[error("start is {start}; start in the years {} to {}", YEARS.start(), YEARS.end())]
    Start { start: Day },
    /// Fewer events than it takes to join, or more than users can make.
    #[error(
        "events is {events}; with users = {users}, ask for {fewest} to {most} events, or for other users"
    )]
    Events {
        events: u64,
        users: u32,
        fewest: u64,
        most: u64,
    },
    #[error("threads is 0; work on at least one thread")]
    NoThreads,
    /// A file that would be replaced, in a folder whose configuration this program did not write.
    #[error("{} would be replaced, and was not written by this program; choose another folder", path.display())]
    Occupied { path: PathBuf },
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("cannot write {}: {source}", path.display())]
    Parquet {
        path: PathBuf,
        source: parquet::errors::ParquetError,
    },
    #[error("cannot write {}: {source}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// How a bulk log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Parquet, packed with Snappy; times are UTC timestamps in microseconds.
    #[default]
    Parquet,
    /// CSV with a header line, not packed; times are `YYYY-MM-DD HH:MM:SS`.
    Csv,
}

impl Format {
    /// The ending of its files' names.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
        }
    }
}

/// What to make up in bulk. [`make_log`] validates it.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many events are expected: at least 5 for each user, and at most 10 a day. The true number differs by chance,
    /// by less than 1 % in logs of a million events or more.
    pub events: u64,
    /// How many users there are or will be, at least one. A few have no event.
    pub users: u32,
    /// How many days the log covers, [`SHORTEST_DAYS`] to [`LONGEST_DAYS`].
    pub days: u32,
    /// Equal seeds give equal logs.
    pub seed: u64,
    /// The first day of the log.
    pub start: Day,
    /// How to write the events.
    pub format: Format,
    /// How many threads work, at least one. The log does not depend on it.
    pub threads: usize,
    /// The folder to write to; made when it is not there. An earlier bulk log in it is replaced, in one step and once the
    /// new one is complete.
    pub out: PathBuf,
}

impl Options {
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
            format: Format::default(),
            threads,
            out,
        }
    }

    fn validate(&self) -> Result<(), BulkError> {
        if self.users == 0 {
            return Err(BulkError::NoUsers);
        }
        if !(SHORTEST_DAYS..=LONGEST_DAYS).contains(&self.days) {
            return Err(BulkError::Days { days: self.days });
        }
        if !self.start.is_in_years() {
            return Err(BulkError::Start { start: self.start });
        }
        let fewest = u64::from(self.users) * FEWEST_EVENTS_PER_USER;
        let most = u64::from(self.users) * u64::from(self.days) * MOST_EVENTS_PER_USER_AND_DAY;
        if !(fewest..=most).contains(&self.events) {
            return Err(BulkError::Events {
                events: self.events,
                users: self.users,
                fewest,
                most,
            });
        }
        if self.threads == 0 {
            return Err(BulkError::NoThreads);
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
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
    pub format: Format,
}

impl fmt::Display for Summary {
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
pub fn make_log(options: &Options) -> Result<Summary, BulkError> {
    options.validate()?;
    let files = write::Files::new(options)?;
    let calendar = Calendar::new(options.start, options.days);
    let profiles = population::draw(options, &calendar);
    let plan = Plan {
        seed: options.seed,
        calendar,
        profiles,
        slices: options.slices(),
    };
    let events = in_parallel(options.threads, plan.slices, |number| {
        files.part(options, number, &plan.events(number))
    })?;
    files.finish(options)?;
    Ok(Summary {
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
    work: impl Fn(u32) -> Result<u64, BulkError> + Sync,
) -> Result<u64, BulkError> {
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
