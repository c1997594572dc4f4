//! Who the users of a bulk log are: how often they come, from when to when, and how their last days differ.

use super::slice::Calendar;
use super::{BulkOptions, Purpose, Rng};

/// Spread of the logarithm of users' rates. The mean is some three times the median, and the busiest of a million
/// users comes hundreds of times as often as the mean.
const RATE_SPREAD: f64 = 1.5;

/// The share of users who only try the shop, and the mean days for which they and the others stay.
const TRIES: f64 = 0.3;
const TRIES_FOR_DAYS: f64 = 45.0;
const STAYS_FOR_DAYS: f64 = 700.0;

/// Shares of users who fade before they leave, and who have trouble before they do.
const FADES: f64 = 0.5;
const UPSET: f64 = 0.35;

/// The days before leaving in which trouble shows.
const UPSET_DAYS: i32 = 21;

/// Mean visits of a session after the one that opens it.
pub(crate) const MORE_VISITS: f64 = 0.8;

/// Probability that a filled cart is paid for.
const BUYS: f64 = 0.9;

/// A user of a bulk log. Days are counted from the first of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shopper {
    /// Mean sessions on an average day.
    pub(crate) sessions_per_day: f64,
    /// First day inside the log.
    pub(crate) joined: i32,
    /// Whether the user joins on that day, in a session, and was not there before the log.
    pub(crate) new: bool,
    /// First day on which the user is gone; may lie beyond the log.
    pub(crate) left: i32,
    /// How many days before leaving the user begins to fade; 0 for never.
    fades_days: i32,
    /// Whether something goes wrong shortly before the user leaves.
    upset: bool,
    /// Probability that a session fills a cart.
    pub(crate) carts: f32,
    /// Probability that a session begins with a click in a newsletter.
    pub(crate) clicks: f32,
    /// Median price of a cart, in pence.
    pub(crate) basket: f32,
}

/// How a user's day differs from another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mood {
    /// Share of the usual sessions.
    pub(crate) sessions: f64,
    /// Probability that a filled cart is paid for.
    pub(crate) buys: f64,
    /// Probability that a session ends with goods sent back.
    pub(crate) returns: f64,
    /// Probability that a session ends with a call for help.
    pub(crate) tickets: f64,
}

impl Shopper {
    fn draw(options: &BulkOptions, calendar: &Calendar, user: u32) -> Self {
        let mut rng = Rng::new(options.seed, Purpose::Shopper, user);
        let (joined, new) = calendar.join(&mut rng);
        let mean_days = if rng.happens(TRIES) {
            TRIES_FOR_DAYS
        } else {
            STAYS_FOR_DAYS
        };
        let stays = 1.0 + rng.wait(mean_days).min(1e6);
        let fades_days = rng.whole(20, 90);
        Self {
            sessions_per_day: libm::exp(RATE_SPREAD * rng.normal()),
            joined,
            new,
            left: joined + stays as i32,
            fades_days: if rng.happens(FADES) { fades_days } else { 0 },
            upset: rng.happens(UPSET),
            carts: rng.between(0.4, 1.0) as f32,
            clicks: (0.12 * rng.gamma(1.0)).min(0.9) as f32,
            basket: (3_000.0 * libm::exp(0.6 * rng.normal())) as f32,
        }
    }

    /// What is different on this day.
    pub(crate) fn mood(&self, day: i32) -> Mood {
        let mut mood = Mood {
            sessions: 1.0,
            buys: BUYS,
            returns: 0.03,
            tickets: 0.02,
        };
        let days_left = self.left - day;
        if days_left < self.fades_days {
            let rest = f64::from(days_left) / f64::from(self.fades_days);
            mood.sessions = rest.max(0.05);
            mood.buys = BUYS * (0.4 + 0.6 * rest);
        }
        if self.upset && days_left <= UPSET_DAYS {
            (mood.returns, mood.tickets) = (0.30, 0.25);
        }
        mood
    }

    /// Mean events of a session.
    fn events_per_session(&self, mood: Mood) -> f64 {
        1.0 + MORE_VISITS + f64::from(self.carts) * (1.0 + mood.buys) + mood.returns + mood.tickets
    }

    /// Mean events of the session in which the user joins.
    fn expected_at_first(&self) -> f64 {
        if self.new {
            self.events_per_session(self.mood(self.joined))
        } else {
            0.0
        }
    }

    /// Mean events of all other sessions in the log.
    fn expected_events(&self, calendar: &Calendar) -> f64 {
        let end = self.left.min(calendar.days());
        let changes = (self.left - self.fades_days.max(UPSET_DAYS)).clamp(self.joined, end);
        let sessions = |from, until| self.sessions_per_day * calendar.weight(from, until);
        let on = |day| {
            let mood = self.mood(day);
            sessions(day, day + 1) * mood.sessions * self.events_per_session(mood)
        };
        let usual = self.mood(i32::MIN / 2);
        sessions(self.joined, changes) * self.events_per_session(usual)
            + (changes..end).map(on).sum::<f64>()
    }
}

/// All users, at rates that make `options.events` the expected number of events.
pub(crate) fn draw(options: &BulkOptions, calendar: &Calendar) -> Vec<Shopper> {
    let mut shoppers: Vec<Shopper> = (0..options.users)
        .map(|user| Shopper::draw(options, calendar, user))
        .collect();
    let at_first: f64 = shoppers.iter().map(Shopper::expected_at_first).sum();
    let expected: f64 = shoppers
        .iter()
        .map(|shopper| shopper.expected_events(calendar))
        .sum();
    for shopper in &mut shoppers {
        shopper.sessions_per_day *= (options.events as f64 - at_first) / expected;
    }
    shoppers
}
