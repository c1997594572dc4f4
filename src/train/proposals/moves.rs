//! Which users have another stage under other thresholds.

use std::collections::BTreeMap;

use super::ProposalInput;
use super::proposal::UsersMoved;
use crate::card::withhold;
use crate::features::{Catalogue, Extractor};
use crate::history::{Block, HistoryError};
use crate::lifecycle::{Behaviour, Eligibility, Stage, Thresholds, classify};

/// Users by their stage now and their stage under `thresholds`. Cells of fewer than `privacy.min_users` are withheld, and those that
/// would give them away.
pub(super) fn users_moved(
    input: &ProposalInput<'_>,
    thresholds: &Thresholds,
) -> Result<UsersMoved, HistoryError> {
    let config = input.config;
    let spec = input.previous.spec();
    let catalogue = input.previous.catalogue();
    let observer = Observer {
        input,
        catalogue,
        eligibility: input.eligibility(),
        extractor: Extractor::new(catalogue, input.histories.kinds())
            .only(&Behaviour::quantities(&spec.schema)),
        thresholds,
    };
    let mut moves = vec![vec![0; STATES]; STATES];
    for part in input
        .histories
        .map_blocks(|block| observer.of_block(block))?
    {
        for ((from, to), users) in part {
            // A row for each new stage: how many users have a stage now is on the card, and not how many will.
            moves[to][from] += users;
        }
    }
    Ok(by_stage(
        &withhold(&moves, STATES, config.privacy.min_users.into()),
        &moves,
    ))
}

/// How many states there are: the stages, and mature users who are due for review.
const STATES: usize = Stage::ALL.len() + 1;

/// The name of the state of mature users who are due for review.
const REVIEW_DUE: &str = "mature_review_due";

/// The names of the states in order.
fn names() -> impl Iterator<Item = &'static str> {
    let stages = Stage::ALL.iter().map(|stage| stage.name());
    stages.chain([REVIEW_DUE])
}

/// Those cells that anybody is in, by the stage now and the new one.
fn by_stage(shown: &[Vec<Option<u64>>], moves: &[Vec<u64>]) -> UsersMoved {
    let mut rows = UsersMoved::new();
    for (to, (shown, users)) in names().zip(shown.iter().zip(moves)) {
        let cells = names().zip(shown.iter().zip(users));
        for (from, (shown, _)) in cells.filter(|(_, (_, users))| **users > 0) {
            let row = rows.entry(from.to_owned()).or_default();
            row.insert(to.to_owned(), *shown);
        }
    }
    rows
}

struct Observer<'a> {
    input: &'a ProposalInput<'a>,
    catalogue: &'a Catalogue,
    eligibility: Eligibility,
    extractor: Extractor<'a>,
    thresholds: &'a Thresholds,
}

impl Observer<'_> {
    fn of_block(&self, block: &Block) -> BTreeMap<(usize, usize), u64> {
        let ProposalInput { config, as_of, .. } = self.input;
        let review = config.lifecycle.mature_review_days != self.thresholds.mature_review_days;
        let mut extractor = self.extractor.clone();
        let mut vector = vec![f64::NAN; self.catalogue.len()];
        let mut moves = BTreeMap::new();
        for (_, _, history) in block.iter() {
            if self.eligibility.at(history, *as_of).is_err() {
                continue;
            }
            extractor.extract(history, *as_of, &mut vector);
            let Ok(behaviour) = Behaviour::of(self.catalogue, &vector) else {
                continue;
            };
            let within = config.churn.active_within_days;
            let state = |thresholds: &Thresholds| {
                let (stage, _) = classify(&behaviour, thresholds, within);
                let due = f64::from(thresholds.mature_review_days);
                match stage {
                    Stage::Mature if review && behaviour.tenure_days >= due => STATES - 1,
                    stage => stage as usize,
                }
            };
            let states = (state(&config.lifecycle), state(self.thresholds));
            *moves.entry(states).or_insert(0) += 1;
        }
        moves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_under_the_least_can_be_read_or_reckoned() {
        let mut moves = vec![vec![0; STATES]; STATES];
        let (new, exploring, growing) = (0, 1, 2);
        (moves[new][new], moves[exploring][new]) = (50, 9);
        (moves[exploring][exploring], moves[growing][exploring]) = (40, 12);
        let shown = by_stage(&withhold(&moves, STATES, 10), &moves);
        // Of all in acquisition now, those that are left are known by those that are shown.
        let acquisition = &shown["acquisition"];
        assert_eq!(acquisition["acquisition"], None);
        assert_eq!(acquisition["exploration"], None);
        let exploration = &shown["exploration"];
        assert_eq!(exploration["exploration"], Some(40));
        assert_eq!(exploration["growth"], Some(12));
        assert_eq!(shown.len(), 2, "stages without anybody are left out");
    }
}
