//! A series of counts cut into stretches of one rate each, by exact dynamic programming.

/// Events and the exposure that they were counted on, by week or any other step of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    events: Vec<f64>,
    exposure: Vec<f64>,
}

impl Series {
    /// A series; where one list is longer its rest is left out, and so is what follows a step without exposure.
    pub fn new(events: &[f64], exposure: &[f64]) -> Self {
        let pairs = events.iter().copied().zip(exposure.iter().copied());
        let (events, exposure) = pairs.take_while(|(_, exposure)| *exposure > 0.0).unzip();
        Self { events, exposure }
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn events(&self) -> &[f64] {
        &self.events
    }

    /// The same exposure with other events.
    pub(super) fn with_events(&self, events: Vec<f64>) -> Self {
        Self {
            events,
            exposure: self.exposure.clone(),
        }
    }

    /// The events that stretches of one rate each would lead one to expect.
    pub(super) fn expected(&self, starts: &[usize]) -> Vec<f64> {
        let sums = Sums::new(self);
        let mut expected = Vec::with_capacity(self.len());
        for (from, until) in stretches(starts, self.len()) {
            let rate = sums.rate(from, until);
            expected.extend(self.exposure[from..until].iter().map(|e| e * rate));
        }
        expected
    }

    /// Events per exposure of each stretch.
    pub(super) fn rates(&self, starts: &[usize]) -> Vec<f64> {
        let sums = Sums::new(self);
        let stretches = stretches(starts, self.len());
        stretches
            .map(|(from, until)| sums.rate(from, until))
            .collect()
    }

    /// The Poisson log-likelihood of stretches, but for a constant that is the same for all.
    pub(super) fn log_likelihood(&self, starts: &[usize]) -> f64 {
        let sums = Sums::new(self);
        let stretches = stretches(starts, self.len());
        stretches
            .map(|(from, until)| sums.log_likelihood(from, until))
            .sum()
    }
}

/// The stretches between the starts of all but the first.
fn stretches(starts: &[usize], len: usize) -> impl Iterator<Item = (usize, usize)> {
    let from = std::iter::once(0).chain(starts.iter().copied());
    let until = starts.iter().copied().chain([len]);
    from.zip(until)
}

/// Events and exposure before each step.
struct Sums {
    events: Vec<f64>,
    exposure: Vec<f64>,
}

impl Sums {
    fn new(series: &Series) -> Self {
        let before = |values: &[f64]| {
            let mut sum = 0.0;
            let after = values.iter().map(|value| {
                sum += value;
                sum
            });
            std::iter::once(0.0).chain(after).collect()
        };
        Self {
            events: before(&series.events),
            exposure: before(&series.exposure),
        }
    }

    fn rate(&self, from: usize, until: usize) -> f64 {
        (self.events[until] - self.events[from]) / (self.exposure[until] - self.exposure[from])
    }

