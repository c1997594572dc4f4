//! What kinds of events mean, by the words of their names, and which of them count as staying.

use serde::Serialize;

use super::names::words;
use super::vocabulary::Table;

/// What a kind of event means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Something was bought or paid.
    Purchase,
    /// Something was given back.
    Return,
    /// A user or an order ended.
    Cancellation,
    /// Something was done to a user, such as a mail.
    Passive,
    /// Trouble.
    Support,
    /// A user did something without buying.
    Use,
    /// The name does not say it.
    Other,
}

impl Meaning {
    /// What the name of a kind means.
    pub(crate) fn of(kind: &str) -> Self {
        let words = words(kind);
        let has = |table: Table| table.has_any(&words);
        // The end of an order is no order, and a viewed order is none yet.
        match () {
            () if has(Table::Cancellation) => Self::Cancellation,
            () if has(Table::Return) => Self::Return,
            () if has(Table::Support) && !has(Table::Purchase) => Self::Support,
            () if has(Table::Purchase) && !has(Table::Attempt) => Self::Purchase,
            () if has(Table::Passive) => Self::Passive,
            () if has(Table::Use) || has(Table::Attempt) => Self::Use,
            () => Self::Other,
        }
    }
}

/// A kind of event of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KindFound {
    /// Its name.
    pub kind: String,
    /// How many events.
    pub events: u64,
    /// How many users have one.
    pub users: u64,
    /// What its name means.
    pub meaning: Meaning,
    /// Whether it counts as staying.
    pub is_activity: bool,
}

/// The kinds that count as staying: purchases where there are any; otherwise whatever users do themselves.
pub(crate) fn activity(kinds: &[&str]) -> Vec<String> {
    let of = |is: &dyn Fn(Meaning) -> bool| -> Vec<String> {
        let chosen = kinds.iter().filter(|kind| is(Meaning::of(kind)));
        chosen.map(|kind| (*kind).to_owned()).collect()
    };
    let choices = [
        of(&|meaning| meaning == Meaning::Purchase),
        of(&|meaning| matches!(meaning, Meaning::Use | Meaning::Other)),
        of(&|_| true),
    ];
    choices
        .into_iter()
        .find(|chosen| !chosen.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_kinds_have_meanings() {
        use Meaning::{Cancellation, Other, Passive, Purchase, Return, Support, Use};
        for (kind, expected) in [
            ("purchase", Purchase),
            ("Order Completed", Purchase),
            ("order_placed", Purchase),
            ("transaction", Purchase),
            ("buy", Purchase),
            ("paid", Purchase),
            ("Order Refunded", Return),
            ("return", Return),
            ("Order Cancelled", Cancellation),
            ("subscription_cancelled", Cancellation),
            ("Cancellation Confirmation", Cancellation),
            ("checkout_started", Use),
            ("add_to_cart", Use),
            ("addtocart", Use),
            ("payment_failed", Use),
            ("view", Use),
            ("page_view", Use),
            ("NextSong", Use),
            ("email_click", Passive),
            ("support_ticket", Support),
            ("pv", Use),
            ("xyz", Other),
        ] {
            assert_eq!(Meaning::of(kind), expected, "{kind}");
        }
    }

    #[test]
    fn purchases_are_activity_and_else_what_users_do_themselves() {
        for (kinds, expected) in [
            (
                vec!["cart", "email_click", "purchase", "return", "visit"],
                vec!["purchase"],
            ),
            (
                vec!["NextSong", "Home", "email_click", "support_ticket"],
                vec!["NextSong", "Home"],
            ),
            (vec!["paid", "failed", "refunded"], vec!["paid"]),
            (vec!["email_sent"], vec!["email_sent"]),
        ] {
            assert_eq!(activity(&kinds), expected, "{kinds:?}");
        }
    }
}
