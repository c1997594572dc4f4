//! The same users by their segments of the bundle before and by the new ones.

use maud::{Markup, html};

use super::heatmap::{Cell, HeatmapRow, table};
use super::text::capital;
use crate::card::{Card, SegmentMigration};
use crate::report::number::{counted, thousands};
use crate::report::wording::segments::migration as sentences;

const HEADING: &str = "Did they keep their segments?";

/// The table of users with what became of the segments; nothing without a bundle before.
pub(crate) fn figure(card: &Card) -> Markup {
    let Some(migration) = &card.segment_migration else {
        return html! {};
    };
    let sentences = sentences(migration).join(" ");
    if migration.users_moved.iter().all(Vec::is_empty) {
        return super::no_figure(HEADING, &sentences);
    }
    let columns: Vec<String> = migration.now.iter().map(|s| s.key.to_string()).collect();
    let content = table("moves", ("before", "now"), &columns, &rows(migration));
    let caption = html! {
        (counted(migration.users, "user")) " at " (migration.date) ". Empty cells are of too few users to be shown. " (sentences)
    };
    super::figure("", HEADING, content, caption)
}

fn rows(migration: &SegmentMigration) -> Vec<HeatmapRow> {
    let most = migration.users_moved.iter().flatten().flatten().max();
    let most = most.copied().unwrap_or(1).max(1) as f64;
    let rows = migration.previous.iter().zip(&migration.users_moved);
    rows.map(|(before, row)| {
        let cells = row.iter().zip(&migration.now);
        let cells = cells.map(|(users, now)| {
            let users = (*users)?;
            let moved = now.key != before.key;
            Some(Cell {
                strength: users as f64 / most,
                warm: moved,
                text: thousands(users),
                title: format!(
                    "{} users: {} before, {} now",
                    thousands(users),
                    before.key,
                    now.key
                ),
            })
        });
        HeatmapRow {
            name: format!("{} {}", before.key, capital(&before.name)),
            detail: String::new(),
            cells: cells.collect(),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::migration as fixture;
    use super::super::tests::{card, plain, snapshot};
    use super::*;

    #[test]
    fn segments_before_and_now_are_a_table() {
        let mut card = card();
        assert_eq!(figure(&card).into_string(), "");
        card.segment_migration = Some(fixture());
        snapshot("migration", figure(&card));
        let mut other = fixture();
        other.users_moved.clear();
        other.differences = vec!["activity was <b> then".to_owned()];
        card.segment_migration = Some(other);
        let shown = figure(&card).into_string();
        assert!(
            shown.contains("all keys are new: activity was &lt;b&gt; then."),
            "{shown}"
        );
        assert!(plain(figure(&card)).contains("cannot be compared"));
    }
}