    /// `Y ln(Y / E)`: what the best rate of a stretch gives, but for `-Y`, whose sum over stretches is a constant.
    fn log_likelihood(&self, from: usize, until: usize) -> f64 {
        let events = self.events[until] - self.events[from];
        if events > 0.0 {
            events * libm::log(self.rate(from, until))
        } else {
            0.0
        }
    }
}

/// A series cut at its turning points.
#[derive(Clone, Debug, PartialEq)]
pub struct Segmentation {
    /// Where the stretches after the first begin.
    pub starts: Vec<usize>,
    /// The Poisson log-likelihood, but for a constant of the series.
    pub log_likelihood: f64,
}

/// The best segmentations with 0, 1, ... points, `most_points` at most, whose stretches have `least` steps at least; fewer
/// where the series is too short, and none of an empty one. Of equally good ones the earliest points are given.
///
/// Source: Auger and Lawrence 1989, Bulletin of Mathematical Biology 51, with the likelihood of Poisson counts.
pub fn segmentations(series: &Series, most_points: usize, least: usize) -> Vec<Segmentation> {
    let (len, least) = (series.len(), least.max(1));
    if len < least {
        return Vec::new();
    }
    let sums = Sums::new(series);
    // best[k][end]: the likelihood of the first `end` steps in k + 1 stretches, and where the last of them begins.
    let first = |end: usize| (end >= least).then(|| (sums.log_likelihood(0, end), 0));
    let mut best: Vec<Vec<Option<(f64, usize)>>> = vec![(0..=len).map(first).collect()];
    for points in 1..=most_points {
        let before = &best[points - 1];
        let of_end = |end: usize| {
            let mut top: Option<(f64, usize)> = None;
            let last = end.saturating_sub(least);
            for (start, before) in before.iter().enumerate().take(last + 1).skip(least) {
                let Some((value, _)) = before else {
                    continue;
                };
                let value = value + sums.log_likelihood(start, end);
                if top.is_none_or(|(highest, _)| value > highest + 1e-12) {
                    top = Some((value, start));
                }
            }
            top
        };
        let level: Vec<Option<(f64, usize)>> = (0..=len).map(of_end).collect();
        if level[len].is_none() {
            break;
        }
        best.push(level);
    }
    (0..best.len())
        .filter_map(|points| traced(&best, points, len))
        .collect()
}

fn traced(best: &[Vec<Option<(f64, usize)>>], points: usize, len: usize) -> Option<Segmentation> {
    let (log_likelihood, _) = best[points][len]?;
    let (mut starts, mut end) = (Vec::with_capacity(points), len);
    for level in (1..=points).rev() {
        end = best[level][end]?.1;
        starts.push(end);
    }
    starts.reverse();
    Some(Segmentation {
        starts,
        log_likelihood,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Disasters in British coal mines by year from 1851 on (Jarrett 1979, Biometrika 66; the counts of PyMC's tutorials).
    pub(crate) const COAL: [f64; 111] = [
        4.0, 5.0, 4.0, 0.0, 1.0, 4.0, 3.0, 4.0, 0.0, 6.0, 3.0, 3.0, 4.0, 0.0, 2.0, 6.0, 3.0, 3.0,
        5.0, 4.0, 5.0, 3.0, 1.0, 4.0, 4.0, 1.0, 5.0, 5.0, 3.0, 4.0, 2.0, 5.0, 2.0, 2.0, 3.0, 4.0,
        2.0, 1.0, 3.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 3.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0,
        3.0, 1.0, 0.0, 3.0, 2.0, 2.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0,
        1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 2.0, 3.0, 3.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 2.0,
        4.0, 2.0, 0.0, 0.0, 1.0, 4.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0,
        1.0, 0.0, 1.0,
    ];

    pub(crate) fn coal() -> Series {
        Series::new(&COAL, &[1.0; 111])
    }

    #[test]
    fn the_change_in_coal_mining_is_found_where_it_is_known_to_be() {
        let found = segmentations(&coal(), 2, 5);
        assert_eq!(1851 + found[1].starts[0] - 1, 1891, "the last year before");
        let rates = coal().rates(&found[1].starts);
        assert!(
            (rates[0] - 3.097_560_975_609_756).abs() < 1e-12,
            "{rates:?}"
        );
        assert!(
            (rates[1] - 0.914_285_714_285_714_3).abs() < 1e-12,
            "{rates:?}"
        );
        let ratio = 2.0 * (found[1].log_likelihood - found[0].log_likelihood);
        assert!((ratio - 68.377_946_092_807_06).abs() < 1e-9, "{ratio}");
        let last_years: Vec<usize> = found[2].starts.iter().map(|s| 1851 + s - 1).collect();
        assert_eq!(last_years, [1891, 1946]);
        let ratio = 2.0 * (found[2].log_likelihood - found[1].log_likelihood);
        assert!((ratio - 11.337_674_831_176_969).abs() < 1e-9, "{ratio}");
        assert_eq!(
            coal().log_likelihood(&found[2].starts),
            found[2].log_likelihood
        );
    }

    /// Every way to cut a short series, tried one by one.
    #[test]
    fn no_other_cut_is_better() {
        let series = Series::new(
            &[4.0, 2.0, 7.0, 0.0, 0.0, 3.0, 9.0, 8.0, 1.0],
            &[2.0, 1.0, 3.0, 1.0, 2.0, 1.0, 2.0, 1.5, 1.0],
        );
        let found = segmentations(&series, 4, 2);
        assert_eq!(
            found.len(),
            4,
            "five stretches of two do not fit into nine steps"
        );
        for (points, segmentation) in found.iter().enumerate() {
            let mut best = f64::NEG_INFINITY;
            for mask in 0_u32..1 << 8 {
                let starts: Vec<usize> = (1..9).filter(|s| mask >> (s - 1) & 1 == 1).collect();
                let long_enough = stretches(&starts, 9).all(|(from, until)| until - from >= 2);
                if starts.len() == points && long_enough {
                    best = best.max(series.log_likelihood(&starts));
                }
            }
            assert!(
                (best - segmentation.log_likelihood).abs() < 1e-12,
                "{points}"
            );
        }
    }

    #[test]
    fn what_cannot_be_cut_is_not() {
        assert_eq!(segmentations(&Series::new(&[], &[]), 4, 2), []);
        let zeros = Series::new(&[0.0; 6], &[1.0; 6]);
        let found = segmentations(&zeros, 4, 2);
        assert_eq!((found.len(), found[2].log_likelihood), (3, 0.0));
        // What comes after a week without anybody is not part of it.
        assert_eq!(Series::new(&[1.0; 5], &[1.0, 1.0, 0.0, 1.0, 1.0]).len(), 2);
    }
}
