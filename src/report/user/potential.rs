//! A list of potential users as a table.

use crate::batch::top::{PotentialUser, TopPotential};
use crate::features::percent;
use crate::report::lines::{Line, Tone, left, right, width_of, wrapped};
use crate::report::number::{counted, thousands};

/// Columns of an id at most.
const ID_COLUMNS: usize = 40;
/// Columns of a probability.
const PROBABILITY_COLUMNS: usize = 15;

/// The users in lines of at most `width` columns, or as long as they are.
pub fn potential_list(top: &TopPotential, width: Option<usize>) -> Vec<Line> {
    let mut lines = match width {
        Some(width) => wrapped(Tone::Plain, &potential_summary(top), width),
        None => vec![Line::new(Tone::Plain, potential_summary(top))],
    };
    let ids = top.users.iter().map(|user| width_of(&user.user_id));
    let id = ids.max().unwrap_or(0).clamp(width_of("user"), ID_COLUMNS);
    let row = |user: &str, probability: &str, reason: &str| {
        let start = format!(
            "{}  {}",
            left(user, id),
            right(probability, PROBABILITY_COLUMNS)
        );
        let room = width.map(|width| width.saturating_sub(width_of(&start) + 2));
        let reason = match room {
            Some(room) => left(reason, room),
            None => reason.to_owned(),
        };
        format!("{start}  {reason}").trim_end().to_owned()
    };
    let heading = row("user", "converts", "mostly because");
    lines.push(Line::new(Tone::Heading, heading));
    lines.extend(top.users.iter().map(|user| {
        let line = row(&user.user_id, &percent(user.probability), &reason(user));
        Line::new(Tone::Plain, line)
    }));
    lines
}

fn reason(user: &PotentialUser) -> String {
    let first = user.reasons.first();
    first.map_or(String::new(), |r| {
        format!("{} ({:+.2})", r.description, r.contribution)
    })
}

/// Which users are listed.
pub fn potential_summary(top: &TopPotential) -> String {
    format!(
        "The first {} of {} by the probability to convert within {} days, as of {}.",
        thousands(top.users.len() as u64),
        counted(top.potential, "potential user"),
        top.horizon_days,
        top.as_of
    )
}
