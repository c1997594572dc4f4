//! The compact form of records: two to five bytes for most, where a [`DayRecord`] takes 24.
//!
//! A user's records are their number, then for each the days since the last one (the first: since 1970, zigzag), a
//! header, and what the header leaves out. Whole numbers are LEB128: seven bits a byte, the lowest first.
//!
//! | header bits | meaning |
//! | --- | --- |
//! | 0 | the count is not 1, and follows |
//! | 1-2 | the amount: 0 is nothing, 1 follows in hundredths, 2 follows in millionths (zigzag) |
//! | 3-7 | the kind's number; 31 says that it follows |

use super::{Amount, Day, DayRecord};

/// Millionths in a hundredth.
const HUNDREDTH: i64 = 10_000;
const NOTHING: u8 = 0;
const HUNDREDTHS: u8 = 1;
const MILLIONTHS: u8 = 2;
/// The first kind that does not fit into the header.
const LONG_KIND: u16 = 31;

/// Appends a whole number.
pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a whole number off the front; `None` when the bytes end too early.
#[inline]
pub(crate) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    if *first < 0x80 {
        return Some(u64::from(*first));
    }
    take_more(u64::from(first & 0x7f), bytes)
}

/// Takes the rest of a whole number of more than one byte.
fn take_more(mut value: u64, bytes: &mut &[u8]) -> Option<u64> {
    for shift in (7..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Appends bytes with their length before them.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes bytes with their length before them off the front.
pub(crate) fn take_bytes<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::try_from(take(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Appends the records of one user, which are sorted by day.
pub(crate) fn encode(records: &[DayRecord], out: &mut Vec<u8>) {
    put(out, records.len() as u64);
    let mut last: Option<Day> = None;
    for record in records {
        put(
            out,
            last.map_or_else(
                || zigzag(record.day.number().into()),
                |last| record.day.since(last) as u64,
            ),
        );
        last = Some(record.day);
        encode_rest(record, out);
    }
}

fn encode_rest(record: &DayRecord, out: &mut Vec<u8>) {
    let micros = record.amount.micros();
    let form = match micros {
        0 => NOTHING,
        _ if micros % HUNDREDTH == 0 => HUNDREDTHS,
        _ => MILLIONTHS,
    };
    out.push(u8::from(record.count != 1) | form << 1 | (record.kind.min(LONG_KIND) as u8) << 3);
    if record.kind >= LONG_KIND {
        put(out, record.kind.into());
    }
    if record.count != 1 {
        put(out, record.count.into());
    }
    match form {
        NOTHING => {}
        HUNDREDTHS => put(out, zigzag(micros / HUNDREDTH)),
        _ => put(out, zigzag(micros)),
    }
}

/// Takes the records of one user off the front and appends them to `into`; `None` when the bytes are damaged.
pub(crate) fn decode(bytes: &mut &[u8], into: &mut Vec<DayRecord>) -> Option<()> {
    let count = take(bytes)?;
    // A record takes two bytes at least, whatever damaged bytes may say of their number.
    into.reserve(usize::try_from(count).ok()?.min(bytes.len()));
    let mut day: Option<i64> = None;
    for _ in 0..count {
        let step = take(bytes)?;
        let number = day.map_or_else(|| unzigzag(step), |day| day.wrapping_add(step as i64));
        day = Some(number);
        into.push(decode_rest(Day::new(i32::try_from(number).ok()?)?, bytes)?);
    }
    Some(())
}

#[inline]
fn decode_rest(day: Day, bytes: &mut &[u8]) -> Option<DayRecord> {
    let (header, rest) = bytes.split_first()?;
    *bytes = rest;
    let short = u16::from(header >> 3);
    let kind = if short == LONG_KIND {
        u16::try_from(take(bytes)?).ok()?
    } else {
        short
    };
    let count = if header & 1 == 0 {
        1
    } else {
        u32::try_from(take(bytes)?).ok()?
    };
    let micros = match header >> 1 & 3 {
        NOTHING => 0,
        HUNDREDTHS => unzigzag(take(bytes)?).checked_mul(HUNDREDTH)?,
        _ => unzigzag(take(bytes)?),
    };
    Some(DayRecord {
        amount: Amount::from_micros(micros),
        day,
        count,
        kind,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> impl Strategy<Value = DayRecord> {
        let amount = prop_oneof![
            Just(0),
            any::<i64>(),
            (-1_000_000_i64..1_000_000).prop_map(|cents| cents * HUNDREDTH)
        ];
        let count = prop_oneof![Just(1_u32), any::<u32>()];
        (amount, -2_000_000_i32..2_000_000, count, 0_u16..1_000).prop_map(
            |(micros, day, count, kind)| DayRecord {
                amount: Amount::from_micros(micros),
                day: Day::new(day).unwrap(),
                count,
                kind,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(mut records in prop::collection::vec(record(), 0..40), more in any::<u64>()) {
            records.sort_by_key(|r| r.day);
            let mut bytes = Vec::new();
            encode(&records, &mut bytes);
            put(&mut bytes, more);
            let (mut rest, mut found) = (bytes.as_slice(), Vec::new());
            prop_assert_eq!(decode(&mut rest, &mut found), Some(()));
            prop_assert_eq!(found, records);
            prop_assert_eq!((take(&mut rest), rest.len()), (Some(more), 0));
        }

        #[test]
        fn damaged_bytes_are_noticed_or_harmless(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut rest = bytes.as_slice();
            let _ = decode(&mut rest, &mut Vec::new());
            prop_assert!(rest.len() <= bytes.len());
        }
    }

    #[test]
    fn most_records_are_small() {
        let visit = |day| DayRecord {
            amount: Amount::default(),
            day: Day::new(day).unwrap(),
            count: 1,
            kind: 2,
        };
        let bought = DayRecord {
            amount: Amount::new(12.34).unwrap(),
            ..visit(20_003)
        };
        let mut bytes = Vec::new();
        encode(&[visit(20_000), visit(20_001), bought], &mut bytes);
        assert_eq!(bytes.len(), 1 + 4 + 2 + 4);
    }

    #[test]
    fn bytes_that_end_too_early_are_no_records() {
        let mut bytes = Vec::new();
        encode(
            &[DayRecord {
                amount: Amount::from_micros(7),
                day: Day::new(-3).unwrap(),
                count: 9,
                kind: 400,
            }],
            &mut bytes,
        );
        for length in 0..bytes.len() {
            assert_eq!(
                decode(&mut bytes.get(..length).unwrap(), &mut Vec::new()),
                None
            );
        }
    }
}
