//! What words in the names of columns, and of kinds of events, say about them: points for and against a role. The words stand
//! in `vocabulary.txt`.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

/// The words with their points, by section.
const TEXT: &str = include_str!("vocabulary.txt");

/// A section of the vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Table {
    /// A person or an account, against what else has ids.
    User,
    /// What makes an id of the word beside it.
    Id,
    /// A time, against other times than that of the event.
    Time,
    /// What happens at the time of an event.
    EventTime,
    /// A kind of event, against other columns with few values.
    Kind,
    /// An amount of money of a whole row, against other numbers.
    Amount,
    /// A number of pieces.
    Quantity,
    /// The price of one piece.
    Price,
    /// That a price is that of one piece.
    Unit,
    /// An order or an invoice.
    Order,
    /// Parts of compounds that say nothing by themselves.
    Other,
    /// That something was bought.
    Purchase,
    /// That nothing was bought yet, or that it failed.
    Attempt,
    /// That something was given back.
    Return,
    /// That a user or an order ended.
    Cancellation,
    /// What is done to users and not by them.
    Passive,
    /// Trouble.
    Support,
    /// What users do without buying.
    Use,
}

/// All sections, in the order of the text.
const TABLES: [(&str, Table); 18] = [
    ("user", Table::User),
    ("id", Table::Id),
    ("time", Table::Time),
    ("event_time", Table::EventTime),
    ("kind", Table::Kind),
    ("amount", Table::Amount),
    ("quantity", Table::Quantity),
    ("price", Table::Price),
    ("unit", Table::Unit),
    ("order", Table::Order),
    ("other", Table::Other),
    ("purchase", Table::Purchase),
    ("attempt", Table::Attempt),
    ("return", Table::Return),
    ("cancellation", Table::Cancellation),
    ("passive", Table::Passive),
    ("support", Table::Support),
    ("use", Table::Use),
];

type Words = HashMap<&'static str, i32>;

static WORDS: LazyLock<HashMap<Table, Words>> = LazyLock::new(|| read(TEXT));

/// The sections of the text.
fn read(text: &'static str) -> HashMap<Table, Words> {
    let mut tables: HashMap<Table, Words> = HashMap::new();
    let mut section = None;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = TABLES.iter().find(|(known, _)| *known == name);
            assert!(
                section.is_some(),
                "vocabulary.txt has a section `{name}` that is not known"
            );
            continue;
        }
        let mut parts = line.split_whitespace();
        let points = parts.next().and_then(|points| points.parse::<i32>().ok());
        if let (Some(points), Some((_, table))) = (points, section) {
            let words = tables.entry(*table).or_default();
            words.extend(parts.map(|word| (word, points)));
        } else {
            assert!(
                line.is_empty(),
                "vocabulary.txt has a line without points or section: {line}"
            );
        }
    }
    tables
}

impl Table {
    /// The points that a word gives to the role; `None` where it says nothing.
    pub(crate) fn points_of(self, word: &str) -> Option<(&'static str, i32)> {
        let words = WORDS.get(&self)?;
        words
            .get_key_value(word)
            .map(|(known, points)| (*known, *points))
    }

    /// Whether a name has a word of this section.
    pub(crate) fn has_any(self, words: &[String]) -> bool {
        words.iter().any(|word| self.points_of(word).is_some())
    }

    /// What the words of a name say for and against the role.
    pub(crate) fn points(self, words: &[String]) -> Points {
        let mut points = Points::default();
        for (known, value) in words.iter().filter_map(|word| self.points_of(word)) {
            if value > points.best {
                (points.best, points.word) = (value, known);
            }
            points.worst = points.worst.min(value);
        }
        points
    }
}

/// What the words of a name say for and against a role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Points {
    /// The most that a word says for it; 0 where none does.
    pub(crate) best: i32,
    /// That word.
    pub(crate) word: &'static str,
    /// The most that a word says against it, below 0; 0 where none does.
    pub(crate) worst: i32,
}

impl Points {
    /// Both together.
    pub(crate) fn sum(self) -> i32 {
        self.best + self.worst
    }
}

/// The words into which names without breaks are cut. Of those with one or two letters only the common ones for an id: the
/// others are found in the middle of many words.
pub(crate) fn parts_of_compounds() -> BTreeSet<&'static str> {
    let all = WORDS.values().flat_map(HashMap::keys).copied();
    all.filter(|word| word.len() > 2 || matches!(*word, "id" | "no" | "nr"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_is_there_and_no_word_twice_in_one() {
        for (name, table) in TABLES {
            assert!(
                WORDS.get(&table).is_some_and(|words| !words.is_empty()),
                "{name}"
            );
        }
        let mut seen = BTreeSet::new();
        let mut section = "";
        for line in TEXT.lines().filter(|line| !line.starts_with('#')) {
            if line.starts_with('[') {
                section = line;
                continue;
            }
            for word in line.split_whitespace().skip(1) {
                assert!(seen.insert((section, word)), "{section} has `{word}` twice");
                assert!(
                    word.bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
                    "`{word}` is not as names are made into words"
                );
            }
        }
    }

    #[test]
    fn the_best_and_the_worst_word_of_a_name_count() {
        let words = ["order", "customer", "id"].map(str::to_owned);
        let found = Table::User.points(&words);
        assert_eq!(
            (found.best, found.word, found.worst, found.sum()),
            (30, "customer", -30, 0)
        );
        assert_eq!(
            Table::Amount.points(&["zzyzx".to_owned()]),
            Points::default()
        );
    }
}
