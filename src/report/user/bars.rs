//! Bars to both sides of a line.

use crate::report::lines::{Line, Tone, left, right, width_of};

/// Columns of a value, such as `+12.34`.
const VALUE_COLUMNS: usize = 7;
/// Columns of the bars, at least and at most.
const BAR_COLUMNS: [usize; 2] = [10, 60];
/// Full blocks and the eighths of one.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A value with its name.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: f64,
}

/// A line for each value, the names on the left, all bars of one scale: to the right of the line what raises the risk, to
/// the left what lowers it.
pub(crate) fn bars(bars: &[Bar], width: usize) -> Vec<Line> {
    let longest = bars
        .iter()
        .map(|bar| width_of(&bar.name))
        .max()
        .unwrap_or(0);
    let room = width.saturating_sub(VALUE_COLUMNS + 5);
    let [least, most] = BAR_COLUMNS;
    // Names have three fifths, or more where the bars have enough, but never what the shortest bars need.
    let share = (room * 3 / 5).max(room.saturating_sub(most));
    let names = longest.min(share).min(room.saturating_sub(least));
    let columns = room.saturating_sub(names).clamp(least, most);
    let sides = Sides::new(bars, columns);
    let line = |bar: &Bar| {
        let tone = match bar.value {
            value if value > 0.0 => Tone::Raises,
            _ => Tone::Lowers,
        };
        let (before, after) = sides.draw(bar.value);
        Line::new(Tone::Plain, format!("  {} ", left(&bar.name, names)))
            .with(tone, before)
            .with(Tone::Faint, "│")
            .with(tone, after)
            .with(
                Tone::Plain,
                right(&format!("{:+.2}", bar.value), VALUE_COLUMNS),
            )
    };
    bars.iter().map(line).collect()
}

/// The columns on either side of the line, and how many a value takes.
struct Sides {
    left: usize,
    right: usize,
    columns_per_unit: f64,
}

impl Sides {
    fn new(bars: &[Bar], columns: usize) -> Self {
        let values = bars.iter().map(|bar| bar.value);
        let (low, high) = values.fold((0.0_f64, 0.0_f64), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let length = high - low;
        if length <= 0.0 {
            return Self {
                left: 0,
                right: columns,
                columns_per_unit: 0.0,
            };
        }
        let share = (columns as f64 * -low / length).round() as usize;
        // A side with values has a column for them, however small they are.
        let left = share.clamp(usize::from(low < 0.0), columns - usize::from(high > 0.0));
        let right = columns - left;
        // The side of the larger values says how long all are; what is too long on the other one by a part of a column is cut.
        let columns_per_unit = match -low > high {
            true => left as f64 / -low,
            false => right as f64 / high,
        };
        Self {
            left,
            right,
            columns_per_unit,
        }
    }

    /// What stands on the left and on the right of the line.
    fn draw(&self, value: f64) -> (String, String) {
        let columns = value.abs() * self.columns_per_unit;
        if value < 0.0 {
            // There are no blocks that fill a part from the right.
            let full = (columns.round() as usize).min(self.left);
            let bar = " ".repeat(self.left - full) + &"█".repeat(full);
            return (bar, " ".repeat(self.right));
        }
        let eighths = ((columns * 8.0).round() as usize).min(8 * self.right);
        let bar = "█".repeat(eighths / 8) + EIGHTHS[eighths % 8];
        (" ".repeat(self.left), left(&bar, self.right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(values: &[(&str, f64)], width: usize) -> Vec<String> {
        let all: Vec<Bar> = values
            .iter()
            .map(|(name, value)| Bar {
                name: (*name).to_owned(),
                value: *value,
            })
            .collect();
        bars(&all, width).iter().map(Line::text).collect()
    }

    #[test]
    fn bars_share_a_scale_and_point_to_their_sides() {
        let lines = drawn(
            &[("last purchase", 3.0), ("amount", -1.0), ("none", 0.0)],
            45,
        );
        insta::assert_snapshot!(lines.join("\n"), @r"
          last purchase      │███████████████  +3.00
          amount        █████│                 -1.00
          none               │                 +0.00
        ");
        // Values of one side next to hardly any of the other one still have bars.
        let lines = drawn(&[("a", -9.0), ("b", -3.0), ("c", 0.01)], 45);
        let blocks = |line: &String| line.matches('█').count();
        assert!(blocks(&lines[0]).abs_diff(3 * blocks(&lines[1])) <= 1 && blocks(&lines[1]) > 5);
    }

    #[test]
    fn every_width_is_kept() {
        let long = "a very long reason that has to be cut where the terminal is narrow";
        for width in 30..160 {
            let lines = drawn(&[(long, 5.4), ("b", -0.3), ("客户", 0.01)], width);
            assert!(
                lines.iter().all(|line| width_of(line) <= width),
                "{lines:?}"
            );
        }
        // The negative control: what does not fit even as its shortest is longer than a line.
        assert!(width_of(&drawn(&[(long, 5.4)], 10)[0]) > 10);
    }
}
