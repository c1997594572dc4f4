use rayon::prelude::*;

use crate::model::Purchases;
use crate::model::pareto_nbd::integral::{Growth, Powers};
use crate::train::estimators::climb::{Point, Surface};
use crate::train::estimators::counts::{Counts, Group};

/// Customers are worked on in this many parts, however many processors there are.
const PARTS: usize = 64;
/// A part with fewer distinct counts is not worth a hand-over.
const LEAST_PART: usize = 64;

/// The log-likelihood of Pareto/NBD as a function of the logarithms of r, alpha, s and beta, in this order.
#[derive(Clone, Debug)]
pub(crate) struct Likelihood {
    pub(crate) counts: Counts,
}

/// The same of the negative binomial distribution, in which nobody drops out: r and alpha alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WithoutDropout<'a>(pub(crate) &'a Counts);

const R: usize = 0;
const ALPHA: usize = 1;
const S: usize = 2;
const BETA: usize = 3;

impl Likelihood {
    pub(crate) fn new(customers: &[Purchases]) -> Self {
        Self {
            counts: Counts::new(customers),
        }
    }
}

impl Surface<4> for Likelihood {
    fn customers(&self) -> f64 {
        self.counts.customers
    }

    fn at(&self, logs: [f64; 4]) -> Point<4> {
        let parameters = logs.map(libm::exp);
        let groups = &self.counts.groups;
        let size = groups.len().div_ceil(PARTS).max(LEAST_PART);
        let parts: Vec<Point<4>> = groups
            .par_chunks(size)
            .map(|part| {
                let mut point = Point::ZERO;
                for group in part {
                    add_orders(
                        group.last,
                        group,
                        parameters[R],
                        parameters[ALPHA],
                        &mut point,
                    );
                    add_staying(group, parameters[S], parameters[BETA], &mut point);
                    add_silence(group, parameters, &mut point);
                }
                point
            })
            .collect();
        let mut point = Point::ZERO;
        add_rates(&self.counts, parameters[R], &mut point);
        // In the order of the parts, so that sums do not depend on which one ended first.
        for part in &parts {
            point.add_point(part);
        }
        point
    }
}

impl Surface<2> for WithoutDropout<'_> {
    fn customers(&self) -> f64 {
        self.0.customers
    }

    fn at(&self, logs: [f64; 2]) -> Point<2> {
        let [r, alpha] = logs.map(libm::exp);
        let mut point = Point::ZERO;
        add_rates(self.0, r, &mut point);
        for group in &self.0.groups {
            add_orders(group.age, group, r, alpha, &mut point);
        }
        point
    }
}

/// The terms of the numbers of orders alone: `Gamma(r + x) / Gamma(r)`.
fn add_rates<const N: usize>(counts: &Counts, r: f64, point: &mut Point<N>) {
    for (j, n) in counts.beyond.iter().enumerate() {
        let (j, rate) = (j as f64, r + j as f64);
        point.value += n * libm::log(rate);
        point.gradient[R] += n * r / rate;
        point.add_curvature(R, R, n * r * j / (rate * rate));
    }
}

/// The terms of the time `until` which orders were looked for, by one who is there: `(alpha / (alpha + t))^r
/// (alpha + t)^-x`.
fn add_orders<const N: usize>(until: f64, group: &Group, r: f64, alpha: f64, point: &mut Point<N>) {
    let Group {
        x, customers: n, ..
    } = *group;
    let longer = libm::log1p(until / alpha);
    // What alpha is of alpha + t: also the derivative of ln(alpha + t) by ln(alpha).
    let share = alpha / (alpha + until);
    point.value -= n * (r * longer + x * libm::log(alpha + until));
    point.gradient[R] -= n * r * longer;
    point.gradient[ALPHA] += n * (r * (1.0 - share) - x * share);
    point.add_curvature(R, R, -n * r * longer);
    point.add_curvature(ALPHA, R, n * r * (1.0 - share));
    point.add_curvature(ALPHA, ALPHA, -n * (r + x) * share * (1.0 - share));
}

/// The terms of having stayed as far as the last order: `(beta / (beta + t_x))^s`.
fn add_staying(group: &Group, s: f64, beta: f64, point: &mut Point<4>) {
    let n = group.customers;
    let longer = libm::log1p(group.last / beta);
    let share = beta / (beta + group.last);
    point.value -= n * s * longer;
    point.gradient[S] -= n * s * longer;
    point.gradient[BETA] += n * s * (1.0 - share);
    point.add_curvature(S, S, -n * s * longer);
    point.add_curvature(BETA, S, n * s * (1.0 - share));
    point.add_curvature(BETA, BETA, -n * s * share * (1.0 - share));
}

