//! Gamma-gamma: the mean amount of a user's orders, shrunk towards that of all users.
//!
//! The model's assumptions: the amounts of one user's orders are gamma distributed with shape `p` and a scale of the user's
//! own, whose inverse is gamma distributed among users with shape `q` and scale `v`; and how much a user spends at a time
//! does not go with how often.
//!
//! Source: Fader and Hardie, The Gamma-Gamma Model of Monetary Value, 2013 (note 025).

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::FigureError;
use super::bg_nbd::PARAMETER_RANGE;

/// Legal scales: from a millionth of the smallest amount to beyond a million times the largest one.
const SCALE_RANGE: RangeInclusive<f64> = 1e-12..=1e20;

/// The least legal `q`: there is no mean at 1, and an absurd one just above it.
pub(crate) const LEAST_Q: f64 = 1.05;

/// The three parameters of the model. [`Self::validate`] checks those that were read from a file; all other methods take
/// legal ones for granted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GammaGamma {
    /// Shape of the amounts of one user.
    pub p: f64,
    /// Shape of the distribution of users' scales; above 1 for there to be a mean.
    pub q: f64,
    /// Its scale, in the currency.
    pub v: f64,
}

impl GammaGamma {
    /// Whether `p` lies between a millionth and a million, `q` between 1.05 and a million, and `v` between 1e-12 and 1e20.
    ///
    /// # Errors
    /// [`FigureError::Parameter`] with the first parameter that does not.
    pub fn validate(&self) -> Result<(), FigureError> {
        let most = *PARAMETER_RANGE.end();
        let named = [
            ("p", self.p, PARAMETER_RANGE),
            ("q", self.q, LEAST_Q..=most),
            ("v", self.v, SCALE_RANGE),
        ];
        match named
            .iter()
            .find(|(_, value, range)| !range.contains(value))
        {
            Some((name, value, range)) => Err(FigureError::Parameter {
                name,
                value: *value,
                low: *range.start(),
                high: *range.end(),
            }),
            None => Ok(()),
        }
    }

    /// The expected amount of an order of a user with `repeats` orders of `mean` each, the first order apart:
    /// `p (v + x z) / (p x + q - 1)`, the note's equation (5). Without a repeat it is [`Self::population_mean`], whatever
    /// `mean` is.
    pub fn expected_amount(&self, repeats: f64, mean: f64) -> f64 {
        if repeats > 0.0 {
            self.p * (self.v + repeats * mean) / (self.p * repeats + self.q - 1.0)
        } else {
            self.population_mean()
        }
    }

    /// The expected amount of an order of a user of whom nothing is known: `p v / (q - 1)`.
    pub fn population_mean(&self) -> f64 {
        self.p * self.v / (self.q - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published fit of the CDNOW sample, note 025, and its figures of customers 1 to 10: repeat orders, their mean
    /// amount, and the expected amount; 24.65, 18.91, 35.17, 71.46 and 27.28 in Hardie's spreadsheet, of unrounded
    /// parameters.
    const CDNOW: GammaGamma = GammaGamma {
        p: 6.25,
        q: 3.74,
        v: 15.44,
    };
    const OF_CUSTOMERS: [(f64, f64, f64, f64); 10] = [
        (2.0, 22.35, 24.663_714, 24.65),
        (1.0, 11.77, 18.916_852, 18.91),
        (0.0, 0.0, 35.218_978, 35.17),
        (0.0, f64::NAN, 35.218_978, 35.17),
        (0.0, 7.0, 35.218_978, 35.17),
        (7.0, 73.74, 71.469_671, 71.46),
        (1.0, 11.77, 18.916_852, 18.91),
        (0.0, 0.0, 35.218_978, 35.17),
        (2.0, 25.55, 27.288_386, 27.28),
        (0.0, 0.0, 35.218_978, 35.17),
    ];

    #[test]
    fn expected_amounts_are_the_published_ones() {
        let unrounded = GammaGamma {
            p: 6.248_803_179_9,
            q: 3.744_588_437_8,
            v: 15.447_745_963_8,
        };
        for (repeats, mean, expected, spreadsheet) in OF_CUSTOMERS {
            let got = CDNOW.expected_amount(repeats, mean);
            assert!((got - expected).abs() < 5e-7, "{repeats} {mean}: {got}");
            let got = unrounded.expected_amount(repeats, mean);
            assert!((got - spreadsheet).abs() < 0.011, "{repeats} {mean}: {got}");
        }
        assert!((unrounded.population_mean() - 35.171_001_51).abs() < 1e-8);
    }

    #[test]
    fn estimates_lie_between_the_user_and_all_users_and_reach_the_user() {
        let population = CDNOW.population_mean();
        let mut before = population;
        for repeats in [1.0, 3.0, 10.0, 100.0, 100_000.0] {
            let got = CDNOW.expected_amount(repeats, 80.0);
            assert!(before < got && got < 80.0, "{repeats}: {got}");
            before = got;
        }
        assert!((before - 80.0).abs() < 0.01);
        assert!(CDNOW.expected_amount(1.0, 10.0) < population);
    }

    #[test]
    fn parameters_that_cannot_be_are_refused() {
        assert_eq!(CDNOW.validate(), Ok(()));
        for (wrong, name) in [
            (GammaGamma { p: 0.0, ..CDNOW }, "p is 0"),
            (GammaGamma { q: 1.0, ..CDNOW }, "q is 1"),
            (GammaGamma { q: 2e6, ..CDNOW }, "q is 2000000"),
            (
                GammaGamma {
                    v: f64::NAN,
                    ..CDNOW
                },
                "v is NaN",
            ),
            (
                GammaGamma {
                    v: f64::INFINITY,
                    ..CDNOW
                },
                "v is inf",
            ),
        ] {
            let problem = wrong.validate().unwrap_err().to_string();
            assert!(problem.starts_with(name), "{problem}");
        }
    }
}
