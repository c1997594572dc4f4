//! The time that the residual value looks ahead, and what a churn within the churn horizon would cost of it.

use crate::model::ValueModel;
use crate::model::pareto_nbd::OrderState;

/// Days of a year.
const YEAR_LENGTH_DAYS: f64 = 365.25;

/// The time whose orders a residual value adds up, discounted continuously.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ResidualTime {
    /// The continuous discount of a day.
    daily_discount: f64,
    /// Days from the as-of day on; `None` without an end.
    days: Option<f64>,
    /// What is left after the churn horizon of a value that begins there.
    after_risk: f64,
}

impl ResidualTime {
    /// The time of a model; `risk_days` are those from the as-of day to the end of the churn horizon.
    pub(crate) fn new(model: &ValueModel, lead_days: u32, risk_days: f64) -> Self {
        let daily_discount = libm::log1p(model.annual_discount) / YEAR_LENGTH_DAYS;
        let horizon = f64::from(lead_days) + f64::from(model.horizon_days);
        let years = model.residual_years;
        Self {
            daily_discount,
            days: years.map(|years| (years * YEAR_LENGTH_DAYS).max(horizon)),
            after_risk: libm::exp(-daily_discount * risk_days),
        }
    }

    /// The discounted orders of all this time.
    pub(super) fn orders(&self, state: &OrderState) -> f64 {
        match self.days {
            Some(days) => state.discounted_orders_within(days, self.daily_discount),
            None => state.discounted_orders(self.daily_discount),
        }
    }
}

/// Discounted orders to come of a user, and how they divide by whether the user is silent over the churn horizon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DiscountedOrders {
    /// All of them.
    pub(crate) all: f64,
    /// Those that are still expected of the user after a silence over the churn horizon.
    pub(crate) lost: f64,
    /// Those that are expected of the user who is not silent.
    pub(crate) kept: f64,
}

impl DiscountedOrders {
    /// The orders to come of a user with `state`. Where churn is an event (`silence_days` is `None`), nothing comes after it.
    pub(crate) fn new(time: &ResidualTime, state: &OrderState, silence_days: Option<f64>) -> Self {
        let all = time.orders(state);
        let Some(days) = silence_days else {
            return Self {
                all,
                lost: 0.0,
                kept: all,
            };
        };
        let silent = state.silent(days);
        let lost = time.after_risk * time.orders(&silent.then);
        let p_active = 1.0 - silent.probability;
        // Of a user who is silent for certain by Pareto/NBD nothing is known of the contrary.
        let kept = if p_active > 1e-9 {
            (all - silent.probability * lost) / p_active
        } else {
            all
        };
        // Equal in theory where rounding leaves a difference.
        Self {
            all,
            lost: lost.min(all),
            kept: kept.max(all),
        }
    }

