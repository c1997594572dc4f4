use crate::math::{digamma, ln_gamma_ratio, trigamma};
use crate::train::estimators::climb::{Point, Surface};

/// Customers with the same number of repeat orders.
#[derive(Clone, Copy, Debug)]
struct Group {
    repeats: f64,
    customers: f64,
}

/// The log-likelihood of gamma-gamma as a function of the logarithms of p, q and v, in this order.
#[derive(Clone, Debug)]
pub(crate) struct Likelihood {
    groups: Vec<Group>,
    /// Repeat orders and total amount `x z` of each customer, sorted.
    customers: Vec<(f64, f64)>,
    /// The sum of the logarithms of the mean amounts.
    log_means: f64,
    /// Whether q has the prior of a gamma distribution with shape 3 and rate 1.
    prior: bool,
}

const P: usize = 0;
const Q: usize = 1;
const V: usize = 2;

impl Likelihood {
    /// Of customers' repeat orders, at least one each, and their positive mean amounts.
    pub(crate) fn new(spend: &[(f64, f64)], prior: bool) -> Self {
        let mut customers: Vec<(f64, f64)> = spend.iter().map(|(x, z)| (*x, x * z)).collect();
        customers.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let groups = customers
            .chunk_by(|a, b| a.0 == b.0)
            .filter_map(|equal| {
                equal.first().map(|first| Group {
                    repeats: first.0,
                    customers: equal.len() as f64,
                })
            })
            .collect();
        let log_means = customers
            .iter()
            .map(|(x, total)| libm::log(total / x))
            .sum();
        Self {
            groups,
            customers,
            log_means,
            prior,
        }
    }
}

impl Surface<3> for Likelihood {
    fn customers(&self) -> f64 {
        self.customers.len() as f64
    }

    /// Note 025's equation (1a) with its logarithm taken: of mean `z` in `x` orders,
    /// `Gamma(p x + q) / (Gamma(p x) Gamma(q)) v^q z^(p x - 1) x^(p x) / (v + x z)^(p x + q)`.
    fn at(&self, logs: [f64; 3]) -> Point<3> {
        let [p, q, v] = logs.map(libm::exp);
        let mut point = Point::ZERO;
        point.value -= self.log_means;
        for group in &self.groups {
            add_orders(group, p, q, &mut point);
        }
        for (repeats, total) in &self.customers {
            add_amount(p * repeats, q, v, *total, &mut point);
        }
        if self.prior {
            point.add(1.0, 2.0 * logs[Q] - q, [0.0, 2.0 - q, 0.0]);
            point.add_curvature(Q, Q, -q);
        }
        point
    }
}

/// The terms of the numbers of orders: `Gamma(p x + q) / (Gamma(p x) Gamma(q))`.
fn add_orders(group: &Group, p: f64, q: f64, point: &mut Point<3>) {
    let (n, shape) = (group.customers, p * group.repeats);
    // Gamma(q) as Gamma(q + 1) / q, to begin from ln Gamma(1) = 0.
    let log_gamma_q = ln_gamma_ratio(1.0, q) - libm::log(q);
    let (of_both, of_shape, of_q) = (digamma(shape + q), digamma(shape), digamma(q));
    let (bend_both, bend_shape, bend_q) = (trigamma(shape + q), trigamma(shape), trigamma(q));
    let by_shape = shape * (of_both - of_shape);
    let by_q = q * (of_both - of_q);
    point.value += n * (ln_gamma_ratio(shape, q) - log_gamma_q);
    point.gradient[P] += n * by_shape;
    point.gradient[Q] += n * by_q;
    let by_p_twice = by_shape + shape * shape * (bend_both - bend_shape);
    point.add_curvature(P, P, n * by_p_twice);
    point.add_curvature(Q, P, n * shape * q * bend_both);
    point.add_curvature(Q, Q, n * (by_q + q * q * (bend_both - bend_q)));
}

/// The terms of one customer's amounts: `(v / (v + x z))^q (x z / (v + x z))^(p x)`.
fn add_amount(shape: f64, q: f64, v: f64, total: f64, point: &mut Point<3>) {
    let (log_total, log_scale) = (libm::log1p(v / total), libm::log1p(total / v));
    let (share, power) = (v / (v + total), shape + q);
    let slopes = [
        -shape * log_total,
        -q * log_scale,
        q * (1.0 - share) - shape * share,
    ];
    point.add(1.0, slopes[P] + slopes[Q], slopes);
    point.add_curvature(P, P, slopes[P]);
    point.add_curvature(Q, Q, slopes[Q]);
    point.add_curvature(V, P, -shape * share);
    point.add_curvature(V, Q, q * (1.0 - share));
    point.add_curvature(V, V, -power * share * (1.0 - share));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::estimators::climb::tests::{assert_derivatives, relative};

    #[test]
    fn derivatives_are_those_of_differences() {
        let spend = [(1.0, 0.4), (1.0, 1.3), (3.0, 0.9), (40.0, 2.5), (7.0, 0.05)];
        for prior in [false, true] {
            let likelihood = Likelihood::new(&spend, prior);
            for logs in [[1.8, 1.3, -0.9], [0.0, 0.0, 0.0], [-1.0, 3.0, 2.0]] {
                assert_derivatives(|logs| likelihood.at(logs), logs, relative);
            }
        }
    }
}
