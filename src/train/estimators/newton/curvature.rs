use super::Rows;
use super::family::Family;
use crate::math::dot;

/// The linear predictor of one row by its weights and, last, the intercept.
pub(crate) fn linear_predictor(beta: &[f64], row: &[f64]) -> f64 {
    beta.last().copied().unwrap_or_default() + dot(beta, row)
}

/// The lower triangle (row-major) of the loss's Hessian at `beta`, from about `sample` evenly taken rows and for a
/// weight of 1.
pub(crate) fn curvature<F: Family>(
    rows: &Rows<'_, F::Target>,
    beta: &[f64],
    sample: usize,
) -> Vec<f64> {
    let size = rows.width + 1;
    let every = rows.targets.len().div_ceil(sample.max(1)).max(1);
    let mut hessian = vec![0.0; size * size];
    let mut taken = 0.0;
    for part in rows.by_part(|part| part_curvature::<F>(part, beta, every)) {
        hessian
            .iter_mut()
            .zip(part.hessian)
            .for_each(|(sum, x)| *sum += x);
        taken += part.taken;
    }
    hessian.iter_mut().for_each(|x| *x /= taken);
    hessian
}

struct Curvature {
    hessian: Vec<f64>,
    /// The weight of the rows that were taken.
    taken: f64,
}

/// Rows whose products are added to the Hessian in one go: it is read and written once for all of them.
const AT_ONCE: usize = 4;

fn part_curvature<F: Family>(part: Rows<'_, F::Target>, beta: &[f64], every: usize) -> Curvature {
    let size = part.width + 1;
    let mut sum = Curvature {
        hessian: vec![0.0; size * size],
        taken: 0.0,
    };
    // Rows with the intercept's 1 at the end, and the same scaled.
    let (mut block, mut scaled) = (vec![0.0; AT_ONCE * size], vec![0.0; AT_ONCE * size]);
    let mut filled = 0;
    for (row, _, weight) in part.iter().step_by(every) {
        sum.taken += weight;
        let hessian_weight = F::curvature(linear_predictor(beta, row), weight);
        let whole = row.iter().copied().chain([1.0]);
        for ((slot, other), x) in block[filled * size..]
            .iter_mut()
            .zip(&mut scaled[filled * size..])
            .zip(whole)
        {
            (*slot, *other) = (x, hessian_weight * x);
        }
        filled += 1;
        if filled == AT_ONCE {
            add_products(&mut sum.hessian, &block, &scaled, size);
            filled = 0;
        }
    }
    scaled[filled * size..].fill(0.0);
    add_products(&mut sum.hessian, &block, &scaled, size);
    sum
}

/// Adds the products of every two columns to the lower triangle.
fn add_products(hessian: &mut [f64], block: &[f64], scaled: &[f64], size: usize) {
    let row = |r: usize| &block[r * size..][..size];
    let rows: [&[f64]; AT_ONCE] = std::array::from_fn(row);
    for i in 0..size {
        let by: [f64; AT_ONCE] = std::array::from_fn(|r| scaled[r * size + i]);
        let [a, b, c, d] = rows.map(|row| &row[..=i]);
        // Zipped, so that the compiler sees equal lengths and works on several columns at a time.
        for ((((sum, a), b), c), d) in hessian[i * size..][..=i]
            .iter_mut()
            .zip(a)
            .zip(b)
            .zip(c)
            .zip(d)
        {
            *sum += (by[0] * a + by[1] * b) + (by[2] * c + by[3] * d);
        }
    }
}
