//! Supposed events in words: `[COUNT] KIND WHEN [AMOUNT]`.
//!
//! | part | is |
//! | --- | --- |
//! | `COUNT` | how many events, from 1; one where it is left out |
//! | `KIND` | a kind of the log or of the model, as it is written there; it may have blanks |
//! | `WHEN` | `today`, `yesterday`, `3 days ago` or `2025-06-20` |
//! | `AMOUNT` | the amount of each event, such as `49.90` |

use super::WhatIfError;
use crate::history::{Amount, Day, HistoryError};

/// Events that are supposed at most, of one `[COUNT]`.
pub(crate) const MOST_EVENTS: u32 = 1_000_000;

/// When an event is supposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// So many days before the as-of day; 0 for the as-of day itself.
    DaysAgo(u32),
    /// On this day.
    On(Day),
}

/// What the words say; the kind is not looked up yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Words {
    pub(crate) count: u32,
    pub(crate) kind: String,
    pub(crate) when: When,
    pub(crate) amount: Option<Amount>,
}

/// Reads an event.
///
/// # Errors
/// [`WhatIfError`] has the words, what is wrong with them, and how they are written.
pub(crate) fn parse(text: &str) -> Result<Words, WhatIfError> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let wrong = |problem: String| WhatIfError::Words {
        text: text.to_owned(),
        problem,
    };
    let (count, words) = match words.as_slice() {
        [first, rest @ ..] if is_whole(first) => (count(first).map_err(wrong)?, rest),
        words => (1, words),
    };
    // The first word belongs to the kind in any case: a kind may be called `today`.
    let place = (1..words.len()).find_map(|at| Some((at, when(&words[at..])?)));
    let Some((kind_words, found)) = place else {
        return Err(wrong(match words {
            [] => "it names no kind".to_owned(),
            words => format!("it has no day behind `{}`", words.join(" ")),
        }));
    };
    let Found { when, length } = found.map_err(|error| wrong(error.to_string()))?;
    let amount = match &words[kind_words + length..] {
        [] => None,
        [amount] => Some(self::amount(amount).map_err(wrong)?),
        more => {
            return Err(wrong(format!(
                "only an amount may follow the day, not `{}`",
                more.join(" ")
            )));
        }
    };
    Ok(Words {
        count,
        kind: words[..kind_words].join(" "),
        when,
        amount,
    })
}

/// Whether a word has digits only.
fn is_whole(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

fn count(word: &str) -> Result<u32, String> {
    let count = word.parse().ok();
    count
        .filter(|count| (1..=MOST_EVENTS).contains(count))
        .ok_or_else(|| format!("`{word}` events are not from 1 to {MOST_EVENTS}"))
}

fn amount(word: &str) -> Result<Amount, String> {
    let number = word
        .parse::<f64>()
        .map_err(|_| format!("`{word}` is no amount; write it like 49.90"))?;
    Amount::new(number).map_err(|error| error.to_string())
}

/// A day, and how many words it takes.
struct Found {
    when: When,
    length: usize,
}

/// The day that some words begin with; `None` where they begin with none.
fn when(words: &[&str]) -> Option<Result<Found, HistoryError>> {
    let days_ago = |days, length| {
        Some(Ok(Found {
            when: When::DaysAgo(days),
            length,
        }))
    };
    match words {
        ["today", ..] => days_ago(0, 1),
        ["yesterday", ..] => days_ago(1, 1),
        [days, "day" | "days", "ago", ..] if is_whole(days) => {
            // Beyond all calendars: the day that comes of it lies before every log.
            days_ago(days.parse().unwrap_or(u32::MAX), 3)
        }
        [date, ..] if looks_like_a_date(date) => Some(date.parse().map(|day| Found {
            when: When::On(day),
            length: 1,
        })),
        _ => None,
    }
}

/// Whether a word is written like a date, legal or not: digits with a hyphen behind the fourth.
fn looks_like_a_date(word: &str) -> bool {
    let (year, rest) = word.split_at_checked(4).unwrap_or((word, ""));
    is_whole(year) && rest.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Words {
        parse(text).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn count_kind_day_and_amount_are_told_apart() {
        let amount = |value| Some(Amount::new(value).unwrap());
        let words = |count, kind: &str, when, amount| Words {
            count,
            kind: kind.to_owned(),
            when,
            amount,
        };
        let day: Day = "2025-06-20".parse().unwrap();
        for (text, expected) in [
            (
                "purchase today",
                words(1, "purchase", When::DaysAgo(0), None),
            ),
            (
                " 2  purchase 3 days ago 49.90",
                words(2, "purchase", When::DaysAgo(3), amount(49.9)),
            ),
            (
                "order placed yesterday",
                words(1, "order placed", When::DaysAgo(1), None),
            ),
            (
                "return 2025-06-20 -12",
                words(1, "return", When::On(day), amount(-12.0)),
            ),
            ("visit 1 day ago", words(1, "visit", When::DaysAgo(1), None)),
            ("today today", words(1, "today", When::DaysAgo(0), None)),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_are_named_with_the_way_to_write_it() {
        for (text, problem) in [
            ("", "it names no kind"),
            ("3", "it names no kind"),
            ("purchase", "it has no day behind `purchase`"),
            (
                "purchase in 3 days",
                "it has no day behind `purchase in 3 days`",
            ),
            ("0 purchase today", "`0` events are not from 1 to 1000000"),
            (
                "99999999999 purchase today",
                "`99999999999` events are not from 1 to 1000000",
            ),
            (
                "purchase today 12 EUR",
                "only an amount may follow the day, not `12 EUR`",
            ),
            (
                "purchase today 12,50",
                "`12,50` is no amount; write it like 49.90",
            ),
            ("purchase today nan", "amount NaN is not a finite number"),
            (
                "purchase 2025-02-30",
                "`2025-02-30` is not a date; write it as YYYY-MM-DD",
            ),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(problem), "{text}: {message}");
            assert!(
                message.contains("[COUNT] KIND WHEN [AMOUNT]"),
                "{text}: {message}"
            );
        }
    }
}
