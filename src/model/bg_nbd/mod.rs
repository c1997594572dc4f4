//! BG/NBD: from how often and how lately a user was active, whether the user is still there and will come again.
//!
//! The model's assumptions: while alive, a user is active at random (a Poisson process) at a rate of the
//! user's own, gamma distributed among users with shape `r` and `alpha` in days; after each activity beyond the
//! first one the user drops out for good with a probability of the user's own, beta distributed with `a` and `b`.
//!
//! Its blind spot: nobody drops out before coming back once, so a user with a single active day is alive for
//! certain, however long ago that was. Such users are silent only in so far as they are rare visitors.
//!
//! Source: Fader, Hardie and Lee, "Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model,
//! Marketing Science 24(2), 2005, 275-284.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::FigureError;
use crate::history::Day;
use crate::math::{log1p_exp, sigmoid};

/// The most active days of one user, some 270 years of them. Also how far expectations count.
pub const MOST_ACTIVE_DAYS: u32 = 100_000;

/// The range of legal parameters: wider than any fit leaves, narrow enough for every answer to be finite.
pub(crate) const PARAMETER_RANGE: std::ops::RangeInclusive<f64> = 1e-6..=1e6;

/// What the model reads of a user: frequency, recency and age, as the literature counts them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Purchases {
    frequency: u32,
    last_day: f64,
    age_days: f64,
}

impl Purchases {
    /// Counts of one user.
    ///
    /// `frequency` is `x`, the number of active days after the first one; `last_day` is `t_x`, the days from the
    /// first active day to the last; `age_days` is `T`, the days from the first active day to the as-of day. `None`
    /// unless `0 <= last_day <= age_days`, both finite, `last_day` is 0 exactly for a frequency of 0, and the
    /// frequency is at most [`MOST_ACTIVE_DAYS`].
    pub fn new(frequency: u32, last_day: f64, age_days: f64) -> Option<Self> {
        let ordered = 0.0 <= last_day && last_day <= age_days && age_days.is_finite();
        let legal =
            ordered && (frequency == 0) == (last_day == 0.0) && frequency <= MOST_ACTIVE_DAYS;
        legal.then_some(Self {
            frequency,
            last_day,
            age_days,
        })
    }

    /// Counts over active days in increasing order. A repeated day counts once, and days on `as_of` or later are
    /// not seen; `None` when no day is left.
    pub fn of_days(days: impl IntoIterator<Item = Day>, as_of: Day) -> Option<Self> {
        let mut seen = days.into_iter().take_while(|day| *day < as_of);
        let first = seen.next()?;
        let (frequency, last) = seen.fold((0_u32, first), |(n, last), day| {
            (n + u32::from(day > last), day.max(last))
        });
        Self::new(
            frequency,
            f64::from(last.since(first)),
            f64::from(as_of.since(first)),
        )
    }

    /// Active days after the first one: `x`.
    pub fn frequency(&self) -> u32 {
        self.frequency
    }

    /// Days from the first active day to the last: `t_x`.
    pub fn last_day(&self) -> f64 {
        self.last_day
    }

    /// Days from the first active day to the as-of day: `T`.
    pub fn age_days(&self) -> f64 {
        self.age_days
    }
}

/// The four parameters of the model. [`Self::validate`] checks those that were read from a file; all other methods take
/// legal ones for granted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BgNbd {
    /// Shape of the gamma distribution of rates among users: the larger, the more alike users are.
    pub r: f64,
    /// Its inverse scale, in days: the mean rate is `r / alpha` active days a day.
    pub alpha: f64,
    /// First parameter of the beta distribution of drop-out probabilities: the mean is `a / (a + b)`.
    pub a: f64,
    /// The second one.
    pub b: f64,
}

impl BgNbd {
    /// Whether each parameter lies between a millionth and a million.
    ///
    /// # Errors
    /// [`FigureError::BgNbd`] with the first parameter that does not.
    pub fn validate(&self) -> Result<(), FigureError> {
        let named = [
            ("r", self.r),
            ("alpha", self.alpha),
            ("a", self.a),
            ("b", self.b),
        ];
        let wrong = named
            .into_iter()
            .find(|(_, value)| !PARAMETER_RANGE.contains(value));
        match wrong {
            Some((name, value)) => Err(FigureError::BgNbd { name, value }),
            None => Ok(()),
        }
    }

    /// Logarithm of the likelihood of one user's counts, the paper's equation (6). Time is in days: with weeks for
    /// days it would be larger by `x ln 7`.
    pub fn log_likelihood(&self, user: &Purchases) -> f64 {
        let Self { r, alpha, a, b } = *self;
        let x = f64::from(user.frequency);
        let rates = ln_rising(r, x)
            - r * libm::log1p(user.age_days / alpha)
            - x * libm::log(alpha + user.age_days);
        let staying = ln_rising(b, x) - ln_rising(a + b, x);
        rates + staying + self.dead_to_alive(user).map_or(0.0, log1p_exp)
    }

    /// The probability that the user is alive on the as-of day. Exactly 1 for a user with a single active day: see
    /// the blind spot of this module.
    ///
    /// Source: Fader, Hardie and Lee, Computing P(alive) Using the BG/NBD Model, 2008.
    pub fn p_alive(&self, user: &Purchases) -> f64 {
        self.dead_to_alive(user)
            .map_or(1.0, |log_odds| sigmoid(-log_odds))
    }

