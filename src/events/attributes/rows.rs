//! Rows of a table of attributes, chunk by chunk.

use std::path::Path;

use super::AttributesRequest;
use super::config::ColumnRole;
use super::error::AttributesError;
use crate::columnar::Cell;
use crate::events::config::{Decimal, Field, Format};
use crate::events::input::chunks::{Chunk, Layout, TextChunk};
use crate::events::input::csv::{RecordEvent, for_each_record};
use crate::events::input::log_file::LogFile;
use crate::events::input::parquet::for_each_row;
use crate::events::mapping::field::{NotUtf8, Row, nearest_column, not_utf8, text_of};
use crate::events::mapping::time::TimeReader;
use crate::events::quality::attributes::AttributesQuality;
use crate::events::quality::rejection::{Rejection, RejectionReason};
use crate::events::quality::report::RowLocation;
use crate::history::{
    AttributeKind, AttributeRecord, AttributeTable, AttributeTableBuilder, AttributeValue, Day,
    FiniteNumber,
};

/// Reads the chunks of a table.
pub(super) struct TableReader {
    roles: Vec<ColumnRole>,
    user: String,
    from: Option<String>,
    decimal: Option<Decimal>,
    until: Day,
    times: TimeReader,
    builder: AttributeTableBuilder,
    quality: AttributesQuality,
    /// The positions of the columns in the file at hand.
    places: Places,
    user_text: String,
    records: Vec<AttributeRecord>,
}

#[derive(Debug, Default)]
struct Places {
    user: usize,
    from: Option<usize>,
    columns: Vec<usize>,
}

/// Why a row is rejected, and the column to blame.
struct Fault {
    rejection: Rejection,
    column: String,
}

impl TableReader {
    pub(super) fn new(request: &AttributesRequest<'_>) -> Result<Self, AttributesError> {
        let config = request.config;
        let roles = config.roles();
        let columns = roles.iter().map(|role| (role.name.clone(), role.kind));
        Ok(Self {
            builder: AttributeTableBuilder::new(columns),
            times: TimeReader::new(config.from_format.as_deref(), &request.events.timezone.0)?,
            roles,
            user: config.user.clone(),
            from: config.from.clone(),
            decimal: config.decimal,
            until: request.until,
            quality: AttributesQuality::default(),
            places: Places::default(),
            user_text: String::new(),
            records: Vec::new(),
        })
    }

    /// The table, and what was found while it was read.
    pub(super) fn finish(self) -> (AttributeTable, AttributesQuality) {
        (self.builder.finish(), self.quality)
    }

    /// How many rows were read so far.
    pub(super) fn rows(&self) -> u64 {
        self.quality.rows
    }

    /// Reads a chunk of a file.
    pub(super) fn read(&mut self, file: &LogFile, chunk: Chunk) -> Result<(), AttributesError> {
        match chunk {
            Chunk::Text(chunk) => self.read_text(file, &chunk),
            Chunk::Rows(group) => {
                self.bind(&file.path, &group.column_names())?;
                let mut wanted = self.places.columns.clone();
                wanted.extend([self.places.user]);
                wanted.extend(self.places.from);
                Ok(for_each_row(file, group, wanted, &mut |row, number| {
                    self.take(row, file, number);
                })?)
            }
            Chunk::Rollup => Err(format(file)),
        }
    }

    fn read_text(&mut self, file: &LogFile, chunk: &TextChunk) -> Result<(), AttributesError> {
        let Layout::Csv(csv) = chunk.layout else {
            return Err(format(file));
        };
        self.bind(&file.path, &chunk.names)?;
        let expected = chunk.names.len();
        for_each_record(chunk, csv, &mut |event, line| match event {
            RecordEvent::Row(row, columns) if columns == expected => self.take(row, file, line),
            RecordEvent::Row(_, columns) => {
                let (reason, value) = (RejectionReason::WrongColumnCount, columns.to_string());
                self.reject_row(file, line, reason, &value, &format!("{expected} columns"));
            }
            RecordEvent::Rejected(reason, value, expected) => {
                self.reject_row(file, line, reason, &value, &expected);
            }
        });
        Ok(())
    }

