//! A simulated shop, whose users leave for reasons that are known.
//!
//! The shop has no subscriptions: users come, look around, buy, and one day don't come back. Whether a model finds
//! out in time can be checked here, because every user's true parameters and reason to leave are written next to the
//! log. Day by day, each user
//!
//! - buys as a renewal process: gamma gaps (Poisson to very regular) at a rate that is gamma distributed among users
//!   ([`Persona`]) and follows the weekday, the time of year ([`Season`]) and the user's own way out;
//! - visits, fills carts, clicks on the Tuesday newsletter, sends goods back, asks for help;
//! - may leave for a planted [`Cause`], each with its own trace before.
//!
//! A life depends on the seed and the user's number alone, so the log of fewer users is a part of the log of more,
//! row by row. Real logs have noise, and so has this one: rows without a user, times that are none, repeated rows,
//! rows that come late, and a bot. Absent on purpose: users who come back after they left, and marketing that works.

pub(crate) mod attributes;
pub(crate) mod configuration;
pub(crate) mod event;
pub(crate) mod exit;
pub(crate) mod life;
pub(crate) mod noise;
pub(crate) mod persona;
pub(crate) mod planted;
pub(crate) mod random;
pub(crate) mod rhythm;
pub(crate) mod season;
pub(crate) mod summary_text;
#[cfg(test)]
mod tests;
pub(crate) mod visitor;
pub(crate) mod world;
pub(crate) mod write;

pub use event::{Channel, Kind};
pub use exit::Cause;
pub use persona::Persona;
pub use planted::{PaceChange, Planted, SpendGrowth};
pub use rhythm::RhythmKind;
pub use season::{Break, Season};
pub use visitor::Intent;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::history::{Day, YEARS};
use crate::output::OutputError;
use crate::phases::{Phases, Unit};
use life::Life;
use noise::Noise;
use visitor::{FIRST_VISITOR, Visitor};
use world::World;

/// What can go wrong with a simulation.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// A shop without users.
    #[error("users is 0; simulate at least one user")]
    NoUsers,
    /// More users or visitors than there are numbers for.
    #[error("{what} is {number}; simulate at most {}", MOST_PEOPLE)]
    TooMany {
        /// The option.
        what: &'static str,
        /// What was given.
        number: u32,
    },
    /// A log too short for anybody to be active and then leave, or too long for one start day.
    #[error("days is {days}; simulate {SHORTEST_DAYS} to {LONGEST_DAYS} days")]
    Days {
        /// What was given.
        days: u32,
    },
    /// A first day in years that no log has.
    #[error("start is {start}; start in the years {} to {}", YEARS.start(), YEARS.end())]
    Start {
        /// What was given.
        start: Day,
    },
    /// A share of corrupted rows that is no share.
    #[error("corruption_rate is {share}; give a share from 0 to 0.5")]
    CorruptionRate {
        /// What was given.
        share: f64,
    },
    /// A pace that nobody keeps up.
    #[error("the {what} multiplies by {factor}; give a factor from 0.1 to 10")]
    Pace {
        /// What is planted.
        what: &'static str,
        /// What was given.
        factor: f64,
    },
    /// Baskets that grow beyond measure.
    #[error(
        "baskets grow by {share} a month for {months} months; give a share from 0 to 1 and 0 to 120 months"
    )]
    Spend {
        /// The share that was given.
        share: f64,
        /// The months that were given.
        months: f64,
    },
    /// A file that no simulation wrote.
    #[error("{} would be replaced, and was not written by simulate; choose another folder", path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
    },
    /// An output that cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A folder or file that could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The fewest days that can be simulated.
pub const SHORTEST_DAYS: u32 = 60;

/// The most days that can be simulated, ten years.
pub const LONGEST_DAYS: u32 = 3_652;

/// The most users, and the most visitors, that can be simulated.
pub const MOST_PEOPLE: u32 = FIRST_VISITOR - 1;

/// The share of corrupted rows by default.
pub const DEFAULT_CORRUPTION_RATE: f64 = 0.01;

/// The first day by default: 2024-01-01.
pub fn default_start() -> Day {
    Day::from(jiff::civil::Date::constant(2024, 1, 1))
}