    /// Of a residual value, the part that a churn with the probability `p` puts at risk: `p (kept - lost)`, with kept and lost
    /// scaled for `p lost + (1 - p) kept` to be the residual value.
    pub(crate) fn at_risk(&self, residual_value: f64, p: f64) -> f64 {
        let mixture = p * self.lost + (1.0 - p) * self.kept;
        if mixture > 0.0 {
            residual_value * p * (self.kept - self.lost) / mixture
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{ParetoNbd, Purchases};

    /// The published fit of CDNOW, time in weeks: Fader, Hardie and Lee (2005), Journal of Marketing Research 42.
    const CDNOW: ParetoNbd = ParetoNbd {
        r: 0.553,
        alpha: 10.578,
        s: 0.606,
        beta: 11.669,
    };

    fn time(residual_years: Option<f64>, daily_discount: f64, risk: f64) -> ResidualTime {
        ResidualTime {
            daily_discount,
            days: residual_years.map(|years| years * YEAR_LENGTH_DAYS),
            after_risk: libm::exp(-daily_discount * risk),
        }
    }

    fn user(frequency: u32, last: f64, age: f64) -> Purchases {
        Purchases::new(frequency, last, age).unwrap()
    }

    fn split(
        model: &ParetoNbd,
        user: &Purchases,
        time: &ResidualTime,
        risk: f64,
    ) -> DiscountedOrders {
        DiscountedOrders::new(time, &model.state(user), Some(risk))
    }

    /// Computed to 25 digits with the same parameters, in weeks, without an end, at a discount of 0.0027 a week over 13 weeks.
    #[test]
    fn what_is_lost_and_kept_is_that_of_the_distribution() {
        let time = time(None, 0.0027, 13.0);
        let rows = [
            (
                (2, 30.43, 38.86),
                0.633093518103,
                [6.48377356773, 4.1000373142, 10.5968869779, 4.11311341019],
            ),
            (
                (7, 35.0, 77.86),
                0.963482529632,
                [0.892655022628, 0.267003067382, 17.3999520078, 16.5072969851],
            ),
        ];
        for ((x, last, age), p, expected) in rows {
            let user = user(x, last, age);
            let orders = split(&CDNOW, &user, &time, 13.0);
            let found = [
                orders.all,
                orders.lost,
                orders.kept,
                orders.at_risk(orders.all, p),
            ];
            for (found, expected) in found.iter().zip(expected) {
                assert!((found / expected - 1.0).abs() < 1e-8, "{found} {expected}");
            }
        }
    }

    #[test]
    fn nothing_is_at_risk_of_who_cannot_leave_and_probability_times_value_counts_churn_twice() {
        let time = time(Some(3.0), 0.0003, 60.0);
        let steady = user(20, 395.0, 400.0);
        let orders = split(&CDNOW, &steady, &time, 60.0);
        assert_eq!(orders.at_risk(100.0, 0.0), 0.0);
        // A value contains the risk of leaving. Whoever is gone for certain by his value has little of it, and p x value is
        // small although all of what he would be worth is at stake.
        let lapsed = user(20, 300.0, 400.0);
        let lapsed = split(&CDNOW, &lapsed, &time, 60.0);
        let p = 0.9;
        let mixture = p * lapsed.lost + (1.0 - p) * lapsed.kept;
        let at_risk = lapsed.at_risk(mixture, p);
        assert!((at_risk - p * (lapsed.kept - lapsed.lost)).abs() < 1e-9 * at_risk);
        assert!(at_risk > 2.0 * p * mixture, "{at_risk} {mixture}");
    }

    /// Users of a known life: orders at a rate, until they leave.
    struct Life {
        counts: Purchases,
        /// Days of the orders after the as-of day.
        to_come: Vec<f64>,
    }

    /// Draws lives of [`SIMULATED`], observed for 400 days and for three years after that.
    fn lives(users: u64) -> impl Iterator<Item = Life> {
        let mut state = 0;
        let mut draw = move || {
            state += 1;
            let bits = crate::math::splitmix::splitmix64(state) >> 11;
            (bits as f64 + 0.5) / 2_f64.powi(53)
        };
        (0..users).map(move |_| {
            let mut exponential = |scale: f64| -libm::log(draw()) * scale;
            // Gamma distributions of shape 1 and 2.
            let rate = exponential(1.0 / SIMULATED.alpha);
            let leaving = exponential(1.0 / SIMULATED.beta) + exponential(1.0 / SIMULATED.beta);
            let end = exponential(1.0 / leaving).min(400.0 + 3.0 * YEAR_LENGTH_DAYS);
            let mut days = vec![0.0];
            let mut day = exponential(1.0 / rate);
            while day < end {
                days.push(day);
                day += exponential(1.0 / rate);
            }
            let seen = days.iter().take_while(|day| **day < 400.0).count();
            let last = days[seen - 1];
            Life {
                counts: Purchases::new(seen as u32 - 1, last, 400.0).unwrap(),
                to_come: days[seen..].iter().map(|day| day - 400.0).collect(),
            }
        })
    }

    const SIMULATED: ParetoNbd = ParetoNbd {
        r: 1.0,
        alpha: 40.0,
        s: 2.0,
        beta: 500.0,
    };

    /// What is lost and kept is what users spend afterwards who turn out to be silent, and who do not.
    #[test]
    fn what_is_lost_and_kept_comes_true_in_simulated_lives() {
        let (discount, risk) = (0.0003, 60.0);
        let time = time(Some(3.0), discount, risk);
        let [mut silent, mut active, mut twice] = [[0.0; 2]; 3];
        for life in lives(60_000) {
            let orders = split(&SIMULATED, &life.counts, &time, risk);
            let p = SIMULATED.p_silent(&life.counts, risk);
            let came = life.to_come.iter().map(|day| libm::exp(-discount * day));
            let came: f64 = came.sum();
            let is_silent = life.to_come.first().is_none_or(|day| *day >= risk);
            let (group, expected) = if is_silent {
                (&mut silent, orders.lost)
            } else {
                (&mut active, orders.kept)
            };
            group[0] += expected;
            group[1] += came;
            twice[0] += p * orders.all;
            twice[1] += orders.at_risk(orders.all, p);
        }
        for [expected, came] in [silent, active] {
            assert!((expected / came - 1.0).abs() < 0.05, "{expected} {came}");
        }
        // The negative control: the probability times a value that contains it already is another amount.
        assert!((twice[0] / twice[1] - 1.0).abs() > 0.1, "{twice:?}");
    }

    #[test]
    fn the_time_ends_with_the_horizon_or_the_years() {
        let value = |residual_years, horizon_days| ValueModel {
            residual_years,
            horizon_days,
            ..crate::model::tests::value_model()
        };
        let days =
            |years, horizon_days| ResidualTime::new(&value(years, horizon_days), 10, 40.0).days;
        assert_eq!(days(Some(0.0), 90), Some(100.0), "the lead and the horizon");
        assert_eq!(days(Some(3.0), 90), Some(3.0 * 365.25));
        assert_eq!(
            days(Some(1.0), 400),
            Some(410.0),
            "never less than the horizon"
        );
        assert_eq!(days(None, 90), None);
    }

    proptest! {
        /// Nobody is worth more after a silence than without one, and what is at risk lies between nothing and what is kept.
        #[test]
        fn a_silence_never_adds_value(
            (r, alpha, s, beta) in (0.05..20.0_f64, 1.0..500.0_f64, 0.05..20.0_f64, 1.0..500.0_f64),
            (x, last, silent) in (0..200_u32, 0.01..1.0_f64, 0.0..1_000.0_f64),
            (p, risk, years) in (0.0..1.0_f64, 1.0..365.0_f64, 1.0..5.0_f64),
        ) {
            let model = ParetoNbd { r, alpha, s, beta };
            let age = 10.0 + 1_000.0 * last;
            let user = if x == 0 { user(0, 0.0, age) } else { user(x, age, age + silent) };
            let time = time(Some(years.floor()), 0.0003, risk);
            let orders = split(&model, &user, &time, risk);
            prop_assert!(orders.all.is_finite() && orders.lost.is_finite() && orders.kept.is_finite());
            prop_assert!(0.0 <= orders.lost && orders.lost <= orders.kept);
            let at_risk = orders.at_risk(100.0, p);
            prop_assert!((0.0..=f64::INFINITY).contains(&at_risk) && !at_risk.is_nan());
        }
    }
}
