//! One value of a row, whatever the format it comes from.

use std::fmt::{self, Write};

use jiff::Span;
use jiff::civil::{self, Date};

/// Whole numbers from here on are not all held by a double, so two of them may look like one.
const EXACT_DOUBLES: u64 = 1 << 53;
/// The same for floating-point numbers of 32 bits.
const EXACT_SINGLES: u64 = 1 << 24;
/// The largest power of ten that a double holds exactly.
const EXACT_POWER: i8 = 22;

/// One value of a row, in its natural type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    /// No value.
    Null,
    /// Text.
    Text(&'a str),
    /// An integer.
    Int(i64),
    /// An integer beyond the signed range.
    Uint(u64),
    /// A floating-point number.
    Float(f64),
    /// A floating-point number of 32 bits.
    Single(f32),
    /// `unscaled` divided by ten to the power of `scale`.
    Decimal {
        /// The digits.
        unscaled: i128,
        /// The number of digits after the point.
        scale: i8,
    },
    /// A boolean.
    Bool(bool),
    /// A date, in days since 1970-01-01.
    Day(i32),
    /// A time in ticks since 1970-01-01T00:00: an instant when `zoned`, else a local time of day.
    Time {
        /// Ticks.
        ticks: i64,
        /// How many ticks a second has.
        per_s: i64,
        /// Whether the ticks count from midnight UTC, not from local midnight.
        zoned: bool,
    },
    /// A list, a map or another value that is none of the above.
    Nested,
}

/// Why a cell holds no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoId {
    /// It is empty.
    Empty,
    /// It is a floating-point number so large that other ids would look the same.
    Inexact,
    /// It is of another type.
    Type,
}

impl Cell<'_> {
    /// The number this cell holds, the nearest floating-point one where it is a decimal; `None` for text and the rest.
    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Cell::Int(value) => Some(value as f64),
            Cell::Uint(value) => Some(value as f64),
            Cell::Float(value) => Some(value),
            Cell::Single(value) => Some(f64::from(value)),
            Cell::Decimal { unscaled, scale } => nearest_double(unscaled, scale),
            _ => None,
        }
    }

    /// Whether it is a floating-point number so large that integers next to it look the same.
    pub(crate) fn is_inexact(self) -> bool {
        match self {
            Cell::Float(value) => value.abs() >= EXACT_DOUBLES as f64,
            Cell::Single(value) => value.abs() >= EXACT_SINGLES as f32,
            _ => false,
        }
    }

    /// Appends the id that this cell holds: its text, or its number with all digits and without a needless fraction.
    pub(crate) fn write_id(self, id: &mut String) -> Result<(), NoId> {
        // Writing to a string cannot fail.
        let _ = match self {
            Cell::Text("") | Cell::Null => return Err(NoId::Empty),
            Cell::Float(value) if value.is_nan() => return Err(NoId::Empty),
            Cell::Single(value) if value.is_nan() => return Err(NoId::Empty),
            Cell::Float(_) | Cell::Single(_) if self.is_inexact() => return Err(NoId::Inexact),
            Cell::Bool(_) | Cell::Day(_) | Cell::Time { .. } | Cell::Nested => {
                return Err(NoId::Type);
            }
            Cell::Text(_)
            | Cell::Int(_)
            | Cell::Uint(_)
            | Cell::Float(_)
            | Cell::Single(_)
            | Cell::Decimal { .. } => {
                write!(id, "{self}")
            }
        };
        Ok(())
    }
}

/// The value as messages show it.
impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Cell::Null => Ok(()),
            Cell::Text(text) => f.write_str(text),
            Cell::Int(value) => value.fmt(f),
            Cell::Uint(value) => value.fmt(f),
            // The display of floating-point numbers has no exponent and no fraction where the number is whole.
            Cell::Float(value) => value.fmt(f),
            Cell::Single(value) => value.fmt(f),
            Cell::Decimal { unscaled, scale } => write_decimal(unscaled, scale, f),
            Cell::Bool(value) => value.fmt(f),
            Cell::Day(number) => match date(number) {
                Some(day) => day.fmt(f),
                None => write!(f, "day {number} since 1970"),
            },
            Cell::Time {
                ticks,
                per_s,
                zoned,
            } => {
                let seconds = ticks.div_euclid(per_s.max(1));
                let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
                match i32::try_from(days).ok().and_then(date) {
                    Some(day) => {
                        let (hour, minute) = (second / 3_600, second / 60 % 60);
                        let zone = if zoned { "Z" } else { "" };
                        write!(f, "{day}T{hour:02}:{minute:02}:{:02}{zone}", second % 60)
                    }
                    None => write!(f, "{seconds} seconds since 1970"),
                }
            }
            Cell::Nested => f.write_str("a nested value"),
        }
    }
}

/// The date that lies `days` after 1970-01-01; `None` outside of the calendar's years -9999 to 9999.
fn date(days: i32) -> Option<Date> {
    let span = Span::new().try_days(days).ok()?;
    civil::date(1970, 1, 1).checked_add(span).ok()
}