/// What to simulate. [`simulate`] checks the values.
#[derive(Clone, Debug)]
pub struct SimulateOptions {
    /// How many users there are or will be, at least one.
    pub users: u32,
    /// How many days the log covers, [`SHORTEST_DAYS`] to [`LONGEST_DAYS`].
    pub days: u32,
    /// Equal seeds give equal logs.
    pub seed: u64,
    /// The folder to write to; made when it is not there, an earlier simulation in it replaced.
    pub out: PathBuf,
    /// The first day of the log.
    pub start: Day,
    /// The share of rows, 0 to 0.5, that are damaged or repeated; as many come late. With 0 there is no bot either.
    pub corruption_rate: f64,
    /// What the time of year does to the business.
    pub season: Season,
    /// How many people there are beside the users who look around first, and buy later or never.
    pub visitors: u32,
    /// Changes of the business that are to be found.
    pub planted: Planted,
    /// Whether to write what is known of users beside events, too, to `attributes.csv`.
    pub attributes: bool,
}

impl SimulateOptions {
    /// Options with the default first day, share of corrupted rows and season.
    pub fn new(users: u32, days: u32, seed: u64, out: PathBuf) -> Self {
        Self {
            users,
            days,
            seed,
            out,
            start: default_start(),
            corruption_rate: DEFAULT_CORRUPTION_RATE,
            season: Season::default(),
            visitors: 0,
            planted: Planted::default(),
            attributes: false,
        }
    }

    fn check(&self) -> Result<(), SimulateError> {
        if self.users == 0 {
            return Err(SimulateError::NoUsers);
        }
        for (what, number) in [("users", self.users), ("visitors", self.visitors)] {
            if number > MOST_PEOPLE {
                return Err(SimulateError::TooMany { what, number });
            }
        }
        if !(SHORTEST_DAYS..=LONGEST_DAYS).contains(&self.days) {
            return Err(SimulateError::Days { days: self.days });
        }
        if !self.start.is_in_years() {
            return Err(SimulateError::Start { start: self.start });
        }
        if !(0.0..=0.5).contains(&self.corruption_rate) {
            return Err(SimulateError::CorruptionRate {
                share: self.corruption_rate,
            });
        }
        self.planted.check()
    }
}

/// What was simulated, in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Users in the ground truth.
    pub users: u32,
    /// Rows in the log, corrupted ones and the bot's included.
    pub rows: u64,
    /// Purchases, each counted once.
    pub purchases: u64,
    /// First day of the log.
    pub start: Day,
    /// First day after the log.
    pub end: Day,
    /// The day on which the competitor opens.
    pub competitor: Day,
    /// The day on which prices rise.
    pub price_rise: Day,
    /// Users who left inside the log, by cause.
    pub left: BTreeMap<Cause, u32>,
    /// What the time of year does.
    pub season: SeasonSummary,
    /// People who looked around first; none unless they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visitors: Option<VisitorSummary>,
    /// What is wrong with the log.
    pub noise: NoiseCounts,
}

/// The visitors of a simulated log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VisitorSummary {
    /// How many there are.
    pub visitors: u32,
    /// Those who signed up before buying.
    pub signed_up: u32,
    /// Those who bought.
    pub converted: u32,
}

/// The season of a simulated log: its true calendar.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeasonSummary {
    /// Which one.
    pub name: Season,
    /// The months of the log, in order of time.
    pub months: Vec<MonthFactor>,
    /// Times of rest that the log has days of, in order of time.
    pub breaks: Vec<Break>,
    /// Users by the kind of their own time of year.
    pub users: BTreeMap<RhythmKind, u32>,
}

/// A month of a simulated log.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MonthFactor {
    /// The first day of it that is in the log.
    pub from: Day,
    /// Purchases of users who follow the calendar on those of its days that are in the log, relative to an average day.
    pub factor: f64,
}

