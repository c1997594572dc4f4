//! What the shop knows of its users beside events: a plan that changes over time, an age and a country.

use super::life::Life;
use super::persona::Persona;
use super::random::{Purpose, Rng};
use super::world::World;
use crate::history::Day;

/// A row of `attributes.csv`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AttributeRow {
    pub(crate) from: Day,
    pub(crate) plan: Option<&'static str>,
    pub(crate) age: Option<i32>,
    pub(crate) country: &'static str,
}

/// The share of users who give up their plan before they leave, and of those who give it up and stay.
const GIVES_UP: f64 = 0.75;
const GIVES_UP_AND_STAYS: f64 = 0.06;

/// The most days after the onset of a way out on which a plan is given up.
const GIVEN_UP_AFTER_DAYS: i32 = 12;

/// The share of users whose plan is never known, and of those whose age is not.
const NO_PLAN: f64 = 0.05;
const NO_AGE: f64 = 0.12;

const PLANS: [(&str, f64); 3] = [("free", 0.30), ("basic", 0.45), ("pro", 0.25)];
const COUNTRIES: [(&str, f64); 5] = [
    ("GB", 0.62),
    ("IE", 0.15),
    ("FR", 0.12),
    ("DE", 0.10),
    ("MT", 0.01),
];

/// The rows of one user, in order of time. They come from a stream of their own, so that no life changes with them.
pub(crate) fn rows(world: &World, seed: u64, user: u32, life: &Life) -> Vec<AttributeRow> {
    let mut rng = Rng::new(seed, Purpose::Attributes, user);
    let country = rng.pick(&COUNTRIES, "GB");
    let age = match life.traits.persona {
        Persona::Enthusiast => 28.0,
        Persona::Regular => 47.0,
        Persona::Casual | Persona::BargainHunter | Persona::OneOff => 38.0,
    };
    let age = (age + 11.0 * rng.normal()).clamp(18.0, 90.0) as i32;
    let age = (!rng.happens(NO_AGE)).then_some(age);
    let plan = rng.pick(&PLANS, "basic");
    let plan = (!rng.happens(NO_PLAN)).then_some(plan);
    let row = |from, plan| AttributeRow {
        from,
        plan,
        age,
        country,
    };
    let mut rows = vec![row(life.joined, plan)];
    let gives_up = match life.exit {
        Some(exit) if rng.happens(GIVES_UP) => {
            Some(exit.onset.plus(rng.whole(0, GIVEN_UP_AFTER_DAYS)))
        }
        None if rng.happens(GIVES_UP_AND_STAYS) => {
            let days = world.end.since(life.joined);
            Some(life.joined.plus(rng.whole(1, days.max(1))))
        }
        _ => None,
    };
    if let Some(day) =
        gives_up.filter(|day| plan.is_some() && *day < world.end && *day > life.joined)
    {
        rows.push(row(day, Some("paused")));
    }
    rows
}
