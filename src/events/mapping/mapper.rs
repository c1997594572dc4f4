use std::borrow::Cow;

use super::field::{Columns, Row, Source, Stop, text_of};
use super::time::TimeReader;
use crate::columnar::Cell;
use crate::events::EventsError;
use crate::events::config::EventsConfig;
use crate::events::ingest::Intake;
use crate::events::input::parquet_fast::PlainColumns;
use crate::events::quality::rejection::{Field, Refusal, RefusalReason};
use crate::history::{AMOUNT_LIMIT, Amount, Day, Placement};

/// The kind of all events of a log that has no kinds, where the caller does not name one.
pub(crate) const KIND_OF_ALL: &str = "event";

/// Turns rows into events.
pub(crate) struct Mapper {
    user: Source,
    time: Source,
    kind: Option<Source>,
    amount: Option<Source>,
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

    /// What to call the column of a refused value.
    pub(crate) fn label(&self, field: Field) -> String {
        self.sources()
            .find(|(known, _)| *known == field)
            .map(|(_, source)| source.label())
            .unwrap_or_default()
    }

    /// The columns of the file it is bound to, where every field is a plain one.
    pub(crate) fn plain(&self) -> Option<PlainColumns> {
        let optional = |source: &Option<Source>| source.as_ref().map(Source::column);
        Some(PlainColumns {
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

    /// The kind of all events, where no column tells.
    pub(crate) fn kind_of_all(&self) -> &str {
        &self.kind_of_all
    }

    /// Hands the event of a row to `intake`. Nothing but the user and the time of a row after the as-of day is seen.
    pub(crate) fn apply(&mut self, row: &impl Row, intake: &mut Intake) -> Result<(), Stop> {
        let user = text_of(
            self.user.cell(row)?,
            &mut self.user_text,
            Field::User,
            RefusalReason::EmptyUser,
        )?;
        let day = self.days.day(self.time.cell(row)?)?;
        match intake.place(day) {
            Placement::Seen => {}
            Placement::AfterAsOf => return Ok(()),
            Placement::Stray(stray) => return Err(intake.stray(stray, day).into()),
        }
        let kind = match &mut self.kind {
            Some(kind) => text_of(
                kind.cell(row)?,
                &mut self.kind_text,
                Field::Kind,
                RefusalReason::EmptyKind,
            )?,
            None => &self.kind_of_all,
        };
        let amount = match &mut self.amount {
            Some(amount) => amount_of(amount.cell(row)?)?,
            None => Some(Amount::default()),
        };
        Ok(intake.keep(user, kind, day, amount)?)
    }
}

/// The amount in a cell; `None` where it is empty.
fn amount_of(cell: Cell<'_>) -> Result<Option<Amount>, Refusal> {
    let number = match cell {
        Cell::Null => return Ok(None),
        Cell::Text(text) => match text.trim_ascii() {
            "" => return Ok(None),
            text => text.parse().ok(),
        },
        other => other.number(),
    };
    match number.map(Amount::new) {
        Some(Ok(amount)) => Ok(Some(amount)),
        _ => Err(Refusal {
            reason: RefusalReason::BadAmount,
            field: Field::Amount,
            value: cell.to_string(),
            expected: expected_amount(cell),
        }),
    }
}

/// What an amount should have been; of one with commas, how to read it.
fn expected_amount(cell: Cell<'_>) -> Cow<'static, str> {
    let text = if let Cell::Text(text) = cell {
        text
    } else {
        ""
    };
    let is_number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b" ,.-+".contains(&byte));
    match (text.rfind(','), text.rfind('.')) {
        (Some(_), None) if is_number => {
            "a decimal point, not a decimal comma; with events.amount = { expr = '...' } an expression such as \
             double(x.replace(\",\", \".\")) reads it"
        }
        (Some(comma), Some(point)) if is_number && point < comma => {
            "a decimal point, not a decimal comma; with events.amount = { expr = '...' } \
             double(x.replace(\".\", \"\").replace(\",\", \".\")) reads it"
        }
        (Some(_), Some(_)) if is_number => {
            "a number without commas; with events.amount = { expr = '...' } an expression such as \
             double(x.replace(\",\", \"\")) reads it"
        }
        _ => return format!("a finite number between -{AMOUNT_LIMIT:e} and {AMOUNT_LIMIT:e}").into(),
    }
    .into()
}
