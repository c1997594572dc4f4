//! What the card says of potential users, without the cells of too few of them.
//!
//! A cell is a group of people: the potential users of a date, of a part, of a bin, those of them who converted, and those who
//! did not. Bins are joined until they count enough; other cells are left out, and so is what would give them away.

use std::collections::BTreeSet;

use crate::card::{CurvePoint, DropCounts, Evaluation, HorizonCard, Untested, withhold};
use crate::math::wilson_interval;

/// Leaves the cells of fewer than `min_users` out of a horizon's card, and counts them.
pub(super) fn withhold_cells(card: &mut HorizonCard, min_users: u64) -> u64 {
    let mut withheld = 0;
    card.next_window.take_if(|next| {
        let is_small = next.users < min_users;
        withheld += u64::from(is_small);
        is_small
    });
    let shares = card.by_date.iter().map(|d| (d.users, d.churn_rate));
    let marks = published(shares, min_users);
    withheld += keep(&mut card.by_date, &marks);
    for date in &mut card.by_date {
        date.deciles = joined(&date.deciles, min_users);
    }
    let shares = card
        .backtest
        .iter()
        .map(|fold| (fold.users, fold.churn_rate));
    let marks = published(shares, min_users);
    withheld += keep(&mut card.backtest, &marks);
    withheld += drop_small(&mut card.dropped, min_users);
    if let Some(untested) = &mut card.untested {
        withheld += without_counts(untested, min_users);
    }
    let Some(mut evaluation) = card.evaluation.take() else {
        return withheld;
    };
    let [converted, others] = counts((evaluation.users, evaluation.churn_rate));
    if converted.min(others) < min_users {
        card.untested = Some(Untested::Withheld {
            date: evaluation.test,
            least: min_users,
        });
        return withheld + 1;
    }
    withheld += of_evaluation(&mut evaluation, min_users);
    card.evaluation = Some(evaluation);
    withheld
}

/// Converted users, and the others.
fn counts((users, share): (u64, f64)) -> [u64; 2] {
    let converted = (share * users as f64).round() as u64;
    [converted, users.saturating_sub(converted)]
}

/// Which rows of a table of users and the share that converted can be published.
fn published(shares: impl Iterator<Item = (u64, f64)>, min_users: u64) -> Vec<bool> {
    let cells: Vec<Vec<u64>> = shares.map(|share| counts(share).to_vec()).collect();
    let table = withhold(&cells, 2, min_users);
    let is_whole = |row: &Vec<Option<u64>>| row.iter().all(Option::is_some);
    table.iter().map(is_whole).collect()
}

/// Keeps the marked items, and counts the others.
fn keep<T>(items: &mut Vec<T>, marks: &[bool]) -> u64 {
    let before = items.len();
    let mut marks = marks.iter();
    items.retain(|_| marks.next().copied().unwrap_or(false));
    (before - items.len()) as u64
}

fn drop_small(dropped: &mut DropCounts, min_users: u64) -> u64 {
    let cells: Vec<Vec<u64>> = dropped.values().map(|pairs| vec![*pairs]).collect();
    let table = withhold(&cells, 1, min_users);
    let small = dropped.keys().zip(&table);
    let small: Vec<String> = small
        .filter(|(_, row)| row.contains(&None))
        .map(|(reason, _)| reason.clone())
        .collect();
    for reason in &small {
        dropped.remove(reason);
    }
    small.len() as u64
}

/// A reason that names a number of people names none where they are too few.
fn without_counts(untested: &mut Untested, min_users: u64) -> u64 {
    let (date, people) = match *untested {
        Untested::TooFewUsers { date, users, .. } | Untested::OneClass { date, users, .. } => {
            (date, users)
        }
        Untested::TooFewEarlier { date, rows, .. } => (date, rows),
        Untested::TooFewOfAClass {
            date,
            rows,
            churned,
        } => (date, churned.min(rows - churned)),
        Untested::TooFewDays { .. }
        | Untested::DatesTooClose { .. }
        | Untested::LabelsNotObserved { .. }
        | Untested::Withheld { .. } => return 0,
    };
    if people as u64 >= min_users {
        return 0;
    }
    *untested = Untested::Withheld {
        date,
        least: min_users,
    };
    1
}

fn of_evaluation(evaluation: &mut Evaluation, min_users: u64) -> u64 {
    let Evaluation {
        baselines,
        slices,
        calibration_curve,
        gains,
        roc,
        precision_recall,
        ..
    } = evaluation;
    *calibration_curve = joined(calibration_curve, min_users);
    // Neighbouring points of these curves differ by a single user.
    let mut withheld = 3;
    gains.clear();
    roc.clear();
    precision_recall.clear();
    for baseline in baselines {
        withheld += 3;
        baseline.gains.clear();
        baseline.roc.clear();
        baseline.precision_recall.clear();
    }
    let dimensions: BTreeSet<String> = slices.iter().map(|s| s.dimension.clone()).collect();
    for dimension in dimensions {
        let of_dimension = |d: &String| *d == dimension;
        let shares = slices.iter().filter(|s| of_dimension(&s.dimension));
        let shares = shares.map(|s| (s.users, s.churn_rate));
        let mut of_slices = published(shares, min_users).into_iter();
        let marks: Vec<bool> = slices
            .iter()
            .map(|s| !of_dimension(&s.dimension) || of_slices.next().unwrap_or(false))
            .collect();
        withheld += keep(slices, &marks);
    }
    withheld
}

