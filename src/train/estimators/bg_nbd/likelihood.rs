use crate::math::{log1p_exp, sigmoid};
use crate::model::Purchases;

/// The log-likelihood at one point, with its derivatives by the logarithms of r, alpha, a and b, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Point {
    pub(crate) value: f64,
    pub(crate) gradient: [f64; 4],
    /// Second derivatives, row-major; only the lower triangle is filled.
    pub(crate) hessian: [f64; 16],
}

/// Customers with equal counts.
#[derive(Clone, Copy, Debug)]
struct Group {
    x: f64,
    last: f64,
    age: f64,
    customers: f64,
}

/// Customers, laid out so that a point of the likelihood costs a handful of logarithms for each distinct triple of
/// counts.
#[derive(Clone, Debug)]
pub(crate) struct Likelihood {
    groups: Vec<Group>,
    /// For each `j` how many customers have `x > j`. As `Gamma(base + x) / Gamma(base)` is the product of `base + j`
    /// over all `j < x`, sums over customers of its logarithm are sums over `j` with these weights.
    beyond: Vec<f64>,
    customers: f64,
}

const R: usize = 0;
const ALPHA: usize = 1;
const A: usize = 2;
const B: usize = 3;

impl Point {
    fn add(&mut self, times: f64, value: f64, gradient: [f64; 4]) {
        self.value += times * value;
        for (sum, g) in self.gradient.iter_mut().zip(gradient) {
            *sum += times * g;
        }
    }

    /// Adds to the second derivative by two parameters, the later one first.
    fn bend(&mut self, row: usize, column: usize, by: f64) {
        if let Some(slot) = self.hessian.get_mut(row * 4 + column) {
            *slot += by;
        }
    }
}

impl Likelihood {
    pub(crate) fn new(customers: &[Purchases]) -> Self {
        let key = |p: &Purchases| {
            (
                p.frequency(),
                p.last_day().to_bits(),
                p.age_days().to_bits(),
            )
        };
        let mut sorted = customers.to_vec();
        // Times are not negative, so their bits are in the order of their values.
        sorted.sort_unstable_by_key(key);
        let groups: Vec<Group> = sorted
            .chunk_by(|a, b| key(a) == key(b))
            .filter_map(|equal| equal.first().map(|p| (p, equal.len() as f64)))
            .map(|(p, customers)| Group {
                x: f64::from(p.frequency()),
                last: p.last_day(),
                age: p.age_days(),
                customers,
            })
            .collect();
        let largest = sorted.last().map_or(0, Purchases::frequency);
        let mut beyond = vec![0.0; largest as usize];
        for group in &groups {
            // At the last `j` below x; summed from the end below.
            if let Some(slot) = (group.x as usize)
                .checked_sub(1)
                .and_then(|j| beyond.get_mut(j))
            {
                *slot += group.customers;
            }
        }
        let mut sum = 0.0;
        for slot in beyond.iter_mut().rev() {
            sum += *slot;
            *slot = sum;
        }
        Self {
            groups,
            beyond,
            customers: customers.len() as f64,
        }
    }

    /// How many customers there are.
    pub(crate) fn customers(&self) -> f64 {
        self.customers
    }

    /// Active days a day between the first and the last one of all who came back; `None` when nobody did.
    pub(crate) fn repeat_rate(&self) -> Option<f64> {
        let (days, span) = self.groups.iter().fold((0.0, 0.0), |(x, t), g| {
            (x + g.customers * g.x, t + g.customers * g.last)
        });
        (days > 0.0 && span > 0.0).then(|| days / span)
    }

    /// The log-likelihood at the logarithms of the parameters, with its derivatives.
    pub(crate) fn at(&self, logs: [f64; 4]) -> Point {
        let parameters = logs.map(libm::exp);
        let mut point = Point::default();
        self.add_frequencies(parameters, &mut point);
        for group in &self.groups {
            group.add_times(parameters, logs, &mut point);
        }
        point
    }

    /// The terms of the frequencies alone: `(r)_x (b)_x / (a + b)_x` in Pochhammer's symbols.
    fn add_frequencies(&self, [r, _, a, b]: [f64; 4], point: &mut Point) {
        for (j, n) in self.beyond.iter().enumerate() {
            let j = j as f64;
            let (rate, stay, end) = (r + j, b + j, a + b + j);
            let value = libm::log(rate) - libm::log1p(a / stay);
            point.add(*n, value, [r / rate, 0.0, -a / end, a * b / (stay * end)]);
            point.bend(R, R, n * r * j / (rate * rate));
            point.bend(A, A, -n * a * stay / (end * end));
            point.bend(B, A, n * a * b / (end * end));
            point.bend(B, B, n * b * (j / (stay * stay) - (a + j) / (end * end)));
        }
    }
}

impl Group {
    /// The terms of the times: `(alpha / (alpha + T))^r (alpha + T)^-x`, and for those who came back the odds of
    /// having dropped out since, `a / (b + x - 1) ((alpha + T) / (alpha + t_x))^(r + x)`.
    fn add_times(
        &self,
        [r, alpha, _, b]: [f64; 4],
        [_, log_alpha, log_a, _]: [f64; 4],
        point: &mut Point,
    ) {
        let Self {
            x,
            last,
            age,
            customers: n,
        } = *self;
        let longer = libm::log1p(age / alpha);
        // What alpha is of alpha + T: also the derivative of ln(alpha + T) by ln(alpha).
        let share = alpha / (alpha + age);
        let value = -r * longer - x * (log_alpha + longer);
        point.add(
            n,
            value,
            [-r * longer, r * (1.0 - share) - x * share, 0.0, 0.0],
        );
        point.bend(R, R, -n * r * longer);
        point.bend(ALPHA, R, n * r * (1.0 - share));
        point.bend(ALPHA, ALPHA, -n * (r + x) * share * (1.0 - share));
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
        for (row, by_row) in slopes.iter().enumerate() {
            for (column, by_column) in slopes.iter().enumerate().take(row + 1) {
                point.bend(row, column, curve * by_row * by_column);
            }
        }
        let weight = n * dead;
        point.bend(R, R, weight * r * silence);
        point.bend(ALPHA, R, weight * r * (share - share_last));
        point.bend(
            ALPHA,
            ALPHA,
            weight * (r + x) * (share * (1.0 - share) - share_last * (1.0 - share_last)),
        );
        point.bend(B, B, -weight * b * (stay - b) / (stay * stay));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BgNbd;

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
        assert_eq!((likelihood.groups.len(), likelihood.customers()), (5, 6.0));
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
        let step = 1e-5;
        for logs in POINTS {
            let point = likelihood.at(logs);
            for row in 0..4 {
                let moved = |by: f64| {
                    let mut logs = logs;
                    logs[row] += by;
                    likelihood.at(logs)
                };
                let (up, down) = (moved(step), moved(-step));
                let slope = (up.value - down.value) / (2.0 * step);
                assert!(
                    (point.gradient[row] - slope).abs() < 1e-5,
                    "{logs:?} {row}: {} {slope}",
                    point.gradient[row]
                );
                for column in 0..=row {
                    let bend = (up.gradient[column] - down.gradient[column]) / (2.0 * step);
                    let got = point.hessian[row * 4 + column];
                    assert!(
                        (got - bend).abs() < 1e-5,
                        "{logs:?} {row} {column}: {got} {bend}"
                    );
                }
            }
        }
    }
}
