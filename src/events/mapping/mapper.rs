//! Rows as events.

use std::borrow::Cow;

use super::field::{Columns, Row, Source, Stop, text_of};
use super::time::TimeReader;
use crate::columnar::Cell;
use crate::events::EventsError;
use crate::events::config::{Decimal, EventsConfig, Field};
use crate::events::quality::rejection::{Rejection, RejectionReason};
use crate::history::{AMOUNT_LIMIT, Amount, Day};

/// The kind of all events of a log that has no kinds, where the caller does not name one.
pub(crate) const KIND_OF_ALL: &str = "event";

/// One event of a log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Event<'e> {
    pub(crate) user: &'e str,
    pub(crate) day: Day,
    pub(crate) kind: &'e str,
    /// `None` where amounts are mapped and this one is empty.
    pub(crate) amount: Option<Amount>,
}

/// A row of which the user and the day were read. The rest is read by [`Self::event`] alone: of a row after the as-of day
/// nothing more may be seen, not even that it is wrong.
pub(crate) struct DatedRow<'m, R> {
    pub(crate) user: &'m str,
    pub(crate) day: Day,
    row: &'m R,
    kind: KindMapping<'m>,
    amount: Option<&'m mut Source>,
    decimal: Option<Decimal>,
}

/// Where the kind of a row comes from.
enum KindMapping<'m> {
    Source(&'m mut Source, &'m mut String),
    /// All rows are of this kind.
    Constant(&'m str),
}

/// The positions in a file of the columns that the fields are copies of, where no field is an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldColumns {
    pub(crate) user: usize,
    pub(crate) time: usize,
    pub(crate) kind: Option<usize>,
    pub(crate) amount: Option<usize>,
}

/// Turns rows into events.
pub(crate) struct Mapper {
    user: Source,
    time: Source,
    kind: Option<Source>,
    amount: Option<Source>,
    decimal: Option<Decimal>,
    kind_of_all: String,
    days: TimeReader,
    user_text: String,
    kind_text: String,
}

impl Mapper {
    /// A mapper as configured; `None` where user or time are not set, which only a roll-up can do without.
    pub(crate) fn new(
        config: &EventsConfig,
        default_kind: Option<&str>,
    ) -> Result<Option<Self>, EventsError> {
        let days = TimeReader::new(config.time_format.as_deref(), &config.timezone.0)?;
        let source = |field, mapping: &Option<_>| {
            mapping.as_ref().map(|m| Source::new(field, m)).transpose()
        };
        let (user, time) = (
            source(Field::User, &config.user)?,
            source(Field::Time, &config.time)?,
        );
        let (kind, amount) = (
            source(Field::Kind, &config.kind)?,
            source(Field::Amount, &config.amount)?,
        );
        let (Some(user), Some(time)) = (user, time) else {
            return Ok(None);
        };
        let kind_of_all = default_kind.unwrap_or(KIND_OF_ALL).to_owned();
        Ok(Some(Self {
            user,
            time,
            kind,
            amount,
            decimal: config.decimal,
            kind_of_all,
            days,
            user_text: String::new(),
            kind_text: String::new(),
        }))
    }

    fn sources(&self) -> impl Iterator<Item = (Field, &Source)> {
        let optional = [
            (Field::Kind, self.kind.as_ref()),
            (Field::Amount, self.amount.as_ref()),
        ];
        let required = [(Field::User, &self.user), (Field::Time, &self.time)];
        required.into_iter().chain(
            optional
                .into_iter()
                .filter_map(|(field, source)| Some((field, source?))),
        )
    }

    /// The names of all columns in use, each once, with the field that needs it first.
    pub(crate) fn names(&self) -> Vec<(Field, String)> {
        let mut names: Vec<(Field, String)> = Vec::new();
        for (field, source) in self.sources() {
            for name in source.names() {
                if !names.iter().any(|(_, known)| known == name) {
                    names.push((field, name.to_owned()));
                }
            }
        }
        names
    }

    /// The column names of the time alone.
    pub(crate) fn time_names(&self) -> Vec<&str> {
        self.time.names()
    }

    /// The positions of all columns in use in the file it is bound to.
    pub(crate) fn positions(&self) -> Vec<usize> {
        let mut positions: Vec<usize> = self
            .sources()
            .flat_map(|(_, source)| source.positions())
            .collect();
        positions.sort_unstable();
        positions.dedup();
        positions
    }

    /// Looks the columns up in another file.
    pub(crate) fn bind(&mut self, columns: &Columns<'_>) -> Result<(), EventsError> {
        self.user.bind(columns)?;
        self.time.bind(columns)?;
        for source in [&mut self.kind, &mut self.amount].into_iter().flatten() {
            source.bind(columns)?;
        }
        Ok(())
    }

