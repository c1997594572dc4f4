//! Bars with names. Names are text beside the bars, which wraps, instead of being drawn, which would not.

use super::plot::short;
use super::text::{escape, shorten};

/// Names longer than this are cut; the whole name shows when pointed at.
const NAME_SHOWN: usize = 120;

/// One bar: from where to where in percent of the width, how it looks and what is written behind it.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    /// Where it starts.
    pub(crate) from: f64,
    /// Where it ends.
    pub(crate) to: f64,
    /// Its class in the style sheet.
    pub(crate) class: &'static str,
    /// Its value, as text.
    pub(crate) value: String,
    /// The ends of an interval around its end, in percent of the width.
    pub(crate) whisker: Option<(f64, f64)>,
}

/// One row: a name and its bars, one below the other.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The name; any text.
    pub(crate) name: String,
    /// The bars.
    pub(crate) bars: Vec<Bar>,
}

/// Rows of bars as a list. All values get the room of the longest, so that all bars share one scale.
pub(crate) fn list(rows: &[Row]) -> String {
    let widest = rows
        .iter()
        .flat_map(|r| &r.bars)
        .map(|b| b.value.chars().count())
        .max()
        .unwrap_or(0);
    let rows: String = rows.iter().map(row).collect();
    format!("<ul class=\"bars\" style=\"--value:{widest}ch\">{rows}</ul>")
}

/// What the colours mean: class and words.
pub(crate) fn legend(keys: &[(&str, &str)]) -> String {
    let keys: String = keys
        .iter()
        .map(|(class, words)| {
            format!(
                "<span><span class=\"key {class}\"></span>{}</span>",
                escape(words)
            )
        })
        .collect();
    format!("<p class=\"legend\">{keys}</p>")
}

fn row(row: &Row) -> String {
    let bars: String = row.bars.iter().map(bar).collect();
    let name = shorten(&row.name, NAME_SHOWN);
    let whole = if name == row.name {
        String::new()
    } else {
        format!(" title=\"{}\"", escape(&row.name))
    };
    format!(
        "<li><span class=\"name\"{whole}>{}</span><span class=\"lanes\">{bars}</span></li>",
        escape(&name)
    )
}

fn bar(bar: &Bar) -> String {
    let (from, to) = (bar.from.min(bar.to), bar.from.max(bar.to));
    let whisker = bar.whisker.map_or(String::new(), |(low, high)| {
        let (low, high) = (short(low), short(high));
        format!("<line class=\"whisker\" x1=\"{low}%\" x2=\"{high}%\" y1=\"50%\" y2=\"50%\"/>")
    });
    // A bar too thin to be seen is still a bar.
    format!(
        "<span class=\"lane\"><svg aria-hidden=\"true\"><line class=\"zero\" x1=\"{zero}%\" x2=\"{zero}%\" y1=\"0\" \
         y2=\"100%\"/><rect class=\"{}\" x=\"{}%\" width=\"{}%\" y=\"2\" height=\"12\" rx=\"2\"/>{whisker}</svg>\
         <span class=\"value\">{}</span></span>",
        bar.class,
        short(from),
        short((to - from).max(0.4)),
        escape(&bar.value),
        zero = short(bar.from),
    )
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
