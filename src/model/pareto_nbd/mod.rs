//! Pareto/NBD: from how often and how lately a user ordered, whether the user is still there and how much is to come.
//!
//! The model's assumptions: while there, a user orders at random (a Poisson process) at a rate of the user's own, gamma
//! distributed among users with shape `r` and `alpha` in days; and drops out for good at random, at a rate of the user's own,
//! gamma distributed with shape `s` and `beta` in days. Unlike in BG/NBD, a user with a single order can be gone.
//!
//! No hypergeometric function is needed. What may have happened unseen is an integral over the time of dropping out, whose
//! terms are all positive: of the first order at 0, the last one at `t_x` and the as-of day at `T`,
//! `L = Gamma(r + x) / Gamma(r) alpha^r beta^s [(alpha + T)^-(r + x) (beta + T)^-s + s J]` with `J` the integral of
//! `(alpha + u)^-(r + x) (beta + u)^-(s + 1)` for `u` from `t_x` to `T`.
//!
//! Sources: Schmittlein, Morrison and Colombo, Counting Your Customers: Who Are They and What Will They Do Next?,
//! Management Science 33(1), 1987; Fader, Hardie and Lee, RFM and CLV: Using Iso-Value Curves for Customer Base Analysis,
//! Journal of Marketing Research 42(4), 2005.

pub(crate) mod integral;
mod nodes;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::FigureError;
use super::bg_nbd::{PARAMETER_RANGE, Purchases};
use crate::math::{ln_gamma_ratio, sigmoid};
use integral::{Powers, discounted_power};

/// Times count up to here, some 2.7 million years.
const MOST_DAYS: f64 = 1e9;

/// The four parameters of the model, time in days. [`Self::validate`] checks those that were read from a file; all other
/// methods take legal ones for granted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParetoNbd {
    /// Shape of the gamma distribution of order rates among users.
    pub r: f64,
    /// Its inverse scale, in days: the mean rate is `r / alpha` orders a day.
    pub alpha: f64,
    /// Shape of the gamma distribution of drop-out rates among users.
    pub s: f64,
    /// Its inverse scale, in days.
    pub beta: f64,
}

/// What is known of one user on a day, after the integral over the past: all questions about the future share it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderState {
    /// Shape of the user's own order rate: `r + x`.
    shape: f64,
    /// Its inverse scale: `alpha + T`.
    alpha: f64,
    /// Shape of the user's own drop-out rate while there.
    s: f64,
    /// Its inverse scale: `beta + T`.
    beta: f64,
    /// The probability that the user has not dropped out.
    alive: f64,
    /// The log-odds of having dropped out; minus infinity for a user who has ordered just now.
    log_odds_gone: f64,
}

/// What a silence would mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Silence {
    /// The probability that the user does not order in these days.
    pub probability: f64,
    /// What would be known of the user at their end, had there been no order.
    pub then: OrderState,
}

impl ParetoNbd {
    /// Whether each parameter lies between a millionth and a million.
    ///
    /// # Errors
    /// [`FigureError::Parameter`] with the first parameter that does not.
    pub fn validate(&self) -> Result<(), FigureError> {
        let named = [
            ("r", self.r),
            ("alpha", self.alpha),
            ("s", self.s),
            ("beta", self.beta),
        ];
        let wrong = named
            .into_iter()
            .find(|(_, value)| !PARAMETER_RANGE.contains(value));
        match wrong {
            Some((name, value)) => Err(FigureError::Parameter {
                name,
                value,
                low: *PARAMETER_RANGE.start(),
                high: *PARAMETER_RANGE.end(),
            }),
            None => Ok(()),
        }
    }

    /// What is known of a user on the as-of day.
    pub fn state(&self, user: &Purchases) -> OrderState {
        let (last, age) = (days(user.last_day()), days(user.age_days()));
        let shape = self.r + f64::from(user.frequency());
        let there = OrderState::just_ordered(self, shape, last);
        there.after(&there.wait(age - last))
    }

    /// What is known of a user who has ordered for the first time just now.
    pub fn new_customer(&self) -> OrderState {
        OrderState::just_ordered(self, self.r, 0.0)
    }

    /// Logarithm of the likelihood of one user's counts. Time is in days: with weeks for days it would be larger by `x ln 7`.
    pub fn log_likelihood(&self, user: &Purchases) -> f64 {
        let x = f64::from(user.frequency());
        let (last, age) = (days(user.last_day()), days(user.age_days()));
        // As far as the last order, and without one from there on: written so, nothing cancels.
        let wait = OrderState::just_ordered(self, self.r + x, last).wait(age - last);
        ln_gamma_ratio(self.r, x)
            - self.r * libm::log1p(last / self.alpha)
            - x * libm::log(self.alpha + last)
            - self.s * libm::log1p(last / self.beta)
            + libm::log(libm::exp(-wait.quiet) + wait.leaves)
    }

    /// The probability that the user has not dropped out by the as-of day.
    pub fn p_alive(&self, user: &Purchases) -> f64 {
        self.state(user).p_alive()
    }

    /// The expected number of orders in the `days` from the as-of day on.
    pub fn expected_orders(&self, user: &Purchases, days: f64) -> f64 {
        self.state(user).expected_orders(days)
    }

