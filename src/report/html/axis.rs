//! Scales of charts: a range, round ticks, and the words below them.

use crate::report::number::percent_to;

/// One axis: its range, its ticks and what it shows.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// The value at the start.
    pub(crate) low: f64,
    /// The value at the end.
    pub(crate) high: f64,
    /// Positions of the ticks, in values, and their labels.
    pub(crate) ticks: Vec<(f64, String)>,
    /// What the axis shows, with its unit.
    pub(crate) label: String,
}

impl Axis {
    /// From `low` to `high` with about five round ticks, written by `format`. An empty range is widened.
    pub(crate) fn new(low: f64, high: f64, label: &str, format: impl Fn(f64) -> String) -> Self {
        let (low, high) = if high > low {
            (low, high)
        } else {
            (low - 0.5, low + 0.5)
        };
        let step = round_step((high - low) / 4.0);
        let first = (low / step - 1e-9).ceil();
        let ticks = (0..12)
            .map(|k| (first + f64::from(k)) * step)
            .take_while(|t| *t <= high + step * 1e-6);
        Self {
            low,
            high,
            ticks: ticks.map(|t| (t, format(t))).collect(),
            label: label.to_owned(),
        }
    }

    /// Shares: from 0 or to 1, whichever the values lie nearer to, and just far enough to show them all; both ends where
    /// they take up most of the range.
    pub(crate) fn shares(values: impl Iterator<Item = f64>, label: &str) -> Self {
        let (low, high) = ends(values.map(|v| v.clamp(0.0, 1.0))).unwrap_or((0.0, 1.0));
        // As many steps as it takes to get past the furthest value.
        let reach = |length: f64| {
            let step = round_step(length.max(1e-6) / 4.0);
            ((length / step - 1e-9).ceil().max(1.0) * step).min(1.0)
        };
        let (low, high) = if low > 0.75 {
            (1.0 - reach(1.0 - low), 1.0)
        } else {
            (0.0, reach(high))
        };
        let digits = digits(100.0 * round_step((high - low) / 4.0));
        Self::new(low, high, label, |v| percent_to(v, digits))
    }

    /// Around all values with a small margin and a few round ticks; `format` gets the decimals that tell ticks apart.
    pub(crate) fn around(
        values: impl Iterator<Item = f64>,
        label: &str,
        format: impl Fn(f64, usize) -> String,
    ) -> Self {
        let (low, high) = ends(values)
            .filter(|(low, high)| low < high)
            .unwrap_or((0.0, 1.0));
        let inside = |step: f64| {
            (libm::ceil(low / step - 1e-9) as i64)..=(libm::floor(high / step + 1e-9) as i64)
        };
        // From the finest step to the coarsest: the first with few enough ticks is the best.
        let steps = (0..8_usize).rev().flat_map(|digits| {
            [1, 2, 5].map(|k| (f64::from(k) * libm::pow(10.0, -(digits as f64)), digits))
        });
        let (step, digits) = steps
            .into_iter()
            .find(|(step, digits)| {
                let label = |k: i64| format(k as f64 * step, *digits).chars().count();
                if (high - low) / step >= 1e6 || inside(*step).count() > 5 {
                    return false;
                }
                let longest = inside(*step).map(label).max().unwrap_or(0);
                inside(*step).count() <= most_ticks(*digits, longest)
            })
            .unwrap_or((high - low, 0));
        let margin = (high - low) * 0.04;
        let ticks = inside(step).map(|k| (k as f64 * step, format(k as f64 * step, digits)));
        Self {
            low: low - margin,
            high: high + margin,
            ticks: ticks.collect(),
            label: label.to_owned(),
        }
    }

    /// The position of a value along the axis, 0 to 100; what lies outside is drawn at the end.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let at = (value - self.low) / (self.high - self.low) * 100.0;
        if at.is_finite() {
            at.clamp(0.0, 100.0)
        } else {
            0.0
        }
    }
}

/// The smallest and the largest of the finite values; `None` without one.
pub(crate) fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .filter(|v| v.is_finite())
        .fold(None, |ends, v| match ends {
            None => Some((v, v)),
            Some((low, high)) => Some((f64::min(low, v), f64::max(high, v))),
        })
}

/// As many labels as lie beside each other in a narrow column, by their decimals and the characters of the longest.
fn most_ticks(digits: usize, longest: usize) -> usize {
    match (digits, longest) {
        (4.., _) => 3,
        // A sign and three decimals.
        (_, 6..) => 4,
        _ => 5,
    }
}

