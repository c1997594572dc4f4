//! Kinds of shoppers, and the true parameters of one of them.

use serde::Serialize;

use super::chance::Chance;
use super::event::Channel;

/// A kind of shopper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Persona {
    /// Buys about once a month at no particular time.
    Casual,
    /// Buys the same things at steady intervals.
    Regular,
    /// Waits for offers, clicks on newsletters, minds the price.
    BargainHunter,
    /// Buys often and for more money.
    Enthusiast,
    /// Needs one thing, once or twice.
    OneOff,
}

/// What users of a persona have in common; each user's own parameters scatter around it.
struct Profile {
    /// Mean purchases in 30 days of an average season.
    purchases_per_30_days: f64,
    /// Shape of the gaps between purchases: 1 is a Poisson process, more is steadier.
    regularity: f64,
    /// Median basket, in pounds.
    basket: f64,
    /// Visits without a purchase, for each purchase.
    visits_per_purchase: f64,
    /// Probability that a weekly newsletter is clicked.
    clicks: f64,
    /// Probability that a purchase is sent back although nothing is wrong.
    returns: f64,
    /// Probability that the user minds a price rise.
    price_sensitive: f64,
    /// Mean days until the user's interest begins to fade.
    fades_after_days: f64,
}

const PERSONAS: [(Persona, f64); 5] = [
    (Persona::Casual, 0.34),
    (Persona::Regular, 0.24),
    (Persona::BargainHunter, 0.18),
    (Persona::Enthusiast, 0.10),
    (Persona::OneOff, 0.14),
];

impl Persona {
    fn profile(self) -> Profile {
        let row = match self {
            Self::Casual => [1.2, 1.0, 32.0, 1.6, 0.04, 0.04, 0.25, 300.0],
            Self::Regular => [2.0, 5.0, 45.0, 0.8, 0.06, 0.03, 0.15, 500.0],
            Self::BargainHunter => [1.5, 1.5, 22.0, 2.0, 0.16, 0.07, 0.80, 350.0],
            Self::Enthusiast => [4.0, 2.5, 60.0, 0.9, 0.12, 0.06, 0.05, 600.0],
            Self::OneOff => [1.0, 1.0, 75.0, 2.5, 0.02, 0.05, 0.20, 1e9],
        };
        let [
            rate,
            regularity,
            basket,
            visits,
            clicks,
            returns,
            price_sensitive,
            fades,
        ] = row;
        Profile {
            purchases_per_30_days: rate,
            regularity,
            basket,
            visits_per_purchase: visits,
            clicks,
            returns,
            price_sensitive,
            fades_after_days: fades,
        }
    }
}

/// The true parameters of one user, which a model can only estimate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    pub(crate) persona: Persona,
    /// Mean purchases in 30 days of an average season, while nothing drives the user away.
    pub(crate) purchases_per_30_days: f64,
    /// Shape of the gaps between purchases.
    pub(crate) regularity: f64,
    /// Median basket at the prices of the first day, in pounds.
    pub(crate) basket: f64,
    /// Mean visits without a purchase in 30 days.
    pub(crate) visits_per_30_days: f64,
    pub(crate) clicks: f64,
    pub(crate) returns: f64,
    pub(crate) price_sensitive: bool,
    pub(crate) fades_after_days: f64,
    /// Purchases after which nothing more is needed.
    pub(crate) needs: Option<u32>,
    pub(crate) channel: Channel,
}

impl Traits {
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        let persona = chance.pick(&PERSONAS, Persona::Casual);
        let profile = persona.profile();
        // Purchase rates of real customers are gamma distributed (Ehrenberg 1959); shape 2.5 spreads them well.
        let purchases_per_30_days = profile.purchases_per_30_days * chance.gamma(2.5).max(0.05);
        let basket = profile.basket * libm::exp(0.45 * chance.normal());
        let visits = profile.visits_per_purchase * chance.gamma(2.0);
        let needs = if chance.happens(0.7) { 1 } else { 2 };
        let channels = [
            (Channel::Web, 0.55),
            (Channel::App, 0.35),
            (Channel::Store, 0.10),
        ];
        Self {
            persona,
            purchases_per_30_days,
            regularity: profile.regularity,
            basket,
            visits_per_30_days: visits * purchases_per_30_days,
            clicks: (profile.clicks * chance.gamma(2.0)).min(0.9),
            returns: profile.returns,
            price_sensitive: chance.happens(profile.price_sensitive),
            fades_after_days: profile.fades_after_days,
            needs: (persona == Persona::OneOff).then_some(needs),
            channel: chance.pick(&channels, Channel::Web),
        }
    }
}
