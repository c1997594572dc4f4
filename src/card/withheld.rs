//! Which counts of people are too small to be published.

/// The cells of a table of counts that may be published; `cells` are rows, each of `columns` counts, and the sums of the columns
/// are known to readers. Cells below `min_users` are withheld, and in a column whose withheld cells are fewer users together
/// also the smallest of the others, since the difference to the sum would give them away; unless all of them are 0. The
/// sums of the rows must not be published.
pub fn withhold(cells: &[Vec<u64>], columns: usize, min_users: u64) -> Vec<Vec<Option<u64>>> {
    let is_large = |users: &u64| *users >= min_users;
    let published = |row: &Vec<u64>| {
        row.iter()
            .map(|users| Some(*users).filter(is_large))
            .collect()
    };
    let mut table: Vec<Vec<Option<u64>>> = cells.iter().map(published).collect();
    (0..columns).for_each(|column| withhold_beside(cells, &mut table, column, min_users));
    table
}

/// Withholds more cells of a column until those that are withheld are nobody, or enough users together.
fn withhold_beside(
    cells: &[Vec<u64>],
    table: &mut [Vec<Option<u64>>],
    column: usize,
    min_users: u64,
) {
    let count = |row: usize| cells[row].get(column).copied().unwrap_or(0);
    let small = (0..cells.len())
        .map(count)
        .filter(|users| *users < min_users);
    let mut hidden: u64 = small.sum();
    while hidden > 0 && hidden < min_users {
        let others = (0..cells.len()).filter(|row| table[*row][column].is_some());
        let Some(smallest) = others.min_by_key(|row| count(*row)) else {
            break;
        };
        table[smallest][column] = None;
        hidden += count(smallest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_few_users_are_withheld_and_so_is_what_would_give_them_away() {
        let cells = [vec![300, 3, 0], vec![0, 40, 12], vec![20, 70, 9]];
        assert_eq!(
            withhold(&cells, 3, 10),
            [
                // 300 and 20 stand, because all that is withheld in their column is 0.
                vec![Some(300), None, None],
                // 40 goes with the 3, 12 with the 9.
                vec![None, None, None],
                vec![Some(20), Some(70), None],
            ]
        );
    }

    #[test]
    fn what_is_withheld_in_a_column_is_nobody_or_enough() {
        // A linear congruential generator: Knuth, The Art of Computer Programming, volume 2.
        let mut state = 1_u64;
        let mut draw = |most: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % most
        };
        let mut complementary = 0;
        for _ in 0..500 {
            let cells: Vec<Vec<u64>> = (0..5).map(|_| (0..4).map(|_| draw(30)).collect()).collect();
            let table = withhold(&cells, 4, 10);
            for column in 0..4 {
                let pairs = || {
                    cells
                        .iter()
                        .zip(&table)
                        .map(|(c, t)| (c[column], t[column]))
                };
                let hidden = pairs().filter(|(_, shown)| shown.is_none());
                let hidden: u64 = hidden.map(|(users, _)| users).sum();
                let all: u64 = pairs().map(|(users, _)| users).sum();
                assert!(hidden == 0 || hidden >= 10 || hidden == all, "{cells:?}");
                for (users, shown) in pairs() {
                    assert!(shown.is_none_or(|shown| shown == users && shown >= 10));
                    complementary += u64::from(shown.is_none() && users >= 10);
                }
            }
        }
        assert!(complementary > 100);
    }

    #[test]
    fn a_table_without_columns_or_rows_is_itself() {
        assert_eq!(withhold(&[vec![], vec![]], 0, 10), [vec![], vec![]]);
        assert!(withhold(&[], 3, 10).is_empty());
    }
}
