//! How `card.json` is laid out: lists of numbers on one line each.

/// Puts every innermost list without texts on one line.
pub(crate) fn join_numbers(json: &str) -> String {
    let mut joined = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(open) = rest.find(['[', '"']) {
        let (before, from) = rest.split_at(open);
        joined.push_str(before);
        let end = if from.starts_with('"') {
            end_of_text(from)
        } else {
            1
        };
        let list = from
            .get(1..)
            .and_then(|inner| inner.find(['[', '{', '"', ']']));
        let end = match list.filter(|_| end == 1).map(|at| at + 1) {
            Some(at) if from.get(at..).is_some_and(|f| f.starts_with(']')) => {
                let words: Vec<&str> = from
                    .get(1..at)
                    .unwrap_or_default()
                    .split_whitespace()
                    .collect();
                joined.push_str(&format!("[{}]", words.join(" ")));
                at + 1
            }
            _ => {
                joined.push_str(from.get(..end).unwrap_or(from));
                end
            }
        };
        rest = from.get(end..).unwrap_or_default();
    }
    joined + rest
}

/// The length of a JSON text with its quotes.
fn end_of_text(from: &str) -> usize {
    let mut escaped = false;
    let end = from.bytes().enumerate().skip(1).find(|(_, byte)| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(from.len(), |(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn lists_of_numbers_are_short_and_nothing_else_changes() {
        let value = json!({
            "pairs": [[0.0, 1.5], [2, -3e-7]], "names": ["a [b, \"c", "]\\"], "none": [], "deep": [{ "x": [1, 2, 3] }],
        });
        let joined = join_numbers(&serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(serde_json::from_str::<Value>(&joined).unwrap(), value);
        assert!(
            joined.contains("\"x\": [1, 2, 3]") && joined.contains("    [0.0, 1.5],\n"),
            "{joined}"
        );
    }
}
