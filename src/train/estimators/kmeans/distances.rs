/// Centres whose distances are computed side by side.
pub(crate) const SIDE_BY_SIDE: usize = 8;

/// The squared Euclidean distance, its terms added in order.
pub(crate) fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Up to `N` centres, column by column: the processor computes the distances to all of them at a time, each with its
/// terms added in the order of [`squared`]. Centres that are missing are infinitely far.
#[derive(Clone, Debug)]
pub(crate) struct Block<const N: usize>(Vec<[f64; N]>);

impl<const N: usize> Block<N> {
    pub(crate) fn new<'c>(centres: impl Iterator<Item = &'c [f64]>, width: usize) -> Self {
        let mut columns = vec![[f64::INFINITY; N]; width];
        for (place, centre) in centres.take(N).enumerate() {
            columns
                .iter_mut()
                .zip(centre)
                .for_each(|(column, x)| column[place] = *x);
        }
        Self(columns)
    }

    /// The squared distances of a point.
    #[inline]
    pub(crate) fn squared(&self, point: &[f64]) -> [f64; N] {
        let mut sums = [0.0; N];
        for (x, column) in point.iter().zip(&self.0) {
            for (sum, c) in sums.iter_mut().zip(column) {
                *sum += (x - c) * (x - c);
            }
        }
        sums
    }
}

/// The centre nearest to a point, the first of equals, and the squared distances to it and to the next one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Nearest {
    pub(crate) label: u32,
    pub(crate) squared: f64,
    pub(crate) next: f64,
}

/// The nearest of all centres, by computing every distance.
#[inline]
pub(crate) fn nearest(blocks: &[Block<SIDE_BY_SIDE>], point: &[f64]) -> Nearest {
    let mut best = Nearest {
        label: 0,
        squared: f64::INFINITY,
        next: f64::INFINITY,
    };
    for (block, first) in blocks.iter().zip((0..).step_by(SIDE_BY_SIDE)) {
        let squared = block.squared(point);
        let (least, next) = least_two(&squared);
        if least < best.squared {
            // The first of equals.
            let equal = squared
                .iter()
                .rev()
                .fold(0_u32, |bits, x| bits << 1 | u32::from(*x == least));
            let next = lesser(best.squared, next);
            best = Nearest {
                label: first + equal.trailing_zeros(),
                squared: least,
                next,
            };
        } else {
            best.next = lesser(best.next, least);
        }
    }
    best
}

fn lesser(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

fn greater(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// The least and the second least, found in pairs side by side. Nothing may be NaN.
#[inline]
fn least_two(x: &[f64; SIDE_BY_SIDE]) -> (f64, f64) {
    let fours: [(f64, f64); 4] =
        std::array::from_fn(|i| (lesser(x[i], x[i + 4]), greater(x[i], x[i + 4])));
    let merge = |a: (f64, f64), b: (f64, f64)| {
        (
            lesser(a.0, b.0),
            lesser(greater(a.0, b.0), lesser(a.1, b.1)),
        )
    };
    merge(merge(fours[0], fours[2]), merge(fours[1], fours[3]))
}

/// All centres in blocks.
pub(crate) fn blocks(centres: &[f64], width: usize) -> Vec<Block<SIDE_BY_SIDE>> {
    centres
        .chunks(SIDE_BY_SIDE * width)
        .map(|some| Block::new(some.chunks_exact(width), width))
        .collect()
}
