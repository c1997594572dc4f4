//! What a user can do in the shop.

use serde::Serialize;

use crate::history::Day;

/// Seconds in the 24 hours of a wall-clock day.
pub(crate) const DAY_SECONDS: i32 = 86_400;

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Looked around.
    Visit,
    /// Put goods into the cart; the amount is their price.
    Cart,
    /// Paid; the amount is what was paid.
    Purchase,
    /// Sent goods back; the amount is negative.
    Return,
    /// Asked for help.
    SupportTicket,
    /// Followed a link in the weekly newsletter.
    EmailClick,
    /// Gave a name and an address; of visitors only.
    SignUp,
}

/// Where an event happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The web site.
    Web,
    /// The app.
    App,
    /// A shop on the high street.
    Store,
    /// An e-mail.
    Email,
    /// A telephone call.
    Phone,
}

/// Something that one user did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) day: Day,
    /// Second of the wall clock's day, 0 to 86,399.
    pub(crate) second: i32,
    pub(crate) kind: Kind,
    /// Money that moved or would have, in pence.
    pub(crate) pence: Option<i64>,
    pub(crate) channel: Channel,
}

impl Event {
    /// An event that involves no money. A second beyond the day is held at its end.
    pub(crate) fn new(day: Day, second: i32, kind: Kind, channel: Channel) -> Self {
        Self {
            day,
            second: second.clamp(0, DAY_SECONDS - 1),
            kind,
            pence: None,
            channel,
        }
    }

    /// The same event with an amount in pence.
    pub(crate) fn worth(self, pence: i64) -> Self {
        Self {
            pence: Some(pence),
            ..self
        }
    }

    /// Wall-clock seconds since 1970-01-01 00:00:00.
    pub(crate) fn at(&self) -> i64 {
        i64::from(self.day.number()) * i64::from(DAY_SECONDS) + i64::from(self.second)
    }
}
