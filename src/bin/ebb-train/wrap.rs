//! Text that fits into the columns of a terminal.

/// Columns by which the rest of a line that was too long is indented further.
const HANGING: usize = 4;

/// The text with no line longer than `columns` as far as words allow. Rows of a table are broken between their columns.
pub(crate) fn wrapped(text: &str, columns: usize) -> String {
    let lines = text.lines().flat_map(|line| fitted(line, columns));
    lines.collect::<Vec<String>>().join("\n")
}

fn fitted(line: &str, columns: usize) -> Vec<String> {
    if textwrap::core::display_width(line) <= columns {
        return vec![line.to_owned()];
    }
    let words = line.trim_start();
    let indent = line.len() - words.len();
    // An indentation that leaves no room is not kept.
    let hanging = " ".repeat((indent + HANGING).min(columns / 2));
    let lines = if words.trim_end().contains("  ") {
        rows(line, &hanging, columns)
    } else {
        vec![line.to_owned()]
    };
    let prose = textwrap::Options::new(columns)
        .subsequent_indent(&hanging)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
    let wrap = |line: &String| -> Vec<String> {
        let lines = textwrap::wrap(line, &prose);
        lines
            .into_iter()
            .map(std::borrow::Cow::into_owned)
            .collect()
    };
    lines.iter().flat_map(wrap).collect()
}

/// A row of a table, broken where two blanks or more divide its columns.
fn rows(line: &str, hanging: &str, columns: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    let mut row = String::new();
    for cell in cells(line) {
        let width = textwrap::core::display_width(&row) + textwrap::core::display_width(cell);
        if width > columns && !row.trim().is_empty() {
            rows.push(row.trim_end().to_owned());
            row = format!("{hanging}{}", cell.trim_start());
        } else {
            row += cell;
        }
    }
    rows.push(row.trim_end().to_owned());
    rows
}

/// The columns of a row, each with the blanks before it.
fn cells(line: &str) -> Vec<&str> {
    let mut cells = Vec::new();
    let (mut start, mut blanks) = (0, 0);
    for (at, letter) in line.char_indices() {
        if letter == ' ' {
            blanks += 1;
            continue;
        }
        let before = at - blanks;
        if blanks > 1 && before > start {
            cells.push(&line[start..before]);
            start = before;
        }
        blanks = 0;
    }
    cells.push(&line[start..]);
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_broken_between_words_and_hangs() {
        let text =
            "Short.\n  Note: the anniversary one year before weighs as much as the newest date\n";
        let expected = "Short.\n  Note: the anniversary one year before\n      weighs as much as the newest date";
        assert_eq!(wrapped(text, 40), expected);
        assert_eq!(wrapped(text, 200), text.trim_end());
        // A word that is longer than a line stays whole: it may be a path.
        let path = "see /srv/models/a/very/long/path/to/the/next/model/report.html";
        assert_eq!(
            wrapped(path, 40),
            "see\n    /srv/models/a/very/long/path/to/the/next/model/report.html"
        );
    }

    #[test]
    fn rows_are_broken_between_their_columns() {
        let row = "    recency_only    0.5982 [0.5704, 0.6259]  0.7433 [0.7071, 0.7734]     0.0820";
        let expected = [
            "    recency_only    0.5982 [0.5704, 0.6259]",
            "        0.7433 [0.7071, 0.7734]     0.0820",
        ];
        assert_eq!(wrapped(row, 50), expected.join("\n"));
        let all: Vec<String> = wrapped(row, 50)
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        assert_eq!(
            all,
            row.split_whitespace().collect::<Vec<_>>(),
            "nothing is lost"
        );
    }

    #[test]
    fn letters_of_two_columns_count_twice() {
        let text = "顧客 顧客 顧客 顧客 顧客 顧客 顧客 顧客 顧客 顧客";
        let lines = wrapped(text, 40);
        let widest = lines.lines().map(textwrap::core::display_width).max();
        assert!(widest.is_some_and(|widest| widest <= 40) && lines.lines().count() == 2);
    }
}
