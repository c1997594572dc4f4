//! Which kinds of events are money that users spend, and over which horizon the log can tell what users are worth.

use serde::Serialize;

use super::kinds::{KindFound, Meaning};
use crate::history::{Histories, HistoryError};
use crate::train::data::value_rows::LEAST_LEARNT_DAYS;

/// Horizons of spend that people ask for, longest first; the last one is proposed where none fits.
const HORIZONS: [u16; 3] = [365, 180, 90];

/// What the `[value]` table would hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ValueFound {
    /// The kinds whose amounts are spent: purchases, and returns whose amounts are below 0.
    pub kinds: Vec<String>,
    /// The longest usual horizon that fits into the log twice.
    pub horizon_days: u16,
}

impl ValueFound {
    /// What a log of so many days holds; `None` where nobody spends anything or the log is too short.
    pub(crate) fn of(
        histories: &Histories,
        found: &[KindFound],
        span_days: i32,
    ) -> Result<Option<Self>, HistoryError> {
        let longest = span_days / 2;
        if longest < i32::from(LEAST_LEARNT_DAYS) {
            return Ok(None);
        }
        let nets = net_micros(histories)?;
        let net = |found: &KindFound| {
            let kinds = histories.kinds().iter();
            let own = kinds.zip(&nets).find(|(kind, _)| **kind == found.kind);
            own.map_or(0, |(_, net)| *net)
        };
        let names = |is: &dyn Fn(&KindFound) -> bool| -> Vec<String> {
            let chosen = found.iter().filter(|found| is(found));
            chosen.map(|found| found.kind.clone()).collect()
        };
        let bought = |found: &KindFound| found.meaning == Meaning::Purchase && net(found) > 0;
        let mut kinds = names(&bought);
        if kinds.is_empty() {
            kinds = names(&|found| found.is_activity && net(found) > 0);
        }
        if kinds.is_empty() {
            return Ok(None);
        }
        kinds.extend(names(&|found| {
            found.meaning == Meaning::Return && net(found) < 0
        }));
        let fits = HORIZONS.iter().find(|days| i32::from(**days) <= longest);
        Ok(Some(Self {
            kinds,
            horizon_days: *fits.unwrap_or(&HORIZONS[HORIZONS.len() - 1]),
        }))
    }
}

/// The sum of the amounts of each kind in micros.
fn net_micros(histories: &Histories) -> Result<Vec<i128>, HistoryError> {
    let kinds = histories.kinds().len();
    let blocks = histories.map_blocks(|block| {
        let mut sums = vec![0_i128; kinds];
        for (_, _, history) in block.iter() {
            for record in history.records() {
                sums[usize::from(record.kind)] += i128::from(record.amount.micros());
            }
        }
        sums
    })?;
    let mut all = vec![0; kinds];
    for sums in blocks {
        for (all, sum) in all.iter_mut().zip(sums) {
            *all += sum;
        }
    }
    Ok(all)
}