    /// The expected number of orders of a new customer in the `days` after the first order.
    pub fn expected_of_new(&self, days: f64) -> f64 {
        self.new_customer().expected_orders(days)
    }

    /// The probability that the user does not order in the `days` from the as-of day on: `L(x, t_x, T + days) / L(x, t_x, T)`.
    pub fn p_silent(&self, user: &Purchases, days: f64) -> f64 {
        self.state(user).silent(days).probability
    }

    /// The expected number of all orders to come, each discounted by `e^(-daily_discount t)`, `t` days from the as-of day.
    pub fn discounted_orders(&self, user: &Purchases, daily_discount: f64) -> f64 {
        self.state(user).discounted_orders(daily_discount)
    }
}

impl OrderState {
    /// A user with an order on this day, `age` days after the first one.
    fn just_ordered(model: &ParetoNbd, shape: f64, age: f64) -> Self {
        Self {
            shape,
            alpha: model.alpha + age,
            s: model.s,
            beta: model.beta + age,
            alive: 1.0,
            log_odds_gone: f64::NEG_INFINITY,
        }
    }

    /// The probability that the user has not dropped out.
    pub fn p_alive(&self) -> f64 {
        self.alive
    }

    /// The expected number of orders in the next `days`, from 0 to a billion: for a user who is there,
    /// `(r + x) / (alpha + T)` times the integral of `((beta + T) / (beta + T + u))^s` for `u` up to `days`.
    pub fn expected_orders(&self, days: f64) -> f64 {
        let grown = libm::log1p(self::days(days) / self.beta);
        let power = 1.0 - self.s;
        let scales = if power == 0.0 {
            grown
        } else {
            libm::expm1(power * grown) / power
        };
        self.alive * self.orders_in_one_scale() * scales
    }

    /// The expected number of all orders to come, each discounted by `e^(-daily_discount t)` for `t` days from now.
    ///
    /// Without a discount it is finite for `s` above 1 only; infinite otherwise, unless the user is gone for certain.
    pub fn discounted_orders(&self, daily_discount: f64) -> f64 {
        if self.alive == 0.0 {
            return 0.0;
        }
        let scales = if daily_discount > 0.0 {
            let discount = (daily_discount * self.beta).max(LEAST_DISCOUNT);
            discounted_power(self.s, discount, f64::INFINITY)
        } else if self.s > 1.0 {
            1.0 / (self.s - 1.0)
        } else {
            f64::INFINITY
        };
        self.alive * self.orders_in_one_scale() * scales
    }

    /// The same of the orders in the next `days` only, from 0 to a billion.
    pub fn discounted_orders_within(&self, days: f64, daily_discount: f64) -> f64 {
        if daily_discount <= 0.0 {
            return self.expected_orders(days);
        }
        let until = self::days(days) / self.beta;
        let scales = discounted_power(self.s, daily_discount * self.beta, until);
        self.alive * self.orders_in_one_scale() * scales
    }

    /// The probability that the user does not order in the next `days`, from 0 to a billion, and what would be known of the
    /// user then: gone already, or there all the time without an order, or gone within these days.
    pub fn silent(&self, days: f64) -> Silence {
        let wait = self.wait(days);
        let (gone, stays) = (sigmoid(self.log_odds_gone), libm::exp(-wait.quiet));
        Silence {
            probability: (gone + self.alive * (stays + wait.leaves)).min(1.0),
            then: self.after(&wait),
        }
    }

    /// What days without an order say of a user who was there before them.
    fn wait(&self, days: f64) -> Wait {
        let days = self::days(days);
        let leaving = Powers {
            a: self.alpha,
            in_a: self.shape,
            b: self.beta,
            in_b: self.s + 1.0,
        };
        let growth = leaving.growth(days);
        Wait {
            days,
            leaves: self.s / self.beta * leaving.integral(&growth),
            quiet: self.shape * growth.0.log + self.s * growth.1.log,
        }
    }

    /// What is known of the user at the end of days without an order.
    fn after(&self, wait: &Wait) -> Self {
        let gone = log_of_sum(self.log_odds_gone, libm::log(wait.leaves));
        let log_odds_gone = gone + wait.quiet;
        Self {
            alpha: self.alpha + wait.days,
            beta: self.beta + wait.days,
            alive: sigmoid(-log_odds_gone),
            log_odds_gone,
            ..*self
        }
    }

    /// Orders in `beta + T` days at the present expected rate.
    fn orders_in_one_scale(&self) -> f64 {
        self.shape / self.alpha * self.beta
    }
}

/// Days without an order, for a user who was there before them.
#[derive(Clone, Copy, Debug)]
struct Wait {
    days: f64,
    /// The probability of leaving within these days before any order.
    leaves: f64,
    /// Minus the logarithm of the probability of being there at their end without an order.
    quiet: f64,
}

/// The least discount in one scale of the drop-out rates, for sums of orders to stay finite.
const LEAST_DISCOUNT: f64 = 1e-200;

/// A number of days that counts.
fn days(days: f64) -> f64 {
    days.clamp(0.0, MOST_DAYS)
}

/// `ln(e^a + e^b)`, also where one or both are minus infinity.
fn log_of_sum(a: f64, b: f64) -> f64 {
    let (most, least) = (a.max(b), a.min(b));
    if least == f64::NEG_INFINITY {
        most
    } else {
        most + libm::log1p(libm::exp(least - most))
    }
}
