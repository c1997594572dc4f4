//! When in the year a user buys, and for how many terms.

use serde::Serialize;

use super::persona::Traits;
use super::random::Rng;
use super::season::{COMMON_PEAK, COMMON_SPREAD_DAYS, Season};

/// A user's own time of year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rhythm {
    /// None: every day of the year is alike.
    Steady,
    /// That of the business: the user follows its calendar.
    Calendar,
    /// Around a day of the year, 1 to 365.
    Peak {
        day_of_year: i32,
        /// Whether the day is near the one that many users share.
        common: bool,
    },
}

/// Kinds of rhythms, the column `season` of `truth.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RhythmKind {
    /// The user has no time of year.
    None,
    /// Many users have the same.
    Common,
    /// The user's own.
    Personal,
}

/// The share of users of a yearly season with each rhythm; the others are steady.
const COMMON_SHARE: f64 = 0.35;
const PERSONAL_SHARE: f64 = 0.25;

/// Purchases of users that buy presents, relative to those of steady users: a few, all in a few weeks.
const PRESENTS: f64 = 0.25;

/// How many times as long such users keep their interest: with a purchase or two a year, they are not sooner tired.
const PATIENCE: f64 = 4.0;

/// Terms after which users finish, each with its share of users.
const TERMS: [(u32, f64); 4] = [(1, 0.35), (2, 0.30), (3, 0.15), (4, 0.20)];

impl Rhythm {
    /// The rhythm of one user of a business with this season.
    pub(crate) fn draw(season: Season, rng: &mut Rng) -> Self {
        match season {
            Season::None => Self::Steady,
            Season::Mild | Season::Term | Season::Closing => Self::Calendar,
            Season::Yearly => {
                // Every number is drawn whether or not it is used, so that the shares do not disturb the days.
                let (share, deviation) = (rng.unit(), rng.normal());
                let own_day = rng.whole(1, 365);
                if share < COMMON_SHARE {
                    let days = (COMMON_SPREAD_DAYS * deviation).round() as i32;
                    Self::Peak {
                        day_of_year: (COMMON_PEAK + days - 1).rem_euclid(365) + 1,
                        common: true,
                    }
                } else if share < COMMON_SHARE + PERSONAL_SHARE {
                    Self::Peak {
                        day_of_year: own_day,
                        common: false,
                    }
                } else {
                    Self::Steady
                }
            }
        }
    }

    /// Traits of a user with this rhythm that would otherwise have `traits`.
    pub(crate) fn shape(self, traits: Traits) -> Traits {
        match self {
            Self::Steady | Self::Calendar => traits,
            Self::Peak { .. } => Traits {
                purchases_per_30_days: traits.purchases_per_30_days * PRESENTS,
                visits_per_30_days: traits.visits_per_30_days * PRESENTS,
                fades_after_days: traits.fades_after_days * PATIENCE,
                ..traits
            },
        }
    }

    /// Whether and with whom the user shares the time of year.
    pub(crate) fn kind(self) -> RhythmKind {
        match self {
            Self::Steady => RhythmKind::None,
            Self::Calendar | Self::Peak { common: true, .. } => RhythmKind::Common,
            Self::Peak { common: false, .. } => RhythmKind::Personal,
        }
    }
}

/// How many terms a user stays for; `None` where there are no terms.
pub(crate) fn draw_terms(season: Season, rng: &mut Rng) -> Option<u32> {
    (season == Season::Term).then(|| rng.pick(&TERMS, 1))
}
