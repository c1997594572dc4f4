//! Random draws: one stream per user and purpose, and the few distributions the simulator needs.

use rand::{Rng as _, SeedableRng};
use rand_distr::{Distribution, Exp1, Gamma, Poisson, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::math::splitmix::splitmix64;

/// What a stream of random numbers is for. Each purpose has its own, so that turning the noise up or down does
/// not change anybody's life.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Life = 1,
    Noise = 2,
    Bot = 3,
    Season = 4,
    Attributes = 5,
}

/// A stream of random numbers that depends on nothing but its three keys.
pub(crate) struct Rng(Xoshiro256PlusPlus);

impl Rng {
    pub(crate) fn new(seed: u64, purpose: Purpose, user: u32) -> Self {
        let key = splitmix64(seed ^ splitmix64(((purpose as u64) << 32) | u64::from(user)));
        Self(Xoshiro256PlusPlus::seed_from_u64(key))
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.gen_range(0.0..1.0)
    }

    /// Uniform in `[low, high)`; `low` when the range is empty.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// An integer, uniform in `low..=high`; `low` when the range is empty.
    pub(crate) fn whole(&mut self, low: i32, high: i32) -> i32 {
        if low < high {
            self.0.gen_range(low..=high)
        } else {
            low
        }
    }

    /// True with this probability; never below 0, always from 1.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of `items`, each with the probability its weight has of the sum; the last one covers rounding.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[(T, f64)], otherwise: T) -> T {
        let mut left = self.unit() * items.iter().map(|(_, weight)| weight).sum::<f64>();
        for (item, weight) in items {
            left -= weight;
            if left < 0.0 {
                return *item;
            }
        }
        otherwise
    }

    /// Exponential waiting time with this mean.
    pub(crate) fn wait(&mut self, mean: f64) -> f64 {
        let unit: f64 = Exp1.sample(&mut self.0);
        unit * mean
    }

    /// Standard normal.
    pub(crate) fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// Gamma with this shape and mean 1: the gap of a renewal process whose regularity is the shape.
    pub(crate) fn gamma(&mut self, shape: f64) -> f64 {
        // Shapes are positive constants of this module; a constructor that refused one would leave the mean.
        Gamma::new(shape, 1.0 / shape).map_or(1.0, |gamma| gamma.sample(&mut self.0))
    }

    /// Poisson count with this mean; 0 for a mean that is not positive.
    pub(crate) fn count(&mut self, mean: f64) -> u32 {
        Poisson::new(mean).map_or(0.0, |poisson| poisson.sample(&mut self.0)) as u32
    }
}
