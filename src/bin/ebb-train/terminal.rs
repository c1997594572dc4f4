//! Lines in the colours of a terminal.

use console::Style;
use ebb::output::visible_lines;
use ebb::report::lines::{Line, Piece, Tone};
use ebb::terminal::columns;

/// Columns of text that does not go to a terminal.
const PLAIN_COLUMNS: usize = 100;

/// Columns of text that has to have some width.
pub(crate) fn text_columns() -> usize {
    columns(std::io::stdout()).unwrap_or(PLAIN_COLUMNS)
}

/// Lines with the colours of their tones, unless standard output is no terminal or `NO_COLOR` is set; control characters are
/// written out.
pub(crate) fn painted(lines: &[Line]) -> String {
    let has_colours = console::colors_enabled();
    let lines: Vec<String> = lines.iter().map(|line| paint(line, has_colours)).collect();
    lines.join("\n")
}

fn paint(line: &Line, has_colours: bool) -> String {
    if !has_colours {
        return visible_lines(&line.text()).into_owned();
    }
    let piece = |Piece { text, tone }: &Piece| {
        let text = visible_lines(text);
        match style(*tone) {
            Some(style) => style.force_styling(true).apply_to(text).to_string(),
            None => text.into_owned(),
        }
    };
    line.pieces.iter().map(piece).collect()
}

fn style(tone: Tone) -> Option<Style> {
    match tone {
        Tone::Plain => None,
        Tone::Heading => Some(Style::new().bold()),
        Tone::Faint => Some(Style::new().dim()),
        Tone::Raises => Some(Style::new().red()),
        Tone::Lowers => Some(Style::new().cyan()),
    }
}
