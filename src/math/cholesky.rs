/// Replaces the lower triangle of the symmetric positive definite `n x n` matrix `a` (row-major) by its
/// Cholesky factor `L`, `A = L L'`. `None` when the matrix is not positive definite.
fn factor(a: &mut [f64], n: usize) -> Option<()> {
    if a.len() != n * n {
        return None;
    }
    for j in 0..n {
        let pivot = a[j * n + j];
        if pivot.is_nan() || pivot <= 0.0 {
            return None;
        }
        let diagonal = pivot.sqrt();
        for i in j..n {
            a[i * n + j] /= diagonal;
        }
        // Right-looking update of the trailing triangle.
        for i in (j + 1)..n {
            let factor = a[i * n + j];
            for k in (j + 1)..=i {
                a[i * n + k] -= factor * a[k * n + j];
            }
        }
    }
    Some(())
}

/// Solves `A x = b` in place (`b` becomes `x`) for a symmetric positive definite, row-major `n x n` matrix `a`,
/// whose lower triangle is read and destroyed. `None`, with `b` in no defined state, when `a` is not positive
/// definite or the sizes disagree.
pub fn cholesky_solve(a: &mut [f64], b: &mut [f64]) -> Option<()> {
    let n = b.len();
    factor(a, n)?;
    solve_factored(a, b);
    Some(())
}

fn solve_factored(l: &[f64], b: &mut [f64]) {
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
        let mut b: Vec<f64> = (0..3).map(|i| (0..3).map(|j| a[i * 3 + j] * x[j]).sum()).collect();
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
