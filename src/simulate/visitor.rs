//! People who look around, and some of whom buy at last.
//!
//! What they intend is theirs alone; what they do before they buy shows it: how often they come, whether they fill a cart,
//! sign up and follow the newsletter. The chance to buy on a day with a visit is [`Intent::buys`], raised by a cart of the last
//! week and by the sign-up, and 0 for those who never buy.

use serde::Serialize;

use super::event::{Channel, DAY_SECONDS, Event, Kind};
use super::life::NEWSLETTER_WEEKDAY;
use super::random::{Purpose, Rng};
use super::world::World;
use crate::history::Day;

/// The number of the first visitor; users of the shop have lower ones.
pub(crate) const FIRST_VISITOR: u32 = 1 << 31;

/// How many times as likely a purchase is with a cart of the last [`CART_DAYS`] days.
const CART_FACTOR: f64 = 4.0;
/// See [`CART_FACTOR`].
const CART_DAYS: i32 = 7;
/// How many times as likely a purchase is after the sign-up.
const SIGN_UP_FACTOR: f64 = 2.5;

/// What a visitor wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Looks around and never buys.
    Browse,
    /// Compares for weeks, and buys at times.
    Compare,
    /// Wants to buy soon.
    Buy,
}

/// What visitors of an intent have in common.
struct Habit {
    /// Visits a day in the beginning.
    visits_per_day: f64,
    /// Days after which they come a third as often.
    fades_after_days: f64,
    /// Probability that a visit fills a cart.
    carts: f64,
    /// Probability that a visit ends with a sign-up.
    signs_up: f64,
    /// Probability that a newsletter is clicked after the sign-up.
    clicks: f64,
    /// Probability that a visit ends with a purchase, without a cart and a sign-up.
    buys: f64,
}

impl Intent {
    const SHARES: [(Self, f64); 3] = [
        (Self::Browse, 0.55),
        (Self::Compare, 0.30),
        (Self::Buy, 0.15),
    ];

    fn habit(self) -> Habit {
        let [
            visits_per_day,
            fades_after_days,
            carts,
            signs_up,
            clicks,
            buys,
        ] = match self {
            Self::Browse => [0.12, 40.0, 0.03, 0.02, 0.03, 0.0],
            Self::Compare => [0.20, 70.0, 0.10, 0.08, 0.10, 0.010],
            Self::Buy => [0.25, 40.0, 0.22, 0.15, 0.15, 0.050],
        };
        Habit {
            visits_per_day,
            fades_after_days,
            carts,
            signs_up,
            clicks,
            buys,
        }
    }
}

/// A visitor's life, from the first visit on.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) intent: Intent,
    pub(crate) first_visit: Day,
    pub(crate) signed_up: Option<Day>,
    pub(crate) converted: Option<Day>,
    pub(crate) events: Vec<Event>,
}

impl Visitor {
    /// The life of the visitor with this number, which depends on it and the seed alone.
    pub(crate) fn live(world: &World, seed: u64, number: u32) -> Self {
        let mut rng = Rng::new(seed, Purpose::Life, number);
        let intent = rng.pick(&Intent::SHARES, Intent::Browse);
        let length = world.end.since(world.start);
        let first_visit = world.start.plus(rng.whole(0, length - 1));
        let mut visitor = Self {
            intent,
            first_visit,
            signed_up: None,
            converted: None,
            events: Vec::new(),
        };
        visitor.visit(first_visit, &mut rng);
        let mut day = first_visit.plus(1);
        let mut last_cart = None;
        while day < world.end && visitor.converted.is_none() {
            if !world.rests(day) {
                visitor.live_day(day, &mut last_cart, &mut rng);
            }
            day = day.plus(1);
        }
        if let Some(converted) = visitor.converted {
            visitor.live_as_customer(world, converted, &mut rng);
        }
        visitor
    }

    fn visit(&mut self, day: Day, rng: &mut Rng) {
        self.push(day, Kind::Visit, rng);
    }