/// How many decimals multiples of a step have.
pub(crate) fn digits(step: f64) -> usize {
    let whole = |digits: &usize| {
        let scaled = step * libm::pow(10.0, *digits as f64);
        (scaled - scaled.round()).abs() < 1e-6 * scaled
    };
    (0..6).find(whole).unwrap_or(6)
}

/// The smallest of 1, 2, 2.5, 5 and 10 times a power of ten that is at least `least`.
pub(crate) fn round_step(least: f64) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    let power = libm::pow(10.0, libm::log10(least).floor());
    let factor = [1.0, 2.0, 2.5, 5.0]
        .into_iter()
        .find(|f| f * power >= least * (1.0 - 1e-9))
        .unwrap_or(10.0);
    factor * power
}

/// A length or a position with at most two decimals: more would make the file larger and no picture sharper.
pub(crate) fn short(position: f64) -> String {
    let text = format!("{position:.2}");
    match text.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0".to_owned(),
        text => text.to_owned(),
    }
}

/// A position from 0 to 100 as an attribute: `12.5%`.
pub(crate) fn percentage(position: f64) -> String {
    short(position) + "%"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::number::THIN;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|t| t.1.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = Axis::new(0.0, 0.83, "share", |v| format!("{v:.2}"));
        assert_eq!(labels(&axis), ["0.00", "0.25", "0.50", "0.75"]);
        assert_eq!(axis.at(0.415), 50.0);
        assert_eq!(axis.at(9.0), 100.0);
        assert_eq!(axis.at(f64::NAN), 0.0);
        let flat = Axis::new(2.0, 2.0, "", |v| format!("{v}"));
        assert!(flat.at(2.0) == 50.0 && !flat.ticks.is_empty());
    }

    #[test]
    fn an_axis_of_shares_fits_rare_and_common_ones() {
        let read = |low: f64, high: f64| {
            let axis = Axis::shares([low, high].into_iter(), "");
            assert!((0.0..=low).contains(&axis.low) && (high..=1.0).contains(&axis.high));
            let ticks = labels(&axis);
            let mut apart = ticks.clone();
            apart.dedup();
            assert!(apart.len() == ticks.len() && ticks.len() >= 3, "{ticks:?}");
            let used = if axis.low > 0.0 {
                axis.high - low
            } else {
                high - axis.low
            };
            assert!(
                used >= 0.6 * (axis.high - axis.low),
                "mostly empty: {axis:?}"
            );
            ticks.join(" ").replace(THIN, "")
        };
        assert_eq!(read(0.004, 0.0095), "0.00% 0.25% 0.50% 0.75% 1.00%");
        assert_eq!(read(0.0, 0.08), "0% 2% 4% 6% 8%");
        assert_eq!(read(0.2, 0.83), "0% 25% 50% 75% 100%");
        assert_eq!(read(0.982, 1.0), "98.0% 98.5% 99.0% 99.5% 100.0%");
        assert_eq!(read(0.1, 1.0), "0% 25% 50% 75% 100%");
        let none = Axis::shares(std::iter::once(f64::NAN), "");
        assert_eq!((none.low, none.high), (0.0, 1.0));
        for rate in [1e-7, 1e-4, 0.01, 0.3, 0.76, 0.99, 0.9999, 1.0, 0.0] {
            let axis = Axis::shares(std::iter::once(rate), "");
            assert!(
                axis.low < axis.high && axis.ticks.len() >= 2,
                "{rate}: {axis:?}"
            );
        }
    }

    #[test]
    fn ticks_around_values_are_few_and_told_apart() {
        let read = |low: f64, high: f64| {
            let axis = Axis::around([low, high].into_iter(), "", |v, d| format!("{v:.d$}"));
            labels(&axis).join(" ")
        };
        assert_eq!(read(-0.19, 0.04), "-0.15 -0.10 -0.05 0.00");
        assert_eq!(read(0.22, 0.91), "0.4 0.6 0.8");
        assert_eq!(read(0.0, 0.0042), "0.000 0.001 0.002 0.003 0.004");
        assert_eq!(read(0.0, 0.0016), "0.000 0.001");
        assert_eq!(read(-0.0003, 0.0009), "0.0000 0.0005");
        let empty = Axis::around(std::iter::empty(), "", |v, _| format!("{v}"));
        assert!(empty.low < empty.high);
    }

    #[test]
    fn positions_are_short() {
        assert_eq!(
            [12.5, 100.0, 0.004, -0.001].map(percentage),
            ["12.5%", "100%", "0%", "0%"]
        );
    }
}
