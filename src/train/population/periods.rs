//! Money per user and period: ARPU (average revenue per user) and ARPPU (per paying user).
//!
//! Users are grouped by what was known of them before a period began: were it by what they did in the period, the groups
//! with high spend would be those that had it, by construction. Bounds of tiers and centres of segments are those of the fit.

use crate::card::{Period, PeriodCard};
use crate::history::{
    Amount, Block, Day, DayRecord, Histories, HistoryError, HistoryView, Stretch,
};
use crate::train::data::labels::Labeller;
use crate::train::data::snapshots::Observed;

/// The periods that are shown, at most: two years of months, and one that is not over.
const PERIODS: usize = 25;

/// The newest of them for which users are grouped, at most: a year of months, and one that is not over.
const GROUPED: usize = 13;

/// Fewer whole months than this are shown by week.
const LEAST_MONTHS: usize = 6;

/// What users are grouped by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grouping {
    /// Its name on the card, such as `tier`.
    pub(crate) by: &'static str,
    /// The groups' names; an empty one holds those who are in none.
    pub(crate) names: Vec<String>,
}

/// Which records are money, and which are activity.
#[derive(Clone, Debug)]
pub(crate) struct Money<'a> {
    is_value: Vec<bool>,
    labeller: &'a Labeller,
}

impl<'a> Money<'a> {
    /// The amounts of `value_kinds`, of histories whose records refer to `kinds`.
    pub(crate) fn new(kinds: &[String], value_kinds: &[String], labeller: &'a Labeller) -> Self {
        Self {
            is_value: kinds
                .iter()
                .map(|kind| value_kinds.contains(kind))
                .collect(),
            labeller,
        }
    }

    fn of(&self, records: &[DayRecord]) -> Cell {
        let mut cell = Cell::default();
        for day in records.chunk_by(|a, b| a.day == b.day) {
            let money = day.iter().filter(|r| self.is_value[usize::from(r.kind)]);
            let net: i128 = money.map(|r| i128::from(r.amount.micros())).sum();
            cell.micros += net;
            cell.payers |= u64::from(net > 0);
            cell.active |= u64::from(day.iter().any(|r| self.labeller.is_activity(r.kind)));
        }
        cell
    }
}

/// Sums over the users of a group in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cell {
    /// Net amount in micros; exact, so that no order of users or files matters.
    micros: i128,
    active: u64,
    payers: u64,
}

impl Cell {
    fn add(&mut self, other: &Self) {
        self.micros += other.micros;
        self.active += other.active;
        self.payers += other.payers;
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Which periods are shown, and where the sums of each of them are.
#[derive(Debug)]
struct Layout<'a> {
    period: Period,
    /// The numbers of the periods that are shown.
    shown: std::ops::Range<i32>,
    /// The first of them whose users are grouped.
    grouped_from: i32,
    groupings: &'a [Grouping],
    /// Cells of a period: everybody, and every group.
    width: usize,
}

impl<'a> Layout<'a> {
    fn new(observed: &Observed, as_of: Day, groupings: &'a [Grouping]) -> Self {
        let months = Period::Month;
        let whole = months.of(observed.until) - months.of(observed.first.plus(-1)) - 1;
        let period = if whole >= LEAST_MONTHS as i32 {
            months
        } else {
            Period::Week
        };
        let first = period.of(observed.first);
        let end = (period.of(as_of.plus(-1)) + 1).max(first);
        // In the first period nothing was known of anybody before it began.
        let grouped_from = (end - GROUPED as i32).max(first + 1);
        Self {
            period,
            shown: (end - PERIODS as i32).max(first)..end,
            grouped_from,
            groupings,
            width: 1 + groupings.iter().map(|g| g.names.len()).sum::<usize>(),
        }
    }

    fn days(&self, number: i32) -> Stretch {
        let start = |number| {
            self.period
                .start(number)
                .unwrap_or_else(|| unreachable!("periods of a log lie in the calendar"))
        };
        Stretch {
            from: start(number),
            until: start(number + 1),
        }
    }

