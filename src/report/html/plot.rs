//! A chart with two axes. Positions are percentages of the plot area and text keeps its size, so that a chart
//! fills whatever width it is given and stays readable on a phone.

use super::text::escape;

/// One axis: its range, its ticks and what it shows.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// The value at the start.
    pub(crate) low: f64,
    /// The value at the end.
    pub(crate) high: f64,
    /// Where the ticks are and what they say.
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

    /// Of shares: from 0 or to 1, whichever the values lie nearer to, and just far enough to show them all. Both ends where
    /// they take up most of the range.
    pub(crate) fn shares(values: impl Iterator<Item = f64>, label: &str) -> Self {
        let ends = values.filter(|v| v.is_finite()).map(|v| v.clamp(0.0, 1.0));
        let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
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
        Self::new(low, high, label, |v| super::text::percent_to(v, digits))
    }

    /// Where a value lies along the axis, 0 to 100.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let at = (value - self.low) / (self.high - self.low) * 100.0;
        if at.is_finite() {
            at.clamp(0.0, 100.0)
        } else {
            0.0
        }
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

/// A position with at most two decimals.
pub(crate) fn short(position: f64) -> String {
    let text = format!("{position:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// A chart that is being drawn.
#[derive(Clone, Debug)]
pub(crate) struct Plot<'a> {
    id: &'a str,
    title: &'a str,
    x: Axis,
    y: Axis,
    marks: String,
}

impl<'a> Plot<'a> {
    /// An empty chart. `id` must be unique on the page.
    pub(crate) fn new(id: &'a str, title: &'a str, x: Axis, y: Axis) -> Self {
        Self {
            id,
            title,
            x,
            y,
            marks: String::new(),
        }
    }

    /// A line through points.
    pub(crate) fn line(&mut self, points: &[(f64, f64)], class: &str) {
        let path = self.path(points);
        self.lines(&format!("<path class=\"{class}\" d=\"{path}\"/>"));
    }

    /// The area between points and the foot of the chart.
    pub(crate) fn area(&mut self, points: &[(f64, f64)], class: &str) {
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return;
        };
        let foot = self.y.low;
        let closed = [&[(first.0, foot)], points, &[(last.0, foot)]].concat();
        let path = self.path(&closed);
        self.lines(&format!("<path class=\"{class}\" d=\"{path}Z\"/>"));
    }

    /// A dot with a text that shows when it is pointed at; `radius` in pixels.
    pub(crate) fn dot(&mut self, (x, y): (f64, f64), radius: f64, class: &str, text: &str) {
        let (x, y) = self.at(x, y);
        self.marks.push_str(&format!(
            "<circle class=\"{class}\" cx=\"{x}%\" cy=\"{y}%\" r=\"{}\"><title>{}</title></circle>",
            short(radius),
            escape(text)
        ));
    }

    /// A box between two corners with a text that shows when it is pointed at.
    pub(crate) fn rect(&mut self, from: (f64, f64), to: (f64, f64), class: &str, text: &str) {
        let (left, right) = (self.x.at(from.0), self.x.at(to.0));
        let (foot, top) = (100.0 - self.y.at(from.1), 100.0 - self.y.at(to.1));
        self.marks.push_str(&format!(
            "<rect class=\"{class}\" x=\"{}%\" y=\"{}%\" width=\"{}%\" height=\"{}%\"><title>{}</title></rect>",
            short(left),
            short(top),
            short((right - left).max(0.0)),
            short((foot - top).max(0.0)),
            escape(text)
        ));
    }

    /// A straight line between two points, whose ends can be moved later.
    pub(crate) fn segment(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let ((x1, y1), (x2, y2)) = (self.at(from.0, from.1), self.at(to.0, to.1));
        self.marks.push_str(&format!(
            "<line class=\"{class}\" x1=\"{x1}%\" y1=\"{y1}%\" x2=\"{x2}%\" y2=\"{y2}%\"/>"
        ));
    }

    /// Text at a point, moved by so many pixels; `anchor` is `start`, `middle` or `end`.
    pub(crate) fn text(
        &mut self,
        (x, y): (f64, f64),
        (dx, dy): (i32, i32),
        anchor: &str,
        text: &str,
    ) {
        let (x, y) = self.at(x, y);
        self.marks.push_str(&format!(
            "<text class=\"note\" x=\"{x}%\" y=\"{y}%\" dx=\"{dx}\" dy=\"{dy}\" text-anchor=\"{anchor}\">{}</text>",
            escape(text)
        ));
    }

    /// The finished chart with a description for those who can't see it.
    pub(crate) fn finish(self, description: &str) -> String {
        let Self {
            id,
            title,
            x,
            y,
            marks,
        } = &self;
        format!(
            "<div class=\"plot\"><svg role=\"img\" aria-labelledby=\"{id}-t {id}-d\" xmlns=\"http://www.w3.org/2000/svg\">\
             <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>{}{}{marks}</svg></div>",
            escape(title),
            escape(description),
            horizontal(x),
            vertical(y),
        )
    }

    fn at(&self, x: f64, y: f64) -> (String, String) {
        (short(self.x.at(x)), short(100.0 - self.y.at(y)))
    }

    fn path(&self, points: &[(f64, f64)]) -> String {
        let mut path = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            let (x, y) = self.at(*x, *y);
            path.push_str(&format!("{}{x} {y}", if i == 0 { "M" } else { "L" }));
        }
        path
    }

    /// Paths can't be given in percent: they live in a box of 100 x 100 that is stretched over the plot area.
    fn lines(&mut self, content: &str) {
        self.marks.push_str(&format!(
            "<svg viewBox=\"0 0 100 100\" preserveAspectRatio=\"none\">{content}</svg>"
        ));
    }
}

