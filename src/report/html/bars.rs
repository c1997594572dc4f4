//! Bars with names. Names are text beside the bars, which wraps, instead of being drawn, which would not.

use maud::{Markup, html};

use super::axis::percentage;
use super::text::shorten;
use crate::report::number::signed;

/// Longer names are cut; the whole name is the tooltip.
const NAME_SHOWN: usize = 120;

/// One bar. Positions are in percent of the width.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    /// Where it starts; the zero line is drawn there.
    pub(crate) from: f64,
    /// Where it ends, on either side.
    pub(crate) to: f64,
    /// Its class in the style sheet.
    pub(crate) class: &'static str,
    /// The value as text, behind the bar.
    pub(crate) value: String,
    /// The ends of an interval around its end.
    pub(crate) whisker: Option<(f64, f64)>,
}

impl Bar {
    /// A bar from the left edge without an interval.
    pub(crate) fn new(to: f64, class: &'static str, value: String) -> Self {
        Self {
            from: 0.0,
            to,
            class,
            value,
            whisker: None,
        }
    }
}

/// One row: a name, which may be any text, and its bars, one below the other.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The name; any text.
    pub(crate) name: String,
    /// The bars.
    pub(crate) bars: Vec<Bar>,
}

impl Row {
    /// A row of one bar to either side of zero, as long as its value is next to the largest of all rows.
    pub(crate) fn around_zero(name: String, value: f64, largest: f64) -> Self {
        // Half of the width on either side of zero belongs to the largest value.
        let length = part(value.abs(), largest) / 2.0;
        Self {
            name,
            bars: vec![Bar {
                from: 50.0,
                to: 50.0 + length.copysign(value),
                class: if value > 0.0 { "churn" } else { "stay" },
                value: signed(value, 2),
                whisker: None,
            }],
        }
    }
}

/// Rows of bars as a list. All values get the room of the longest, so that all bars share one scale.
pub(crate) fn list(rows: &[Row]) -> Markup {
    let lengths = rows
        .iter()
        .flat_map(|r| &r.bars)
        .map(|b| b.value.chars().count());
    let widest = lengths.max().unwrap_or(0);
    html! {
        ul.bars style={ "--value:" (widest) "ch" } {
            @for row in rows {
                li {
                    (name(&row.name, NAME_SHOWN, None))
                    span.lanes { @for bar in &row.bars { (lane(bar)) } }
                }
            }
        }
    }
}

/// A row's name, cut after `most` characters, with an optional detail behind it.
pub(crate) fn name(name: &str, most: usize, detail: Option<&str>) -> Markup {
    let short = shorten(name, most);
    let whole = (short != name).then_some(name);
    html! {
        span.name title=[whole] { (short) @if let Some(detail) = detail { " " span.detail { (detail) } } }
    }
}

/// The meaning of colours: classes of the keys, and words.
pub(crate) fn legend<'a>(keys: impl IntoIterator<Item = (&'a str, &'a str)>) -> Markup {
    html! {
        p.legend {
            @for (class, words) in keys { span { span class={ "key " (class) } {} (words) } }
        }
    }
}

fn lane(bar: &Bar) -> Markup {
    let (from, to) = (bar.from.min(bar.to), bar.from.max(bar.to));
    let zero = percentage(bar.from);
    // A bar too thin to be seen is still a bar.
    let width = percentage((to - from).max(0.4));
    html! {
        span.lane {
            svg aria-hidden="true" {
                line.zero x1=(zero) x2=(zero) y1="0" y2="100%" {}
                rect class=(bar.class) x=(percentage(from)) width=(width) y="2" height="12" rx="2" {}
                @if let Some((low, high)) = bar.whisker {
                    line.whisker x1=(percentage(low)) x2=(percentage(high)) y1="50%" y2="50%" {}
                }
            }
            span.value { (bar.value) }
        }
    }
}

/// A part of the largest, in percent of the width.
pub(crate) fn part(value: f64, largest: f64) -> f64 {
    let part = value / largest * 100.0;
    if part.is_finite() {
        part.clamp(0.0, 100.0)
    } else {
        0.0
    }
}