    /// A day of somebody who has not bought yet.
    fn live_day(&mut self, day: Day, last_cart: &mut Option<Day>, rng: &mut Rng) {
        let habit = self.intent.habit();
        let age = f64::from(day.since(self.first_visit));
        if day.weekday() == NEWSLETTER_WEEKDAY
            && self.signed_up.is_some()
            && rng.happens(habit.clicks)
        {
            self.push(day, Kind::EmailClick, rng);
        }
        let visits = habit.visits_per_day * libm::exp(-age / habit.fades_after_days);
        if !rng.happens(visits) {
            return;
        }
        self.visit(day, rng);
        if rng.happens(habit.carts) {
            *last_cart = Some(day);
            let pence = pence(rng);
            let event = event(day, Kind::Cart, rng).worth(pence);
            self.events.push(event);
        }
        if self.signed_up.is_none() && rng.happens(habit.signs_up) {
            self.signed_up = Some(day);
            self.push(day, Kind::SignUp, rng);
        }
        let cart = last_cart.is_some_and(|cart| day.since(cart) < CART_DAYS);
        let mut chance = habit.buys;
        chance *= if cart { CART_FACTOR } else { 1.0 };
        chance *= if self.signed_up.is_some() {
            SIGN_UP_FACTOR
        } else {
            1.0
        };
        if rng.happens(chance) {
            self.converted = Some(day);
            self.purchase(day, rng);
        }
    }

    /// Buys again about once a month, until interest is lost.
    fn live_as_customer(&mut self, world: &World, converted: Day, rng: &mut Rng) {
        let until = converted.plus(rng.wait(120.0) as i32);
        let mut day = converted.plus(1 + rng.wait(30.0) as i32);
        while day < world.end && day < until {
            if !world.rests(day) {
                self.visit(day, rng);
                self.purchase(day, rng);
            }
            day = day.plus(1 + rng.wait(30.0) as i32);
        }
    }

    fn purchase(&mut self, day: Day, rng: &mut Rng) {
        let pence = pence(rng);
        let event = event(day, Kind::Purchase, rng).worth(pence);
        self.events.push(event);
    }

    fn push(&mut self, day: Day, kind: Kind, rng: &mut Rng) {
        self.events.push(event(day, kind, rng));
    }
}

/// Not before two o'clock: a change of clocks skips or repeats the hour before.
fn event(day: Day, kind: Kind, rng: &mut Rng) -> Event {
    let channel = match kind {
        Kind::EmailClick => Channel::Email,
        _ => Channel::Web,
    };
    Event::new(day, rng.whole(7_200, DAY_SECONDS - 1), kind, channel)
}

fn pence(rng: &mut Rng) -> i64 {
    (3_500.0 * libm::exp(0.5 * rng.normal())).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Season;

    fn visitors(n: u32) -> (World, Vec<Visitor>) {
        let world = World::new(crate::simulate::default_start(), 540, Season::Mild);
        let all = (0..n).map(|k| Visitor::live(&world, 7, FIRST_VISITOR + k));
        let all = all.collect();
        (world, all)
    }

    /// Whether a visitor of some visits without a cart or with one buys within 30 days of it.
    fn bought_after(visitors: &[Visitor], kind: Kind) -> f64 {
        let mut seen = (0.0, 0.0);
        for visitor in visitors {
            let of_kind =
                |e: &&Event| e.kind == kind && visitor.converted.is_none_or(|c| e.day < c);
            if let Some(event) = visitor.events.iter().find(of_kind) {
                let days = visitor.converted.map(|day| day.since(event.day));
                seen.0 += f64::from(days.is_some_and(|days| days < 30));
                seen.1 += 1.0;
            }
        }
        seen.0 / seen.1
    }

    #[test]
    fn carts_and_sign_ups_come_before_purchases_and_browsers_never_buy() {
        let (world, all) = visitors(8_000);
        let browsers = all.iter().filter(|v| v.intent == Intent::Browse);
        assert!(browsers.clone().count() > 4_000);
        assert!(browsers.clone().all(|v| v.converted.is_none()));
        let converted = all.iter().filter(|v| v.converted.is_some()).count();
        assert!((400..2_400).contains(&converted), "{converted}");
        let [visit, cart, sign_up] =
            [Kind::Visit, Kind::Cart, Kind::SignUp].map(|kind| bought_after(&all, kind));
        assert!(cart > 1.5 * visit, "{cart} after {visit}");
        assert!(sign_up > 1.5 * visit, "{sign_up} after {visit}");
        for visitor in &all {
            let purchases = visitor.events.iter().filter(|e| e.kind == Kind::Purchase);
            let first = purchases.map(|e| e.day).min();
            assert_eq!(first, visitor.converted);
            assert!(
                visitor
                    .events
                    .iter()
                    .all(|e| e.day < world.end && e.day >= visitor.first_visit)
            );
        }
    }
}
