//! Deadlines: until when a call must have been answered.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue};

use crate::serve::errors::CallError;

/// What a call is refused with whose time is over.
pub(super) const LATE: CallError =
    CallError::DeadlinePassed("the deadline passed before there was an answer");

/// The deadline of a call that began at `started`, whose client may have set an earlier one than the server's.
pub(super) fn deadline(
    headers: &HeaderMap,
    started: Instant,
    longest: Duration,
) -> Result<Instant, CallError> {
    let timeout = timeout(headers).map_err(|problem| CallError::malformed(problem.to_owned()))?;
    let deadline = started + timeout.map_or(longest, |timeout| timeout.min(longest));
    match deadline <= Instant::now() {
        true => Err(LATE),
        false => Ok(deadline),
    }
}

/// The longest time that a client may give in seconds: as much as `grpc-timeout` can say.
const SECONDS_MOST: f64 = 99_999_999.0;

/// How long the client is willing to wait, from the header `grpc-timeout`, or from `x-request-timeout` for clients that do not
/// speak gRPC; an error says what is wrong with it.
fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, &'static str> {
    let Some(value) = headers.get("grpc-timeout") else {
        return headers.get("x-request-timeout").map(seconds).transpose();
    };
    let text = value.to_str().map_err(|_| "grpc-timeout is not text")?;
    let (digits, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or("grpc-timeout is empty")?;
    let legal = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let count = digits
        .parse::<u64>()
        .ok()
        .filter(|_| legal)
        .ok_or("grpc-timeout needs up to eight digits and a unit")?;
    let time = match unit {
        "H" => Duration::from_secs(count * 3_600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return Err("the unit of grpc-timeout is one of H, M, S, m, u and n"),
    };
    Ok(Some(time))
}

/// A time in seconds, such as `2.5`.
fn seconds(value: &HeaderValue) -> Result<Duration, &'static str> {
    let seconds = value
        .to_str()
        .ok()
        .and_then(|text| text.parse::<f64>().ok());
    seconds
        .filter(|seconds| (0.0..=SECONDS_MOST).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or("x-request-timeout is a number of seconds, such as 2.5")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_without_grpc_give_seconds() {
        let read = |text: &str| {
            timeout(&HeaderMap::from_iter([(
                "x-request-timeout".parse().unwrap(),
                text.parse().unwrap(),
            )]))
        };
        assert_eq!(read("2.5"), Ok(Some(Duration::from_millis(2_500))));
        assert_eq!(read("0"), Ok(Some(Duration::ZERO)));
        for wrong in ["", "soon", "-1", "NaN", "inf", "1e99", "2s"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn timeouts_are_read_as_the_protocol_writes_them() {
        let read = |text: &str| {
            timeout(&HeaderMap::from_iter([(
                "grpc-timeout".parse().unwrap(),
                text.parse().unwrap(),
            )]))
        };
        assert_eq!(timeout(&HeaderMap::new()), Ok(None));
        assert_eq!(read("1n"), Ok(Some(Duration::from_nanos(1))));
        assert_eq!(read("250m"), Ok(Some(Duration::from_millis(250))));
        assert_eq!(
            read("99999999H"),
            Ok(Some(Duration::from_secs(99_999_999 * 3_600)))
        );
        for wrong in ["", "S", "1", "1s", "-1S", "123456789S", "1.5S"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_earlier_of_the_servers_and_the_clients_deadline_holds() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let at = |timeout: &str, now| {
            let mut headers = HeaderMap::new();
            if !timeout.is_empty() {
                headers.insert("grpc-timeout", timeout.parse().unwrap());
            }
            deadline(&headers, now, 10 * second)
        };
        assert_eq!(at("", now).unwrap(), now + 10 * second);
        assert_eq!(at("3S", now).unwrap(), now + 3 * second);
        assert_eq!(at("99999999H", now).unwrap(), now + 10 * second);
        assert!(matches!(at("0n", now), Err(CallError::DeadlinePassed(_))));
        assert!(matches!(at("3s", now), Err(CallError::Malformed { .. })));
    }
}
