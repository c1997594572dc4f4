//! Whether potential users convert.

use maud::{Markup, html};

use super::names;
use super::text::nowrap;
use crate::card::{Card, ConversionCard, Evaluation, HorizonCard, Interval, Metrics};
use crate::report::number::{counted, decimals, plain_percent, score, signed, thousands};
use crate::report::wording::conversion::{question, untested, users, withheld};

/// Effects that are listed.
const EFFECTS: usize = 10;

/// The content of the section; `None` where it was not configured.
pub(crate) fn section(card: &Card) -> Option<Markup> {
    let part = card.conversion.as_ref()?;
    Some(html! {
        div.tiles.sums {
            (tile("Potential users", users(part), html! { "as of " (nowrap(card.as_of)) }))
            @for h in &part.horizons { (expected(h)) }
        }
        p.aside { (question(part)) "." }
        @for h in &part.horizons { (horizon(h)) }
        (notes(part))
    })
}

fn tile(name: &str, figure: String, meaning: Markup) -> Markup {
    html! {
        div.card.tile {
            h3 { (name) }
            p.big { (figure) }
            p.meaning { (meaning) }
        }
    }
}

/// The share of potential users that is expected to convert.
fn expected(h: &HorizonCard) -> Markup {
    let share = h
        .next_window
        .map_or("unknown".to_owned(), |next| plain_percent(next.predicted));
    let name = format!("Expected to convert within {} days", h.horizon_days);
    tile(
        &name,
        share,
        html! { "Mean probability of potential users." },
    )
}

fn horizon(h: &HorizonCard) -> Markup {
    html! {
        h3 { "Within " (h.horizon_days) " days" }
        p.aside {
            "Fitted on " (counted(h.rows, "row")) " of " (counted(h.snapshots.len() as u64, "date")) ", of which "
            (plain_percent(h.churn_rate)) " converted."
        }
        @match &h.evaluation {
            Some(evaluation) => (metrics(evaluation)),
            None => p.card.empty { (untested(h)) }
        }
        (effects(h))
    }
}

/// The model beside its baselines.
fn metrics(e: &Evaluation) -> Markup {
    let row = |name: String, m: &Metrics, difference: Option<Interval>| {
        let difference = difference.map_or(String::new(), |d| {
            format!(
                "{} ({} to {})",
                signed(d.value, 4),
                signed(d.low, 4),
                signed(d.high, 4)
            )
        });
        html! {
            tr {
                th scope="row" { (name) }
                td { (score(m.log_loss.value)) }
                td { (decimals(m.auc.value, 3)) }
                td { (score(m.ece.value)) }
                td { (difference) }
            }
        }
    };
    html! {
        p.aside {
            "Judged on " (counted(e.users, "potential user")) " of " (nowrap(e.test)) ", of whom " (thousands(e.churners()))
            " converted, by a model trained on what was known then, on other users."
        }
        div.scroll role="region" aria-label="Conversion: the model and its baselines" tabindex="0" {
            table.plain {
                thead { tr {
                    @for heading in ["", "log loss", "AUC", "calibration error", "log loss of the model less the baseline's"] {
                        th scope="col" { (heading) }
                    }
                } }
                tbody {
                    (row("model".to_owned(), &e.model, None))
                    @for b in &e.baselines { (row(names::baseline(b), &b.metrics, Some(b.log_loss_difference))) }
                }
            }
        }
    }
}

fn effects(h: &HorizonCard) -> Markup {
    html! {
        div.scroll role="region" aria-label="Conversion: the largest effects" tabindex="0" {
            table.plain {
                thead { tr { th scope="col" { "feature" } th scope="col" { "log-odds of conversion, per standard deviation" } } }
                tbody {
                    @for effect in h.effects.iter().take(EFFECTS) {
                        tr {
                            th scope="row" { (names::description(&effect.description)) }
                            td { (signed(effect.standardized_effect, 2)) }
                        }
                    }
                }
            }
        }
    }
}

fn notes(part: &ConversionCard) -> Markup {
    let withheld = withheld(part);
    html! {
        @let notes: Vec<&String> = part.notes.iter().chain(&withheld).collect();
        @if !notes.is_empty() {
            div.notes { ul { @for note in notes { li { (note) } } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::conversion::conversion;
    use super::super::tests::{card, plain};
    use super::*;
    use crate::report::html::render;

    #[test]
    fn the_section_is_there_with_a_part_for_potential_users_alone() {
        let mut card = card();
        assert!(section(&card).is_none());
        assert!(!render(&card).contains("id=\"conversion\""));
        card.conversion = Some(conversion());
        let page = render(&card);
        assert!(
            page.contains("<section id=\"conversion\"") && page.contains("href=\"#conversion\"")
        );
        let text = plain(section(&card).unwrap());
        assert!(
            text.contains("2,531") && text.contains("Recency only"),
            "{text}"
        );
        assert!(!text.contains("<&>") && !text.contains("NaN"), "{text}");
        card.conversion.as_mut().unwrap().horizons[0].evaluation = None;
        let text = plain(section(&card).unwrap());
        assert!(text.contains("was not judged"), "{text}");
    }
}
