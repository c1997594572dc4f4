//! BG/NBD: from how often and how lately a user was active, whether the user is still there and will come again.
//!
//! The story that the model tells: while alive, a user is active at random (a Poisson process) at a rate of the
//! user's own, gamma distributed among users with shape `r` and `alpha` in days; after each activity beyond the
//! first one the user drops out for good with a probability of the user's own, beta distributed with `a` and `b`.
//!
//! Its blind spot: nobody drops out before coming back once, so whoever was active on a single day is alive for
//! certain, however long ago that was. Such users are silent only in so far as they are rare visitors.
//!
//! Source: Fader, Hardie and Lee, "Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model,
//! Marketing Science 24(2), 2005, 275-284.

use serde::{Deserialize, Serialize};

use crate::history::Day;
use crate::math::{log1p_exp, sigmoid};

/// The most active days of one user, some 270 years of them. Also how far expectations count.
pub const MOST_ACTIVE_DAYS: u32 = 100_000;

/// The range of legal parameters: wider than any fit leaves, narrow enough for every answer to be finite.
const PARAMETER_RANGE: std::ops::RangeInclusive<f64> = 1e-6..=1e6;

/// What the model needs to know of a user: frequency, recency and age, as the literature counts them.
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

/// The four parameters of the model. [`Self::problem`] says what is wrong with those that were read from a file;
/// all other methods take legal ones for granted.
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
    /// What is wrong with the parameters; `None` when each lies between a millionth and a million.
    pub fn problem(&self) -> Option<String> {
        let named = [
            ("r", self.r),
            ("alpha", self.alpha),
            ("a", self.a),
            ("b", self.b),
        ];
        let (name, value) = named
            .into_iter()
            .find(|(_, value)| !PARAMETER_RANGE.contains(value))?;
        let (low, high) = (PARAMETER_RANGE.start(), PARAMETER_RANGE.end());
        Some(format!(
            "{name} is {value}: it must lie between {low:e} and {high:e}"
        ))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The published fit of the CDNOW sample, with alpha in days.
    const CDNOW: BgNbd = BgNbd {
        r: 0.243,
        alpha: 4.414 * 7.0,
        a: 0.793,
        b: 2.426,
    };

    fn user(frequency: u32, last_day: f64, age_days: f64) -> Purchases {
        Purchases::new(frequency, last_day, age_days).unwrap()
    }

    fn close(got: f64, expected: f64, tolerance: f64) -> bool {
        (got - expected).abs() <= tolerance * expected.abs()
    }

    /// Expected active days by the midpoint rule over the drop-out probability `p`, of which the alive user's
    /// expectation is the mean of `(1 - ((alpha + T) / (alpha + T + p h))^(r + x)) / p`. With `p = u^k` for the `k`
    /// that keeps the density of `u` finite at 0.
    fn expected_by_integration(model: &BgNbd, user: &Purchases, horizon_days: u16) -> f64 {
        let (x, h) = (f64::from(user.frequency()), f64::from(horizon_days));
        let (known, shape, staying) = (model.alpha + user.age_days(), model.r + x, model.b + x);
        let (steps, k) = (200_000, (2.0 / model.a).max(1.0));
        let (mut weights, mut sum) = (0.0, 0.0);
        for i in 0..steps {
            let u = (f64::from(i) + 0.5) / f64::from(steps);
            let p = u.powf(k);
            let weight = p.powf(model.a - 1.0) * (1.0 - p).powf(staying - 1.0) * u.powf(k - 1.0);
            weights += weight;
            sum += weight * -(-shape * (p * h / known).ln_1p()).exp_m1() / p;
        }
        model.p_alive(user) * sum / weights
    }

    /// SciPy 1.17.1: the paper's formulas written down with gammaln, logaddexp and hyp2f1. The 1.226 of the second
    /// user is in Hardie's spreadsheet of the paper, the 25.76 of the third in the manual of the R package BTYD.
    #[test]
    fn figures_match_scipy_and_published_ones() {
        for (x, last, age, horizon, log_likelihood, alive, expected) in [
            (
                0,
                0.0,
                272.0,
                273,
                -0.554_697_231_962_602_3,
                1.0,
                0.195_109_664_993_084_8,
            ),
            (
                2,
                213.0,
                272.0,
                273,
                -13.350_293_855_599_123,
                0.726_589_721_835_494_8,
                1.226_115_806_149_333_4,
            ),
            (
                26,
                216.0,
                217.0,
                364,
                -88.320_177_203_771_12,
                0.968_851_562_851_896,
                25.756_492_215_377_58,
            ),
            (
                7,
                50.0,
                272.0,
                30,
                -28.727_963_428_455_28,
                0.000_746_770_815_729_033_3,
                0.000_519_523_864_152_057_8,
            ),
            (
                300,
                1000.0,
                1010.0,
                365,
                -679.748_796_848_176_2,
                0.954_438_070_790_487_5,
                88.938_445_641_691_99,
            ),
        ] {
            let user = user(x, last, age);
            assert!(
                close(CDNOW.log_likelihood(&user), log_likelihood, 1e-12),
                "{user:?}"
            );
            assert!(close(CDNOW.p_alive(&user), alive, 1e-12), "{user:?}");
            let got = CDNOW.expected_active_days(&user, horizon);
            assert!(close(got, expected, 1e-9), "{user:?}: {got}");
        }
        let published = CDNOW.expected_active_days(&user(2, 213.0, 272.0), 273);
        assert!((published - 1.226).abs() < 5e-4, "{published}");
        // The negative control: nearly the same question has another answer.
        let other = CDNOW.expected_active_days(&user(2, 212.0, 272.0), 273);
        assert!((published - other).abs() > 1e-3);
    }

    #[test]
    fn expectations_are_the_integral_also_where_the_papers_form_is_zero_by_zero() {
        for a in [0.4, 1.0, 1.0 + 1e-9, 1.7, 6.0] {
            for (x, last, age) in [(0, 0.0, 50.0), (3, 40.0, 50.0), (40, 300.0, 310.0)] {
                for horizon in [1, 90, 700] {
                    let (model, user) = (
                        BgNbd {
                            r: 0.7,
                            alpha: 12.0,
                            a,
                            b: 1.8,
                        },
                        user(x, last, age),
                    );
                    let (got, expected) = (
                        model.expected_active_days(&user, horizon),
                        expected_by_integration(&model, &user, horizon),
                    );
                    assert!(
                        close(got, expected, 1e-5),
                        "{model:?} {user:?} {horizon}: {got}, integrated {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_single_active_day_is_the_blind_spot() {
        for age in [1.0, 30.0, 3_000.0] {
            assert_eq!(CDNOW.p_alive(&user(0, 0.0, age)), 1.0);
        }
        // Alive, but seldom active: the longer the silence so far, the likelier more of it.
        let silent = |age| CDNOW.p_silent(&user(0, 0.0, age), 60);
        assert!(
            silent(10.0) < silent(100.0)
                && silent(100.0) < silent(3_000.0)
                && silent(3_000.0) < 1.0
        );
        // The negative control: with a second active day, silence does lower it.
        assert!(CDNOW.p_alive(&user(1, 5.0, 300.0)) < 0.7);
    }

    #[test]
    fn silence_is_death_or_a_pause() {
        let user = user(2, 213.0, 272.0);
        let quiet = ((CDNOW.alpha + 272.0) / (CDNOW.alpha + 272.0 + 60.0)).powf(CDNOW.r + 2.0);
        let alive = CDNOW.p_alive(&user);
        assert!(close(
            CDNOW.p_silent(&user, 60),
            1.0 - alive * (1.0 - quiet),
            1e-12
        ));
        assert_eq!(CDNOW.p_silent(&user, 0), 1.0);
        assert!(CDNOW.p_silent(&user, 3_660) > 1.0 - alive);
        assert_eq!(CDNOW.expected_active_days(&user, 0), 0.0);
    }

    #[test]
    fn extremes_stay_finite() {
        let edges = [*PARAMETER_RANGE.start(), 1.0, *PARAMETER_RANGE.end()];
        let users = [
            user(0, 0.0, 0.0),
            user(0, 0.0, 36_600.0),
            user(1, 1.0, 36_600.0),
            user(3_000, 3_000.0, 3_001.0),
            user(MOST_ACTIVE_DAYS, 100_000.0, 100_000.0),
        ];
        for code in 0..81_usize {
            let edge = |digit: u32| edges[code / 3_usize.pow(digit) % 3];
            let model = BgNbd {
                r: edge(0),
                alpha: edge(1),
                a: edge(2),
                b: edge(3),
            };
            assert_eq!(model.problem(), None);
            for user in users {
                let (alive, silent) = (model.p_alive(&user), model.p_silent(&user, 90));
                assert!(
                    (0.0..=1.0).contains(&alive) && (0.0..=1.0).contains(&silent),
                    "{model:?} {user:?}"
                );
                let log_likelihood = model.log_likelihood(&user);
                assert!(
                    log_likelihood.is_finite(),
                    "{model:?} {user:?}: {log_likelihood}"
                );
                let expected = model.expected_active_days(&user, 365);
                assert!(
                    (0.0..=f64::from(MOST_ACTIVE_DAYS)).contains(&expected),
                    "{model:?} {user:?}: {expected}"
                );
            }
        }
        // A daily user who never leaves: as many active days as days.
        let daily = BgNbd {
            r: 1.0,
            alpha: 1.0,
            a: 1e-6,
            b: 1e3,
        };
        assert!(close(
            daily.expected_active_days(&user(300, 300.0, 300.0), 365),
            365.0,
            1e-3
        ));
    }

    #[test]
    fn counts_and_parameters_that_cannot_be_are_refused() {
        for (x, last, age) in [
            (0, 1.0, 9.0),
            (1, 0.0, 9.0),
            (2, 9.5, 9.0),
            (2, -1.0, 9.0),
            (MOST_ACTIVE_DAYS + 1, 8.0, 9.0),
        ] {
            assert_eq!(Purchases::new(x, last, age), None, "{x} {last} {age}");
        }
        assert_eq!(Purchases::new(1, f64::NAN, 9.0), None);
        assert_eq!(Purchases::new(1, 1.0, f64::INFINITY), None);
        assert!(Purchases::new(2, 9.0, 9.0).is_some());
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e7] {
            let problem = BgNbd {
                alpha: wrong,
                ..CDNOW
            }
            .problem()
            .unwrap();
            assert!(problem.starts_with("alpha is "), "{problem}");
        }
        assert_eq!(CDNOW.problem(), None);
        let json = r#"{"r": 0.2, "alpha": 30.0, "a": 0.8, "b": 2.4, "c": 1.0}"#;
        assert!(serde_json::from_str::<BgNbd>(json).is_err());
        assert!(serde_json::from_str::<BgNbd>(&json.replace(r#", "c": 1.0"#, "")).is_ok());
    }

    #[test]
    fn days_are_counted_once_and_before_the_as_of_day() {
        let days = |numbers: &[i32]| {
            numbers
                .iter()
                .map(|n| Day::new(*n).unwrap())
                .collect::<Vec<_>>()
        };
        let as_of = Day::new(50).unwrap();
        let counted = Purchases::of_days(days(&[10, 10, 20, 49, 50, 60]), as_of).unwrap();
        assert_eq!(
            (counted.frequency(), counted.last_day(), counted.age_days()),
            (2, 39.0, 40.0)
        );
        assert_eq!(
            Purchases::of_days(days(&[49]), as_of),
            Purchases::new(0, 0.0, 1.0)
        );
        assert_eq!(Purchases::of_days(days(&[50, 51]), as_of), None);
    }
}
