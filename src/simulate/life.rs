//! One user's life in the shop, day by day.

use super::event::{Channel, Event, Kind};
use super::exit::{Cause, Exit, Pull};
use super::persona::Traits;
use super::random::{Purpose, Rng};
use super::rhythm::{Rhythm, draw_terms};
use super::world::World;
use crate::history::Day;

/// The share of purchases that go wrong.
const GOES_WRONG: f64 = 0.025;

/// The share of those after which the user leaves.
const LEAVES_AFTER: f64 = 0.7;

/// The share of visits without a purchase that leave goods in the cart.
const ABANDONED: f64 = 0.12;

/// The share of purchases after which a user asks something although nothing is wrong.
const ASKS: f64 = 0.02;

/// The newsletter goes out on Tuesdays, breaks apart.
pub(crate) const NEWSLETTER_WEEKDAY: usize = 1;

/// A user's life: who the user is, when the user came and went, and what the log holds of it.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) traits: Traits,
    pub(crate) rhythm: Rhythm,
    pub(crate) joined: Day,
    /// The planned end of the user's course, which may lie after the log; `None` where there are no courses.
    pub(crate) course_end: Option<Day>,
    /// The way out, once it has begun inside the log.
    pub(crate) exit: Option<Exit>,
    /// In order of time.
    pub(crate) events: Vec<Event>,
}

impl Life {
    /// The life of the user with this number. It depends on the world, the seed and the number, never on others.
    pub(crate) fn live(world: &World, seed: u64, user: u32) -> Self {
        let mut rng = Rng::new(seed, Purpose::Life, user);
        // A stream of its own, so that a season does not change who a user is.
        let mut season_rng = Rng::new(seed, Purpose::Season, user);
        let rhythm = Rhythm::draw(world.season, &mut season_rng);
        let traits = rhythm.shape(Traits::draw(&mut rng));
        let joined = world.join_in_season(world.join(&mut rng), rhythm, &mut season_rng);
        let course_end = draw_terms(world.season, &mut season_rng)
            .and_then(|terms| world.end_of_term(joined, terms));
        let finish = course_end.map(|end| Exit::with_course(end, &mut season_rng));
        let exit = [Exit::plan(world, &traits, joined, &mut rng), finish]
            .into_iter()
            .flatten()
            .min_by_key(|exit| exit.left);
        // New users buy on the day they join; the others are somewhere between two purchases.
        let gap = rng.gamma(traits.regularity) * rng.unit();
        let until_purchase = if joined < world.start { gap } else { 0.0 };
        let mut walk = Walk {
            world,
            joined,
            traits,
            rhythm,
            rng,
            exit,
            until_purchase,
            bought: 0,
            events: Vec::new(),
        };
        let mut day = joined.max(world.start);
        while day < walk.gone() {
            walk.live_through(day);
            day = day.plus(1);
        }
        let gone = walk.gone();
        let Walk {
            exit, mut events, ..
        } = walk;
        // Parcels and complaints were put on later days, some of which the user did not live to see.
        events.retain(|event| event.day < gone);
        events.sort_by_key(Event::at);
        Self {
            traits,
            rhythm,
            joined,
            course_end,
            exit: exit.filter(|exit| exit.onset < world.end),
            events,
        }
    }

    /// The first day on which the user was gone; `None` when that is not before the end of the log.
    pub(crate) fn left(&self, world: &World) -> Option<Day> {
        self.exit
            .map(|exit| exit.left)
            .filter(|left| *left < world.end)
    }
}

struct Walk<'a> {
    world: &'a World,
    joined: Day,
    traits: Traits,
    rhythm: Rhythm,
    rng: Rng,
    exit: Option<Exit>,
    /// What is left of the gap to the next purchase, in mean gaps of this user.
    until_purchase: f64,
    bought: u32,
    events: Vec<Event>,
}

