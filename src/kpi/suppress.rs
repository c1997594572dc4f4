//! Withholds figures that count too few users, and those that would give them away.

use std::collections::BTreeMap;

use super::rows::{Problem, Row};

/// Withholds rows and returns how many.
///
/// A family of rows adds up to a total that is shown, too. Where less than two of its rows, or fewer users than `min_users`, are
/// withheld, the total less the rest would give them away; then the smallest row that is shown is withheld with them.
pub(crate) fn withhold(rows: &mut [Row], min_users: u64) -> u64 {
    let mut families: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, row) in rows.iter_mut().enumerate() {
        // Of nobody there is nothing to give away.
        if row.users > 0 && row.users < min_users {
            hide(row, Problem::TooFewUsers);
        }
        families.entry(row.family.clone()).or_default().push(at);
    }
    for mut family in families.into_values().filter(|family| family.len() > 1) {
        family.sort_by_key(|at| rows.get(*at).map(|row| row.users));
        let hidden: Vec<u64> = family
            .iter()
            .filter_map(|at| rows.get(*at))
            .filter(|row| row.is_withheld())
            .map(|row| row.users)
            .collect();
        let (mut count, mut users) = (hidden.len(), hidden.iter().sum::<u64>());
        for at in family {
            if count == 0 || (count > 1 && users >= min_users) {
                break;
            }
            if let Some(row) = rows
                .get_mut(at)
                .filter(|row| !row.is_withheld() && row.users > 0)
            {
                hide(row, Problem::HiddenWithAnother);
                count += 1;
                users += row.users;
            }
        }
    }
    rows.iter().filter(|row| row.is_withheld()).count() as u64
}

fn hide(row: &mut Row, problem: Problem) {
    row.value = None;
    row.numerator = None;
    row.denominator = None;
    row.low = None;
    row.high = None;
    row.problem = Some(problem);
}

impl Row {
    /// Whether the row is withheld because of the users that it counts.
    pub fn is_withheld(&self) -> bool {
        matches!(
            self.problem,
            Some(Problem::TooFewUsers | Problem::HiddenWithAnother)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Day, Stretch};

    fn rows(users: &[u64]) -> Vec<Row> {
        let day = |n| Day::new(n).unwrap();
        let row = |users: &u64| Row {
            kpi: "retention".into(),
            period: "p".into(),
            days: Stretch {
                from: day(1),
                until: day(2),
            },
            slice: "stage=x".into(),
            value: Some(0.5),
            numerator: Some(1.0),
            denominator: Some(2.0),
            low: Some(0.1),
            high: Some(0.9),
            complete: true,
            problem: None,
            users: *users,
            family: "f".into(),
        };
        users.iter().map(row).collect()
    }

    fn shown(users: &[u64]) -> Vec<u64> {
        let mut rows = rows(users);
        let withheld = withhold(&mut rows, 10);
        let shown = rows.iter().filter(|row| row.value.is_some());
        let shown: Vec<u64> = shown.map(|row| row.users).collect();
        assert_eq!(shown.len() as u64 + withheld, users.len() as u64);
        assert!(
            rows.iter()
                .all(|row| row.value.is_some() || row.numerator.or(row.denominator).is_none())
        );
        shown
    }

    #[test]
    fn a_lone_hidden_row_hides_another_one() {
        assert_eq!(shown(&[10, 40, 20]), [10, 40, 20]);
        assert_eq!(
            shown(&[9, 40, 20, 30]),
            [40, 30],
            "9 is the total less the others"
        );
        assert_eq!(
            shown(&[9, 8, 20, 30]),
            [20, 30],
            "two that are hidden keep each other"
        );
        assert_eq!(
            shown(&[3, 2, 20, 30]),
            [30],
            "together they are 5 users still"
        );
        assert!(shown(&[9]).is_empty());
        assert!(shown(&[9, 50]).is_empty());
        assert_eq!(
            shown(&[0, 50]),
            [0, 50],
            "of nobody there is nothing to give away"
        );
    }
}
