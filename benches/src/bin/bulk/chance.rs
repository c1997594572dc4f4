//! Random draws: one stream per user and purpose. Apart from the simulator's, so that logs of years ago can be made again.

use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Exp1, Gamma, Poisson, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

/// What a stream of random numbers is for; each purpose has its own. The numbers are part of every log's bytes.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    Profile = 4,
    Slice = 5,
}

/// A stream of random numbers that depends on nothing but its three keys.
pub struct Chance(Xoshiro256PlusPlus);

impl Chance {
    pub fn new(seed: u64, purpose: Purpose, user: u32) -> Self {
        let key = mix(seed ^ mix(((purpose as u64) << 32) | u64::from(user)));
        Self(Xoshiro256PlusPlus::seed_from_u64(key))
    }

    /// A stream of its own for each part of what a user does.
    pub fn of_part(seed: u64, purpose: Purpose, user: u32, part: u32) -> Self {
        Self::new(mix(seed ^ mix(u64::from(part))), purpose, user)
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        self.0.gen_range(0.0..1.0)
    }

    /// Uniform in `[low, high)`; `low` when the range is empty.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number, uniform in `low..=high`; `low` when the range is empty.
    pub fn whole(&mut self, low: i32, high: i32) -> i32 {
        if low < high {
            self.0.gen_range(low..=high)
        } else {
            low
        }
    }

    /// True with this probability; never below 0, always from 1.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Exponential waiting time with this mean.
    pub fn wait(&mut self, mean: f64) -> f64 {
        let unit: f64 = Exp1.sample(&mut self.0);
        unit * mean
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// Gamma with this shape and mean 1: the gap of a renewal process whose regularity is the shape.
    pub fn gamma(&mut self, shape: f64) -> f64 {
        // Shapes are positive constants of this module; a constructor that refused one would leave the mean.
        Gamma::new(shape, 1.0 / shape).map_or(1.0, |gamma| gamma.sample(&mut self.0))
    }

    /// Poisson count with this mean; 0 for a mean that is not positive.
    pub fn count(&mut self, mean: f64) -> u32 {
        Poisson::new(mean).map_or(0.0, |poisson| poisson.sample(&mut self.0)) as u32
    }
}

/// The finaliser of splitmix64 (Steele, Lea, Flood 2014): neighbouring keys give unrelated streams.
fn mix(key: u64) -> u64 {
    let mut z = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
