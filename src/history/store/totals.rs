//! Counts over all users, made once when the histories are.

use serde::{Deserialize, Serialize};

use crate::history::{Day, DayRecord};

/// How many users with the most events are listed.
const BUSIEST: usize = 5;

/// Counts over all users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub(crate) users: usize,
    pub(crate) records: usize,
    pub(crate) span: Option<(Day, Day)>,
    kinds: Vec<KindTotals>,
    amounts: bool,
    busiest: Vec<(u64, String)>,
}

/// Counts of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindTotals {
    /// Events of this kind.
    pub events: u64,
    /// Users with such an event.
    pub users: u64,
}

impl Totals {
    /// The counts of each kind, by its number.
    pub fn kinds(&self) -> &[KindTotals] {
        &self.kinds
    }

    /// Whether any sum of amounts is not 0.
    pub fn has_amounts(&self) -> bool {
        self.amounts
    }

    /// The events and ids of the users with the most events, most first, and then by id.
    pub fn busiest(&self) -> &[(u64, String)] {
        &self.busiest
    }

    /// No user yet, of a log with so many kinds.
    pub(crate) fn of_kinds(kinds: usize) -> Self {
        Self {
            kinds: vec![KindTotals::default(); kinds],
            ..Self::default()
        }
    }

    /// Adds a user with these records, sorted by day and kind.
    pub(crate) fn add(&mut self, user: &[u8], records: &[DayRecord]) {
        self.users += 1;
        self.records += records.len();
        let span = records
            .first()
            .zip(records.last())
            .map(|(first, last)| (first.day, last.day));
        self.span = joined(self.span, span);
        let (mut events, mut seen) = (0, 0_u64);
        for record in records {
            events += u64::from(record.count);
            self.amounts |= record.amount.micros() != 0;
            let number = usize::from(record.kind);
            let kind = &mut self.kinds[number];
            kind.events += u64::from(record.count);
            // Users of the first 64 kinds are counted by a bit each; a set for every user would cost more than the sum.
            let bit = 1_u64.checked_shl(number as u32).unwrap_or(0);
            kind.users += u64::from(bit != 0 && seen & bit == 0);
            seen |= bit;
        }
        self.count_late_kinds(records);
        if self.busiest.len() < BUSIEST || self.busiest.last().is_some_and(|last| last.0 <= events)
        {
            self.busiest
                .push((events, String::from_utf8_lossy(user).into_owned()));
            self.keep_busiest();
        }
    }

    /// Counts the user under the kinds whose numbers have no bit.
    fn count_late_kinds(&mut self, records: &[DayRecord]) {
        if self.kinds.len() <= 64 {
            return;
        }
        let mut late: Vec<u16> = records
            .iter()
            .map(|record| record.kind)
            .filter(|kind| *kind >= 64)
            .collect();
        late.sort_unstable();
        late.dedup();
        for kind in late {
            self.kinds[usize::from(kind)].users += 1;
        }
    }

    fn keep_busiest(&mut self) {
        self.busiest
            .sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        self.busiest.truncate(BUSIEST);
    }

    /// Adds the totals of other users.
    pub(crate) fn with(mut self, other: Self) -> Self {
        self.users += other.users;
        self.records += other.records;
        self.span = joined(self.span, other.span);
        self.amounts |= other.amounts;
        self.kinds.resize(
            self.kinds.len().max(other.kinds.len()),
            KindTotals::default(),
        );
        for (mine, theirs) in self.kinds.iter_mut().zip(other.kinds) {
            mine.events += theirs.events;
            mine.users += theirs.users;
        }
        self.busiest.extend(other.busiest);
        self.keep_busiest();
        self
    }
}

fn joined(a: Option<(Day, Day)>, b: Option<(Day, Day)>) -> Option<(Day, Day)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (one, other) => one.or(other),
    }
}
