//! Words of the page.

use maud::{Markup, html};

use crate::history::Day;
use crate::report::number::THIN;

/// A date that stays on one line.
pub(crate) fn nowrap(day: Day) -> Markup {
    html! { span.nowrap { (day) } }
}

/// Text with its percentages kept on one line.
pub(crate) fn thin(text: &str) -> String {
    text.replace(" %", &format!("{THIN}%"))
}

/// The first `most` characters, with an ellipsis if there are more.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    let mut short: String = text.chars().take(most).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// `active_days` as `active days`.
pub(crate) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// `active days` as `Active days`.
pub(crate) fn capital(text: &str) -> String {
    let mut rest = text.chars();
    match rest.next() {
        Some(first) => first.to_uppercase().chain(rest).collect(),
        None => String::new(),
    }
}

/// `a`, `a or b`, `a, b or c`.
pub(crate) fn any_of(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_joined_and_cut_at_characters() {
        let kinds = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(any_of(&kinds[..1]), "a");
        assert_eq!(any_of(&kinds[..2]), "a or b");
        assert_eq!(any_of(&kinds), "a, b or c");
        assert_eq!(shorten("Zürich", 2), "Zü…");
        assert_eq!(shorten("Zürich", 6), "Zürich");
        assert_eq!(capital("élan vital"), "Élan vital");
        assert_eq!(words("one_active_day"), "one active day");
    }
}