impl Walk<'_> {
    /// The first day with no events.
    fn gone(&self) -> Day {
        self.exit
            .map_or(self.world.end, |exit| exit.left.min(self.world.end))
    }

    fn live_through(&mut self, day: Day) {
        let pull = self.exit.map_or(Pull::NONE, |exit| exit.pull(day));
        let tempo = self.world.tempo(day, self.rhythm);
        // A renewal process in operational time: season and mood stretch the clock, not the shape of the gaps.
        self.until_purchase -=
            self.traits.purchases_per_30_days / 30.0 * tempo.purchases * pull.purchases;
        while self.until_purchase <= 0.0
            && self.traits.needs.is_none_or(|needs| self.bought < needs)
        {
            self.until_purchase += self.rng.gamma(self.traits.regularity).max(1e-3);
            self.buy(day, pull);
        }
        let visits = self
            .rng
            .count(self.traits.visits_per_30_days / 30.0 * tempo.visits * pull.visits);
        for _ in 0..visits {
            self.browse(day, pull);
        }
        let newsletter = day.weekday() == NEWSLETTER_WEEKDAY && !self.world.rests(day);
        let clicks = self.traits.clicks * self.world.planted.release(day);
        if newsletter && self.rng.happens((clicks * pull.clicks).min(1.0)) {
            let second = self.time_of_day();
            self.events
                .push(Event::new(day, second, Kind::EmailClick, Channel::Email));
        }
    }

    fn browse(&mut self, day: Day, pull: Pull) {
        let (second, channel) = (self.time_of_day(), self.channel());
        self.events
            .push(Event::new(day, second, Kind::Visit, channel));
        let abandoned = ABANDONED * self.world.planted.release(day);
        if self.rng.happens((abandoned * pull.abandoned).min(1.0)) {
            let pence = self.basket(day, pull);
            let second = second + self.rng.whole(30, 900);
            self.events
                .push(Event::new(day, second, Kind::Cart, channel).worth(pence));
        }
    }

    fn buy(&mut self, day: Day, pull: Pull) {
        self.bought += 1;
        let (paid, channel, pence) = (self.time_of_day(), self.channel(), self.basket(day, pull));
        // Nobody sees what goes into a basket in a store.
        if channel != Channel::Store {
            let filled = paid - self.rng.whole(40, 1_500);
            self.events
                .push(Event::new(day, filled, Kind::Cart, channel).worth(pence));
        }
        self.events
            .push(Event::new(day, paid, Kind::Purchase, channel).worth(pence));
        if self.rng.happens(GOES_WRONG) {
            self.complain(day, channel, pence);
        } else if self.rng.happens(self.traits.returns) {
            let back = (pence as f64 * self.rng.between(0.2, 1.0)).round() as i64;
            let later = day.plus(self.rng.whole(3, 14));
            let second = self.time_of_day();
            self.events
                .push(Event::new(later, second, Kind::Return, channel).worth(-back));
        } else if self.rng.happens(ASKS) {
            let later = day.plus(self.rng.whole(0, 5));
            self.ask(later);
        }
        if self.traits.needs.is_some_and(|needs| self.bought >= needs) {
            let left = day.plus(self.rng.whole(6, 20));
            self.leave(Exit {
                cause: Cause::EndOfNeed,
                onset: day.plus(1),
                left,
            });
        }
    }

    /// A purchase that went wrong: a ticket or two, the goods sent back, and often the end.
    fn complain(&mut self, bought: Day, channel: Channel, pence: i64) {
        let noticed = bought.plus(self.rng.whole(2, 6));
        self.ask(noticed);
        if self.rng.happens(0.4) {
            let again = noticed.plus(self.rng.whole(1, 3));
            self.ask(again);
        }
        let sent_back = noticed.plus(self.rng.whole(0, 4));
        let second = self.time_of_day();
        self.events
            .push(Event::new(sent_back, second, Kind::Return, channel).worth(-pence));
        let (leaves, days) = (self.rng.happens(LEAVES_AFTER), self.rng.whole(5, 12));
        if leaves {
            self.leave(Exit {
                cause: Cause::BadExperience,
                onset: noticed,
                left: noticed.plus(days),
            });
        }
    }

    fn ask(&mut self, day: Day) {
        let channel = if self.rng.happens(0.3) {
            Channel::Phone
        } else {
            Channel::Web
        };
        let second = self.time_of_day();
        self.events
            .push(Event::new(day, second, Kind::SupportTicket, channel));
    }

    /// Takes a way out, unless another one is shorter.
    fn leave(&mut self, exit: Exit) {
        if self.exit.is_none_or(|planned| exit.left < planned.left) {
            self.exit = Some(exit);
        }
    }

    /// The price of a basket, in pence, at least one.
    fn basket(&mut self, day: Day, pull: Pull) -> i64 {
        let spread = libm::exp(0.5 * self.rng.normal());
        let grown = self.world.planted.basket(day.since(self.joined));
        let pounds = self.traits.basket * spread * self.world.price(day) * pull.basket * grown;
        ((pounds * 100.0).round() as i64).max(1)
    }

    fn channel(&mut self) -> Channel {
        let other = self
            .rng
            .pick(&[(Channel::Web, 0.6), (Channel::App, 0.4)], Channel::Web);
        if self.rng.happens(0.88) {
            self.traits.channel
        } else {
            other
        }
    }

    /// A second of the day, around lunch or in the evening. Nobody is awake between midnight and six, so no time
    /// falls into an hour that a change of clocks skips or repeats.
    fn time_of_day(&mut self) -> i32 {
        let (hour, spread) = if self.rng.happens(0.4) {
            (12.8, 2.2)
        } else {
            (19.3, 1.8)
        };
        let hour: f64 = hour + spread * self.rng.normal();
        (hour.clamp(6.5, 23.4) * 3_600.0) as i32 + self.rng.whole(0, 1_700)
    }
}