    /// Finds the columns in a file.
    fn bind(&mut self, path: &Path, names: &[String]) -> Result<(), AttributesError> {
        let place = |name: &str, setting| place(path, names, name, setting);
        self.places.user = place(&self.user, "user")?;
        self.places.from = match &self.from {
            Some(from) => Some(place(from, "from")?),
            None => None,
        };
        let column = |role: &ColumnRole| {
            let setting = if role.is_static { "static" } else { "columns" };
            place(&role.name, setting)
        };
        self.places.columns = self.roles.iter().map(column).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Takes a row in, or counts it as rejected.
    fn take(&mut self, row: &dyn Row, file: &LogFile, line: u64) {
        self.quality.rows += 1;
        if let Err(Fault { rejection, column }) = self.values(row) {
            let Rejection {
                reason,
                value,
                expected,
                ..
            } = rejection;
            let column = format!("column `{column}`");
            let place = RowLocation::new(&file.shown, line, column, &value, &expected);
            self.quality.reject(reason, place);
        }
    }

    fn reject_row(
        &mut self,
        file: &LogFile,
        line: u64,
        reason: RejectionReason,
        value: &str,
        expected: &str,
    ) {
        self.quality.rows += 1;
        let place = RowLocation::new(&file.shown, line, String::new(), value, expected);
        self.quality.reject(reason, place);
    }

    fn values(&mut self, row: &dyn Row) -> Result<(), Fault> {
        let cell = |place: usize, field| {
            row.cell(place)
                .map_err(|bytes: NotUtf8| not_utf8(field, bytes))
        };
        let blame = |column: &str| {
            let column = column.to_owned();
            move |rejection| Fault { rejection, column }
        };
        let user = cell(self.places.user, Field::User)
            .and_then(|cell| {
                text_of(
                    cell,
                    &mut self.user_text,
                    Field::User,
                    RejectionReason::EmptyUser,
                )
            })
            .map_err(blame(&self.user))?;
        let mut day = None;
        if let (Some(place), Some(name)) = (self.places.from, &self.from) {
            let from = cell(place, Field::Time).and_then(|cell| self.times.day(cell));
            day = Some(from.map_err(blame(name))?);
        }
        // Not even values that never change: of a later day nothing is known yet.
        if day.is_some_and(|day| day >= self.until) {
            self.quality.rows_after_as_of += 1;
            return Ok(());
        }
        self.records.clear();
        for ((position, role), place) in (0..).zip(&self.roles).zip(&self.places.columns) {
            let cell = cell(*place, Field::Row).map_err(blame(&role.name))?;
            let value = match role.kind {
                AttributeKind::Category => category(cell)
                    .map(|name| match name {
                        Some(name) => self.builder.category(position, &name),
                        None => AttributeValue::Unknown,
                    })
                    .map_err(blame(&role.name))?,
                AttributeKind::Number => number(cell, self.decimal).map_err(blame(&role.name))?,
            };
            let from = day.filter(|_| !role.is_static);
            self.records.push(AttributeRecord {
                from,
                column: position,
                value,
            });
        }
        self.builder.add(user, self.records.iter().copied());
        Ok(())
    }
}

fn format(file: &LogFile) -> AttributesError {
    let format = file.format;
    AttributesError::Format {
        path: file.path.clone(),
        format: if format == Format::Csv {
            Format::Jsonl
        } else {
            format
        },
    }
}

/// The position of a column that a setting names.
fn place(
    path: &Path,
    names: &[String],
    name: &str,
    setting: &'static str,
) -> Result<usize, AttributesError> {
    let mut places = (0..).zip(names).filter(|(_, column)| *column == name);
    match (places.next(), places.count()) {
        (Some((place, _)), 0) => Ok(place),
        (first, more) => Err(AttributesError::Column {
            path: path.to_owned(),
            setting,
            column: name.to_owned(),
            found: more + usize::from(first.is_some()),
            nearest: match first {
                None => nearest_column(name, names.iter().map(String::as_str)).map(str::to_owned),
                Some(_) => None,
            },
            columns: names.to_vec(),
        }),
    }
}

/// The name of a category; `None` where it is not known.
fn category(cell: Cell<'_>) -> Result<Option<String>, Rejection> {
    let text = match cell {
        Cell::Nested => {
            return Err(Rejection {
                reason: RejectionReason::BadType,
                field: Field::Row,
                value: cell.to_string(),
                expected: "text, a number, a date or a boolean".into(),
            });
        }
        Cell::Float(value) if value.is_nan() => String::new(),
        Cell::Single(value) if value.is_nan() => String::new(),
        other => other.to_string(),
    };
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// The value of a number.
fn number(cell: Cell<'_>, decimal: Option<Decimal>) -> Result<AttributeValue, Rejection> {
    let number = match cell {
        Cell::Null => return Ok(AttributeValue::Unknown),
        Cell::Text(text) => match text.trim() {
            "" => return Ok(AttributeValue::Unknown),
            text => decimal.map_or_else(|| text.parse().ok(), |decimal| decimal.parse(text)),
        },
        Cell::Bool(value) => Some(f64::from(u8::from(value))),
        other => other.number(),
    };
    match number.and_then(FiniteNumber::new) {
        Some(number) => Ok(AttributeValue::Number(number)),
        None => Err(Rejection {
            reason: RejectionReason::BadNumber,
            field: Field::Row,
            value: cell.to_string(),
            expected:
                "a finite number, or nothing; attributes.decimal says how fractions are written"
                    .into(),
        }),
    }
}
