use std::collections::BTreeMap;

use super::EventsError;
use super::config::{EventsConfig, OnBadRow, OnStray};
use super::quality::rejection::{Field, Refusal, RefusalReason};
use super::quality::report::{PLACES_SHOWN, Place, RefusedRows};
use crate::history::{
    Amount, Day, DayBounds, DayRecord, HistoriesBuilder, HistoryError, Placement, RollupRead,
    Stray, Users,
};

/// Takes in the events that one thread reads and counts what is kept and what is not.
pub(crate) struct Intake {
    builder: HistoriesBuilder,
    days: DayBounds,
    users: Users,
    on_bad_row: OnBadRow,
    on_stray: OnStray,
    counts: Counts,
    /// Of the piece at hand.
    piece: PieceNotes,
}

/// What is counted, in whatever order.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) events: u64,
    pub(crate) rows_after_as_of: u64,
    pub(crate) rows_of_other_users: u64,
    pub(crate) empty_amounts: u64,
    /// The first and last day of all rows that have one, kept or not.
    pub(crate) span: Option<(Day, Day)>,
    /// Events below zero by kind.
    pub(crate) negative: BTreeMap<String, u64>,
}

/// What depends on the order of rows, or is compared with all others.
#[derive(Default)]
pub(crate) struct PieceNotes {
    pub(crate) refused: Vec<RefusedRows>,
    /// The hashes of rows that are compared for duplicates.
    pub(crate) hashes: Vec<u64>,
}

impl Counts {
    /// Adds what another thread has counted.
    pub(crate) fn merge(&mut self, other: Self) {
        self.events += other.events;
        self.rows_after_as_of += other.rows_after_as_of;
        self.rows_of_other_users += other.rows_of_other_users;
        self.empty_amounts += other.empty_amounts;
        if let Some((first, last)) = other.span {
            self.widen(first, last);
        }
        other
            .negative
            .into_iter()
            .for_each(|(kind, events)| *self.negative.entry(kind).or_default() += events);
    }

    fn widen(&mut self, from: Day, to: Day) {
        let (first, last) = self.span.unwrap_or((from, to));
        self.span = Some((first.min(from), last.max(to)));
    }
}

impl Intake {
    pub(crate) fn new(
        builder: HistoriesBuilder,
        days: DayBounds,
        users: Users,
        config: &EventsConfig,
    ) -> Self {
        let EventsConfig {
            on_bad_row,
            stray: on_stray,
            ..
        } = *config;
        Self {
            builder,
            days,
            users,
            on_bad_row,
            on_stray,
            counts: Counts::default(),
            piece: PieceNotes::default(),
        }
    }

    /// What becomes of a row of this day.
    pub(crate) fn placement(&self, day: Day) -> Placement {
        self.days.place(day)
    }

    /// The same, and takes note of it; the rest of a row may only be seen where the row is.
    pub(crate) fn place(&mut self, day: Day) -> Placement {
        let placement = self.days.place(day);
        if let Placement::Stray(_) = placement {
            return placement;
        }
        self.counts.widen(day, day);
        self.counts.rows_after_as_of += u64::from(placement == Placement::AfterAsOf);
        placement
    }

    /// Why a row is set aside.
    pub(crate) fn stray(&self, stray: Stray, day: Day) -> Refusal {
        let expected = match stray {
            Stray::InTheFuture => format!(
                "{}, since later days have not come yet",
                self.days.describe()
            ),
            _ => format!("{}, which the log covers", self.days.describe()),
        };
        Refusal {
            reason: stray.into(),
            field: Field::Time,
            value: day.to_string(),
            expected: expected.into(),
        }
    }

    /// Takes note of a row by the hash of its raw fields.
    pub(crate) fn compare(&mut self, hash: u64) {
        self.piece.hashes.push(hash);
    }

    /// Keeps one event; `None` for an amount that is mapped but empty.
    pub(crate) fn keep(
        &mut self,
        user: &str,
        kind: &str,
        day: Day,
        amount: Option<Amount>,
    ) -> Result<(), HistoryError> {
        if !self.users.has(user) {
            self.counts.rows_of_other_users += 1;
            return Ok(());
        }
        let amount = amount.unwrap_or_else(|| {
            self.counts.empty_amounts += 1;
            Amount::default()
        });
        if amount < Amount::default() {
            match self.counts.negative.get_mut(kind) {
                Some(events) => *events += 1,
                None => drop(self.counts.negative.insert(kind.to_owned(), 1)),
            }
        }
        let kind = self.builder.kind(kind)?;
        self.builder.add(
            user,
            DayRecord {
                amount,
                day,
                count: 1,
                kind,
            },
        )?;
        self.counts.events += 1;
        Ok(())
    }