/// The double nearest to a decimal.
fn nearest_double(mut unscaled: i128, mut scale: i8) -> Option<f64> {
    let is_exact = |unscaled: i128| unscaled.unsigned_abs() <= u128::from(EXACT_DOUBLES);
    while scale > 0 && !is_exact(unscaled) && unscaled % 10 == 0 {
        (unscaled, scale) = (unscaled / 10, scale - 1);
    }
    if is_exact(unscaled) && (0..=EXACT_POWER).contains(&scale) {
        // Dividing two exactly held numbers gives the nearest double; a product with 0.01 would not.
        return Some(unscaled as f64 / 10_f64.powi(i32::from(scale)));
    }
    format!("{unscaled}e{}", -i32::from(scale)).parse().ok()
}

/// A decimal with all its digits but the zeros at the end of its fraction.
fn write_decimal(unscaled: i128, scale: i8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let places = usize::from(scale.unsigned_abs());
    let digits = match scale {
        ..=0 if unscaled == 0 => "0".to_owned(),
        ..=0 => unscaled.unsigned_abs().to_string() + &"0".repeat(places),
        _ => format!("{:0>width$}", unscaled.unsigned_abs(), width = places + 1),
    };
    let (whole, fraction) = digits.split_at(digits.len() - if scale > 0 { places } else { 0 });
    let (sign, fraction) = (
        if unscaled < 0 { "-" } else { "" },
        fraction.trim_end_matches('0'),
    );
    let point = if fraction.is_empty() { "" } else { "." };
    write!(f, "{sign}{whole}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(cell: Cell<'_>) -> Result<String, NoId> {
        let mut id = String::new();
        cell.write_id(&mut id).map(|()| id)
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    fn ids_have_all_their_digits() {
        for (cell, expected) in [
            (Cell::Text("a"), Ok("a")),
            (Cell::Int(i64::MIN), Ok("-9223372036854775808")),
            (Cell::Uint(u64::MAX), Ok("18446744073709551615")),
            (Cell::Float(17_850.0), Ok("17850")),
            (Cell::Float(0.5), Ok("0.5")),
            (Cell::Float(9_007_199_254_740_991.0), Ok("9007199254740991")),
            (Cell::Float(9_007_199_254_740_992.0), Err(NoId::Inexact)),
            (Cell::Float(-1e300), Err(NoId::Inexact)),
            (Cell::Float(f64::NEG_INFINITY), Err(NoId::Inexact)),
            (Cell::Float(f64::NAN), Err(NoId::Empty)),
            (Cell::Single(16_777_215.0), Ok("16777215")),
            (Cell::Single(16_777_216.0), Err(NoId::Inexact)),
            (Cell::Single(0.1), Ok("0.1")),
            (Cell::Single(f32::NAN), Err(NoId::Empty)),
            (
                Cell::Decimal {
                    unscaled: 178_500_000_000_000,
                    scale: 10,
                },
                Ok("17850"),
            ),
            (
                Cell::Decimal {
                    unscaled: -178_505,
                    scale: 1,
                },
                Ok("-17850.5"),
            ),
            (
                Cell::Decimal {
                    unscaled: 5,
                    scale: 3,
                },
                Ok("0.005"),
            ),
            (
                Cell::Decimal {
                    unscaled: 12,
                    scale: -2,
                },
                Ok("1200"),
            ),
            (
                Cell::Decimal {
                    unscaled: 0,
                    scale: -2,
                },
                Ok("0"),
            ),
            (
                Cell::Decimal {
                    unscaled: 0,
                    scale: 2,
                },
                Ok("0"),
            ),
            (
                Cell::Decimal {
                    unscaled: i128::MAX,
                    scale: 0,
                },
                Ok("170141183460469231731687303715884105727"),
            ),
            (Cell::Null, Err(NoId::Empty)),
            (Cell::Text(""), Err(NoId::Empty)),
            (Cell::Bool(true), Err(NoId::Type)),
            (Cell::Day(1), Err(NoId::Type)),
            (Cell::Nested, Err(NoId::Type)),
        ] {
            assert_eq!(id(cell), expected.map(str::to_owned), "{cell:?}");
        }
    }

    #[test]
    fn days_and_times_are_shown_as_they_are_also_where_no_log_has_them() {
        let time = |ticks, zoned| {
            Cell::Time {
                ticks,
                per_s: 1_000,
                zoned,
            }
            .to_string()
        };
        assert_eq!(time(253_402_300_799_000, true), "9999-12-31T23:59:59Z");
        assert_eq!(time(-30_610_224_000_000, false), "1000-01-01T00:00:00");
        assert_eq!(time(i64::MAX, false), "9223372036854775 seconds since 1970");
        assert_eq!(Cell::Day(2_932_896).to_string(), "9999-12-31");
        assert_eq!(Cell::Day(i32::MAX).to_string(), "day 2147483647 since 1970");
    }

    proptest! {
        #[test]
        fn a_decimal_is_the_nearest_double_and_its_text_means_the_same(unscaled in any::<i128>(), shift in 0_u32..127, scale in -38_i8..=38) {
            let cell = Cell::Decimal { unscaled: unscaled >> shift, scale };
            let by_text: f64 = cell.to_string().parse().unwrap();
            prop_assert_eq!(cell.number(), Some(by_text));
        }
    }
}
