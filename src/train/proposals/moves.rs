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
    let mut moves = vec![vec![0; STAGES]; STAGES];
    for part in input
        .histories
        .map_blocks(|block| observer.of_block(block))?
    {
        for ((from, to), users) in part {
            // A row for each new stage: how many users have a stage now is on the card, and not how many will.
            moves[to as usize][from as usize] += users;
        }
    }
    Ok(by_stage(
        &withhold(&moves, STAGES, config.privacy.min_users.into()),
        &moves,
    ))
}

/// How many stages there are.
const STAGES: usize = Stage::ALL.len();

/// Those cells that anybody is in, by the stage now and the new one.
fn by_stage(shown: &[Vec<Option<u64>>], moves: &[Vec<u64>]) -> UsersMoved {
    let mut rows = UsersMoved::new();
    for (to, (shown, users)) in Stage::ALL.iter().zip(shown.iter().zip(moves)) {
        let cells = Stage::ALL.iter().zip(shown.iter().zip(users));
        for (from, (shown, _)) in cells.filter(|(_, (_, users))| **users > 0) {
            let row = rows.entry(from.name().to_owned()).or_default();
            row.insert(to.name().to_owned(), *shown);
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
    fn of_block(&self, block: &Block) -> BTreeMap<(Stage, Stage), u64> {
        let ProposalInput { config, as_of, .. } = self.input;
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
            let stage =
                |thresholds| classify(&behaviour, thresholds, config.churn.active_within_days).0;
            let states = (stage(&config.lifecycle), stage(self.thresholds));
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
        let mut moves = vec![vec![0; STAGES]; STAGES];
        let (new, exploring, growing) = (0, 1, 2);
        (moves[new][new], moves[exploring][new]) = (50, 9);
        (moves[exploring][exploring], moves[growing][exploring]) = (40, 12);
        let shown = by_stage(&withhold(&moves, STAGES, 10), &moves);
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