/// The terms of the days without an order since the last one: there all the time, or gone at some moment of them.
///
/// The logarithm of a sum of likelihoods has the mean of their logarithms' derivatives for its derivative, weighted by the
/// likelihoods, and the mean of their second derivatives plus the covariance of the first ones for its second.
fn add_silence(group: &Group, parameters: [f64; 4], point: &mut Point<4>) {
    if group.age <= group.last {
        return;
    }
    let mut ways = Ways::new(group, parameters);
    let leaving = Powers {
        a: ways.alpha,
        in_a: ways.shape,
        b: ways.beta,
        in_b: ways.s + 1.0,
    };
    let until = leaving.growth(group.age - group.last);
    let stays = libm::exp(-ways.shape * until.0.log - ways.s * until.1.log);
    ways.add(stays, until.0, until.1, 0.0);
    let rate = ways.s / ways.beta;
    leaving.for_each_sample(&until, |sample| {
        ways.add(sample.mass * rate, sample.of_a, sample.of_b, 1.0);
    });
    let (n, mass) = (group.customers, ways.sums.value);
    let slopes = ways.sums.gradient.map(|slope| slope / mass);
    point.add(n, libm::log(mass), slopes);
    for (row, sums) in ways.sums.hessian.iter().enumerate() {
        for (column, sum) in sums.iter().enumerate().take(row + 1) {
            point.add_curvature(row, column, n * (sum / mass - slopes[row] * slopes[column]));
        }
    }
}

/// Sums over the ways in which a silence may have come about.
struct Ways {
    r: f64,
    shape: f64,
    /// `alpha + t_x`, and what alpha is of it.
    alpha: f64,
    share_alpha: f64,
    s: f64,
    /// `beta + t_x`, and what beta is of it.
    beta: f64,
    share_beta: f64,
    /// Likelihoods; their products with the slopes of their logarithms; and those with the second derivatives plus the
    /// products of the slopes.
    sums: Point<4>,
}

impl Ways {
    fn new(group: &Group, [r, alpha, s, beta]: [f64; 4]) -> Self {
        Self {
            r,
            shape: r + group.x,
            alpha: alpha + group.last,
            share_alpha: alpha / (alpha + group.last),
            s,
            beta: beta + group.last,
            share_beta: beta / (beta + group.last),
            sums: Point::ZERO,
        }
    }

    /// One way: the days without an order have grown by `a` and `b`; `gone` is 1 when they ended by leaving.
    #[inline]
    fn add(&mut self, mass: f64, a: Growth, b: Growth, gone: f64) {
        let Self { r, shape, s, .. } = *self;
        // Shares of alpha and beta at the end, and how much they have sunk since the last order.
        let (alpha, beta) = (
            self.share_alpha / (1.0 + a.by),
            self.share_beta / (1.0 + b.by),
        );
        let (sunk_alpha, sunk_beta) = (alpha * a.by, beta * b.by);
        let slopes = [
            -r * a.log,
            shape * sunk_alpha,
            gone - s * b.log,
            s * sunk_beta - gone * beta,
        ];
        self.sums.add(mass, 1.0, slopes);
        self.sums.add_products(mass, &slopes);
        let rest_alpha = 1.0 - self.share_alpha - alpha;
        let rest_beta = 1.0 - self.share_beta - beta;
        self.sums.add_curvature(R, R, -mass * r * a.log);
        self.sums.add_curvature(ALPHA, R, mass * r * sunk_alpha);
        self.sums
            .add_curvature(ALPHA, ALPHA, mass * shape * sunk_alpha * rest_alpha);
        self.sums.add_curvature(S, S, -mass * s * b.log);
        self.sums.add_curvature(BETA, S, mass * s * sunk_beta);
        let bend = s * sunk_beta * rest_beta - gone * beta * (1.0 - beta);
        self.sums.add_curvature(BETA, BETA, mass * bend);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ParetoNbd;
    use crate::train::estimators::climb::tests::{assert_derivatives, relative};

    fn customers() -> Vec<Purchases> {
        let counts = [
            (0, 0.0, 90.0),
            (1, 30.0, 90.0),
            (1, 30.0, 90.0),
            (4, 80.5, 100.0),
            (0, 0.0, 0.0),
            (2, 55.0, 55.0),
            (37, 55.0, 56.0),
            (12, 20.0, 400.0),
        ];
        counts
            .iter()
            .map(|&(x, last, age)| Purchases::new(x, last, age).unwrap())
            .collect()
    }

    const POINTS: [[f64; 4]; 5] = [
        [-0.6, 4.3, -0.5, 4.4],
        [0.0, 0.0, 0.0, 0.0],
        [2.0, 4.5, -3.0, -1.0],
        [-2.0, 1.0, 3.0, 8.0],
        [0.5, 6.0, 0.0, 2.0],
    ];

    #[test]
    fn grouped_customers_are_as_likely_as_one_by_one() {
        let likelihood = Likelihood::new(&customers());
        assert_eq!(
            (likelihood.counts.groups.len(), likelihood.customers()),
            (7, 8.0)
        );
        for logs in POINTS {
            let [r, alpha, s, beta] = logs.map(libm::exp);
            let model = ParetoNbd { r, alpha, s, beta };
            let expected: f64 = customers().iter().map(|p| model.log_likelihood(p)).sum();
            let got = likelihood.at(logs).value;
            assert!(
                (got - expected).abs() < 1e-12 * expected.abs(),
                "{got} {expected}"
            );
        }
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let likelihood = Likelihood::new(&customers());
        for logs in POINTS {
            assert_derivatives(|logs| likelihood.at(logs), logs, relative);
            let without = WithoutDropout(&likelihood.counts);
            assert_derivatives(|logs| without.at(logs), [logs[0], logs[1]], relative);
        }
    }
}