fn horizontal(axis: &Axis) -> String {
    let mut text =
        String::from("<line class=\"axis\" x1=\"0\" y1=\"100%\" x2=\"100%\" y2=\"100%\"/>");
    for (value, label) in &axis.ticks {
        let x = short(axis.at(*value));
        text.push_str(&format!(
            "<text class=\"tick\" x=\"{x}%\" y=\"100%\" dy=\"18\" text-anchor=\"middle\">{}</text>",
            escape(label)
        ));
    }
    let label = escape(&axis.label);
    text + &format!(
        "<text class=\"label\" x=\"100%\" y=\"100%\" dy=\"38\" text-anchor=\"end\">{label}</text>"
    )
}

fn vertical(axis: &Axis) -> String {
    let mut text = String::new();
    for (value, label) in &axis.ticks {
        let y = short(100.0 - axis.at(*value));
        text.push_str(&format!(
            "<line class=\"grid\" x1=\"0\" y1=\"{y}%\" x2=\"100%\" y2=\"{y}%\"/>\
             <text class=\"tick\" x=\"-8\" y=\"{y}%\" dy=\".35em\" text-anchor=\"end\">{}</text>",
            escape(label)
        ));
    }
    text + &format!(
        "<text class=\"label\" x=\"0\" y=\"0\" dx=\"-40\" dy=\"-14\">{}</text>",
        escape(&axis.label)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = Axis::new(0.0, 0.83, "share", |v| format!("{v:.2}"));
        let read: Vec<&str> = axis.ticks.iter().map(|t| t.1.as_str()).collect();
        assert_eq!(read, ["0.00", "0.25", "0.50", "0.75"]);
        assert_eq!(
            (axis.at(0.415), axis.at(9.0), axis.at(f64::NAN)),
            (50.0, 100.0, 0.0)
        );
        let flat = Axis::new(2.0, 2.0, "", |v| format!("{v}"));
        assert!(flat.at(2.0) == 50.0 && !flat.ticks.is_empty());
    }

    #[test]
    fn an_axis_of_shares_fits_rare_and_common_ones() {
        let read = |low: f64, high: f64| {
            let axis = Axis::shares([low, high].into_iter(), "");
            let ticks: Vec<String> = axis
                .ticks
                .iter()
                .map(|t| t.1.replace(super::super::text::THIN, ""))
                .collect();
            assert!(
                axis.low <= low
                    && axis.high >= high
                    && (0.0..=1.0).contains(&axis.low)
                    && axis.high <= 1.0
            );
            let mut apart = ticks.clone();
            apart.dedup();
            assert!(apart.len() == ticks.len() && ticks.len() >= 3, "{ticks:?}");
            // What is shown takes up most of the axis.
            let used = if axis.low > 0.0 {
                axis.high - low
            } else {
                high - axis.low
            };
            assert!(
                used >= 0.6 * (axis.high - axis.low),
                "{low} to {high}: {axis:?}"
            );
            ticks.join(" ")
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
    fn a_chart_says_what_it_is_and_escapes_what_it_is_told() {
        let axis = || Axis::new(0.0, 1.0, "a & b", |v| format!("{v}"));
        let mut plot = Plot::new("p", "<T>", axis(), axis());
        plot.line(&[(0.0, 0.0), (0.5, 1.0)], "c");
        plot.dot((0.5, 0.5), 3.0, "d", "\"x\"");
        let svg = plot.finish("D > d");
        assert!(svg.contains("M0 100L50 0"), "{svg}");
        assert!(
            svg.contains("<title id=\"p-t\">&lt;T&gt;</title><desc id=\"p-d\">D &gt; d</desc>"),
            "{svg}"
        );
        assert!(svg.contains("&quot;x&quot;") && svg.contains("a &amp; b"));
    }
}
