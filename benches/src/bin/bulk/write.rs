//! The files of a bulk log.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use ebb::history::Day;
use ebb::output::{Destination, Staged, commit};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::calendar::DAY_SECONDS;
use crate::log::{BulkError, Format, Options};
use crate::slice::Event;

/// The folder of the log's files, inside that of the configuration.
const FOLDER: &str = "events";

/// How the configurations of these logs begin.
const MARK: &str = "# How to read the log in this folder, made up in bulk";

/// The most rows of a row group, and those handed to the Parquet writer at once.
const GROUP_ROWS: usize = 1_048_576;
const BATCH_ROWS: usize = 65_536;

/// The fewest digits of a user's number.
const LEAST_DIGITS: usize = 7;

/// The log and its configuration under temporary names.
pub struct Files {
    events: Staged,
    configuration: Staged,
}

impl Files {
    /// Fails where they cannot be written, or would replace what this program did not write.
    pub fn new(options: &Options) -> Result<Self, BulkError> {
        refuse_others(&options.out)?;
        let events = Destination::folder(&options.out.join(FOLDER), is_part)?;
        let configuration = Destination::file(&options.out.join("ebb.toml"))?;
        Ok(Self {
            events: Staged::new(events)?,
            configuration: Staged::new(configuration)?,
        })
    }

    /// Writes the events of a slice; how many they were.
    pub fn part(&self, options: &Options, number: u32, events: &[Event]) -> Result<u64, BulkError> {
        let name = format!("part-{number:05}.{}", options.format.extension());
        let path = self.events.destination().given().join(&name);
        let file = self.events.create(&name)?;
        let names = Names {
            start: options.start,
            digits: options.users.to_string().len().max(LEAST_DIGITS),
        };
        match options.format {
            Format::Parquet => {
                names
                    .parquet(file, events)
                    .map_err(|source| BulkError::Parquet { path, source })?;
            }
            Format::Csv => names
                .csv(file, events)
                .map_err(|source| BulkError::Write { path, source })?,
        }
        Ok(events.len() as u64)
    }

    /// Writes the configuration, and lets both take their places together.
    pub fn finish(self, options: &Options) -> Result<(), BulkError> {
        let written = self
            .configuration
            .file()?
            .write_all(configuration(options).as_bytes());
        written.map_err(|source| BulkError::Write {
            path: options.out.join("ebb.toml"),
            source,
        })?;
        Ok(commit(vec![self.events, self.configuration])?)
    }
}

/// Refuses a folder with a log or a configuration whose configuration this program did not write.
fn refuse_others(out: &Path) -> Result<(), BulkError> {
    let path = out.join("ebb.toml");
    let ours = fs::read_to_string(&path).is_ok_and(|text| text.starts_with(MARK));
    let mut there = ["ebb.toml", FOLDER]
        .into_iter()
        .filter(|name| out.join(name).exists());
    match there.next() {
        Some(name) if !ours => Err(BulkError::Occupied {
            path: out.join(name),
        }),
        _ => Ok(()),
    }
}

fn is_part(name: &OsStr) -> bool {
    let name = name.to_str().unwrap_or_default();
    let stem = [Format::Parquet, Format::Csv]
        .into_iter()
        .find_map(|format| name.strip_suffix(format.extension())?.strip_suffix('.'));
    let digits = stem.and_then(|stem| stem.strip_prefix("part-"));
    digits.is_some_and(|digits| {
        digits.len() == 5 && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// How users and times are written.
struct Names {
    start: Day,
    digits: usize,
}

impl Names {
    fn parquet(&self, file: File, events: &[Event]) -> Result<(), ParquetError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let schema = schema();
        let mut writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))?;
        for events in events.chunks(BATCH_ROWS) {
            writer.write(&self.batch(events, &schema)?)?;
        }
        writer.close()?;
        Ok(())
    }

    fn batch(&self, events: &[Event], schema: &SchemaRef) -> Result<RecordBatch, ParquetError> {
        let mut users =
            StringBuilder::with_capacity(events.len(), events.len() * (self.digits + 1));
        for event in events {
            self.user(&mut users, event.user)
                .map_err(|error| ParquetError::General(error.to_string()))?;
            users.append_value("");
        }
        let midnight = i64::from(self.start.number()) * i64::from(DAY_SECONDS);
        let times = events
            .iter()
            .map(|event| (midnight + i64::from(event.second)) * 1_000_000);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(users.finish()),
            Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
            Arc::new(StringArray::from_iter_values(
                events.iter().map(|event| event.kind.name()),
            )),
            Arc::new(Float64Array::from_iter(events.iter().map(Event::amount))),
        ];
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    }

    fn csv(&self, file: File, events: &[Event]) -> io::Result<()> {
        let mut file = BufWriter::with_capacity(1 << 20, file);
        file.write_all(b"user_id,time,kind,amount\n")?;
        let (mut line, mut day, mut date) = (String::new(), -1, String::new());
        for event in events {
            if event.second / DAY_SECONDS != day {
                day = event.second / DAY_SECONDS;
                date = self.start.plus(day).to_string();
            }
            line.clear();
            self.line(&mut line, event, &date)
                .map_err(io::Error::other)?;
            file.write_all(line.as_bytes())?;
        }
        file.flush()
    }

    fn line(&self, line: &mut String, event: &Event, date: &str) -> std::fmt::Result {
        let second = event.second % DAY_SECONDS;
        self.user(line, event.user)?;
        write!(
            line,
            ",{date} {:02}:{:02}:{:02},",
            second / 3_600,
            second / 60 % 60,
            second % 60
        )?;
        write!(line, "{},", event.kind.name())?;
        if let Some(amount) = event.amount() {
            write!(line, "{amount:.2}")?;
        }
        line.write_char('\n')
    }

    fn user(&self, to: &mut impl std::fmt::Write, user: u32) -> std::fmt::Result {
        write!(
            to,
            "U{:0digits$}",
            u64::from(user) + 1,
            digits = self.digits
        )
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("user_id", DataType::Utf8, false),
        Field::new(
            "time",
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            false,
        ),
        Field::new("kind", DataType::Utf8, false),
        Field::new("amount", DataType::Float64, true),
    ]))
}

/// The text of the configuration next to the log.
fn configuration(options: &Options) -> String {
    let Options {
        events,
        users,
        days,
        seed,
        start,
        format,
        threads: _,
        out: _,
    } = options;
    let extension = format.extension();
    let time_format = match format {
        Format::Parquet => "",
        Format::Csv => "time_format = \"%Y-%m-%d %H:%M:%S\"\n",
    };
    format!(
        r#"{MARK} to measure speed: no causes of churn are planted in it.
# Made with bulk = {events}, users = {users}, days = {days}, seed = {seed}, start = {start}, format = {extension}.

[events]
paths = ["{FOLDER}/part-*.{extension}"]
user = "user_id"
time = "time"
{time_format}kind = "kind"                       # visit, cart, purchase, return, support_ticket or email_click
amount = "amount"                   # pounds; negative for a return, empty where no money is involved
timezone = "UTC"

[churn]
activity = ["purchase"]
horizon_days = [30]
active_within_days = 90
"#
    )
}
