//! The kinds of events of a model's log, and how kinds of a request that are not among them are reported.

use std::collections::{BTreeMap, BTreeSet};

use crate::features::nearest;

/// Every kind of the log that a model was fitted on, whether or not it has features of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vocabulary {
    kinds: BTreeSet<String>,
    /// The kinds by their spelling without whitespace and in lower case.
    folded: BTreeMap<String, String>,
}

/// How a kind differs from all of the model's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// Only in case or whitespace; the kind that is probably meant.
    Spelling(String),
    /// In more than that.
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
        near.map_or_else(String::new, |near| self.folded[near].clone())
    }
}

fn folded(kind: &str) -> String {
    kind.chars()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The most kinds that an answer reports.
const MAX_REPORTED: usize = 10;
/// The most characters of a kind in an answer.
const MAX_KIND_CHARS: usize = 100;

/// A kind that was not in the model's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownKind {
    /// The kind, at most its first 100 characters.
    pub(crate) kind: String,
    /// How many events of the history are of this kind.
    pub(crate) events: u64,
    /// The most similar kind; empty when none is.
    pub(crate) nearest: String,
}

/// How many events a history has of kinds that were not in the model's log.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnknownKinds(BTreeMap<String, u64>);

impl UnknownKinds {
    /// Counts events of one kind.
    pub(crate) fn add(&mut self, kind: &str, events: u32) {
        *self.0.entry(kind.to_owned()).or_default() += u64::from(events);
    }

    /// The kinds that an answer reports, the most frequent first.
    pub(crate) fn reported(self, vocabulary: &Vocabulary) -> Vec<UnknownKind> {
        let mut all: Vec<(String, u64)> = self.0.into_iter().collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let reported = all
            .into_iter()
            .take(MAX_REPORTED)
            .map(|(kind, events)| UnknownKind {
                nearest: vocabulary.nearest(&kind),
                kind: kind.chars().take(MAX_KIND_CHARS).collect(),
                events,
            });
        reported.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_or_corrected_or_reported() {
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
        let reported: Vec<_> = unknown
            .reported(&vocabulary)
            .into_iter()
            .map(|u| (u.kind, u.events, u.nearest))
            .collect();
        assert_eq!(
            reported,
            [
                ("purchases".into(), 4, "purchase".into()),
                ("zzz".into(), 3, String::new())
            ]
        );
    }

    #[test]
    fn an_answer_stays_small_for_any_number_of_kinds() {
        let mut unknown = UnknownKinds::default();
        (0..10_000).for_each(|i| unknown.add(&format!("{i}{}", "x".repeat(1_000)), u32::MAX));
        let reported = unknown.reported(&Vocabulary::default());
        assert_eq!(reported.len(), MAX_REPORTED);
        assert!(reported.iter().all(|u| u.kind.len() == MAX_KIND_CHARS));
    }
}
