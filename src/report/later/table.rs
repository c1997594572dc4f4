//! Rows of cells as aligned text and as Markdown.

use std::fmt::Write;

use crate::card::Interval;

/// A table with a heading for each column; all columns but the first are figures.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row with a cell for each column.
    pub(crate) fn push(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.headings.len(), "a cell for each column");
        self.rows.push(cells);
    }

    /// Lines with aligned columns, each after `indent`.
    pub(crate) fn text(&self, indent: &str) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].as_str());
            let all = cells.chain([self.headings[column]]);
            all.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.headings.len()).map(width).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let mut line = indent.to_owned();
            for (column, (cell, width)) in cells.zip(&widths).enumerate() {
                // Writing to a String cannot fail.
                let _ = match column {
                    0 => write!(line, "{cell:<width$}"),
                    _ => write!(line, "  {cell:>width$}"),
                };
            }
            line.trim_end().to_owned() + "\n"
        };
        let mut text = line(&mut self.headings.iter().copied());
        for row in &self.rows {
            text += &line(&mut row.iter().map(String::as_str));
        }
        text
    }

    /// A table of GitHub's Markdown.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut text = line(self.headings.iter().map(|cell| escaped(cell)).collect());
        let rule = self.headings.iter().enumerate();
        let rule = rule.map(|(column, _)| if column == 0 { "---" } else { "---:" });
        text += &line(rule.map(str::to_owned).collect());
        for row in &self.rows {
            text += &line(row.iter().map(|cell| escaped(cell)).collect());
        }
        text
    }
}

/// Text as a cell or a sentence of Markdown: what would be markup is shown, and no line ends.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '\\' | '#' | '~' => {
                safe.push('\\');
                safe.push(c);
            }
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// `0.5514 [0.5401, 0.5630]`.
pub(crate) fn span(i: Interval) -> String {
    if !i.value.is_finite() {
        return "-".to_owned();
    }
    format!("{:.4} [{:.4}, {:.4}]", i.value, i.low, i.high)
}

/// `+0.0012 [-0.0010, +0.0034]`.
pub(crate) fn signed_span(i: Interval) -> String {
    if !i.value.is_finite() {
        return "-".to_owned();
    }
    // A difference of nothing has no sign.
    let signed = |v: f64| match format!("{v:+.4}").as_str() {
        "-0.0000" | "+0.0000" => "0.0000".to_owned(),
        text => text.to_owned(),
    };
    format!(
        "{} [{}, {}]",
        signed(i.value),
        signed(i.low),
        signed(i.high)
    )
}
