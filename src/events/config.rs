//! The `[events]` table of `ebb.toml`.

use std::fmt;
use std::num::NonZeroUsize;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::configuration::one_or_many;
use crate::history::Day;

/// How large a record may be unless the configuration says otherwise.
const RECORD_BYTES: usize = 1 << 20;
const RECORD_LINES: usize = 1_000;

/// The `[events]` table of `ebb.toml`: which files hold the log, and which of their columns mean what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventsConfig {
    /// Paths, folders or glob patterns, relative to the folder of the configuration file.
    #[serde(deserialize_with = "one_or_many::list")]
    pub paths: Vec<String>,
    /// The user's id. Not needed for a roll-up.
    pub user: Option<Mapping>,
    /// The time of the event. Not needed for a roll-up.
    pub time: Option<Mapping>,
    /// How times are written: `rfc3339`, `epoch_s`, `epoch_ms`, `epoch_us`, `epoch_ns`, or a `strftime` pattern. A
    /// pattern with `Z`, `UTC`, `GMT` or an offset gives instants; `%Z` stands for these names and no others.
    /// Without it times are ISO 8601, where a time without an offset is local. Not used for columns that hold dates
    /// or timestamps by their own type.
    pub time_format: Option<String>,
    /// How fractions are written in amounts; without it plain numbers with a point.
    pub decimal: Option<Decimal>,
    /// The kind of event; without it all events are of one kind.
    pub kind: Option<Mapping>,
    /// The amount of money (or any quantity); without it all amounts are 0.
    pub amount: Option<Mapping>,
    /// The IANA time zone whose days are counted.
    pub timezone: TimeZoneName,
    /// What to do about a row that cannot be read.
    pub on_bad_row: OnBadRow,
    /// The largest share of rows that may be rejected for a model to be fitted, but for those without a user; 0.2 unless
    /// given.
    pub max_rejected_share: Option<Share>,
    /// The largest share of rows that may lack a user for a model to be fitted; 0.5 unless given. In shops a quarter of the
    /// purchases often have no user, so they are judged apart.
    pub max_rows_without_user_share: Option<Share>,
    /// The format of the files; without it, by their names and contents.
    pub format: Option<Format>,
    /// What separates the columns of a text file; without it a comma, or a tab in `.tsv` files.
    pub delimiter: Option<Delimiter>,
    /// The names of the columns of text files that have no header line.
    #[serde(deserialize_with = "one_or_many::optional_list")]
    pub columns: Option<Vec<String>>,
    /// The first day that the log covers; rows before it are set aside. Without it, by the log's own traffic.
    pub from: Option<Day>,
    /// The day after the last one that the log covers; rows on or after it are set aside. Without it, by the
    /// log's own traffic.
    pub until: Option<Day>,
    /// What to do about rows on days that the log does not cover, or that have not come yet.
    pub stray: OnStray,
    /// What to do about long silences inside of the log that its traffic does not explain.
    pub hole: OnHole,
    /// What makes a quote inside of a quoted text part of it; without it, by the beginning of each file.
    pub escape: Option<Escape>,
    /// The most bytes of a record of a text file, 1 MiB unless given; a longer one is rejected.
    pub max_record_bytes: Option<NonZeroUsize>,
    /// The most lines of a record of a text file, 1,000 unless given. A quoted text that goes over more is not closed.
    pub max_record_lines: Option<NonZeroUsize>,
}

/// What to do about a row on a day that the log does not cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnStray {
    /// Count it by its reason, show the first ones, and do not use it.
    #[default]
    SetAside,
    /// Use it like any other.
    Keep,
    /// Stop with an error that names it.
    Fail,
}

/// What to do about a hole in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHole {
    /// Give no label where a window overlaps it.
    #[default]
    Exclude,
    /// Take its silence for observed: the business was closed.
    Keep,
    /// Stop with an error that names it.
    Fail,
}

