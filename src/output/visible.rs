//! Text for people, who may read it in a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Lines in which every control character but the tab is written out as `\u001b`: a terminal obeys some of them, and users'
/// ids, kinds and names of files may hold any. In JSON such an escape stands for the same text.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    let is_hidden = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_out_and_lines_stay() {
        let shown = visible_lines("a\u{1b}[31m\r\u{7f}\u{9b}0m\0\n\tü\u{1F600}\n");
        assert_eq!(
            shown,
            "a\\u001b[31m\\u000d\\u007f\\u009b0m\\u0000\n\tü\u{1F600}\n"
        );
        assert!(matches!(visible_lines("a\n\tü"), Cow::Borrowed("a\n\tü")));
    }

    #[test]
    fn json_means_the_same() {
        let text = "\u{1b}\u{7f}\u{9b}ü";
        let json = serde_json::to_string(text).unwrap();
        // Serde leaves the last two as they are.
        assert!(json.contains('\u{7f}') && json.contains('\u{9b}'));
        let shown = visible_lines(&json);
        assert!(!shown.contains(char::is_control));
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
    }
}
