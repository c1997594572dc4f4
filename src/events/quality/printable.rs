use std::path::Path;

/// Text for a message: at most `limit` characters, and without control characters, which a terminal may obey.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    let mut kept: String = text.chars().take(limit).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    if kept.contains(char::is_control) {
        escaped(&kept)
    } else {
        kept
    }
}

/// A path for a message, whole and without control characters.
pub(crate) fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.contains(char::is_control) {
        escaped(&text)
    } else {
        text.into_owned()
    }
}

fn escaped(text: &str) -> String {
    let escape = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_out_and_nothing_else() {
        assert_eq!(
            printable("a\u{1b}[31m\0\n\"ü\"", 80),
            "a\\u{1b}[31m\\u{0}\\n\"ü\""
        );
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(shown(Path::new("a\r\nb")), "a\\r\\nb");
    }
}
