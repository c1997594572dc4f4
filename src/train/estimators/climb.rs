//! Newton's method on the logarithms of a model's parameters, inside a box.

use crate::math::cholesky_solve;

/// A log-likelihood at one point, with its derivatives by the logarithms of the parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point<const N: usize> {
    pub(crate) value: f64,
    pub(crate) gradient: [f64; N],
    /// Second derivatives; only the lower triangle is filled.
    pub(crate) hessian: [[f64; N]; N],
}

impl<const N: usize> Point<N> {
    pub(crate) const ZERO: Self = Self {
        value: 0.0,
        gradient: [0.0; N],
        hessian: [[0.0; N]; N],
    };

    pub(crate) fn add(&mut self, times: f64, value: f64, gradient: [f64; N]) {
        self.value += times * value;
        for (sum, g) in self.gradient.iter_mut().zip(gradient) {
            *sum += times * g;
        }
    }

    /// Adds to the second derivative by two parameters, the later one first.
    pub(crate) fn add_curvature(&mut self, row: usize, column: usize, by: f64) {
        self.hessian[row][column] += by;
    }

    /// Adds the products of all pairs of slopes to the second derivatives.
    pub(crate) fn add_products(&mut self, times: f64, slopes: &[f64; N]) {
        for (row, by_row) in slopes.iter().enumerate() {
            for (column, by_column) in slopes.iter().enumerate().take(row + 1) {
                self.add_curvature(row, column, times * by_row * by_column);
            }
        }
    }

    /// Adds all of another point.
    pub(crate) fn add_point(&mut self, other: &Self) {
        self.add(1.0, other.value, other.gradient);
        for (sums, row) in self.hessian.iter_mut().zip(other.hessian) {
            for (sum, by) in sums.iter_mut().zip(row) {
                *sum += by;
            }
        }
    }

    /// The standard errors of the parameters' logarithms, from the curvature at the top; `None` where the surface does not
    /// bend downwards in every direction.
    pub(crate) fn standard_errors(&self) -> Option<[f64; N]> {
        let mut errors = [0.0; N];
        for (k, error) in errors.iter_mut().enumerate() {
            let mut matrix = self.damped(&std::array::from_fn::<_, N, _>(|row| row), 0.0);
            let mut unit = vec![0.0; N];
            unit[k] = 1.0;
            cholesky_solve(&mut matrix, &mut unit)?;
            *error = libm::sqrt(unit[k]);
        }
        errors.iter().all(|e| e.is_finite()).then_some(errors)
    }

    /// Minus the second derivatives of the `free` parameters, row-major, with `damping` added to the diagonal.
    fn damped(&self, free: &[usize], damping: f64) -> Vec<f64> {
        let n = free.len();
        let mut matrix = vec![0.0; n * n];
        for (i, row) in free.iter().enumerate() {
            for (j, column) in free.iter().enumerate().take(i + 1) {
                matrix[i * n + j] =
                    -self.hessian[*row][*column] + if i == j { damping } else { 0.0 };
            }
        }
        matrix
    }
}

/// A log-likelihood of customers as a function of the parameters' logarithms.
pub(crate) trait Surface<const N: usize> {
    /// The log-likelihood and its derivatives.
    fn at(&self, logs: [f64; N]) -> Point<N>;

    /// How many customers it is summed over.
    fn customers(&self) -> f64;
}

/// Bounds of the parameters' logarithms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds<const N: usize> {
    pub(crate) low: [f64; N],
    pub(crate) high: [f64; N],
}

impl<const N: usize> Bounds<N> {
    fn hold(&self, at: [f64; N]) -> [f64; N] {
        let mut held = at;
        for ((value, low), high) in held.iter_mut().zip(self.low).zip(self.high) {
            *value = value.clamp(low, high);
        }
        held
    }

    /// Whether each parameter lies at a bound.
    pub(crate) fn reached(&self, at: [f64; N]) -> [bool; N] {
        std::array::from_fn(|k| at[k] <= self.low[k] || at[k] >= self.high[k])
    }

    /// Which parameters are free to move: those at a bound with a slope that points out of the box are not.
    fn free(&self, at: [f64; N], gradient: [f64; N]) -> Vec<usize> {
        let stuck = |k: &usize| {
            let k = *k;
            (at[k] <= self.low[k] && gradient[k] <= 0.0)
                || (at[k] >= self.high[k] && gradient[k] >= 0.0)
        };
        (0..N).filter(|k| !stuck(k)).collect()
    }
}

/// Where a climb ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Top<const N: usize> {
    /// Logarithms of the parameters.
    pub(crate) at: [f64; N],
    pub(crate) point: Point<N>,
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
pub(crate) fn climb<const N: usize>(
    likelihood: &impl Surface<N>,
    start: [f64; N],
    bounds: &Bounds<N>,
) -> Top<N> {
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
            point,
            converged,
            steps,
        };
        if slope <= LEVEL {
            return top(true);
        }
        let mut higher = None;
        while higher.is_none() && damping <= DAMPING.1 {
            higher = step(&point, &free, damping * customers)
                .map(|by| bounds.hold(std::array::from_fn(|k| at[k] + by[k])))
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
        point,
        converged: false,
        steps: MOST_STEPS,
    }
}

/// The damped Newton step of the free parameters, 0 for the others; `None` where the damped surface still bends
/// upwards.
fn step<const N: usize>(point: &Point<N>, free: &[usize], damping: f64) -> Option<[f64; N]> {
    let mut matrix = point.damped(free, damping);
    let mut by: Vec<f64> = free.iter().map(|k| point.gradient[*k]).collect();
    cholesky_solve(&mut matrix, &mut by)?;
    let longest = by.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let shorten = (LONGEST_MOVE / longest).min(1.0);
    let mut all = [0.0; N];
    for (k, x) in free.iter().zip(by) {
        all[*k] = x * shorten;
    }
    longest.is_finite().then_some(all)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Compares first and second derivatives with differences of values and of slopes. How far they may lie apart may depend on
    /// their size.
    pub(crate) fn assert_derivatives<const N: usize>(
        at: impl Fn([f64; N]) -> Point<N>,
        logs: [f64; N],
        tolerance: impl Fn(f64) -> f64,
    ) {
        let (point, step) = (at(logs), 1e-5);
        for row in 0..N {
            let moved = |by: f64| {
                let mut logs = logs;
                logs[row] += by;
                at(logs)
            };
            let (up, down) = (moved(step), moved(-step));
            let slope = (up.value - down.value) / (2.0 * step);
            assert!(
                (point.gradient[row] - slope).abs() < tolerance(slope),
                "{logs:?} {row}: {} {slope}",
                point.gradient[row]
            );
            for column in 0..=row {
                let bend = (up.gradient[column] - down.gradient[column]) / (2.0 * step);
                let got = point.hessian[row][column];
                assert!(
                    (got - bend).abs() < tolerance(bend),
                    "{logs:?} {row} {column}: {got} {bend}"
                );
            }
        }
    }

    /// A millionth, of large ones in proportion.
    pub(crate) fn relative(size: f64) -> f64 {
        1e-6 * (1.0 + size.abs())
    }
}
