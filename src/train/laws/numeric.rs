//! Maximum likelihood in one or two parameters, with derivatives by differences.

use crate::train::estimators::climb::{Bounds, Point, Surface, Top, climb};

/// The step of a difference, relative to the size of a coordinate.
const STEP: f64 = 1e-4;

/// A log-likelihood whose derivatives are differences of its values.
struct Differences<F> {
    log_likelihood: F,
    users: f64,
}

impl<const N: usize, F: Fn([f64; N]) -> f64> Surface<N> for Differences<F> {
    fn at(&self, at: [f64; N]) -> Point<N> {
        let f = &self.log_likelihood;
        let steps = at.map(|x| STEP * x.abs().max(1.0));
        let moved = |by: &[(usize, f64)]| {
            let mut to = at;
            for (k, times) in by {
                to[*k] += times * steps[*k];
            }
            f(to)
        };
        let mut point = Point::ZERO;
        point.value = f(at);
        for (k, step) in steps.into_iter().enumerate() {
            let (up, down) = (moved(&[(k, 1.0)]), moved(&[(k, -1.0)]));
            point.gradient[k] = (up - down) / (2.0 * step);
            point.hessian[k][k] = (up - 2.0 * point.value + down) / (step * step);
            for (other, step_of_other) in steps.into_iter().enumerate().take(k) {
                let corner = |a, b| moved(&[(k, a), (other, b)]);
                let twist =
                    corner(1.0, 1.0) - corner(1.0, -1.0) - corner(-1.0, 1.0) + corner(-1.0, -1.0);
                point.hessian[k][other] = twist / (4.0 * step * step_of_other);
            }
        }
        point
    }

    fn customers(&self) -> f64 {
        self.users
    }
}

/// The top of a log-likelihood of `users` inside a box, from `start`.
pub(super) fn top<const N: usize>(
    log_likelihood: impl Fn([f64; N]) -> f64,
    users: f64,
    start: [f64; N],
    (low, high): ([f64; N], [f64; N]),
) -> Top<N> {
    let surface = Differences {
        log_likelihood,
        users: users.max(1.0),
    };
    climb(&surface, start, &Bounds { low, high })
}
