use rand::Rng;
use rayon::prelude::*;

use super::Points;
use super::distances::{Block, squared};

/// Candidates whose distances are computed side by side.
const SIDE_BY_SIDE: usize = 4;

/// The squared distance of every point to the nearest centre so far, part by part.
struct Part<'a> {
    points: Points<'a>,
    squared: Vec<f64>,
    /// Their sum.
    total: f64,
}

/// The first centres: points drawn one after another, each the best of `2 + ln k` candidates drawn with a probability
/// in proportion to the squared distance to the nearest centre so far.
///
/// Source: greedy k-means++, Arthur and Vassilvitskii, k-means++: the advantages of careful seeding (2007), 5.
pub(crate) fn draw_centres(points: Points<'_>, k: usize, random: &mut impl Rng) -> Vec<f64> {
    let width = points.width;
    let point = |row: usize| &points.values[row * width..][..width];
    let mut centres = point(random.gen_range(0..points.len())).to_vec();
    let fresh = |points: Points<'_>| vec![f64::INFINITY; points.len()];
    let mut parts: Vec<Part<'_>> = points
        .parts()
        .map(|points| Part {
            points,
            squared: fresh(points),
            total: 0.0,
        })
        .collect();
    take(&mut parts, &centres);
    let trials = 2 + (k as f64).ln() as usize;
    for _ in 1..k {
        let candidates: Vec<usize> = (0..trials).map(|_| draw(&parts, random)).collect();
        let mut best = (f64::INFINITY, candidates[0]);
        for some in candidates.chunks(SIDE_BY_SIDE) {
            let block = Block::new(some.iter().map(|row| point(*row)), width);
            for (total, row) in totals(&parts, &block).into_iter().zip(some) {
                best = if total < best.0 { (total, *row) } else { best };
            }
        }
        take(&mut parts, point(best.1));
        centres.extend_from_slice(point(best.1));
    }
    centres
}

/// A row drawn with a probability in proportion to its squared distance; any row when all of them are 0.
fn draw(parts: &[Part<'_>], random: &mut impl Rng) -> usize {
    let rows = parts.iter().map(|p| p.squared.len()).sum::<usize>();
    let mut left = random.r#gen::<f64>() * parts.iter().map(|p| p.total).sum::<f64>();
    let mut before = 0;
    let mut last = random.gen_range(0..rows);
    for part in parts {
        if left < part.total {
            for (row, squared) in part
                .squared
                .iter()
                .enumerate()
                .filter(|(_, squared)| **squared > 0.0)
            {
                last = before + row;
                left -= squared;
                if left < 0.0 {
                    return last;
                }
            }
        }
        left = (left - part.total).max(0.0);
        before += part.squared.len();
    }
    // Rounding may leave a little: it belongs to the last row that could be drawn.
    last
}

/// The sums of squared distances that there would be with each of the candidates.
fn totals(parts: &[Part<'_>], candidates: &Block<SIDE_BY_SIDE>) -> [f64; SIDE_BY_SIDE] {
    let of_part = |part: &Part<'_>| {
        let mut sums = [0.0; SIDE_BY_SIDE];
        for (point, now) in part.points.iter().zip(&part.squared) {
            for (sum, squared) in sums.iter_mut().zip(candidates.squared(point)) {
                *sum += if squared < *now { squared } else { *now };
            }
        }
        sums
    };
    let mut totals = [0.0; SIDE_BY_SIDE];
    for part in parts.par_iter().map(of_part).collect::<Vec<_>>() {
        totals
            .iter_mut()
            .zip(part)
            .for_each(|(total, sum)| *total += sum);
    }
    totals
}

/// Takes a centre: distances are from now on those to it where it is nearer.
fn take(parts: &mut [Part<'_>], centre: &[f64]) {
    parts.par_iter_mut().for_each(|part| {
        for (now, point) in part.squared.iter_mut().zip(part.points.iter()) {
            let squared = squared(point, centre);
            *now = if squared < *now { squared } else { *now };
        }
        part.total = part.squared.iter().sum();
    });
}
