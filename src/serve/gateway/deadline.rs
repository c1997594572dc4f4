//! What belongs to the call in progress and not to its message.

use std::time::{Duration, Instant};

use http::HeaderMap;

tokio::task_local! {
    /// When the call in progress must have been answered; `None` for calls that last.
    static DEADLINE: Option<Instant>;
}

/// When the call in progress must have been answered.
pub(crate) fn deadline() -> Option<Instant> {
    DEADLINE.try_with(|deadline| *deadline).ok().flatten()
}

/// Runs a future as a call with this deadline.
pub(crate) async fn within<F: Future>(deadline: Option<Instant>, call: F) -> F::Output {
    DEADLINE.scope(deadline, call).await
}

/// How long the client is willing to wait, from the header `grpc-timeout`; an error says what is wrong with it.
pub(crate) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, &'static str> {
    let Some(value) = headers.get("grpc-timeout") else {
        return Ok(None);
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