/// How many rows of a log are corrupted, and in which way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NoiseCounts {
    /// Rows whose user is empty.
    pub without_user: u64,
    /// Rows whose time cannot be read.
    pub bad_time: u64,
    /// Rows that are there a second time.
    pub repeated: u64,
    /// Rows below others that happened later. They are legal, and not part of the share of corrupted rows.
    pub late: u64,
    /// Visits of the bot.
    pub bot_visits: u64,
}

/// Simulates a shop and writes `events.csv.gz`, `ebb.toml` and `truth.csv` to the folder `options.out`; with visitors also
/// `visitors.csv`, the truth about them, and where they are wanted `attributes.csv`.
///
/// Equal options give equal bytes. Fails when an option is out of range or a file cannot be written.
pub fn simulate(options: &SimulateOptions) -> Result<Summary, SimulateError> {
    simulate_observed(options, Phases::UNOBSERVED)
}

/// [`simulate`] in phases that are observed.
///
/// # Errors
/// As [`simulate`].
pub fn simulate_observed(
    options: &SimulateOptions,
    phases: Phases<'_>,
) -> Result<Summary, SimulateError> {
    options.check()?;
    let files = write::Files::new(options)?;
    let world =
        World::new(options.start, options.days, options.season).with_planted(options.planted);
    let mut noise = Noise::new(options.seed, options.corruption_rate);
    let mut truths = Vec::new();
    let mut attributes = Vec::new();
    let mut left = BTreeMap::new();
    let mut rhythms = BTreeMap::new();
    let mut purchases = 0;
    let living = phases.begin("simulating users", options.users.into(), Unit::Users);
    for user in 0..options.users {
        let life = Life::live(&world, options.seed, user);
        purchases += life
            .events
            .iter()
            .filter(|event| event.kind == Kind::Purchase)
            .count() as u64;
        if let (Some(exit), Some(_)) = (life.exit, life.left(&world)) {
            *left.entry(exit.cause).or_default() += 1;
        }
        *rhythms.entry(life.rhythm.kind()).or_default() += 1;
        truths.push(write::Truth::new(&world, user, &life));
        if options.attributes {
            attributes.push((user, attributes::rows(&world, options.seed, user, &life)));
        }
        noise.add(user, &life.events);
        living.advance(1);
    }
    let visitors = visit(options, &world, &mut noise, phases);
    purchases += visitors.purchases;
    noise.add_bot(&world);
    let ordering = phases.begin("ordering the rows", 1, Unit::Steps);
    let (rows, noise) = noise.finish();
    ordering.advance(1);
    let content = write::Content {
        rows: &rows,
        truths: &truths,
        visitors: &visitors.truths,
        attributes: &attributes,
    };
    files.write(options, &content, phases)?;
    Ok(Summary {
        users: options.users,
        rows: rows.len() as u64,
        purchases,
        start: world.start,
        end: world.end,
        competitor: world.competitor,
        price_rise: world.price_rise,
        left,
        season: SeasonSummary {
            name: world.season,
            months: world.months(),
            breaks: world.breaks(),
            users: rhythms,
        },
        visitors: (options.visitors > 0).then_some(visitors.summary),
        noise,
    })
}

/// What became of the visitors.
#[derive(Default)]
struct Visitors {
    purchases: u64,
    truths: Vec<write::VisitorTruth>,
    summary: VisitorSummary,
}

/// Lets the visitors live, and adds their rows.
fn visit(
    options: &SimulateOptions,
    world: &World,
    noise: &mut Noise,
    phases: Phases<'_>,
) -> Visitors {
    let mut all = Visitors::default();
    if options.visitors == 0 {
        return all;
    }
    let living = phases.begin("simulating visitors", options.visitors.into(), Unit::Users);
    for visitor in 0..options.visitors {
        let number = FIRST_VISITOR + visitor;
        let life = Visitor::live(world, options.seed, number);
        let bought = life.events.iter().filter(|e| e.kind == Kind::Purchase);
        all.purchases += bought.count() as u64;
        all.summary.visitors += 1;
        all.summary.signed_up += u32::from(life.signed_up.is_some());
        all.summary.converted += u32::from(life.converted.is_some());
        all.truths.push(write::VisitorTruth::new(number, &life));
        noise.add(number, &life.events);
        living.advance(1);
    }
    all
}