/// Bins joined with their neighbours until each counts enough users who converted, and enough who did not; none where all of
/// them together do not.
fn joined(points: &[CurvePoint], min_users: u64) -> Vec<CurvePoint> {
    let mut bins: Vec<Bin> = Vec::new();
    for point in points {
        match bins.last_mut() {
            Some(last) if !last.is_large(min_users) => last.add(point),
            _ => {
                let mut bin = Bin::default();
                bin.add(point);
                bins.push(bin);
            }
        }
    }
    // What is left at the end belongs to the bin before.
    while let [.., _, last] = bins.as_slice()
        && !last.is_large(min_users)
    {
        let rest = bins.pop().unwrap_or_default();
        if let Some(last) = bins.last_mut() {
            last.join(&rest);
        }
    }
    bins.retain(|bin| bin.is_large(min_users));
    bins.iter().map(Bin::point).collect()
}

/// Users of one or more bins.
#[derive(Clone, Copy, Default)]
struct Bin {
    users: u64,
    converted: u64,
    /// The sum of their probabilities.
    predicted: f64,
}

impl Bin {
    fn add(&mut self, point: &CurvePoint) {
        let [converted, _] = counts((point.users, point.observed));
        self.join(&Self {
            users: point.users,
            converted,
            predicted: point.predicted * point.users as f64,
        });
    }

    fn join(&mut self, other: &Self) {
        self.users += other.users;
        self.converted += other.converted;
        self.predicted += other.predicted;
    }

    fn is_large(&self, min_users: u64) -> bool {
        self.converted.min(self.users - self.converted) >= min_users
    }

    fn point(&self) -> CurvePoint {
        let observed = self.converted as f64 / self.users as f64;
        let (low, high) = wilson_interval(observed, self.users);
        CurvePoint {
            predicted: self.predicted / self.users as f64,
            observed,
            low,
            high,
            users: self.users,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Day;

    fn point(users: u64, observed: f64, predicted: f64) -> CurvePoint {
        CurvePoint {
            predicted,
            observed,
            low: 0.0,
            high: 1.0,
            users,
        }
    }

    #[test]
    fn bins_are_joined_until_each_counts_enough() {
        let bins = [
            point(100, 0.0, 0.01),
            point(100, 0.03, 0.03),
            point(100, 0.09, 0.1),
            point(100, 0.3, 0.2),
            point(100, 0.02, 0.5),
        ];
        let counted = |points: &[CurvePoint]| -> Vec<(u64, u64)> {
            let counts = points
                .iter()
                .map(|p| (p.users, p.observed * p.users as f64));
            counts.map(|(users, c)| (users, c.round() as u64)).collect()
        };
        let wide = joined(&bins, 10);
        // Nobody and 3 and 9 make 12; the last 2 belong to the 30 before.
        assert_eq!(counted(&wide), [(300, 12), (200, 32)]);
        assert!((wide[0].predicted - 0.14 / 3.0).abs() < 1e-12);
        assert!(wide[0].low < 0.04 && 0.04 < wide[0].high);
        assert_eq!(counted(&joined(&bins, 44)), [(500, 44)]);
        assert!(joined(&bins, 45).is_empty());
        assert!(joined(&[], 10).is_empty());
        // The negative control: bins that count enough stay as they are.
        assert_eq!(counted(&joined(&bins[2..4], 9)), [(100, 9), (100, 30)]);
    }

    #[test]
    fn dates_of_few_people_go_with_what_would_give_them_away() {
        let shares = [(400, 0.05), (300, 0.01), (200, 0.06), (500, 0.1)];
        // 3 of 300 are few; 12 of 200 go with them, or 3 could be worked out.
        assert_eq!(
            published(shares.into_iter(), 10),
            [true, false, false, true]
        );
        // The negative control.
        assert_eq!(published(shares.into_iter(), 3), [true; 4]);
    }

    #[test]
    fn a_reason_names_no_small_number() {
        let date = Day::new(100).unwrap();
        let mut few = Untested::TooFewUsers {
            date,
            users: 3,
            least: 50,
        };
        assert_eq!(without_counts(&mut few, 10), 1);
        assert_eq!(few, Untested::Withheld { date, least: 10 });
        let mut many = Untested::TooFewUsers {
            date,
            users: 30,
            least: 50,
        };
        assert_eq!(without_counts(&mut many, 10), 0);
        assert!(matches!(many, Untested::TooFewUsers { users: 30, .. }));
    }
}
