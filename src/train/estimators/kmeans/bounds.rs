use super::Points;
use super::distances::{Block, SIDE_BY_SIDE, blocks, nearest, squared};

/// Where the centres are, how far they are from one another and how far the last step moved them: what rules distances
/// out.
pub(crate) struct Geometry {
    centres: Vec<f64>,
    blocks: Vec<Block<SIDE_BY_SIDE>>,
    own: Vec<Own>,
    margin: Margin,
}

/// What is known about the distances of a centre's points.
#[derive(Clone, Copy)]
struct Own {
    /// How far the centre moved, at most.
    moved: f64,
    /// How far any of the others moved, at most.
    others_moved: f64,
    /// Half the distance to the nearest of the others, at least.
    half_gap: f64,
}

/// What rounding may add to a distance or take from it, as factors with room to spare: bounds hold for the exact
/// distances, and a centre that is ruled out would not come first by the computed ones either.
#[derive(Clone, Copy)]
struct Margin {
    up: f64,
    down: f64,
}

impl Margin {
    fn new(width: usize) -> Self {
        let share = (width + 16) as f64 * f64::EPSILON;
        Self {
            up: 1.0 + share,
            down: 1.0 - share,
        }
    }
}

impl Geometry {
    /// For centres that were at `before`; without one nothing is known about any point.
    pub(crate) fn new(centres: &[f64], before: Option<&[f64]>, width: usize) -> Self {
        let margin = Margin::new(width);
        let each = || centres.chunks_exact(width);
        let moves: Vec<f64> = match before {
            Some(before) => {
                let pairs = each().zip(before.chunks_exact(width));
                pairs
                    .map(|(a, b)| squared(a, b).sqrt() * margin.up)
                    .collect()
            }
            None => vec![0.0; centres.len() / width],
        };
        let own = |(i, centre): (usize, &[f64])| {
            let others = || {
                each()
                    .zip(&moves)
                    .enumerate()
                    .filter(|(j, _)| *j != i)
                    .map(|(_, other)| other)
            };
            let gap = others()
                .map(|(other, _)| squared(centre, other))
                .fold(f64::INFINITY, f64::min)
                .sqrt();
            let others_moved = others().map(|(_, moved)| *moved).fold(0.0, f64::max);
            Own {
                moved: moves[i],
                others_moved,
                half_gap: gap / 2.0 * margin.down,
            }
        };
        let own = each().enumerate().map(own).collect();
        Self {
            centres: centres.to_vec(),
            blocks: blocks(centres, width),
            own,
            margin,
        }
    }

    /// The places in a tile of the points whose centre may not be the nearest any more, by what is known.
    fn doubtful(&self, tile: &mut Tile<'_>, places: &mut [u16; TILE]) -> usize {
        let up = self.margin.up;
        let mut count = 0;
        let known = tile.upper.iter_mut().zip(tile.lower.iter_mut());
        for (place, (label, (upper, lower))) in (0..).zip(tile.labels.iter().zip(known)) {
            let unknown = Own {
                moved: 0.0,
                others_moved: 0.0,
                half_gap: 0.0,
            };
            let own = self.own.get(*label as usize).copied().unwrap_or(unknown);
            *upper = (*upper + own.moved) * up;
            *lower = (*lower - own.others_moved) * self.margin.down;
            let least = if *lower > own.half_gap {
                *lower
            } else {
                own.half_gap
            };
            places[count] = place;
            count += usize::from(*upper * up >= least);
        }
        count
    }

    /// Those of them for which that is still so after a look at the distance to the own centre.
    fn still_doubtful(
        &self,
        tile: &mut Tile<'_>,
        places: &mut [u16; TILE],
        doubtful: usize,
    ) -> usize {
        let (up, width) = (self.margin.up, tile.width);
        let mut count = 0;
        for i in 0..doubtful {
            let place = usize::from(places[i]);
            let label = tile.labels[place] as usize;
            let (Some(own), Some(centre)) =
                (self.own.get(label), self.centres.get(label * width..))
            else {
                count = doubtful;
                break;
            };
            let upper = squared(tile.point(place), centre).sqrt() * up;
            tile.upper[place] = upper;
            let lower = tile.lower[place];
            let least = if lower > own.half_gap {
                lower
            } else {
                own.half_gap
            };
            places[count] = places[i];
            count += usize::from(upper * up >= least);
        }
        count
    }
}

/// Points that are looked at in one go: what is cheap for all of them, then what is not for some.
const TILE: usize = 256;

/// A tile's share of a [`Part`].
struct Tile<'t> {
    points: &'t [f64],
    width: usize,
    labels: &'t mut [u32],
    upper: &'t mut [f64],
    lower: &'t mut [f64],
}

impl<'t> Tile<'t> {
    fn point(&self, place: usize) -> &'t [f64] {
        &self.points[place * self.width..][..self.width]
    }
}

/// Some points, whose they are, and what is known about their distances.
///
/// Source: Hamerly, Making k-means even faster, SIAM International Conference on Data Mining (2010).
pub(crate) struct Part<'a> {
    pub(crate) points: Points<'a>,
    pub(crate) labels: Vec<u32>,
    /// The distance to the own centre, at most.
    upper: Vec<f64>,
    /// The distance to any other centre, at least.
    lower: Vec<f64>,
    /// The sum of each centre's points.
    pub(crate) sums: Vec<f64>,
    /// How many they are.
    pub(crate) counts: Vec<u64>,
}

/// The label of a point that belongs to no centre yet.
const NOBODY: u32 = u32::MAX;

