//! Pairs of user and date that gave no row, and why.

use maud::{Markup, html};

use super::names;
use crate::card::HorizonCard;
use crate::report::number::{percent, thousands};

/// Pairs that gave no row, by reason, below those that did.
pub(crate) fn figure(h: &HorizonCard) -> Markup {
    let all = h.rows.saturating_add(h.dropped.values().sum());
    let share = |number: u64| percent(number as f64 / all.max(1) as f64);
    let mut dropped: Vec<(&String, &u64)> = h.dropped.iter().collect();
    dropped.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    let kept = ("Eligible and labelled: fitted on".to_owned(), h.rows);
    let reasons = dropped
        .into_iter()
        .map(|(name, number)| (names::drop_reason(name), *number));
    let table = html! {
        table.plain {
            thead {
                tr {
                    th scope="col" { "Pairs of user and date" }
                    th scope="col" { "Rows" }
                    th scope="col" { "Share" }
                }
            }
            tbody {
                @for (name, number) in std::iter::once(kept).chain(reasons) {
                    tr {
                        th scope="row" { (name) }
                        td { (thousands(number)) }
                        td { (share(number)) }
                    }
                }
            }
        }
    };
    let caption = html! {
        (thousands(all)) " pairs of a user and one of " (h.snapshots.len()) " dates; " (share(h.rows))
        " became rows."
    };
    super::figure("small", "Which rows were left out?", table, caption)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{card, snapshot};
    use super::*;

    #[test]
    fn the_most_common_reason_is_first() {
        snapshot("dropped", figure(&card().horizons[0]));
    }
}