    /// The number of a kind.
    pub(crate) fn kind(&mut self, name: &str) -> Result<u16, HistoryError> {
        self.builder.kind(name)
    }

    /// Keeps one event with a legal amount, whose kind has a number if it is before the as-of day; `false` when the amount
    /// is not legal, and nothing was done.
    pub(crate) fn keep_plain<'n>(
        &mut self,
        user: &str,
        day: Day,
        kind: Option<u16>,
        amount: Option<f64>,
        name: impl FnOnce(u16) -> &'n str,
    ) -> Result<bool, HistoryError> {
        let Some(kind) = kind else {
            self.place(day);
            return Ok(true);
        };
        let exact = match amount.map(Amount::new) {
            Some(Err(_)) => return Ok(false),
            Some(Ok(exact)) => exact,
            None => Amount::default(),
        };
        self.place(day);
        if !self.users.has(user) {
            self.counts.rows_of_other_users += 1;
            return Ok(true);
        }
        self.counts.empty_amounts += u64::from(amount.is_none());
        if exact < Amount::default() {
            *self
                .counts
                .negative
                .entry(name(kind).to_owned())
                .or_default() += 1;
        }
        self.builder.add(
            user,
            DayRecord {
                amount: exact,
                day,
                count: 1,
                kind,
            },
        )?;
        self.counts.events += 1;
        Ok(true)
    }

    /// Counts a refused row; an error where the configuration wants one.
    pub(crate) fn refuse(
        &mut self,
        refusal: Refusal,
        file: &str,
        line: u64,
        column: String,
    ) -> Result<(), EventsError> {
        let Refusal {
            reason,
            value,
            expected,
            ..
        } = refusal;
        let place = || Place::new(file, line, column.clone(), &value, &expected);
        if reason.is_stray() {
            if self.on_stray == OnStray::Fail {
                return Err(EventsError::Stray {
                    reason,
                    place: place(),
                });
            }
        } else if self.on_bad_row == OnBadRow::Fail {
            return Err(EventsError::Refused {
                reason,
                place: place(),
            });
        }
        let of_piece = &mut self.piece.refused;
        let position = of_piece
            .iter()
            .position(|refused| refused.reason == reason)
            .unwrap_or_else(|| {
                of_piece.push(RefusedRows {
                    reason,
                    rows: 0,
                    first: Vec::new(),
                });
                of_piece.len() - 1
            });
        if let Some(refused) = of_piece.get_mut(position) {
            refused.rows += 1;
            if refused.first.len() < PLACES_SHOWN {
                refused.first.push(place());
            }
        }
        Ok(())
    }

    /// Counts a refused row for `reason` if its place is not to be shown, so that it need not be described.
    pub(crate) fn refuse_unseen(&mut self, reason: RefusalReason) -> bool {
        let full = |refused: &&mut RefusedRows| {
            refused.reason == reason && refused.first.len() >= PLACES_SHOWN
        };
        let Some(refused) = self.piece.refused.iter_mut().find(full) else {
            return false;
        };
        refused.rows += 1;
        true
    }

    /// The place where roll-ups put their rows, and which days and users are read.
    pub(crate) fn rollup_target(&mut self) -> (&mut HistoriesBuilder, DayBounds, Users) {
        (&mut self.builder, self.days, self.users)
    }

    /// Counts what was read from the roll-up `file`.
    pub(crate) fn count_rollup(
        &mut self,
        read: &RollupRead,
        file: &str,
    ) -> Result<(), EventsError> {
        self.counts.events += read.events;
        self.counts.rows_after_as_of += read.rows_after_until;
        self.counts.rows_of_other_users += read.rows_of_other_users;
        if let Some((first, last)) = read.span {
            self.counts.widen(first, last);
        }
        for (stray, rows) in &read.strays {
            for (row, day) in &rows.first {
                self.refuse(self.stray(*stray, *day), file, *row, "day".to_owned())?;
            }
            let reason = (*stray).into();
            let counted = self
                .piece
                .refused
                .iter_mut()
                .find(|refused| refused.reason == reason);
            if let Some(refused) = counted {
                refused.rows += rows.rows.saturating_sub(rows.first.len() as u64);
            }
        }
        Ok(())
    }

    /// What was noted of the piece that is over.
    pub(crate) fn end_piece(&mut self) -> PieceNotes {
        std::mem::take(&mut self.piece)
    }

    /// Hands the events over; what was counted.
    pub(crate) fn close(self) -> Result<Counts, HistoryError> {
        self.builder.close()?;
        Ok(self.counts)
    }
}
