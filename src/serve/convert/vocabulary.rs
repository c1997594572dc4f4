//! The kinds of events that a model has seen, and what becomes of one that it has not.

use std::collections::{BTreeMap, BTreeSet};

use crate::features::nearest;

/// Every kind of the log that a model was fitted on, whether or not it has features of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vocabulary {
    kinds: BTreeSet<String>,
    /// The kinds by how they are written without blanks and in small letters.
    folded: BTreeMap<String, String>,
}

/// How a kind differs from all that were seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// In capitals or blanks alone; the kind that is meant.
    Spelling(String),
    /// Otherwise.
    Kind,
}

impl Vocabulary {
    /// A vocabulary of these kinds.
    pub(crate) fn new<'k>(kinds: impl Iterator<Item = &'k String>) -> Self {
        let kinds: BTreeSet<String> = kinds.cloned().collect();
        let folded = kinds
            .iter()
            .map(|kind| (folded(kind), kind.clone()))
            .collect();
        Self { kinds, folded }
    }

    /// Whether the model's log had events of this kind.
    pub(crate) fn check(&self, kind: &str) -> Result<(), Unseen> {
        if self.kinds.contains(kind) {
            return Ok(());
        }
        Err(self
            .folded
            .get(&folded(kind))
            .map_or(Unseen::Kind, |meant| Unseen::Spelling(meant.clone())))
    }

    /// The most similar kind; empty when none is.
    fn nearest(&self, kind: &str) -> String {
        let near = nearest(&folded(kind), self.folded.keys().map(String::as_str));
        near.and_then(|near| self.folded.get(near))
            .cloned()
            .unwrap_or_default()
    }
}

fn folded(kind: &str) -> String {
    kind.chars()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The most kinds that are told of.
const TOLD: usize = 10;
/// The most characters of a kind that are repeated.
const KIND_CHARS: usize = 100;

/// A kind that the model has not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownKind {
    /// The kind, or the beginning of it.
    pub(crate) kind: String,
    /// How many events the history has of it.
    pub(crate) events: u64,
    /// The most similar kind; empty when none is.
    pub(crate) nearest: String,
}

/// How many events a history has of kinds that the model has not seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnknownKinds(BTreeMap<String, u64>);

impl UnknownKinds {
    /// Counts events of one kind.
    pub(crate) fn add(&mut self, kind: &str, events: u32) {
        *self.0.entry(kind.to_owned()).or_default() += u64::from(events);
    }

    /// Those that an answer tells of, the ones with the most events first.
    pub(crate) fn told(self, vocabulary: &Vocabulary) -> Vec<UnknownKind> {
        let mut all: Vec<(String, u64)> = self.0.into_iter().collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let told = all
            .into_iter()
            .take(TOLD)
            .map(|(kind, events)| UnknownKind {
                nearest: vocabulary.nearest(&kind),
                kind: kind.chars().take(KIND_CHARS).collect(),
                events,
            });
        told.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_or_meant_or_told_of() {
        let kinds = ["purchase", "sign up", "Visit"].map(str::to_owned);
        let vocabulary = Vocabulary::new(kinds.iter());
        assert_eq!(vocabulary.check("purchase"), Ok(()));
        assert_eq!(
            vocabulary.check("Purchase"),
            Err(Unseen::Spelling("purchase".into()))
        );
        assert_eq!(
            vocabulary.check("signup"),
            Err(Unseen::Spelling("sign up".into()))
        );
        assert_eq!(
            vocabulary.check("visit"),
            Err(Unseen::Spelling("Visit".into()))
        );
        assert_eq!(vocabulary.check("purchases"), Err(Unseen::Kind));
        let mut unknown = UnknownKinds::default();
        for (kind, events) in [("purchases", 2), ("zzz", 3), ("purchases", 2)] {
            unknown.add(kind, events);
        }
        let told: Vec<_> = unknown
            .told(&vocabulary)
            .into_iter()
            .map(|u| (u.kind, u.events, u.nearest))
            .collect();
        assert_eq!(
            told,
            [
                ("purchases".into(), 4, "purchase".into()),
                ("zzz".into(), 3, String::new())
            ]
        );
    }

    #[test]
    fn whatever_is_sent_the_answer_stays_small() {
        let mut unknown = UnknownKinds::default();
        (0..10_000).for_each(|i| unknown.add(&format!("{i}{}", "x".repeat(1_000)), u32::MAX));
        let told = unknown.told(&Vocabulary::default());
        assert!(told.len() == TOLD && told.iter().all(|u| u.kind.len() == KIND_CHARS));
    }
}
