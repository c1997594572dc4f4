use super::dot;

/// Replaces the lower triangle of the symmetric positive definite `n x n` matrix `a` (row-major) by its
/// Cholesky factor `L`, `A = L L'`. `None` when the matrix is not positive definite or the sizes disagree.
pub fn cholesky_factor(a: &mut [f64], n: usize) -> Option<()> {
    if a.len() != n * n {
        return None;
    }
    for i in 0..n {
        let (above, row) = a.split_at_mut(i * n);
        for j in 0..i {
            let other = &above[j * n..][..=j];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let pivot = row[i] - dot(&row[..i], &row[..i]);
        if pivot.is_nan() || pivot <= 0.0 {
            return None;
        }
        row[i] = pivot.sqrt();
    }
    Some(())
}

/// Solves `A x = b` in place (`b` becomes `x`) for a symmetric positive definite, row-major `n x n` matrix `a`,
/// whose lower triangle is read and destroyed. `None`, with `b` in no defined state, when `a` is not positive
/// definite or the sizes disagree.
pub fn cholesky_solve(a: &mut [f64], b: &mut [f64]) -> Option<()> {
    let n = b.len();
    cholesky_factor(a, n)?;
    solve_factored(a, b);
    Some(())
}

/// Solves `L L' x = b` in place for a factor `l` of [`cholesky_factor`].
pub fn solve_factored(l: &[f64], b: &mut [f64]) {
    let n = b.len();
    for i in 0..n {
        let done: f64 = (0..i).map(|k| l[i * n + k] * b[k]).sum();
        b[i] = (b[i] - done) / l[i * n + i];
    }
    for i in (0..n).rev() {
        let done: f64 = ((i + 1)..n).map(|k| l[k * n + i] * b[k]).sum();
        b[i] = (b[i] - done) / l[i * n + i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_system_is_solved() {
        let a = [4.0, 2.0, 0.6, 2.0, 5.0, 1.0, 0.6, 1.0, 3.0];
        let x = [1.0, -2.0, 0.5];
        let mut b: Vec<f64> = (0..3)
            .map(|i| (0..3).map(|j| a[i * 3 + j] * x[j]).sum())
            .collect();
        cholesky_solve(&mut a.to_vec(), &mut b).unwrap();
        for (got, want) in b.iter().zip(x) {
            assert!((got - want).abs() < 1e-12);
        }
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        assert!(cholesky_solve(&mut [0.0], &mut [1.0]).is_none());
        assert!(cholesky_solve(&mut [1.0, 2.0, 2.0, 1.0], &mut [1.0, 1.0]).is_none());
        assert!(cholesky_solve(&mut [f64::NAN], &mut [1.0]).is_none());
        assert!(cholesky_solve(&mut [1.0; 3], &mut [1.0, 1.0]).is_none());
    }
}