    /// The probability that the user is not active in the `horizon_days` from the as-of day on: gone already, or
    /// alive and not active so soon.
    pub fn p_silent(&self, user: &Purchases, horizon_days: u16) -> f64 {
        self.p_silent_if(self.p_alive(user), user, horizon_days)
    }

    /// The same for a user who is alive with the probability `alive`, when [`Self::p_alive`] is known already.
    pub(crate) fn p_silent_if(&self, alive: f64, user: &Purchases, horizon_days: u16) -> f64 {
        let shape = self.r + f64::from(user.frequency);
        let log_quiet =
            -shape * libm::log1p(f64::from(horizon_days) / (self.alpha + user.age_days));
        1.0 + alive * libm::expm1(log_quiet)
    }

    /// On how many of the `horizon_days` from the as-of day on the user is expected to be active: the paper's
    /// equation (10), counted up to [`MOST_ACTIVE_DAYS`].
    ///
    /// The paper's form, a difference of hypergeometric functions over `a - 1`, cancels badly near `a = 1` and for
    /// frequent users. The same series is summed here over the number `n` of activities that the user would have if
    /// nobody dropped out, which has a negative binomial distribution with shape `r + x`. Of `n` activities, `v_0 +
    /// ... + v_(n-1)` are expected to happen, where `v_k = (b + x)_k / (a + b + x)_k` is the probability of staying
    /// through `k` of them, in Pochhammer's symbols. All terms are positive.
    pub fn expected_active_days(&self, user: &Purchases, horizon_days: u16) -> f64 {
        let x = f64::from(user.frequency);
        let (shape, staying, horizon) = (self.r + x, self.b + x, f64::from(horizon_days));
        let known = self.alpha + user.age_days;
        let more = horizon / (known + horizon);
        // Probabilities are scaled by a power of e, as that of n = 0 may be too small to hold.
        let mut log_scale = -shape * libm::log1p(horizon / known);
        let (mut probability, mut mass, mut sum) = (1.0, 0.0, 0.0);
        let (mut happening, mut stayed) = (0.0, 1.0);
        for n in (0..MOST_ACTIVE_DAYS).map(f64::from) {
            mass += probability;
            sum += probability * happening;
            happening += stayed;
            stayed *= (staying + n) / (self.a + staying + n);
            let ratio = (shape + n) / (n + 1.0) * more;
            probability *= ratio;
            // From here on every term's probability is at most `falling` times the one before.
            let falling = ratio.max(more);
            let rest = probability * (happening + 1.0 / (1.0 - falling)) / (1.0 - falling);
            if falling < 1.0 && rest <= 1e-15 * sum {
                return self.p_alive(user) * sum * libm::exp(log_scale);
            }
            if probability > RESCALE {
                (probability, mass, sum) = (probability / RESCALE, mass / RESCALE, sum / RESCALE);
                log_scale += libm::log(RESCALE);
            }
        }
        let scale = libm::exp(log_scale);
        self.p_alive(user) * (sum * scale + (1.0 - mass * scale).max(0.0) * happening)
    }

    /// The probability that a user is active on `count` further days in the `days` after the first one: the paper's
    /// equation (8). The tail of the rates' negative binomial distribution is summed itself, so that nothing cancels.
    pub fn p_active_days(&self, count: u32, days: f64) -> f64 {
        let Self { r, alpha, a, b } = *self;
        let n = f64::from(count);
        let (log_quiet, more) = (-r * libm::log1p(days / alpha), days / (alpha + days));
        if count == 0 {
            return libm::exp(log_quiet);
        }
        let log_count = ln_rising(r, n) - libm::lgamma(n + 1.0) + n * libm::log(more);
        let mut exactly = libm::exp(log_quiet + log_count);
        let stays = libm::exp(ln_rising(b, n) - ln_rising(a + b, n));
        let there = stays * exactly;
        // Gone after the last of them: whatever else would have come does not.
        let leaves = stays * a / (b + n - 1.0);
        let mut at_least = 0.0;
        for step in (count..).map(f64::from) {
            at_least += exactly;
            let ratio = (r + step) / (step + 1.0) * more;
            exactly *= ratio;
            let falling = ratio.max(more);
            if falling < 1.0 && exactly <= 1e-16 * at_least * (1.0 - falling) {
                break;
            }
        }
        there + leaves * at_least
    }

    /// The log-odds of having dropped out after the last active day; `None` for a user with a single one.
    fn dead_to_alive(&self, user: &Purchases) -> Option<f64> {
        let Self { r, alpha, a, b } = *self;
        let x = f64::from(user.frequency);
        (user.frequency > 0).then(|| {
            let silence = libm::log1p((user.age_days - user.last_day) / (alpha + user.last_day));
            libm::log(a / (b + x - 1.0)) + (r + x) * silence
        })
    }
}

/// What probabilities are divided by when they grow beyond it.
const RESCALE: f64 = 1e200;

/// `ln(Gamma(base + steps) / Gamma(base))`.
fn ln_rising(base: f64, steps: f64) -> f64 {
    libm::lgamma(base + steps) - libm::lgamma(base)
}
