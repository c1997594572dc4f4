use super::{RARE_USERS, Suspicion};
use crate::history::{DayRecord, Histories, HistoryError, HistoryView, KindTotals};
use crate::math::evenly;

/// Fewer kinds are no identifier, however rare each is.
const LEAST_KINDS: usize = 50;
/// In a log of fewer users everything is rare.
const LEAST_USERS: usize = 30;
/// The share of events of rare kinds from which on the long tail is the rule.
const RARE_SHARE: f64 = 0.1;

/// Kinds of which at least half have hardly any user, while they make up a good part of the log. Kinds with a long
/// tail, pages of a site for one, have as many rare names, but few events of them.
pub(crate) fn kind_identifier(histories: &Histories) -> Option<Suspicion> {
    let kinds = histories.kinds().len();
    if kinds <= LEAST_KINDS || histories.len() < LEAST_USERS {
        return None;
    }
    let all = histories.totals().kinds();
    let rare = all
        .iter()
        .filter(|kind| kind.users <= u64::from(RARE_USERS));
    let events = |kinds: &mut dyn Iterator<Item = &KindTotals>| {
        kinds.map(|kind| kind.events).sum::<u64>() as f64
    };
    let share = events(&mut rare.clone()) / events(&mut all.iter());
    (2 * rare.count() >= kinds && share >= RARE_SHARE)
        .then_some(Suspicion::KindIdentifier { kinds, share })
}

/// The most users whose amounts are looked at.
const MOST_USERS: usize = 20_000;
/// The most records that are ranked.
const MOST_RECORDS: usize = 20_000;
/// The share of users whose amount never changes, from which on it is theirs.
const CONSTANT_SHARE: f64 = 0.95;
/// The share of them that has an amount of their own.
const DISTINCT_SHARE: f64 = 0.9;
/// Fewer records can follow the calendar by chance.
const LEAST_RECORDS: usize = 100;
/// Fewer days than that are no calendar.
const LEAST_DAYS: usize = 10;
/// The rank correlation from which on an amount is a time.
const CORRELATION: f64 = 0.99;

/// Amounts of single events, by user.
pub(crate) struct Amounts {
    /// For each user the (day, mean amount of an event in millionths) of the records.
    users: Vec<Vec<(i32, f64)>>,
}

impl Amounts {
    /// The amounts of some users, at even distances.
    pub(crate) fn sample(histories: &Histories) -> Result<Self, HistoryError> {
        let each = |r: &DayRecord| {
            (
                r.day.number(),
                r.amount.micros() as f64 / f64::from(r.count.max(1)),
            )
        };
        let amounts = |history: HistoryView<'_>| history.records().iter().map(each).collect();
        Ok(Self {
            users: histories.evenly(MOST_USERS, amounts)?,
        })
    }

    /// One whole number for each user, and nearly every user another.
    pub(crate) fn identifier(&self) -> Option<Suspicion> {
        let telling: Vec<&Vec<(i32, f64)>> = self
            .users
            .iter()
            .filter(|records| records.len() > 1)
            .collect();
        let own = |records: &&Vec<(i32, f64)>| {
            let first = records.first()?.1;
            let whole = first != 0.0 && first % 1e6 == 0.0;
            (whole && records.iter().all(|r| r.1 == first)).then_some(first)
        };
        let mut numbers: Vec<f64> = telling.iter().filter_map(own).collect();
        let (users, constant) = (telling.len(), numbers.len());
        numbers.sort_by(f64::total_cmp);
        numbers.dedup();
        let distinct = numbers.len();
        let suspect = users >= LEAST_USERS
            && constant as f64 >= CONSTANT_SHARE * users as f64
            && distinct as f64 >= DISTINCT_SHARE * constant as f64;
        suspect.then_some(Suspicion::AmountIdentifier {
            users,
            constant,
            distinct,
        })
    }

    /// Amounts in the order of their days. A price that rises in steps for everybody is in that order too, but has
    /// few values.
    pub(crate) fn time(&self) -> Option<Suspicion> {
        let all: Vec<(i32, f64)> = self.users.iter().flatten().copied().collect();
        let taken: Vec<(i32, f64)> = evenly(all.len(), MOST_RECORDS)
            .filter_map(|k| all.get(k))
            .copied()
            .collect();
        let days: Vec<f64> = taken.iter().map(|r| f64::from(r.0)).collect();
        let amounts: Vec<f64> = taken.iter().map(|r| r.1).collect();
        let (different_days, different_amounts) = (distinct(&days), distinct(&amounts));
        if taken.len() < LEAST_RECORDS
            || different_days < LEAST_DAYS
            || 2 * different_amounts < different_days
        {
            return None;
        }
        let correlation = correlation(&ranks(&days), &ranks(&amounts));
        (correlation.abs() > CORRELATION).then_some(Suspicion::AmountTime {
            records: taken.len(),
            correlation,
        })
    }
}

fn distinct(values: &[f64]) -> usize {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.dedup();
    sorted.len()
}

/// The rank of each value; equal values share the mean of their ranks.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for equal in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let rank = before as f64 + (equal.len() as f64 - 1.0) / 2.0;
        for position in equal {
            ranks[*position] = rank;
        }
        before += equal.len();
    }
    ranks
}

/// Pearson's correlation; not a number when one side does not vary.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (crate::math::mean(a), crate::math::mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        (ab, aa, bb) = (ab + x * y, aa + x * x, bb + y * y);
    }
    ab / (aa * bb).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy.stats.spearmanr([1, 2, 2, 5, 9], [3, 1, 4, 4, 8]).statistic = 0.7631578947368421
    #[test]
    fn rank_correlations_match_scipy() {
        let (a, b) = ([1.0, 2.0, 2.0, 5.0, 9.0], [3.0, 1.0, 4.0, 4.0, 8.0]);
        assert_eq!(ranks(&a), [0.0, 1.5, 1.5, 3.0, 4.0]);
        assert!((correlation(&ranks(&a), &ranks(&b)) - 0.763_157_894_736_842_1).abs() < 1e-12);
        assert!(correlation(&a, &[1.0; 5]).is_nan());
    }
}