impl<'a> Part<'a> {
    pub(crate) fn new(points: Points<'a>, k: usize) -> Self {
        let n = points.len();
        Self {
            points,
            labels: vec![NOBODY; n],
            upper: vec![f64::INFINITY; n],
            lower: vec![0.0; n],
            sums: vec![0.0; k * points.width],
            counts: vec![0; k],
        }
    }

    /// Gives every point to its nearest centre; how many changed hands.
    pub(crate) fn assign(&mut self, geometry: &Geometry) -> u64 {
        let (Points { values, width }, Margin { up, down }) = (self.points, geometry.margin);
        let (mut changed, mut places) = (0, [0; TILE]);
        let known = self.upper.chunks_mut(TILE).zip(self.lower.chunks_mut(TILE));
        let tiles = values
            .chunks(TILE * width)
            .zip(self.labels.chunks_mut(TILE))
            .zip(known);
        for ((points, labels), (upper, lower)) in tiles {
            let mut tile = Tile {
                points,
                width,
                labels,
                upper,
                lower,
            };
            let doubtful = geometry.doubtful(&mut tile, &mut places);
            let doubtful = geometry.still_doubtful(&mut tile, &mut places, doubtful);
            for place in places[..doubtful].iter().map(|place| usize::from(*place)) {
                let (point, label) = (tile.point(place), tile.labels[place]);
                let found = nearest(&geometry.blocks, point);
                tile.upper[place] = found.squared.sqrt() * up;
                tile.lower[place] = found.next.sqrt() * down;
                if found.label != label {
                    give(&mut self.sums, &mut self.counts, point, label, found.label);
                    tile.labels[place] = found.label;
                    changed += 1;
                }
            }
        }
        changed
    }

    /// The point furthest from its centre, of those that are not alone: its place and squared distance.
    pub(crate) fn furthest(&self, centres: &[f64], counts: &[u64]) -> Option<(usize, f64)> {
        let width = self.points.width;
        let distance = |(row, (point, label)): (usize, (&[f64], &u32))| {
            let own = *label as usize;
            let centre = centres.get(own * width..)?.get(..width)?;
            (*counts.get(own)? > 1).then(|| (row, squared(point, centre)))
        };
        let all = self
            .points
            .iter()
            .zip(&self.labels)
            .enumerate()
            .filter_map(distance);
        all.reduce(|best, other| if other.1 > best.1 { other } else { best })
    }

    /// Gives one point to a centre, whatever its distance.
    pub(crate) fn reassign(&mut self, row: usize, label: u32) {
        let Some(point) = self.points.iter().nth(row) else {
            return;
        };
        give(
            &mut self.sums,
            &mut self.counts,
            point,
            self.labels[row],
            label,
        );
        (self.labels[row], self.upper[row], self.lower[row]) = (label, f64::INFINITY, 0.0);
    }

    /// The sum of squared distances to the own centres.
    pub(crate) fn inertia(&self, centres: &[f64]) -> f64 {
        let width = self.points.width;
        let own = |label: &u32| centres.get(*label as usize * width..).unwrap_or_default();
        self.points
            .iter()
            .zip(&self.labels)
            .map(|(point, label)| squared(point, own(label)))
            .sum()
    }
}

fn give(sums: &mut [f64], counts: &mut [u64], point: &[f64], from: u32, to: u32) {
    let width = point.len();
    let place = |label: u32| label as usize * width;
    if let Some(count) = counts.get_mut(from as usize) {
        *count -= 1;
        sums[place(from)..]
            .iter_mut()
            .zip(point)
            .for_each(|(sum, x)| *sum -= x);
    }
    counts[to as usize] += 1;
    sums[place(to)..]
        .iter_mut()
        .zip(point)
        .for_each(|(sum, x)| *sum += x);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The nearest centre by computing every distance, the first of equals.
    fn plain(point: &[f64], centres: &[f64]) -> u32 {
        let distances: Vec<f64> = centres
            .chunks(point.len())
            .map(|centre| squared(point, centre))
            .collect();
        let least = distances.iter().copied().fold(f64::INFINITY, f64::min);
        distances.iter().position(|d| *d == least).unwrap() as u32
    }

    /// Values with many ties, and values of very different sizes.
    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            (-3..4).prop_map(f64::from),
            -1.0..1.0,
            (-1.0..1.0).prop_map(|x: f64| 1e6 + x * 1e-6)
        ]
    }

    proptest! {
        #[test]
        fn bounds_give_the_same_assignment_as_all_distances(
            width in 1_usize..4,
            k in 1_usize..19,
            values in prop::collection::vec(value(), 3..1_800),
            steps in prop::collection::vec(prop::collection::vec(prop_oneof![Just(0.0), value()], 54), 1..5),
        ) {
            let values = &values[..values.len() / width * width];
            let mut part = Part::new(Points { values, width }, k);
            let mut centres: Vec<f64> = values.iter().copied().cycle().take(k * width).collect();
            let mut before: Option<Vec<f64>> = None;
            // Lloyd's own steps, and after some of them a move that has nothing to do with the points.
            for shift in [vec![0.0; 54], vec![0.0; 54]].into_iter().chain(steps) {
                part.assign(&Geometry::new(&centres, before.as_deref(), width));
                for (point, label) in part.points.iter().zip(&part.labels) {
                    prop_assert_eq!(*label, plain(point, &centres));
                }
                let means = part.sums.chunks(width).zip(&part.counts).zip(centres.chunks(width));
                let means = means.flat_map(|((sum, count), centre)| {
                    sum.iter().zip(centre).map(|(x, c)| if *count > 0 { x / *count as f64 } else { *c })
                });
                let moved = means.zip(&shift).map(|(x, by)| x + by * 0.1).collect();
                before = Some(std::mem::replace(&mut centres, moved));
            }
        }
    }
}
