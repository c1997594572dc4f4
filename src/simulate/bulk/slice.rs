//! What happens in a slice of the calendar.

use std::ops::Range;

use super::population::{MORE_VISITS, Mood, Shopper};
use super::{DAY_SECONDS, Day, Kind, Purpose, Rng, World};

/// The hours between which sessions begin; most of them in the middle.
const OPENS: f64 = 6.0;
const CLOSES: f64 = 23.0;

/// The longest between two events of a session, in seconds.
const LONGEST_STEP: i32 = 120;

/// Prices, in pence.
const CHEAPEST: f64 = 100.0;
const DEAREST: f64 = 10_000_000.0;

/// The days of the log, numbered from 0, and how much happens on each.
pub(crate) struct Calendar {
    world: World,
    /// The sum of the season's factors before each day, and before the day after the last.
    before: Vec<f64>,
}

impl Calendar {
    pub(crate) fn new(start: Day, days: u32) -> Self {
        let world = World::new(start, days);
        let mut before = vec![0.0];
        let mut sum = 0.0;
        for day in 0..world.end.since(world.start) {
            sum += world.season(world.start.plus(day));
            before.push(sum);
        }
        Self { world, before }
    }

    /// How many days the log covers.
    pub(crate) fn days(&self) -> i32 {
        self.world.end.since(self.world.start)
    }

    /// The first day of a user inside the log, and whether the user joins on it.
    pub(crate) fn join(&self, rng: &mut Rng) -> (i32, bool) {
        let joined = self.world.join(rng).since(self.world.start);
        (joined.clamp(0, self.days() - 1), joined >= 0)
    }

    fn before(&self, day: i32) -> f64 {
        usize::try_from(day)
            .ok()
            .and_then(|day| self.before.get(day))
            .copied()
            .unwrap_or(0.0)
    }

    /// How much happens from one day until before another, where 1 is an average day.
    pub(crate) fn weight(&self, from: i32, until: i32) -> f64 {
        self.before(until) - self.before(from)
    }

    /// One of these days, drawn in proportion to what happens on each.
    fn day(&self, days: &Range<i32>, rng: &mut Rng) -> i32 {
        let place = rng.between(self.before(days.start), self.before(days.end));
        let day = self.before.partition_point(|before| *before <= place) as i32 - 1;
        day.clamp(days.start, days.end - 1)
    }
}

/// Something that one user did. The order is that of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BulkEvent {
    /// Seconds since the log began.
    pub(crate) second: i32,
    pub(crate) user: u32,
    pub(crate) kind: Kind,
    /// Money that moved or would have; 0 where none is involved.
    pence: i32,
}

impl BulkEvent {
    /// The amount in pounds, for the kinds of events that have one.
    pub(crate) fn amount(&self) -> Option<f64> {
        match self.kind {
            Kind::Cart | Kind::Purchase | Kind::Return => Some(f64::from(self.pence) / 100.0),
            Kind::Visit | Kind::SupportTicket | Kind::EmailClick => None,
        }
    }
}

/// All that a slice follows from.
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) calendar: Calendar,
    pub(crate) shoppers: Vec<Shopper>,
    /// How many slices there are.
    pub(crate) slices: u32,
}

impl Plan {
    /// The events of a slice, in order of time.
    pub(crate) fn events(&self, number: u32) -> Vec<BulkEvent> {
        let first_day = |slice: u32| (self.calendar.days() as u32 * slice / self.slices) as i32;
        let (from, until) = (first_day(number), first_day(number + 1));
        let mut events = Vec::new();
        for (user, shopper) in (0..).zip(&self.shoppers) {
            let days = from.max(shopper.joined)..until.min(shopper.left);
            if !days.is_empty() {
                let mut rng = Rng::of_part(self.seed, Purpose::Slice, user, number);
                self.live(
                    &User {
                        number: user,
                        shopper,
                    },
                    days,
                    &mut rng,
                    &mut events,
                );
            }
        }
        events.sort_unstable();
        // Nobody does the same thing twice in a second, so that no row repeats another.
        events.dedup_by_key(|event| (event.second, event.user, event.kind));
        events
    }

    /// Adds what a user does on these days.
    fn live(&self, user: &User<'_>, days: Range<i32>, rng: &mut Rng, events: &mut Vec<BulkEvent>) {
        let shopper = user.shopper;
        if shopper.new && days.contains(&shopper.joined) {
            Session::open(user, shopper.joined, rng, events).play(shopper.mood(shopper.joined));
        }
        let usual =
            rng.count(shopper.sessions_per_day * self.calendar.weight(days.start, days.end));
        for _ in 0..usual {
            let day = self.calendar.day(&days, rng);
            let mood = shopper.mood(day);
            if rng.happens(mood.sessions) {
                Session::open(user, day, rng, events).play(mood);
            }
        }
    }
}

struct User<'a> {
    number: u32,
    shopper: &'a Shopper,
}

/// A session on its way.
struct Session<'a> {
    user: &'a User<'a>,
    second: i32,
    /// The last second of the day.
    ends: i32,
    rng: &'a mut Rng,
    events: &'a mut Vec<BulkEvent>,
}

impl<'a> Session<'a> {
    /// A session that begins at some time of the day.
    fn open(
        user: &'a User<'a>,
        day: i32,
        rng: &'a mut Rng,
        events: &'a mut Vec<BulkEvent>,
    ) -> Self {
        let hour = rng
            .between(OPENS, CLOSES)
            .midpoint(rng.between(OPENS, CLOSES));
        let midnight = day * DAY_SECONDS;
        Self {
            user,
            second: midnight + (hour * 3_600.0) as i32,
            ends: midnight + DAY_SECONDS - 1,
            rng,
            events,
        }
    }

    fn play(&mut self, mood: Mood) {
        let clicked = self.rng.happens(f64::from(self.user.shopper.clicks));
        self.add(
            if clicked {
                Kind::EmailClick
            } else {
                Kind::Visit
            },
            0,
        );
        for _ in 0..self.rng.count(MORE_VISITS) {
            self.add(Kind::Visit, 0);
        }
        if self.rng.happens(f64::from(self.user.shopper.carts)) {
            let price = self.price();
            self.add(Kind::Cart, price);
            if self.rng.happens(mood.buys) {
                self.add(Kind::Purchase, price);
            }
        }
        if self.rng.happens(mood.returns) {
            let price = self.price();
            self.add(Kind::Return, -price);
        }
        if self.rng.happens(mood.tickets) {
            self.add(Kind::SupportTicket, 0);
        }
    }

    fn add(&mut self, kind: Kind, pence: i32) {
        self.events.push(BulkEvent {
            second: self.second,
            user: self.user.number,
            kind,
            pence,
        });
        self.second = (self.second + self.rng.whole(5, LONGEST_STEP)).min(self.ends);
    }

    fn price(&mut self) -> i32 {
        let price = f64::from(self.user.shopper.basket) * libm::exp(0.5 * self.rng.normal());
        price.clamp(CHEAPEST, DEAREST) as i32
    }
}
