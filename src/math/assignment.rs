//! Who is paired with whom at the least total cost.

/// The assignment of rows to columns with the least sum of costs: for each row its column, `None` for the rows that are left
/// over where there are fewer columns. `costs` are finite, row after row, `columns` in each. As many pairs are made as the
/// shorter side has members. O(n² m) for the shorter side n and the longer side m.
///
/// Source: the Hungarian method with potentials and shortest augmenting paths: Kuhn, The Hungarian method for the
/// assignment problem, Naval Research Logistics Quarterly 2 (1955); Jonker and Volgenant, A shortest augmenting path
/// algorithm for dense and sparse linear assignment problems, Computing 38 (1987).
pub fn least_cost_assignment(costs: &[f64], columns: usize) -> Vec<Option<usize>> {
    if columns == 0 || costs.is_empty() {
        return Vec::new();
    }
    let rows = costs.len() / columns;
    if rows <= columns {
        let cost = |row: usize, column: usize| costs[row * columns + column];
        return assign(rows, columns, cost).into_iter().map(Some).collect();
    }
    let transposed = |column: usize, row: usize| costs[row * columns + column];
    let mut of_rows = vec![None; rows];
    for (column, row) in assign(columns, rows, transposed).into_iter().enumerate() {
        of_rows[row] = Some(column);
    }
    of_rows
}

/// Stands for a column without a row, and for the end of a path.
const NONE: usize = usize::MAX;

/// What the search for one row's column keeps of every column.
struct Search {
    /// The row of each column so far; [`NONE`] where it is free.
    row_of: Vec<usize>,
    /// The dual prices of rows and columns: no reduced cost `cost - row - column` is negative, that of a pair is 0.
    row_price: Vec<f64>,
    column_price: Vec<f64>,
}

/// The column of each row; there are at least as many columns as rows.
fn assign(rows: usize, columns: usize, cost: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    let mut search = Search {
        row_of: vec![NONE; columns],
        row_price: vec![0.0; rows],
        column_price: vec![0.0; columns],
    };
    for row in 0..rows {
        search.augment(row, &cost);
    }
    let mut assigned = vec![NONE; rows];
    for (column, row) in search.row_of.into_iter().enumerate() {
        if row != NONE {
            assigned[row] = column;
        }
    }
    assigned
}

impl Search {
    /// Gives a row a column along the shortest path of reassignments to a free one.
    fn augment(&mut self, start: usize, cost: &impl Fn(usize, usize) -> f64) {
        let columns = self.row_of.len();
        // The least reduced cost of a path to each column, and the column before it on that path.
        let mut least = vec![f64::INFINITY; columns];
        let mut before = vec![NONE; columns];
        let mut reached = vec![false; columns];
        let (mut row, mut from) = (start, NONE);
        let end = loop {
            let (mut delta, mut next) = (f64::INFINITY, NONE);
            for column in (0..columns).filter(|column| !reached[*column]) {
                let reduced = cost(row, column) - self.row_price[row] - self.column_price[column];
                if reduced < least[column] {
                    (least[column], before[column]) = (reduced, from);
                }
                if next == NONE || least[column] < delta {
                    (delta, next) = (least[column], column);
                }
            }
            self.reprice(start, delta, &reached, &mut least);
            reached[next] = true;
            if self.row_of[next] == NONE {
                break next;
            }
            (row, from) = (self.row_of[next], next);
        };
        let mut column = end;
        while before[column] != NONE {
            self.row_of[column] = self.row_of[before[column]];
            column = before[column];
        }
        self.row_of[column] = start;
    }

    /// Moves the prices of what was reached so that one more column has a reduced cost of 0.
    fn reprice(&mut self, start: usize, delta: f64, reached: &[bool], least: &mut [f64]) {
        self.row_price[start] += delta;
        for (column, least) in least.iter_mut().enumerate() {
            if reached[column] {
                self.row_price[self.row_of[column]] += delta;
                self.column_price[column] -= delta;
            } else {
                *least -= delta;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::splitmix::splitmix64;

    fn total(costs: &[f64], columns: usize, assigned: &[Option<usize>]) -> f64 {
        let pairs = assigned.iter().enumerate();
        pairs
            .filter_map(|(row, column)| Some(costs[row * columns + (*column)?]))
            .sum()
    }

    /// The least total over all ways to give the rows from `row` on columns that are free; `spare` rows may get none.
    fn brute_force(
        costs: &[f64],
        columns: usize,
        row: usize,
        taken: &mut [bool],
        spare: usize,
    ) -> f64 {
        if row * columns == costs.len() {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        if spare > 0 {
            best = brute_force(costs, columns, row + 1, taken, spare - 1);
        }
        for column in 0..columns {
            if !taken[column] {
                taken[column] = true;
                let rest = brute_force(costs, columns, row + 1, taken, spare);
                best = best.min(costs[row * columns + column] + rest);
                taken[column] = false;
            }
        }
        best
    }

    /// Each pair once, and as many as there can be.
    fn check_is_assignment(assigned: &[Option<usize>], rows: usize, columns: usize) {
        let mut taken: Vec<usize> = assigned.iter().copied().flatten().collect();
        assert_eq!((assigned.len(), taken.len()), (rows, rows.min(columns)));
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), rows.min(columns));
    }

    /// Cranes to construction sites with the distances as costs: 4 x 4, least total 275. Source: HungarianAlgorithm.com,
    /// Hungarian Algorithm Example, where 80 + 55 + 95 + 45 is found, one of two ways.
    #[test]
    fn the_published_example_of_cranes_costs_275() {
        let costs = [
            90.0, 75.0, 75.0, 80.0, 35.0, 85.0, 55.0, 65.0, 125.0, 95.0, 90.0, 105.0, 45.0, 110.0,
            95.0, 115.0,
        ];
        let assigned = least_cost_assignment(&costs, 4);
        check_is_assignment(&assigned, 4, 4);
        assert_eq!(total(&costs, 4, &assigned), 275.0);
    }

    #[test]
    fn a_thousand_random_matrices_cost_what_trying_all_ways_finds() {
        let mut drawn = 0;
        let mut draw = |most: u64| {
            drawn += 1;
            splitmix64(drawn) % most
        };
        for round in 0..1_000 {
            let rows = 1 + draw(6) as usize;
            let columns = 1 + draw(6) as usize;
            // Small whole numbers, so that there are ties and sums are exact.
            let most = [4, 100, 10_000][round % 3];
            let costs: Vec<f64> = (0..rows * columns).map(|_| draw(most) as f64).collect();
            let assigned = least_cost_assignment(&costs, columns);
            check_is_assignment(&assigned, rows, columns);
            let mut taken = vec![false; columns];
            let spare = rows.saturating_sub(columns);
            let least = brute_force(&costs, columns, 0, &mut taken, spare);
            assert_eq!(total(&costs, columns, &assigned), least, "{costs:?}");
        }
    }

    /// What the pairs of the nearest, row by row, would cost: more, so that the test above can fail.
    #[test]
    fn taking_the_cheapest_column_row_by_row_costs_more() {
        let costs = [1.0, 2.0, 1.0, 9.0];
        let assigned = least_cost_assignment(&costs, 2);
        assert_eq!(assigned, [Some(1), Some(0)]);
        assert!(total(&costs, 2, &assigned) < costs[0] + costs[3]);
    }

    #[test]
    fn nothing_to_assign_is_no_pair() {
        assert!(least_cost_assignment(&[], 3).is_empty());
        assert!(least_cost_assignment(&[], 0).is_empty());
    }
}
