//! Customers' counts, laid out for likelihoods: equal ones together.

use crate::model::Purchases;

/// Customers with equal counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    pub(crate) x: f64,
    pub(crate) last: f64,
    pub(crate) age: f64,
    pub(crate) customers: f64,
}

/// Customers, laid out so that a point of a likelihood costs a handful of logarithms for each distinct triple of
/// counts.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    pub(crate) groups: Vec<Group>,
    /// For each `j` how many customers have `x > j`. As `Gamma(base + x) / Gamma(base)` is the product of `base + j`
    /// over all `j < x`, sums over customers of its logarithm are sums over `j` with these weights.
    pub(crate) beyond: Vec<f64>,
    pub(crate) customers: f64,
}

impl Counts {
    pub(crate) fn new(customers: &[Purchases]) -> Self {
        let mut sorted = customers.to_vec();
        sorted.sort_unstable_by_key(by_counts);
        let groups: Vec<Group> = sorted
            .chunk_by(|a, b| by_counts(a) == by_counts(b))
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

    /// Active days a day between the first and the last one of all who came back; `None` when nobody did.
    pub(crate) fn repeat_rate(&self) -> Option<f64> {
        let (days, span) = self.groups.iter().fold((0.0, 0.0), |(x, t), g| {
            (x + g.customers * g.x, t + g.customers * g.last)
        });
        (days > 0.0 && span > 0.0).then(|| days / span)
    }

    /// The mean of customers' ages, in days.
    pub(crate) fn mean_age(&self) -> f64 {
        self.groups.iter().map(|g| g.customers * g.age).sum::<f64>() / self.customers
    }
}

/// What customers are sorted by. Times are not negative, so their bits are in the order of their values.
pub(crate) fn by_counts(customer: &Purchases) -> (u32, u64, u64) {
    (
        customer.frequency(),
        customer.last_day().to_bits(),
        customer.age_days().to_bits(),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Customers as no cohort has them.
    pub(crate) fn odd_customers() -> [(&'static str, Vec<Purchases>); 9] {
        let user = |x, last, age| Purchases::new(x, last, age).unwrap();
        let few = |age: u32| {
            if age.is_multiple_of(50) {
                user(1, 3.0, f64::from(age))
            } else {
                user(0, 0.0, f64::from(age))
            }
        };
        [
            ("one customer", vec![user(3, 20.0, 30.0)]),
            ("one repeat", vec![user(1, 20.0, 20.0)]),
            ("everyone identical", vec![user(5, 50.0, 60.0); 500]),
            (
                "everyone daily",
                (30..400)
                    .map(|n| user(n, f64::from(n), f64::from(n + 1)))
                    .collect(),
            ),
            (
                "everyone daily, then gone",
                (30..400).map(|n| user(n, f64::from(n), 800.0)).collect(),
            ),
            (
                "monthly to the day",
                (2..40)
                    .map(|n| user(n, f64::from(30 * n), f64::from(30 * n + 15)))
                    .collect(),
            ),
            ("hardly anybody comes back", (1..1_000).map(few).collect()),
            (
                "active on the as-of day",
                (1..50)
                    .map(|n| user(n, f64::from(n * 7), f64::from(n * 7)))
                    .collect(),
            ),
            (
                "several times a day",
                (1..50).map(|n| user(1_000 * n, 5.0, 5.5)).collect(),
            ),
        ]
    }
}
