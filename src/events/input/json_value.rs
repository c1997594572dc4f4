//! The values of JSON, with all digits of their numbers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde::de::Error as _;
use serde_json::value::RawValue;
use serde_json::{Error, from_str};

use crate::columnar::Cell;
use crate::events::mapping::value::value_of;

/// Lists and objects inside of one another, as many as the JSON library reads by itself.
const DEPTH_LIMIT: usize = 128;

/// Digits that every double holds.
const EXACT_DIGITS: usize = 15;
/// Digits that a decimal holds.
const DECIMAL_DIGITS: usize = 38;

/// The value of a key in use.
#[derive(Clone, Debug)]
pub(crate) enum Slot<'l> {
    /// Anything but text, lists and objects.
    Cell(Cell<'l>),
    Text(Cow<'l, str>),
    /// A list or an object.
    Nested(cel::Value),
}

impl<'l> Slot<'l> {
    /// The value that is written so, which is known to be JSON but for its escapes.
    pub(crate) fn of(json: &'l str) -> Result<Self, Error> {
        Ok(match json.as_bytes().first() {
            Some(b'"') => Self::Text(text(json)?),
            Some(b'[' | b'{') => Self::Nested(nested(json, DEPTH_LIMIT)?),
            _ => Self::Cell(scalar(json)),
        })
    }

    /// The value as a cell.
    pub(crate) fn cell(&self) -> Cell<'_> {
        match self {
            Self::Cell(cell) => *cell,
            Self::Text(text) => Cell::Text(text),
            Self::Nested(_) => Cell::Nested,
        }
    }
}

fn text(json: &str) -> Result<Cow<'_, str>, Error> {
    match json.get(1..json.len().saturating_sub(1)) {
        Some(plain) if !plain.contains('\\') => Ok(Cow::Borrowed(plain)),
        _ => from_str(json).map(Cow::Owned),
    }
}

fn scalar(json: &str) -> Cell<'_> {
    match json {
        "null" => Cell::Null,
        "true" => Cell::Bool(true),
        "false" => Cell::Bool(false),
        number => self::number(number),
    }
}

/// A number: as text where no type holds all of its digits.
fn number(text: &str) -> Cell<'_> {
    if !text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        let signed = text.parse().map(Cell::Int).ok();
        return signed
            .or_else(|| text.parse().map(Cell::Uint).ok())
            .unwrap_or(Cell::Text(text));
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = whole.len() + fraction.len();
    let zeros = mantissa
        .bytes()
        .rev()
        .filter(|byte| *byte != b'.')
        .take_while(|byte| *byte == b'0')
        .count();
    if all - zeros.min(all) <= EXACT_DIGITS {
        return text.parse().map_or(Cell::Text(text), Cell::Float);
    }
    decimal(whole, fraction.trim_end_matches('0'), exponent).unwrap_or(Cell::Text(text))
}

fn decimal(whole: &str, fraction: &str, exponent: &str) -> Option<Cell<'static>> {
    let digits = format!("{whole}{fraction}");
    let scale = i32::try_from(fraction.len())
        .ok()?
        .checked_sub(exponent.parse().ok()?)?;
    let scale = i8::try_from(scale)
        .ok()
        .filter(|scale| scale.unsigned_abs() as usize <= DECIMAL_DIGITS)?;
    Some(Cell::Decimal {
        unscaled: digits.parse().ok()?,
        scale,
    })
}

/// A value for the expression engine.
fn nested(json: &str, depth: usize) -> Result<cel::Value, Error> {
    let Some(deeper) = depth.checked_sub(1) else {
        return Err(Error::custom("recursion limit exceeded"));
    };
    Ok(match json.as_bytes().first() {
        Some(b'[') => {
            let values: Vec<&RawValue> = from_str(json)?;
            let values = values.into_iter().map(|value| nested(value.get(), deeper));
            cel::Value::List(Arc::new(values.collect::<Result<_, _>>()?))
        }
        Some(b'{') => {
            let members: HashMap<String, &RawValue> = from_str(json)?;
            let members = members
                .into_iter()
                .map(|(key, value)| Ok((key, nested(value.get(), deeper)?)));
            members
                .collect::<Result<HashMap<String, cel::Value>, Error>>()?
                .into()
        }
        Some(b'"') => cel::Value::from(text(json)?.as_ref()),
        _ => value_of(scalar(json), || cel::Value::Null),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(json: &str) -> Cell<'_> {
        scalar(json)
    }

    #[test]
    fn numbers_keep_their_digits() {
        let decimal = |unscaled, scale| Cell::Decimal { unscaled, scale };
        for (json, expected) in [
            ("7", Cell::Int(7)),
            ("-0", Cell::Int(0)),
            ("-9223372036854775808", Cell::Int(i64::MIN)),
            ("9223372036854775808", Cell::Uint(1 << 63)),
            ("18446744073709551615", Cell::Uint(u64::MAX)),
            ("18446744073709551616", Cell::Text("18446744073709551616")),
            ("-9223372036854775809", Cell::Text("-9223372036854775809")),
            ("17850.0", Cell::Float(17_850.0)),
            ("1e3", Cell::Float(1_000.0)),
            ("9.99", Cell::Float(9.99)),
            ("17850.00000000000000000000", Cell::Float(17_850.0)),
            ("12345678901234567.0", decimal(12_345_678_901_234_567, 0)),
            ("8007199254740992.3", decimal(80_071_992_547_409_923, 1)),
            ("-0.30000000000000004", decimal(-30_000_000_000_000_004, 17)),
            ("1.2345678901234567e20", decimal(12_345_678_901_234_567, -4)),
            (
                "1.2345678901234567e200",
                Cell::Text("1.2345678901234567e200"),
            ),
        ] {
            assert_eq!(cell(json), expected, "{json}");
        }
        // To an amount and to an expression they are what they have always been: the nearest double.
        for json in [
            "0.30000000000000004",
            "123456.78901234567890123",
            "1.7976931348623157e20",
            "8007199254740992.3",
        ] {
            assert_eq!(cell(json).number(), json.parse().ok(), "{json}");
        }
    }

    #[test]
    fn texts_and_structures_are_read_as_the_library_reads_them() {
        assert_eq!(Slot::of("\"a\"").unwrap().cell(), Cell::Text("a"));
        assert_eq!(
            Slot::of(r#""a\u00e9\"b""#).unwrap().cell(),
            Cell::Text("aé\"b")
        );
        assert!(Slot::of(r#""\ud800""#).is_err());
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Slot::of(&deep(127)).is_ok());
        assert!(
            Slot::of(&deep(200))
                .unwrap_err()
                .to_string()
                .contains("recursion limit exceeded")
        );
        let Slot::Nested(value) =
            Slot::of(r#"{"ids": [100000000000000000001, 2, 2.5, "x", null]}"#).unwrap()
        else {
            panic!()
        };
        let ids = cel::Value::List(Arc::new(vec![
            cel::Value::from("100000000000000000001"),
            cel::Value::Int(2),
            cel::Value::Float(2.5),
            cel::Value::from("x"),
            cel::Value::Null,
        ]));
        assert_eq!(value, HashMap::from([("ids".to_owned(), ids)]).into());
    }
}
