//! What happens in a slice of the calendar.

use std::ops::Range;

use crate::calendar::{Calendar, DAY_SECONDS};
use crate::chance::{Chance, Purpose};
use crate::population::{DayHabits, MORE_VISITS, UserProfile};

/// The hours between which sessions begin; most of them in the middle.
const OPENS: f64 = 6.0;
const CLOSES: f64 = 23.0;

/// The longest between two events of a session, in seconds.
const LONGEST_STEP: i32 = 120;

/// Prices, in pence.
const CHEAPEST: f64 = 100.0;
const DEAREST: f64 = 10_000_000.0;

/// A kind of event. The order is that of the log within a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Visit,
    Cart,
    Purchase,
    Return,
    SupportTicket,
    EmailClick,
}

impl Kind {
    /// How the log writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Visit => "visit",
            Self::Cart => "cart",
            Self::Purchase => "purchase",
            Self::Return => "return",
            Self::SupportTicket => "support_ticket",
            Self::EmailClick => "email_click",
        }
    }
}

/// Something that one user did. The order is that of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// Seconds since the log began.
    pub second: i32,
    pub user: u32,
    pub kind: Kind,
    /// Money that moved or would have; 0 where none is involved.
    pence: i32,
}

impl Event {
    /// The amount in pounds, for the kinds of events that have one.
    pub fn amount(&self) -> Option<f64> {
        match self.kind {
            Kind::Cart | Kind::Purchase | Kind::Return => Some(f64::from(self.pence) / 100.0),
            Kind::Visit | Kind::SupportTicket | Kind::EmailClick => None,
        }
    }
}

/// All that a slice follows from.
pub struct Plan {
    pub seed: u64,
    pub calendar: Calendar,
    pub profiles: Vec<UserProfile>,
    /// How many slices there are.
    pub slices: u32,
}

impl Plan {
    /// The events of a slice, in order of time.
    pub fn events(&self, number: u32) -> Vec<Event> {
        let first_day = |slice: u32| (self.calendar.days() as u32 * slice / self.slices) as i32;
        let (from, until) = (first_day(number), first_day(number + 1));
        let mut events = Vec::new();
        for (user, profile) in (0..).zip(&self.profiles) {
            let days = from.max(profile.joined)..until.min(profile.left);
            if !days.is_empty() {
                let mut chance = Chance::of_part(self.seed, Purpose::Slice, user, number);
                self.live(
                    &User {
                        number: user,
                        profile,
                    },
                    days,
                    &mut chance,
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
    fn live(
        &self,
        user: &User<'_>,
        days: Range<i32>,
        chance: &mut Chance,
        events: &mut Vec<Event>,
    ) {
        let profile = user.profile;
        if profile.new && days.contains(&profile.joined) {
            Session::open(user, profile.joined, chance, events)
                .play(profile.habits(profile.joined));
        }
        let usual =
            chance.count(profile.sessions_per_day * self.calendar.weight(days.start, days.end));
        for _ in 0..usual {
            let day = self.calendar.day(&days, chance);
            let habits = profile.habits(day);
            if chance.happens(habits.sessions) {
                Session::open(user, day, chance, events).play(habits);
            }
        }
    }
}

struct User<'a> {
    number: u32,
    profile: &'a UserProfile,
}

/// A session on its way.
struct Session<'a> {
    user: &'a User<'a>,
    second: i32,
    /// The last second of the day.
    ends: i32,
    chance: &'a mut Chance,
    events: &'a mut Vec<Event>,
}

impl<'a> Session<'a> {
    /// A session that begins at some time of the day.
    fn open(
        user: &'a User<'a>,
        day: i32,
        chance: &'a mut Chance,
        events: &'a mut Vec<Event>,
    ) -> Self {
        let hour = chance
            .between(OPENS, CLOSES)
            .midpoint(chance.between(OPENS, CLOSES));
        let midnight = day * DAY_SECONDS;
        Self {
            user,
            second: midnight + (hour * 3_600.0) as i32,
            ends: midnight + DAY_SECONDS - 1,
            chance,
            events,
        }
    }

    fn play(&mut self, habits: DayHabits) {
        let clicked = self.chance.happens(f64::from(self.user.profile.clicks));
        self.add(
            if clicked {
                Kind::EmailClick
            } else {
                Kind::Visit
            },
            0,
        );
        for _ in 0..self.chance.count(MORE_VISITS) {
            self.add(Kind::Visit, 0);
        }
        if self.chance.happens(f64::from(self.user.profile.carts)) {
            let price = self.price();
            self.add(Kind::Cart, price);
            if self.chance.happens(habits.buys) {
                self.add(Kind::Purchase, price);
            }
        }
        if self.chance.happens(habits.returns) {
            let price = self.price();
            self.add(Kind::Return, -price);
        }
        if self.chance.happens(habits.tickets) {
            self.add(Kind::SupportTicket, 0);
        }
    }

    fn add(&mut self, kind: Kind, pence: i32) {
        self.events.push(Event {
            second: self.second,
            user: self.user.number,
            kind,
            pence,
        });
        self.second = (self.second + self.chance.whole(5, LONGEST_STEP)).min(self.ends);
    }

    fn price(&mut self) -> i32 {
        let price = f64::from(self.user.profile.basket) * libm::exp(0.5 * self.chance.normal());
        price.clamp(CHEAPEST, DEAREST) as i32
    }
}
