//! Intervals with names on one scale: a dot for the figure, a line for its interval, and the axis below all.

use super::plot::{Axis, short};
use super::text::{escape, shorten};

/// Names longer than this are cut; the whole name shows when pointed at.
const NAME_SHOWN: usize = 90;

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Strip {
    /// The name; any text.
    pub(crate) name: String,
    /// Less important than the name, behind it.
    pub(crate) detail: String,
    /// Low end, figure and high end.
    pub(crate) interval: (f64, f64, f64),
    /// Something to compare with, drawn as a bar across.
    pub(crate) mark: Option<f64>,
    /// Its class in the style sheet.
    pub(crate) class: &'static str,
    /// The figure as text.
    pub(crate) value: String,
}

/// Groups of rows below their headings, and the axis; `reference` is a line through all rows.
pub(crate) fn list(groups: &[(String, Vec<Strip>)], axis: &Axis, reference: Option<f64>) -> String {
    let widest = groups
        .iter()
        .flat_map(|g| &g.1)
        .map(|s| s.value.chars().count())
        .max()
        .unwrap_or(0);
    let group = |(heading, strips): &(String, Vec<Strip>)| {
        let heading = match heading.as_str() {
            "" => String::new(),
            words => format!("<li class=\"group\">{}</li>", escape(words)),
        };
        heading
            + &strips
                .iter()
                .map(|strip| row(strip, axis, reference))
                .collect::<String>()
    };
    let rows: String = groups.iter().map(group).collect();
    format!(
        "<ul class=\"strips\" style=\"--value:{widest}ch\">{rows}{}</ul>",
        foot(axis)
    )
}

/// Ticks, at most: as many as lie beside each other in a narrow column.
fn most_ticks(digits: usize) -> usize {
    if digits > 3 { 3 } else { 5 }
}

/// An axis around all that is drawn, with a few round ticks; `format` is told how many decimals tell them apart.
pub(crate) fn axis(
    values: impl Iterator<Item = f64>,
    label: &str,
    format: impl Fn(f64, usize) -> String,
) -> Axis {
    let ends = values.filter(|v| v.is_finite());
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    });
    let (low, high) = if low < high { (low, high) } else { (0.0, 1.0) };
    let inside = |step: f64| {
        (libm::ceil(low / step - 1e-9) as i64)..=(libm::floor(high / step + 1e-9) as i64)
    };
    let digits = (0..8_usize).rev().flat_map(|digits| {
        [1, 2, 5].map(|k| (f64::from(k) * libm::pow(10.0, -(digits as f64)), digits))
    });
    let found = digits.into_iter().find(|(step, digits)| {
        (high - low) / step < 1e6 && inside(*step).count() <= most_ticks(*digits)
    });
    let (step, digits) = found.unwrap_or((high - low, 0));
    let margin = (high - low) * 0.04;
    let ticks = inside(step)
        .map(|k| (k as f64 * step, format(k as f64 * step, digits)))
        .collect();
    Axis {
        low: low - margin,
        high: high + margin,
        ticks,
        label: label.to_owned(),
    }
}

fn row(strip: &Strip, axis: &Axis, reference: Option<f64>) -> String {
    let at = |value: f64| short(axis.at(value));
    let (low, value, high) = strip.interval;
    let mut marks = String::new();
    if let Some(reference) = reference {
        marks.push_str(&format!(
            "<line class=\"zero\" x1=\"{0}%\" x2=\"{0}%\" y1=\"-30%\" y2=\"130%\"/>",
            at(reference)
        ));
    }
    if value.is_finite() {
        marks.push_str(&format!(
            "<line class=\"span\" x1=\"{}%\" x2=\"{}%\" y1=\"50%\" y2=\"50%\"/><circle cx=\"{}%\" cy=\"50%\" r=\"4.5\"/>",
            at(low),
            at(high),
            at(value)
        ));
    }
    if let Some(mark) = strip.mark.filter(|m| m.is_finite()) {
        marks.push_str(&format!(
            "<line class=\"mark\" x1=\"{0}%\" x2=\"{0}%\" y1=\"10%\" y2=\"90%\"/>",
            at(mark)
        ));
    }
    let name = shorten(&strip.name, NAME_SHOWN);
    let whole = if name == strip.name {
        String::new()
    } else {
        format!(" title=\"{}\"", escape(&strip.name))
    };
    let detail = match strip.detail.as_str() {
        "" => String::new(),
        words => format!(" <span class=\"detail\">{}</span>", escape(words)),
    };
    format!(
        "<li class=\"{}\"><span class=\"name\"{whole}>{}{detail}</span><svg class=\"strip\" aria-hidden=\"true\">{marks}\
         </svg><span class=\"value\">{}</span></li>",
        strip.class,
        escape(&name),
        escape(&strip.value)
    )
}

fn foot(axis: &Axis) -> String {
    let mut marks = String::from("<line class=\"axis\" x1=\"0\" x2=\"100%\" y1=\"1\" y2=\"1\"/>");
    for (value, label) in &axis.ticks {
        let at = axis.at(*value);
        marks.push_str(&format!(
            "<line class=\"axis\" x1=\"{0}%\" x2=\"{0}%\" y1=\"1\" y2=\"5\"/>\
             <text class=\"tick\" x=\"{0}%\" y=\"18\" text-anchor=\"middle\">{1}</text>",
            short(at),
            escape(label)
        ));
    }
    format!(
        "<li class=\"foot\"><span></span><span><svg class=\"scale\" aria-hidden=\"true\">{marks}</svg>\
         <span class=\"unit\">{}</span></span><span></span></li>",
        escape(&axis.label)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_lies_on_the_one_axis() {
        let strip = |name: &str, at: f64| Strip {
            name: name.to_owned(),
            detail: "<3 users>".to_owned(),
            interval: (at - 0.1, at, at + 0.1),
            mark: Some(0.5),
            class: "own",
            value: "x".to_owned(),
        };
        let values = [0.0, 1.0].into_iter();
        let scale = axis(values, "share & unit", |v, _| format!("{v}"));
        let html = list(
            &[(
                "G".to_owned(),
                vec![strip("<a>", 0.5), strip("b", f64::NAN)],
            )],
            &scale,
            Some(0.0),
        );
        assert!(
            html.contains("cx=\"50%\" cy=\"50%\" r=\"4.5\"") && html.contains("share &amp; unit"),
            "{html}"
        );
        assert!(
            html.contains("&lt;a&gt;") && html.contains("&lt;3 users&gt;") && !html.contains("NaN"),
            "{html}"
        );
        assert_eq!(
            html.matches("r=\"4.5\"").count(),
            1,
            "what is not a number is not drawn"
        );
        let empty = axis(std::iter::empty(), "", |v, _| format!("{v}"));
        assert!(empty.low < empty.high);
    }

    #[test]
    fn ticks_are_few_and_told_apart() {
        let read = |low: f64, high: f64| -> Vec<String> {
            let axis = axis([low, high].into_iter(), "", |v, digits| {
                format!("{v:.digits$}")
            });
            axis.ticks.into_iter().map(|t| t.1).collect()
        };
        assert_eq!(read(-0.19, 0.04), ["-0.15", "-0.10", "-0.05", "0.00"]);
        assert_eq!(read(0.22, 0.91), ["0.4", "0.6", "0.8"]);
        assert_eq!(
            read(0.0, 0.0042),
            ["0.000", "0.001", "0.002", "0.003", "0.004"]
        );
        assert_eq!(read(0.0, 0.0016), ["0.000", "0.001"]);
        assert_eq!(read(-0.0003, 0.0009), ["0.0000", "0.0005"]);
    }
}
