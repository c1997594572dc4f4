//! Lines of text for a terminal of some width. What colours mean is said here; whether there are any is for the program to say.

use console::{measure_text_width, truncate_str};

/// What a piece of text is, for those who see colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// A heading.
    Heading,
    /// Of less weight.
    Faint,
    /// What raises the risk.
    Raises,
    /// What lowers it.
    Lowers,
}

/// Text of one tone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The text, without line breaks.
    pub text: String,
    /// Its tone.
    pub tone: Tone,
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Its pieces, from left to right.
    pub pieces: Vec<Piece>,
}

impl Line {
    /// A line of one tone.
    pub(crate) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self::default().with(tone, text)
    }

    /// The line with a piece at its end. Line breaks and other control characters become blanks: ids and kinds may hold any.
    pub(crate) fn with(mut self, tone: Tone, text: impl Into<String>) -> Self {
        let text = text.into().replace(char::is_control, " ");
        self.pieces.push(Piece { text, tone });
        self
    }

    /// The text without its tones and without blanks at its end.
    pub fn text(&self) -> String {
        let text: String = self
            .pieces
            .iter()
            .map(|piece| piece.text.as_str())
            .collect();
        text.trim_end().to_owned()
    }
}

/// Columns that a text takes on a terminal.
pub(crate) fn width_of(text: &str) -> usize {
    measure_text_width(text)
}

/// A text cut to a number of columns, with an ellipsis where something is missing.
pub(crate) fn cut(text: &str, width: usize) -> String {
    truncate_str(text, width, "…").into_owned()
}

/// A text in exactly so many columns: cut, or filled with blanks on the right.
pub(crate) fn left(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let blanks = width.saturating_sub(width_of(&text));
    text + &" ".repeat(blanks)
}

/// The same with the blanks on the left.
pub(crate) fn right(text: &str, width: usize) -> String {
    let text = cut(text, width);
    " ".repeat(width.saturating_sub(width_of(&text))) + &text
}

/// A sentence over as many lines as it takes; those after the first are indented. A word longer than a line stays whole.
pub(crate) fn wrapped(tone: Tone, sentence: &str, width: usize) -> Vec<Line> {
    const INDENT: &str = "  ";
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in sentence.split_whitespace() {
        let length = width_of(&line) + 1 + width_of(word);
        if !line.trim().is_empty() && length > width {
            lines.push(Line::new(tone, line));
            line = INDENT.to_owned() + word;
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines.push(Line::new(tone, line));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_wrapped_between_words() {
        let lines = |width| -> Vec<String> {
            let lines = wrapped(Tone::Plain, "one two three four_and_more five", width);
            lines.iter().map(Line::text).collect()
        };
        assert_eq!(lines(80), ["one two three four_and_more five"]);
        assert_eq!(lines(13), ["one two three", "  four_and_more", "  five"]);
    }

    #[test]
    fn columns_are_those_of_a_terminal() {
        assert_eq!(width_of("客户"), 4);
        assert_eq!(left("客户", 6), "客户  ");
        assert_eq!(right("ab", 4), "  ab");
        assert_eq!(
            width_of(&left("客户客户", 5)),
            5,
            "half a character does not fit"
        );
        assert_eq!(cut("abcdef", 4), "abc…");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let line = Line::new(Tone::Plain, "a\u{1b}[31m\nb");
        assert_eq!(line.text(), "a [31m b");
    }
}
