//! The segments of a card as text, and what became of those of the bundle before.

use std::fmt::{Result, Write};

use super::number::{plain_percent, thousands};
use super::wording::segments::{cell, migration};
use crate::card::{Card, SegmentMigration};

pub(super) fn write_segments(out: &mut String, card: &Card) -> Result {
    if !card.segments.is_empty() {
        writeln!(out, "\nSegments on the latest labelled date")?;
    }
    for (id, s) in card.segments.iter().enumerate() {
        let (name, users, churn) = (&s.name, thousands(s.users), plain_percent(s.churn_rate));
        let key = s.key.map_or_else(String::new, |key| format!("{key}  "));
        writeln!(
            out,
            "  {id}  {key}{name:<44} {users:>8} users  churn {churn:>7}"
        )?;
    }
    match &card.segment_migration {
        Some(migration) => write_migration(out, migration),
        None => Ok(()),
    }
}

fn write_migration(out: &mut String, m: &SegmentMigration) -> Result {
    writeln!(out, "\nSegments before and now")?;
    for sentence in migration(m) {
        writeln!(out, "  {sentence}")?;
    }
    if m.users_moved.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "  users at {} by their segment before (rows) and now (columns); – is too few to be shown",
        m.date
    )?;
    write!(out, "    {:<6}", "")?;
    for now in &m.now {
        write!(out, " {:>9}", now.key.to_string())?;
    }
    writeln!(out)?;
    for (before, row) in m.previous.iter().zip(&m.users_moved) {
        write!(out, "    {:<6}", before.key.to_string())?;
        for users in row {
            write!(out, " {:>9}", cell(*users))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::html::fixture::migration as fixture;

    #[test]
    fn users_before_and_now_are_a_table() {
        let mut out = String::new();
        write_migration(&mut out, &fixture()).unwrap();
        insta::assert_snapshot!(out, @r"

        Segments before and now
          23.0 % of the users have another key than under the bundle as of 2011-06-01; adjusted Rand index 0.91.
          Divided by the segments before, the users are the same population: stability index 0.04, tolerance 0.10.
          New: s06 “low spend”.
          Retired: s05 “lapsed”.
          s02 was “new, recent” and is “new” now.
          users at 2011-09-10 by their segment before (rows) and now (columns); – is too few to be shown
                         s01       s06       s02
            s01        1,510        40         –
            s02            –        12     1,806
            s05            –       961         –
        ");
    }
}
