//! A chart with two axes. Positions are percentages of the plot area and text keeps its size, so that a chart
//! fills whatever width it is given and stays readable on a phone.

use maud::{Markup, PreEscaped, html};

use super::axis::{Axis, percentage, short};

/// A chart that is being drawn.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    id: String,
    title: String,
    x: Axis,
    y: Axis,
    marks: String,
}

impl Plot {
    /// An empty chart. `id` must be unique on the page.
    pub(crate) fn new(id: String, title: String, x: Axis, y: Axis) -> Self {
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
        self.add_path(class, &path);
    }

    /// The area between points and the foot of the chart.
    pub(crate) fn area(&mut self, points: &[(f64, f64)], class: &str) {
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return;
        };
        let foot = self.y.low;
        let closed = [&[(first.0, foot)], points, &[(last.0, foot)]].concat();
        let path = self.path(&closed) + "Z";
        self.add_path(class, &path);
    }

    /// A dot with a tooltip; `radius` in pixels.
    pub(crate) fn dot(&mut self, point: (f64, f64), radius: f64, class: &str, text: &str) {
        let (x, y) = self.at(point);
        self.add(html! {
            circle class=(class) cx=(percentage(x)) cy=(percentage(y)) r=(short(radius)) { title { (text) } }
        });
    }

    /// A box between two corners with a tooltip.
    pub(crate) fn rect(&mut self, from: (f64, f64), to: (f64, f64), class: &str, text: &str) {
        let ((left, foot), (right, top)) = (self.at(from), self.at(to));
        self.add(html! {
            rect class=(class) x=(percentage(left)) y=(percentage(top)) width=(percentage((right - left).max(0.0)))
                height=(percentage((foot - top).max(0.0))) { title { (text) } }
        });
    }

    /// A straight line between two points. Unlike a path its ends are attributes, which the page's script moves.
    pub(crate) fn segment(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let ((x1, y1), (x2, y2)) = (self.at(from), self.at(to));
        self.add(html! {
            line class=(class) x1=(percentage(x1)) y1=(percentage(y1)) x2=(percentage(x2)) y2=(percentage(y2)) {}
        });
    }

    /// Text at a point, moved by `offset` pixels; `anchor` is `start`, `middle` or `end`.
    pub(crate) fn text(&mut self, point: (f64, f64), offset: (i32, i32), anchor: &str, text: &str) {
        let (x, y) = self.at(point);
        self.add(html! {
            text.note x=(percentage(x)) y=(percentage(y)) dx=(offset.0) dy=(offset.1) text-anchor=(anchor) { (text) }
        });
    }

    /// The finished chart; `description` stands for it where it is read aloud.
    pub(crate) fn finish(self, description: &str) -> Markup {
        let id = &self.id;
        html! {
            div.plot {
                svg role="img" aria-labelledby={ (id) "-t " (id) "-d" } {
                    title id={ (id) "-t" } { (self.title) }
                    desc id={ (id) "-d" } { (description) }
                    (horizontal(&self.x))
                    (vertical(&self.y))
                    (PreEscaped(&self.marks))
                }
            }
        }
    }

    fn add(&mut self, mark: Markup) {
        self.marks.push_str(&mark.into_string());
    }

    /// A position in percent of the plot area, from its upper left corner.
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.at(x), 100.0 - self.y.at(y))
    }

    fn path(&self, points: &[(f64, f64)]) -> String {
        let mut path = String::new();
        for (i, point) in points.iter().enumerate() {
            let (x, y) = self.at(*point);
            let command = if i == 0 { "M" } else { "L" };
            path.push_str(&format!("{command}{} {}", short(x), short(y)));
        }
        path
    }

    /// Paths can't be given in percent: they live in a box of 100 x 100 that is stretched over the plot area.
    fn add_path(&mut self, class: &str, path: &str) {
        self.add(html! {
            svg viewBox="0 0 100 100" preserveAspectRatio="none" { path class=(class) d=(path) {} }
        });
    }
}

fn horizontal(axis: &Axis) -> Markup {
    html! {
        line.axis x1="0" y1="100%" x2="100%" y2="100%" {}
        @for (value, label) in &axis.ticks {
            text.tick x=(percentage(axis.at(*value))) y="100%" dy="18" text-anchor="middle" { (label) }
        }
        text.label x="100%" y="100%" dy="38" text-anchor="end" { (axis.label) }
    }
}

fn vertical(axis: &Axis) -> Markup {
    html! {
        @for (value, label) in &axis.ticks {
            @let y = percentage(100.0 - axis.at(*value));
            line.grid x1="0" y1=(y) x2="100%" y2=(y) {}
            text.tick x="-8" y=(y) dy=".35em" text-anchor="end" { (label) }
        }
        text.label x="0" y="0" dx="-40" dy="-14" { (axis.label) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_a_description_and_its_words_are_text() {
        let axis = || Axis::new(0.0, 1.0, "a & b", |v| format!("{v}"));
        let mut plot = Plot::new("p".to_owned(), "<T>".to_owned(), axis(), axis());
        plot.line(&[(0.0, 0.0), (0.5, 1.0)], "c");
        plot.area(&[(0.0, 0.5), (1.0, 0.5)], "w");
        plot.segment((0.0, 0.0), (f64::NAN, 1.0), "s");
        plot.rect((0.0, 0.0), (0.25, 0.5), "r", "b");
        plot.dot((0.5, 0.5), 3.0, "d", "\"x\" & y");
        plot.text((1.0, 1.0), (-4, 8), "end", "<n>");
        insta::assert_snapshot!(super::super::tests::lines(plot.finish("D > d")));
    }
}
