//! The words that names of columns and of kinds are made of.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::vocabulary;

/// Characters of one run of letters that is cut into known words.
const LONGEST_COMPOUND: usize = 40;

/// The words of a name in lower case: `InvoiceNo`, `invoice_no` and `invoiceno` are all `invoice`, `no`.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut runs: Vec<String> = Vec::new();
    let mut before = ' ';
    let characters: Vec<char> = name.chars().collect();
    for (at, &character) in characters.iter().enumerate() {
        let plain = plain_letter(character);
        let next_is_lower = characters.get(at + 1).is_some_and(|c| c.is_lowercase());
        // `customerID` and `HTTPStatus` change their case where a word begins; digits are words of their own.
        let is_start = !before.is_alphanumeric()
            || before.is_lowercase() && character.is_uppercase()
            || before.is_uppercase() && character.is_uppercase() && next_is_lower
            || before.is_ascii_digit() != character.is_ascii_digit();
        if character.is_alphanumeric() {
            match runs.last_mut() {
                Some(run) if !is_start => run.push_str(&plain),
                _ => runs.push(plain),
            }
        }
        before = character;
    }
    runs.iter().flat_map(|run| known_parts(run)).collect()
}

/// A letter in lower case and without its accent.
fn plain_letter(letter: char) -> String {
    let lower: String = letter.to_lowercase().collect();
    let plain = match lower.as_str() {
        "à" | "á" | "â" | "ã" | "å" => "a",
        "ä" => "ae",
        "ç" => "c",
        "è" | "é" | "ê" | "ë" => "e",
        "ì" | "í" | "î" | "ï" => "i",
        "ñ" => "n",
        "ò" | "ó" | "ô" | "õ" => "o",
        "ö" => "oe",
        "ù" | "ú" | "û" => "u",
        "ü" => "ue",
        "ß" => "ss",
        _ => return lower,
    };
    plain.to_owned()
}

/// The words of the vocabulary that compounds are cut into.
static KNOWN: LazyLock<BTreeSet<&'static str>> = LazyLock::new(vocabulary::parts_of_compounds);

/// A run of letters as known words, where it consists of nothing else; otherwise as it is.
fn known_parts(run: &str) -> Vec<String> {
    let is_whole = KNOWN.contains(run) || !run.is_ascii() || run.len() > LONGEST_COMPOUND;
    if is_whole {
        return vec![run.to_owned()];
    }
    // The cut with the fewest words up to each place.
    let mut cuts: Vec<Option<Vec<&str>>> = vec![Some(Vec::new())];
    for end in 1..=run.len() {
        let candidates = (0..end).filter_map(|start| {
            let word = run.get(start..end).filter(|word| KNOWN.contains(word))?;
            let mut cut = cuts.get(start)?.clone()?;
            cut.push(word);
            Some(cut)
        });
        cuts.push(candidates.min_by_key(Vec::len));
    }
    match cuts.pop().flatten() {
        Some(cut) => cut.into_iter().map(str::to_owned).collect(),
        None => vec![run.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_however_they_are_joined() {
        for (name, expected) in [
            ("CustomerID", "customer id"),
            ("customer_unique_id", "customer unique id"),
            ("visitorid", "visitor id"),
            ("InvoiceNo", "invoice no"),
            ("UnitPrice", "unit price"),
            ("Kundennummer", "kunden nummer"),
            ("Verkaufsdatum", "verkaufs datum"),
            ("Data da Compra", "data da compra"),
            ("preço_unitário", "preco unitario"),
            ("fullVisitorId", "full visitor id"),
            ("properties.order_total", "properties order total"),
            ("t_dat", "t dat"),
            ("Lineitem quantity", "lineitem quantity"),
            ("HTTPStatus", "http status"),
            ("paid", "paid"),
            ("zzyzx", "zzyzx"),
            ("column_12", "column 12"),
            ("", ""),
        ] {
            assert_eq!(words(name).join(" "), expected, "{name}");
        }
    }
}
