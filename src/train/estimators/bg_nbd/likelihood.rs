use crate::math::{log1p_exp, sigmoid};
use crate::model::Purchases;
use crate::train::estimators::climb::{Point, Surface};
use crate::train::estimators::counts::{Counts, Group};

/// Customers, laid out so that a point of the likelihood costs a handful of logarithms for each distinct triple of
/// counts.
#[derive(Clone, Debug)]
pub(crate) struct Likelihood {
    pub(crate) counts: Counts,
}

const R: usize = 0;
const ALPHA: usize = 1;
const A: usize = 2;
const B: usize = 3;

impl Likelihood {
    pub(crate) fn new(customers: &[Purchases]) -> Self {
        Self {
            counts: Counts::new(customers),
        }
    }

    /// The terms of the frequencies alone: `(r)_x (b)_x / (a + b)_x` in Pochhammer's symbols.
    fn add_frequencies(&self, [r, _, a, b]: [f64; 4], point: &mut Point<4>) {
        for (j, n) in self.counts.beyond.iter().enumerate() {
            let j = j as f64;
            let (rate, stay, end) = (r + j, b + j, a + b + j);
            let value = libm::log(rate) - libm::log1p(a / stay);
            point.add(*n, value, [r / rate, 0.0, -a / end, a * b / (stay * end)]);
            point.add_curvature(R, R, n * r * j / (rate * rate));
            point.add_curvature(A, A, -n * a * stay / (end * end));
            point.add_curvature(B, A, n * a * b / (end * end));
            point.add_curvature(B, B, n * b * (j / (stay * stay) - (a + j) / (end * end)));
        }
    }
}

impl Surface<4> for Likelihood {
    fn customers(&self) -> f64 {
        self.counts.customers
    }

    fn at(&self, logs: [f64; 4]) -> Point<4> {
        let parameters = logs.map(libm::exp);
        let mut point = Point::ZERO;
        self.add_frequencies(parameters, &mut point);
        for group in &self.counts.groups {
            add_times(group, parameters, logs, &mut point);
        }
        point
    }
}

/// The terms of the times: `(alpha / (alpha + T))^r (alpha + T)^-x`, and for those who came back the odds of
/// having dropped out since, `a / (b + x - 1) ((alpha + T) / (alpha + t_x))^(r + x)`.
fn add_times(
    group: &Group,
    [r, alpha, _, b]: [f64; 4],
    [_, log_alpha, log_a, _]: [f64; 4],
    point: &mut Point<4>,
) {
    let Group {
        x,
        last,
        age,
        customers: n,
    } = *group;
    let longer = libm::log1p(age / alpha);
    // What alpha is of alpha + T: also the derivative of ln(alpha + T) by ln(alpha).
    let share = alpha / (alpha + age);
    let value = -r * longer - x * (log_alpha + longer);
    point.add(
        n,
        value,
        [-r * longer, r * (1.0 - share) - x * share, 0.0, 0.0],
    );
    point.add_curvature(R, R, -n * r * longer);
    point.add_curvature(ALPHA, R, n * r * (1.0 - share));
    point.add_curvature(ALPHA, ALPHA, -n * (r + x) * share * (1.0 - share));
    if x == 0.0 {
        return;
    }
    let silence = libm::log1p((age - last) / (alpha + last));
    let share_last = alpha / (alpha + last);
    let stay = b + x - 1.0;
    let log_odds = log_a - libm::log(stay) + (r + x) * silence;
    let slopes = [r * silence, (r + x) * (share - share_last), 1.0, -b / stay];
    let dead = sigmoid(log_odds);
    point.add(n, log1p_exp(log_odds), slopes.map(|slope| dead * slope));
    let curve = n * dead * (1.0 - dead);
    point.add_products(curve, &slopes);
    let weight = n * dead;
    point.add_curvature(R, R, weight * r * silence);
    point.add_curvature(ALPHA, R, weight * r * (share - share_last));
    point.add_curvature(
        ALPHA,
        ALPHA,
        weight * (r + x) * (share * (1.0 - share) - share_last * (1.0 - share_last)),
    );
    point.add_curvature(B, B, -weight * b * (stay - b) / (stay * stay));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BgNbd;
    use crate::train::estimators::climb::tests::assert_derivatives;

    fn customers() -> Vec<Purchases> {
        let counts = [
            (0, 0.0, 90.0),
            (1, 30.0, 90.0),
            (1, 30.0, 90.0),
            (4, 80.5, 100.0),
            (0, 0.0, 10.0),
            (37, 55.0, 56.0),
        ];
        counts
            .iter()
            .map(|&(x, last, age)| Purchases::new(x, last, age).unwrap())
            .collect()
    }

    const POINTS: [[f64; 4]; 4] = [
        [-1.2, 3.0, -0.3, 0.9],
        [0.0, 0.0, 0.0, 0.0],
        [2.0, 4.5, -3.0, -1.0],
        [-2.0, 1.0, 3.0, 5.0],
    ];

    #[test]
    fn grouped_customers_are_as_likely_as_one_by_one() {
        let likelihood = Likelihood::new(&customers());
        assert_eq!(
            (likelihood.counts.groups.len(), likelihood.customers()),
            (5, 6.0)
        );
        for logs in POINTS {
            let [r, alpha, a, b] = logs.map(libm::exp);
            let model = BgNbd { r, alpha, a, b };
            let expected: f64 = customers().iter().map(|p| model.log_likelihood(p)).sum();
            let got = likelihood.at(logs).value;
            assert!(
                (got - expected).abs() < 1e-11 * expected.abs(),
                "{got} {expected}"
            );
        }
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let likelihood = Likelihood::new(&customers());
        for logs in POINTS {
            assert_derivatives(|logs| likelihood.at(logs), logs, |_| 1e-5);
        }
    }
}
