//! Why users leave, when, and what they do differently before.

use std::fmt;

use serde::Serialize;

use super::persona::Traits;
use super::random::Rng;
use super::world::World;
use crate::history::Day;

/// The planted reason for which a user leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Interest fades over one to three months: everything becomes rarer, the newsletter first.
    Drift,
    /// A purchase goes wrong: a return and a support ticket, then almost nothing.
    BadExperience,
    /// Prices rise: fewer purchases, more abandoned carts.
    PriceRise,
    /// A competitor opens: smaller and fewer purchases, more visits to compare, no clicks on newsletters.
    Competitor,
    /// Nothing more is needed: a few visits to follow the parcel.
    EndOfNeed,
    /// The course is over: nothing is bought from the last day of a term on. Only in a season of terms.
    EndOfCourse,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drift => "drift",
            Self::BadExperience => "bad experience",
            Self::PriceRise => "price rise",
            Self::Competitor => "competitor",
            Self::EndOfNeed => "end of need",
            Self::EndOfCourse => "end of course",
        })
    }
}

/// The share of price-sensitive users that leave because of the price rise.
const PRICE_RISE_SHARE: f64 = 0.55;

/// The share of all users that leave for the competitor.
const COMPETITOR_SHARE: f64 = 0.18;

/// A user's way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) cause: Cause,
    /// First day of changed behaviour.
    pub(crate) onset: Day,
    /// First day on which the user is gone.
    pub(crate) left: Day,
}

/// How many times as much a user does of something than without a reason to leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pull {
    pub(crate) purchases: f64,
    pub(crate) basket: f64,
    pub(crate) visits: f64,
    pub(crate) abandoned: f64,
    pub(crate) clicks: f64,
}

impl Pull {
    /// No reason to leave.
    pub(crate) const NONE: Self = Self {
        purchases: 1.0,
        basket: 1.0,
        visits: 1.0,
        abandoned: 1.0,
        clicks: 1.0,
    };
}

impl Exit {
    /// The first of the reasons that will meet this user whatever the user does; `None` outside the log.
    pub(crate) fn plan(world: &World, traits: &Traits, joined: Day, rng: &mut Rng) -> Option<Self> {
        // Every number is drawn whether or not it is used, so that one reason's odds do not disturb another's.
        let known_since = joined.max(world.start);
        let fade = known_since.plus(rng.wait(traits.fades_after_days).min(1e6) as i32);
        let drift = Self {
            cause: Cause::Drift,
            onset: fade,
            left: fade.plus(rng.whole(30, 90)),
        };
        let (minds, rise_days) = (rng.happens(PRICE_RISE_SHARE), rng.whole(21, 60));
        let price_rise = Self {
            cause: Cause::PriceRise,
            onset: world.price_rise,
            left: world.price_rise.plus(rise_days),
        };
        let (tempted, open_days) = (rng.happens(COMPETITOR_SHARE), rng.whole(28, 75));
        let competitor = Self {
            cause: Cause::Competitor,
            onset: world.competitor,
            left: world.competitor.plus(open_days),
        };
        let candidates = [
            traits.needs.is_none().then_some(drift),
            (minds && traits.price_sensitive && joined < price_rise.onset).then_some(price_rise),
            (tempted && joined < competitor.onset).then_some(competitor),
        ];
        candidates
            .into_iter()
            .flatten()
            .min_by_key(|exit| exit.left)
            .filter(|exit| exit.onset < world.end)
    }

    /// The way out of a user whose course ends on `day`.
    pub(crate) fn with_course(day: Day, rng: &mut Rng) -> Self {
        Self {
            cause: Cause::EndOfCourse,
            onset: day,
            left: day.plus(rng.whole(6, 20)),
        }
    }

    /// How the exit changes what the user does on `day`.
    pub(crate) fn pull(&self, day: Day) -> Pull {
        if day < self.onset {
            return Pull::NONE;
        }
        match self.cause {
            Cause::Drift => {
                let length = f64::from(self.left.since(self.onset).max(1));
                let gone = f64::from(day.since(self.onset)) / length;
                // Down to a twentieth on the last day.
                let rest = libm::exp(-3.0 * gone);
                Pull {
                    purchases: rest,
                    visits: rest.sqrt(),
                    clicks: rest * rest,
                    ..Pull::NONE
                }
            }
            Cause::BadExperience => Pull {
                purchases: 0.1,
                visits: 0.5,
                clicks: 0.3,
                ..Pull::NONE
            },
            Cause::PriceRise => Pull {
                purchases: 0.4,
                abandoned: 3.0,
                ..Pull::NONE
            },
            Cause::Competitor => Pull {
                purchases: 0.5,
                basket: 0.75,
                visits: 1.6,
                clicks: 0.2,
                ..Pull::NONE
            },
            Cause::EndOfNeed | Cause::EndOfCourse => Pull {
                purchases: 0.0,
                abandoned: 0.2,
                clicks: 0.5,
                ..Pull::NONE
            },
        }
    }
}
