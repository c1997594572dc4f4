use super::likelihood::{Likelihood, Point};
use crate::math::cholesky_solve;

/// Bounds of the parameters' logarithms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Box4 {
    pub(crate) low: [f64; 4],
    pub(crate) high: [f64; 4],
}

impl Box4 {
    /// From 6e-6 to 160,000 each.
    pub(crate) const WIDEST: Self = Self {
        low: [-12.0; 4],
        high: [12.0; 4],
    };

    fn hold(&self, at: [f64; 4]) -> [f64; 4] {
        let mut held = at;
        for ((value, low), high) in held.iter_mut().zip(self.low).zip(self.high) {
            *value = value.clamp(low, high);
        }
        held
    }

    /// Which parameters are free to move: those at a bound with a slope that points out of the box are not.
    fn free(&self, at: [f64; 4], gradient: [f64; 4]) -> Vec<usize> {
        let stuck = |k: &usize| {
            let k = *k;
            (at[k] <= self.low[k] && gradient[k] <= 0.0)
                || (at[k] >= self.high[k] && gradient[k] >= 0.0)
        };
        (0..4).filter(|k| !stuck(k)).collect()
    }
}

/// Where a climb ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Top {
    /// Logarithms of r, alpha, a and b.
    pub(crate) at: [f64; 4],
    pub(crate) log_likelihood: f64,
    pub(crate) converged: bool,
    pub(crate) steps: usize,
}

/// More steps than any log has needed.
const MOST_STEPS: usize = 200;
/// The largest slope for each customer that counts as level.
const LEVEL: f64 = 1e-8;
/// The largest slope that is taken for level when arithmetic allows no further rise.
const NEARLY_LEVEL: f64 = 1e-5;
/// The longest move of a logarithm in one step.
const LONGEST_MOVE: f64 = 2.0;
/// The least and the most damping, as curvature for each customer.
const DAMPING: (f64, f64) = (1e-12, 1e6);

/// Climbs from `start` to a top of the likelihood inside the box, by Newton's method with the damping of Levenberg
/// and Marquardt: where no plain step leads up, the step turns towards the gradient and shortens.
///
/// Source: Nocedal and Wright, Numerical Optimization (2006), 10.3; the projection on the box is Bertsekas's (1982).
pub(crate) fn climb(likelihood: &Likelihood, start: [f64; 4], bounds: &Box4) -> Top {
    let customers = likelihood.customers();
    let mut at = bounds.hold(start);
    let mut point = likelihood.at(at);
    let mut damping = 1e-3;
    for steps in 0..MOST_STEPS {
        let free = bounds.free(at, point.gradient);
        let slope = free
            .iter()
            .fold(0.0_f64, |m, k| m.max(point.gradient[*k].abs()))
            / customers;
        let top = |converged| Top {
            at,
            log_likelihood: point.value,
            converged,
            steps,
        };
        if slope <= LEVEL {
            return top(true);
        }
        let mut higher = None;
        while higher.is_none() && damping <= DAMPING.1 {
            higher = step(&point, &free, damping * customers)
                .map(|by| bounds.hold([at[0] + by[0], at[1] + by[1], at[2] + by[2], at[3] + by[3]]))
                .map(|next| (next, likelihood.at(next)))
                .filter(|(_, next)| next.value > point.value);
            damping *= if higher.is_some() { 0.1 } else { 10.0 };
        }
        damping = damping.max(DAMPING.0);
        match higher {
            Some(next) => (at, point) = next,
            None => return top(slope <= NEARLY_LEVEL),
        }
    }
    Top {
        at,
        log_likelihood: point.value,
        converged: false,
        steps: MOST_STEPS,
    }
}

/// The damped Newton step of the free parameters, 0 for the others; `None` where the damped surface still bends
/// upwards.
fn step(point: &Point, free: &[usize], damping: f64) -> Option<[f64; 4]> {
    let n = free.len();
    let mut matrix = vec![0.0; n * n];
    for (i, row) in free.iter().enumerate() {
        for (j, column) in free.iter().enumerate().take(i + 1) {
            matrix[i * n + j] =
                -point.hessian[row * 4 + column] + if i == j { damping } else { 0.0 };
        }
    }
    let mut by: Vec<f64> = free.iter().map(|k| point.gradient[*k]).collect();
    cholesky_solve(&mut matrix, &mut by)?;
    let longest = by.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let shorten = (LONGEST_MOVE / longest).min(1.0);
    let mut all = [0.0; 4];
    for (k, x) in free.iter().zip(by) {
        all[*k] = x * shorten;
    }
    longest.is_finite().then_some(all)
}