/// What a mapped value is for; names its key in the `[events]` table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    User,
    Time,
    Kind,
    Amount,
    /// The row as a whole.
    Row,
}

impl Field {
    /// The key in the `[events]` table.
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Time => "time",
            Self::Kind => "kind",
            Self::Amount => "amount",
            Self::Row => "format",
        }
    }
}

/// How large a record of a text file may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordLimits {
    /// Bytes.
    pub(crate) bytes: usize,
    /// Lines.
    pub(crate) lines: usize,
}

impl EventsConfig {
    /// What a field is mapped to, where it is.
    pub(crate) fn mapping(&self, field: Field) -> Option<&Mapping> {
        match field {
            Field::User => self.user.as_ref(),
            Field::Time => self.time.as_ref(),
            Field::Kind => self.kind.as_ref(),
            Field::Amount => self.amount.as_ref(),
            Field::Row => None,
        }
    }

    /// How large a record may be.
    pub(crate) fn record_limits(&self) -> RecordLimits {
        let or = |limit: Option<NonZeroUsize>, default| limit.map_or(default, NonZeroUsize::get);
        RecordLimits {
            bytes: or(self.max_record_bytes, RECORD_BYTES),
            lines: or(self.max_record_lines, RECORD_LINES),
        }
    }
}

/// A share, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Share(f64);

// It is never NaN.
impl Eq for Share {}

impl Share {
    /// The share, unless it is none.
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }

    /// The share as a number.
    pub fn value(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let share = f64::deserialize(deserializer)?;
        Self::new(share).ok_or_else(|| {
            D::Error::custom(format!("{share} is not a share; give a number from 0 to 1"))
        })
    }
}

/// The name of a time zone; `UTC` unless given.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct TimeZoneName(pub String);

impl Default for TimeZoneName {
    fn default() -> Self {
        Self("UTC".to_owned())
    }
}

/// Where a value comes from: a column, or an expression in the Common Expression Language over columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// The column of this name. Written `"Name"`.
    Column(String),
    /// The value of this expression. Written `{ expr = '...' }`.
    Expression(String),
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Column(text) | Self::Expression(text) => text,
        })
    }
}

impl Mapping {
    /// The column or the expression as a report on a rejected value shows it.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Column(name) => format!("column `{name}`"),
            Self::Expression(text) => format!("`{text}`"),
        }
    }
}

impl Serialize for Mapping {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Column(name) => serializer.serialize_str(name),
            Self::Expression(expression) => serializer.collect_map([("expr", expression)]),
        }
    }
}

impl<'de> Deserialize<'de> for Mapping {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MappingVisitor)
    }
}

struct MappingVisitor;

impl<'de> Visitor<'de> for MappingVisitor {
    type Value = Mapping;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a column, or { expr = '...' }")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Mapping, E> {
        Ok(Mapping::Column(name.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Mapping, A::Error> {
        let mut expression = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "expr" if expression.is_none() => expression = Some(map.next_value()?),
                "expr" => return Err(A::Error::duplicate_field("expr")),
                other => return Err(A::Error::unknown_field(other, &["expr"])),
            }
        }
        expression
            .map(Mapping::Expression)
            .ok_or_else(|| A::Error::missing_field("expr"))
    }
}

/// What to do about a row that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBadRow {
    /// Count it by its reason, show the first ones, and go on.
    #[default]
    Report,
    /// Stop with an error that names it.
    Fail,
}

/// The format of a log's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Columns separated by a character or by whitespace, one event a record.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// A Parquet table with one event a row.
    Parquet,
    /// The daily roll-up as Parquet, see [`crate::history::read_rollup`].
    Rollup,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
            Self::Rollup => "rollup",
        })
    }
}

/// What separates the columns of a text file. Written as one character, `tab`, or `whitespace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// One ASCII character.
    Byte(u8),
    /// Any run of whitespace; whitespace at either end of a line does not count.
    Whitespace,
}