    /// The cells of a period, among those of all that are shown.
    fn cells(&self, number: i32) -> std::ops::Range<usize> {
        let at = (number - self.shown.start) as usize * self.width;
        at..at + self.width
    }
}

/// Amount, active users and payers of each calendar month that a log touches, newest last (of each week, where fewer than
/// six months are whole); nothing at or after `as_of` is counted. `groups` makes what gives a user's group in each of the
/// `groupings` at a date, from nothing but what was before it. Groups without anybody are left out.
///
/// # Errors
/// [`HistoryError`] where histories on disk cannot be read, and those of `groups`.
pub(crate) fn periods<G, E>(
    histories: &Histories,
    money: &Money<'_>,
    (observed, as_of): (&Observed, Day),
    groupings: &[Grouping],
    groups: impl Fn() -> G + Sync,
) -> Result<Vec<PeriodCard>, E>
where
    G: FnMut(HistoryView<'_>, Day) -> Result<Vec<usize>, E>,
    E: From<HistoryError> + Send,
{
    let layout = Layout::new(observed, as_of, groupings);
    let mut sums = vec![Cell::default(); layout.shown.len() * layout.width];
    histories.stream_blocks::<_, E>(
        |block| of_block(block, money, &layout, as_of, groups()),
        |cells| {
            sums.iter_mut()
                .zip(&cells?)
                .for_each(|(sum, more)| sum.add(more));
            Ok(())
        },
    )?;
    let of_period = |number: i32| cards(&layout, number, observed, &sums[layout.cells(number)]);
    Ok(layout.shown.clone().flat_map(of_period).collect())
}

fn of_block<E>(
    block: &Block,
    money: &Money<'_>,
    layout: &Layout<'_>,
    as_of: Day,
    mut groups: impl FnMut(HistoryView<'_>, Day) -> Result<Vec<usize>, E>,
) -> Result<Vec<Cell>, E> {
    let mut sums = vec![Cell::default(); layout.shown.len() * layout.width];
    for (_, _, history) in block.iter() {
        let mut rest = history.before(as_of);
        for number in layout.shown.clone().rev() {
            let days = layout.days(number);
            let own = money.of(rest.between(days.from, days.until).records());
            rest = rest.before(days.from);
            if own.is_empty() {
                continue;
            }
            let cells = &mut sums[layout.cells(number)];
            cells[0].add(&own);
            if number < layout.grouped_from {
                continue;
            }
            let mut first = 1;
            for (grouping, group) in layout.groupings.iter().zip(groups(history, days.from)?) {
                assert!(
                    group < grouping.names.len(),
                    "a group is one of its grouping"
                );
                cells[first + group].add(&own);
                first += grouping.names.len();
            }
        }
    }
    Ok(sums)
}

/// The figures of a period: of everybody, and of each group with anybody in it.
fn cards(layout: &Layout<'_>, number: i32, observed: &Observed, cells: &[Cell]) -> Vec<PeriodCard> {
    let days = layout.days(number);
    let groups = layout.groupings.iter().flat_map(|grouping| {
        grouping
            .names
            .iter()
            .map(|name| (grouping.by, name.clone()))
    });
    let names = std::iter::once((PeriodCard::EVERYBODY, String::new())).chain(groups);
    let everybody = |by: &str| by == PeriodCard::EVERYBODY;
    names
        .zip(cells)
        .filter(|((by, _), cell)| everybody(by) || !cell.is_empty())
        .map(|((by, group), cell)| {
            let amount = amount(cell.micros);
            let per = |users: u64| (users > 0).then(|| amount / users as f64);
            PeriodCard {
                from: days.from,
                until: days.until,
                complete: days.from >= observed.first && observed.covers(days),
                by: by.to_owned(),
                group,
                amount,
                active_users: cell.active,
                payers: cell.payers,
                arpu: per(cell.active),
                arppu: per(cell.payers),
            }
        })
        .collect()
}

/// An exact sum in the unit of the log.
fn amount(micros: i128) -> f64 {
    i64::try_from(micros).map_or(micros as f64 / 1e6, |micros| {
        Amount::from_micros(micros).value()
    })
}

#[cfg(test)]
mod tests;
