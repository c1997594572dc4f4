//! Changes of the business that are planted to be found.

use std::fmt;

use super::SimulateError;
use crate::history::Day;

/// Days that a shock lasts.
const SHOCK_DAYS: i32 = 14;

/// Mean days of a month.
const MONTH_DAYS: f64 = 365.0 / 12.0;

/// A planted change of the business.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaceChange {
    /// The first day of it.
    pub from: Day,
    /// How many times as often from then on, 0.1 to 10.
    pub factor: f64,
}

/// Baskets that grow with the tenure of their user, and then stop growing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpendGrowth {
    /// The share by which they grow in each month of tenure, 0 to 1.
    pub share: f64,
    /// The months of tenure after which they grow no more, 0 to 120.
    pub months: f64,
}

/// What is planted; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Planted {
    /// A day on which all users begin to buy and visit more often or less often.
    pub pace: Option<PaceChange>,
    /// Two weeks in which they do, from a day on.
    pub shock: Option<PaceChange>,
    /// A day on which all users begin to visit, to leave goods in the cart and to click more often or less often; they buy
    /// as before.
    pub release: Option<PaceChange>,
    /// Growth of the baskets.
    pub spend: Option<SpendGrowth>,
}

impl Planted {
    pub(super) fn check(&self) -> Result<(), SimulateError> {
        for (what, change) in self.factors() {
            if let Some(PaceChange { factor, .. }) = change
                && !(0.1..=10.0).contains(&factor)
            {
                return Err(SimulateError::Pace { what, factor });
            }
        }
        match self.spend {
            Some(SpendGrowth { share, months })
                if !((0.0..=1.0).contains(&share) && (0.0..=120.0).contains(&months)) =>
            {
                Err(SimulateError::Spend { share, months })
            }
            _ => Ok(()),
        }
    }

    fn factors(&self) -> [(&'static str, Option<PaceChange>); 3] {
        [
            ("pace", self.pace),
            ("shock", self.shock),
            ("release", self.release),
        ]
    }

    /// How many times as often all users buy and visit on a day.
    pub(super) fn pace(&self, day: Day) -> f64 {
        let from_then_on = |change: &PaceChange| day >= change.from;
        let in_shock = |change: &PaceChange| (0..SHOCK_DAYS).contains(&day.since(change.from));
        let pace = self.pace.filter(from_then_on).map_or(1.0, |p| p.factor);
        self.shock
            .filter(in_shock)
            .map_or(pace, |shock| pace * shock.factor)
    }

    /// How many times as often users do on a day what a release changes.
    pub(super) fn release(&self, day: Day) -> f64 {
        let release = self.release.filter(|release| day >= release.from);
        release.map_or(1.0, |release| release.factor)
    }

    /// How many times as large baskets are after so many days of tenure.
    pub(super) fn basket(&self, tenure_days: i32) -> f64 {
        self.spend.map_or(1.0, |SpendGrowth { share, months }| {
            let grown = (f64::from(tenure_days) / MONTH_DAYS).min(months);
            libm::pow(1.0 + share, grown)
        })
    }
}

impl fmt::Display for Planted {
    /// As it stands behind the other options; nothing where nothing is planted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, change) in self.factors() {
            if let Some(PaceChange { from, factor }) = change {
                write!(f, ", {what} times {factor} from {from}")?;
            }
        }
        match self.spend {
            Some(SpendGrowth { share, months }) => {
                write!(f, ", baskets grow by {share} a month for {months} months")
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shock_lasts_two_weeks_and_a_pace_for_good() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        let change = |from: &str, factor| {
            Some(PaceChange {
                from: day(from),
                factor,
            })
        };
        let planted = Planted {
            pace: change("2026-03-01", 2.0),
            shock: change("2026-02-22", 3.0),
            release: change("2026-01-01", 4.0),
            spend: Some(SpendGrowth {
                share: 0.1,
                months: 2.0,
            }),
        };
        let paces = [
            "2026-02-21",
            "2026-02-22",
            "2026-03-01",
            "2026-03-07",
            "2026-03-08",
        ];
        assert_eq!(
            paces.map(|text| planted.pace(day(text))),
            [1.0, 3.0, 6.0, 6.0, 2.0]
        );
        assert_eq!(planted.release(day("2025-12-31")), 1.0);
        assert_eq!(planted.release(day("2026-12-31")), 4.0);
        assert!((planted.basket(61) - 1.21).abs() < 1e-9, "two months");
        assert!((planted.basket(600) - 1.21).abs() < 1e-9, "and no more");
        assert_eq!(
            planted.to_string(),
            ", pace times 2 from 2026-03-01, shock times 3 from 2026-02-22, release times 4 from 2026-01-01, baskets grow by 0.1 \
             a month for 2 months"
        );
        assert_eq!(Planted::default().to_string(), "");
        assert!(planted.check().is_ok());
        let wrong = Planted {
            shock: change("2026-03-01", 11.0),
            ..planted
        };
        assert!(
            wrong
                .check()
                .unwrap_err()
                .to_string()
                .starts_with("the shock")
        );
        let wrong = Planted {
            spend: Some(SpendGrowth {
                share: 1.5,
                months: 9.0,
            }),
            ..planted
        };
        assert!(wrong.check().unwrap_err().to_string().contains("1.5"));
    }
}
