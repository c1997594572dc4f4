//! What happens to events on their way into the log.

use super::DirtCounts;
use super::chance::{Chance, Purpose};
use super::event::{Channel, DAY_SECONDS, Event, Kind};
use super::world::World;

/// The number that stands for the bot; no user has it.
pub(crate) const BOT: u32 = u32::MAX;

/// The bot's visits on a day.
const BOT_VISITS_PER_DAY: f64 = 25.0;

/// The longest that a late row takes, in seconds.
const LATEST_SECONDS: i32 = 3 * 3_600;

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Nothing.
    None,
    /// The user is empty.
    NoUser,
    /// The time is unreadable, in the way of this number.
    BadTime(i32),
}

/// A row of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// When the row reached the log, in wall-clock seconds since 1970-01-01; the log is in this order.
    arrival: i64,
    pub(crate) user: u32,
    /// The row's number among those of its user.
    number: u32,
    pub(crate) event: Event,
    pub(crate) flaw: Flaw,
}

/// Turns lives into rows. What happens to a user's rows depends on the seed and that user only.
pub(crate) struct Dirt {
    seed: u64,
    share: f64,
    rows: Vec<Row>,
    counts: DirtCounts,
}

impl Dirt {
    pub(crate) fn new(seed: u64, share: f64) -> Self {
        Self {
            seed,
            share,
            rows: Vec::new(),
            counts: DirtCounts::default(),
        }
    }

    /// Adds a user's events, some of them damaged, repeated or late.
    pub(crate) fn add(&mut self, user: u32, events: &[Event]) {
        let mut chance = Chance::new(self.seed, Purpose::Dirt, user);
        let mut number = 0;
        for event in events {
            let late = chance.happens(self.share);
            let delay = if late {
                chance.whole(60, LATEST_SECONDS)
            } else {
                0
            };
            self.counts.late += u64::from(late);
            // 9 in 20 of the dirty rows lack the user, 2 have a bad time, 9 are repeated.
            let place = chance.unit() / self.share * 20.0;
            let flaw = if place < 9.0 {
                self.counts.without_user += 1;
                Flaw::NoUser
            } else if place < 11.0 {
                self.counts.bad_time += 1;
                Flaw::BadTime(chance.whole(0, 3))
            } else {
                Flaw::None
            };
            let arrival = event.at() + i64::from(delay);
            let row = Row {
                arrival,
                user,
                number,
                event: *event,
                flaw,
            };
            self.rows.push(row);
            number += 1;
            if (11.0..20.0).contains(&place) {
                self.counts.repeated += 1;
                let again = arrival + i64::from(chance.whole(0, 3_600));
                self.rows.push(Row {
                    arrival: again,
                    number,
                    ..row
                });
                number += 1;
            }
        }
    }

    /// Adds a bot that looks at the shop day and night for a third of the log; none when nothing is dirty.
    pub(crate) fn add_bot(&mut self, world: &World) {
        if self.share <= 0.0 {
            return;
        }
        let mut chance = Chance::new(self.seed, Purpose::Bot, BOT);
        let length = world.end.since(world.start);
        let (mut number, mut day) = (0, world.start.plus(length / 3));
        while day < world.start.plus(length * 2 / 3) {
            for _ in 0..chance.count(BOT_VISITS_PER_DAY) {
                // Not before two o'clock: a change of clocks skips or repeats the hour before.
                let event = Event::new(
                    day,
                    chance.whole(7_200, DAY_SECONDS - 1),
                    Kind::Visit,
                    Channel::Web,
                );
                self.rows.push(Row {
                    arrival: event.at(),
                    user: BOT,
                    number,
                    event,
                    flaw: Flaw::None,
                });
                number += 1;
            }
            day = day.plus(1);
        }
        self.counts.bot_visits = u64::from(number);
    }

    /// The rows in the order of the log, and what is wrong with them.
    pub(crate) fn finish(mut self) -> (Vec<Row>, DirtCounts) {
        self.rows
            .sort_unstable_by_key(|row| (row.arrival, row.user, row.number));
        (self.rows, self.counts)
    }
}
