//! Intervals with names on one scale: a dot for the figure, a line for its interval, and the axis below all.

use maud::{Markup, html};

use super::axis::{Axis, percentage};
use super::bars;
use crate::card::Interval;

/// Longer names are cut; the whole name is the tooltip.
const NAME_SHOWN: usize = 90;

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct IntervalRow {
    /// The name; any text.
    pub(crate) name: String,
    /// Less important than the name, behind it; may be empty.
    pub(crate) detail: String,
    /// The figure with the ends of its interval. Without a finite figure nothing is drawn.
    pub(crate) interval: Interval,
    /// A value to compare with, drawn as a bar across.
    pub(crate) mark: Option<f64>,
    /// Its class in the style sheet.
    pub(crate) class: &'static str,
    /// The figure as text.
    pub(crate) value: String,
}

/// Rows that belong together, below a heading; an empty heading is left out.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The heading.
    pub(crate) heading: String,
    /// The rows in order.
    pub(crate) rows: Vec<IntervalRow>,
}

/// Groups of intervals on one axis.
#[derive(Clone, Debug)]
pub(crate) struct IntervalPlot {
    /// The groups in order.
    pub(crate) groups: Vec<Group>,
    /// The scale of all rows.
    pub(crate) axis: Axis,
    /// A line through all rows.
    pub(crate) reference: f64,
}

impl IntervalPlot {
    /// A plot of rows without headings.
    pub(crate) fn new(rows: Vec<IntervalRow>, axis: Axis, reference: f64) -> Self {
        let heading = String::new();
        Self {
            groups: vec![Group { heading, rows }],
            axis,
            reference,
        }
    }

    /// The plot as a list. All values get the room of the longest, so that all rows share one scale.
    pub(crate) fn draw(&self) -> Markup {
        let rows = self.groups.iter().flat_map(|g| &g.rows);
        let widest = rows.map(|r| r.value.chars().count()).max().unwrap_or(0);
        html! {
            ul.intervals style={ "--value:" (widest) "ch" } {
                @for group in &self.groups {
                    @if !group.heading.is_empty() { li.group { (group.heading) } }
                    @for row in &group.rows { (self.row(row)) }
                }
                (foot(&self.axis))
            }
        }
    }

    fn row(&self, row: &IntervalRow) -> Markup {
        let at = |value: f64| percentage(self.axis.at(value));
        let reference = at(self.reference);
        let interval = Some(row.interval).filter(|i| i.value.is_finite());
        let mark = row.mark.filter(|m| m.is_finite()).map(at);
        let detail = Some(row.detail.as_str()).filter(|d| !d.is_empty());
        html! {
            li class=(row.class) {
                (bars::name(&row.name, NAME_SHOWN, detail))
                svg.interval aria-hidden="true" {
                    line.zero x1=(reference) x2=(reference) y1="-30%" y2="130%" {}
                    @if let Some(i) = interval {
                        line.span x1=(at(i.low)) x2=(at(i.high)) y1="50%" y2="50%" {}
                        circle cx=(at(i.value)) cy="50%" r="4.5" {}
                    }
                    @if let Some(x) = mark { line.mark x1=(x) x2=(x) y1="10%" y2="90%" {} }
                }
                span.value { (row.value) }
            }
        }
    }
}

fn foot(axis: &Axis) -> Markup {
    html! {
        li.foot {
            span {}
            span {
                svg.scale aria-hidden="true" {
                    line.axis x1="0" x2="100%" y1="1" y2="1" {}
                    @for (value, label) in &axis.ticks {
                        @let x = percentage(axis.at(*value));
                        line.axis x1=(x) x2=(x) y1="1" y2="5" {}
                        text.tick x=(x) y="18" text-anchor="middle" { (label) }
                    }
                }
                span.unit { (axis.label) }
            }
            span {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_lies_on_the_one_axis() {
        let row = |name: &str, value: f64| IntervalRow {
            name: name.to_owned(),
            detail: "<3 users>".to_owned(),
            interval: Interval {
                low: value - 0.1,
                value,
                high: value + 0.1,
            },
            mark: Some(0.5),
            class: "own",
            value: "x".to_owned(),
        };
        let axis = Axis::around([0.0, 1.0].into_iter(), "share & unit", |v, _| {
            format!("{v}")
        });
        let plot = IntervalPlot {
            groups: vec![Group {
                heading: "G".to_owned(),
                rows: vec![row("<a>", 0.5), row("not a number", f64::NAN)],
            }],
            axis,
            reference: 0.0,
        };
        insta::assert_snapshot!(super::super::tests::lines(plot.draw()));
    }
}
