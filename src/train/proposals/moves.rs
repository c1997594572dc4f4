//! Which users have another stage under other thresholds.

use std::collections::BTreeMap;

use super::ProposalInput;
use crate::features::{Catalogue, Extractor};
use crate::history::{Block, HistoryError};
use crate::lifecycle::{Behaviour, Eligibility, Stage, Thresholds, classify};

/// Users by their stage now and their stage under `thresholds`. Cells of fewer than `privacy.min_users` are withheld, and in a row
/// in which one cell alone is withheld, the next smaller one with it.
pub(super) fn users_moved(
    input: &ProposalInput<'_>,
    thresholds: &Thresholds,
) -> Result<BTreeMap<String, BTreeMap<String, Option<u64>>>, HistoryError> {
    let spec = input.previous.spec();
    let churn = &input.config.churn;
    let catalogue = input.previous.catalogue();
    let observer = Observer {
        input,
        catalogue,
        eligibility: Eligibility::new(
            input.histories.kinds(),
            &churn.activity,
            churn.churn_event.as_deref(),
            churn.active_within_days,
        ),
        extractor: Extractor::new(catalogue, input.histories.kinds())
            .only(&Behaviour::quantities(&spec.schema)),
        thresholds,
    };
    let mut moves: BTreeMap<Stage, BTreeMap<Stage, u64>> = BTreeMap::new();
    for part in input
        .histories
        .map_blocks(|block| observer.of_block(block))?
    {
        for ((from, to), users) in part {
            *moves.entry(from).or_default().entry(to).or_default() += users;
        }
    }
    let least = u64::from(input.config.privacy.min_users);
    let rows = moves.into_iter();
    Ok(rows
        .map(|(from, row)| (from.name().to_owned(), withheld(row, least)))
        .collect())
}

/// A row of which cells under `least` are withheld, and never one alone of several.
fn withheld(row: BTreeMap<Stage, u64>, least: u64) -> BTreeMap<String, Option<u64>> {
    let few = row.values().filter(|users| **users < least).count();
    let second = if few == 1 {
        row.values().filter(|users| **users >= least).min().copied()
    } else {
        None
    };
    row.into_iter()
        .map(|(to, users)| {
            let shown = users >= least && Some(users) != second;
            (to.name().to_owned(), shown.then_some(users))
        })
        .collect()
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
        let row = |cells: &[(Stage, u64)]| {
            let row = withheld(cells.iter().copied().collect(), 10);
            row.into_values().collect::<Vec<_>>()
        };
        let (a, b, c) = (Stage::Acquisition, Stage::Exploration, Stage::Growth);
        assert_eq!(row(&[(a, 50), (b, 12)]), [Some(50), Some(12)]);
        assert_eq!(row(&[(a, 50), (b, 9)]), [None, None]);
        assert_eq!(row(&[(a, 50), (b, 9), (c, 20)]), [Some(50), None, None]);
        assert_eq!(row(&[(a, 50), (b, 9), (c, 3)]), [Some(50), None, None]);
        assert_eq!(row(&[(a, 3)]), [None]);
    }
}