impl Serialize for Delimiter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Byte(b'\t') => serializer.serialize_str("tab"),
            Self::Byte(byte) => serializer.serialize_char(char::from(*byte)),
            Self::Whitespace => serializer.serialize_str("whitespace"),
        }
    }
}

impl<'de> Deserialize<'de> for Delimiter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_bytes() {
            b"tab" => Ok(Self::Byte(b'\t')),
            b"whitespace" => Ok(Self::Whitespace),
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => {
                Ok(Self::Byte(*byte))
            }
            _ => Err(D::Error::custom(format!(
                "`{text}` is not one ASCII character, `tab` or `whitespace`"
            ))),
        }
    }
}

/// What separates the fraction of an amount that is written as text. Once it is set, groups of three digits may be
/// separated too. Written as the character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Decimal {
    /// As in `1,234.50`.
    #[serde(rename = ".")]
    Point,
    /// As in `1.234,50` and `1 234,50`.
    #[serde(rename = ",")]
    Comma,
}

/// What makes a quote inside of a quoted text part of it. Written as the character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Escape {
    /// A second quote, as in RFC 4180: `"say ""hi"""`.
    #[serde(rename = "\"")]
    Quote,
    /// A backslash, as Spark and MySQL write: `"say \"hi\""`. A backslash before a backslash is one; doubled quotes are
    /// read too.
    #[serde(rename = "\\")]
    Backslash,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_reads_and_writes() {
        let text = r#"
            paths = ["data/*.csv.gz"]
            user = "CustomerID"
            time = "InvoiceDate"
            time_format = "%Y-%m-%d %H:%M:%S"
            kind = { expr = 'InvoiceNo.startsWith("C") ? "return" : "purchase"' }
            amount = { expr = 'double(Quantity) * double(UnitPrice)' }
            timezone = "Europe/London"
            on_bad_row = "fail"
            max_rejected_share = 0.05
            max_rows_without_user_share = 1
            delimiter = "tab"
            escape = '\'
            max_record_bytes = 4096
        "#;
        let config: EventsConfig = toml::from_str(text).unwrap();
        assert_eq!(config.user, Some(Mapping::Column("CustomerID".to_owned())));
        assert!(matches!(&config.kind, Some(Mapping::Expression(e)) if e.starts_with("InvoiceNo")));
        assert_eq!(
            (config.delimiter, config.on_bad_row),
            (Some(Delimiter::Byte(b'\t')), OnBadRow::Fail)
        );
        assert_eq!(
            (config.escape, config.record_limits()),
            (
                Some(Escape::Backslash),
                RecordLimits {
                    bytes: 4096,
                    lines: 1000
                }
            )
        );
        assert_eq!(
            toml::from_str::<EventsConfig>(&toml::to_string(&config).unwrap()).unwrap(),
            config
        );
        assert_eq!(
            toml::from_str::<EventsConfig>("").unwrap().timezone.0,
            "UTC"
        );
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (text, expected) in [
            ("usr = \"a\"", "unknown field `usr`"),
            ("user = 7", "the name of a column, or { expr"),
            (
                "user = { exp = 'a' }",
                "unknown field `exp`, expected `expr`",
            ),
            ("user = {}", "missing field `expr`"),
            ("delimiter = \"ab\"", "not one ASCII character"),
            ("format = \"xml\"", "unknown variant `xml`"),
            ("escape = '/'", "unknown variant `/`"),
            ("max_record_bytes = 0", "expected a nonzero usize"),
            (
                "max_rejected_share = 20",
                "20 is not a share; give a number from 0 to 1",
            ),
            ("max_rejected_share = nan", "NaN is not a share"),
            ("max_rows_without_user_share = -0.1", "-0.1 is not a share"),
        ] {
            let message = toml::from_str::<EventsConfig>(text)
                .unwrap_err()
                .to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
