use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::Event;
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};

/// The time that the limit counts lines in.
pub(super) const WINDOW: Duration = Duration::from_secs(1);

/// How many lines of each kind are written in a second. A kind is a place in the source that makes lines.
#[derive(Debug)]
pub(crate) struct LineRate {
    max_lines: u32,
    // One entry for each place in the source: callers cannot add any.
    kinds: Mutex<HashMap<Identifier, Kind>>,
}

#[derive(Debug)]
struct Kind {
    since: Instant,
    lines: u32,
    left_out: LeftOut,
}

/// Lines of one kind that were not written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// The message of the lines.
    pub(super) message: String,
    /// How many.
    pub(super) lines: u64,
}

impl LineRate {
    /// A limit of lines a second.
    pub(crate) fn new(max_lines: u32) -> Self {
        Self {
            max_lines,
            kinds: Mutex::default(),
        }
    }

    /// The limit.
    pub(super) fn max_lines(&self) -> u32 {
        self.max_lines
    }

    /// Whether the line of an event is written.
    pub(super) fn admits(&self, event: &Event<'_>) -> bool {
        self.admits_at(&event.metadata().callsite(), Instant::now(), || {
            message(event)
        })
    }

    fn admits_at(&self, kind: &Identifier, now: Instant, message: impl Fn() -> String) -> bool {
        let mut kinds = self.kinds();
        let kind = kinds.entry(kind.clone()).or_insert_with(|| Kind {
            since: now,
            lines: 0,
            left_out: LeftOut::default(),
        });
        if now.saturating_duration_since(kind.since) >= WINDOW {
            (kind.since, kind.lines) = (now, 0);
        }
        if kind.lines < self.max_lines {
            kind.lines += 1;
            return true;
        }
        if kind.left_out.lines == 0 {
            kind.left_out.message = message();
        }
        kind.left_out.lines += 1;
        false
    }

    /// What was left out since this was last called, in order of the messages.
    pub(super) fn take_left_out(&self) -> Vec<LeftOut> {
        let mut kinds = self.kinds();
        let left_out = kinds
            .values_mut()
            .filter(|kind| kind.left_out.lines > 0)
            .map(|kind| std::mem::take(&mut kind.left_out));
        let mut left_out: Vec<LeftOut> = left_out.collect();
        left_out.sort_unstable_by(|a, b| a.message.cmp(&b.message));
        left_out
    }

    fn kinds(&self) -> MutexGuard<'_, HashMap<Identifier, Kind>> {
        // Counts are complete before anything could panic.
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The message of an event, without its fields.
fn message(event: &Event<'_>) -> String {
    let mut message = Message(String::new());
    event.record(&mut message);
    message.0
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::Metadata;
    use tracing::callsite::Callsite;
    use tracing::subscriber::Interest;

    use super::*;

    /// A place in the source; one of no size would share its address with others.
    struct Place(u8);

    impl Callsite for Place {
        fn set_interest(&self, _: Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            panic!("place {} makes no events", self.0)
        }
    }

    static PLACES: [Place; 2] = [Place(1), Place(2)];

    #[test]
    fn each_kind_has_its_own_second() {
        let (rate, begun) = (LineRate::new(3), Instant::now());
        let [one, other] = PLACES.each_ref().map(|place| Identifier(place));
        let admitted = |kind: &Identifier, millis: u64| {
            rate.admits_at(kind, begun + Duration::from_millis(millis), || "m".into())
        };
        let of_ten = |kind, millis| (0..10).filter(|_| admitted(kind, millis)).count();
        assert_eq!(of_ten(&one, 0), 3);
        // One kind does not take the room of another, and time gives it back.
        assert_eq!(of_ten(&other, 0), 3);
        assert_eq!(of_ten(&one, 999), 0);
        assert_eq!(of_ten(&one, 1_000), 3);
        let mut left_out: Vec<u64> = rate.take_left_out().iter().map(|kind| kind.lines).collect();
        left_out.sort_unstable();
        assert_eq!(left_out, [7, 7 + 10 + 7]);
        assert_eq!(rate.take_left_out(), []);
    }
}