    /// The columns of the file it is bound to; `None` where a field is an expression.
    pub(crate) fn field_columns(&self) -> Option<FieldColumns> {
        let optional = |source: &Option<Source>| source.as_ref().map(Source::column);
        Some(FieldColumns {
            user: self.user.column()?,
            time: self.time.column()?,
            kind: optional(&self.kind).map_or(Some(None), |column| column.map(Some))?,
            amount: optional(&self.amount).map_or(Some(None), |column| column.map(Some))?,
        })
    }

    /// The day of a time of so many ticks of which a second has `per_s`; `None` when it is none that a log may have.
    pub(crate) fn day(&mut self, ticks: i64, per_s: i64, zoned: bool) -> Option<Day> {
        let last = if zoned {
            self.days.last_day(ticks, per_s)
        } else {
            None
        };
        last.or_else(|| {
            self.days
                .day(Cell::Time {
                    ticks,
                    per_s,
                    zoned,
                })
                .ok()
        })
    }

    /// The kind of all events, where none is mapped.
    pub(crate) fn kind_of_all(&self) -> &str {
        &self.kind_of_all
    }

    /// The user and the day of a row.
    #[inline]
    pub(crate) fn read<'m, R: Row>(&'m mut self, row: &'m R) -> Result<DatedRow<'m, R>, Stop> {
        let user = text_of(
            self.user.cell(row)?,
            &mut self.user_text,
            Field::User,
            RejectionReason::EmptyUser,
        )?;
        let day = self.days.day(self.time.cell(row)?)?;
        let kind = match &mut self.kind {
            Some(source) => KindMapping::Source(source, &mut self.kind_text),
            None => KindMapping::Constant(&self.kind_of_all),
        };
        Ok(DatedRow {
            user,
            day,
            row,
            kind,
            amount: self.amount.as_mut(),
            decimal: self.decimal,
        })
    }
}

impl<'m, R: Row> DatedRow<'m, R> {
    /// The event of the row.
    #[inline]
    pub(crate) fn event(self) -> Result<Event<'m>, Stop> {
        let kind = match self.kind {
            KindMapping::Source(source, text) => text_of(
                source.cell(self.row)?,
                text,
                Field::Kind,
                RejectionReason::EmptyKind,
            )?,
            KindMapping::Constant(kind) => kind,
        };
        let amount = match self.amount {
            Some(source) => amount_of(source.cell(self.row)?, self.decimal)?,
            None => Some(Amount::default()),
        };
        Ok(Event {
            user: self.user,
            day: self.day,
            kind,
            amount,
        })
    }
}

/// The amount in a cell; `None` where it is empty.
fn amount_of(cell: Cell<'_>, decimal: Option<Decimal>) -> Result<Option<Amount>, Rejection> {
    let number = match cell {
        Cell::Null => return Ok(None),
        // Spreadsheets write numbers with spaces around them.
        Cell::Text(text) => match text.trim_ascii() {
            "" => return Ok(None),
            text => decimal.map_or_else(|| text.parse().ok(), |decimal| decimal.parse(text)),
        },
        other => other.number(),
    };
    match number.map(Amount::new) {
        Some(Ok(amount)) => Ok(Some(amount)),
        _ => Err(Rejection {
            reason: RejectionReason::BadAmount,
            field: Field::Amount,
            value: cell.to_string(),
            expected: expected_amount(cell, decimal),
        }),
    }
}

/// What an amount should have been; of one with commas, how to read it.
fn expected_amount(cell: Cell<'_>, decimal: Option<Decimal>) -> Cow<'static, str> {
    let text = if let Cell::Text(text) = cell {
        text
    } else {
        ""
    };
    let is_number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b" ,.-+".contains(&byte));
    let is_written = matches!(cell, Cell::Text(_));
    match (
        decimal.filter(|_| is_written),
        text.rfind(','),
        text.rfind('.'),
    ) {
        (Some(Decimal::Comma), ..) => "a number such as 1.234,50, since events.decimal is \",\"",
        (Some(Decimal::Point), ..) => "a number such as 1,234.50, since events.decimal is \".\"",
        (None, Some(comma), point) if is_number && point.is_none_or(|point| point < comma) => {
            "a decimal point, not a decimal comma; events.decimal = \",\" reads it"
        }
        (None, Some(_), _) if is_number => {
            "a number without commas; events.decimal = \".\" reads groups of three digits"
        }
        _ => {
            return format!("a finite number between -{AMOUNT_LIMIT:e} and {AMOUNT_LIMIT:e}")
                .into();
        }
    }
    .into()
}
