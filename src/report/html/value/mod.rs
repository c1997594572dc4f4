//! What users are worth.
//!
//! `tiers` (value and value at risk of tiers, risk bands and stages), `deciles` and `gini` (the estimates beside what came),
//! `metrics` (their figures and intervals), `periods` (money per user over time).

mod deciles;
mod gini;
mod metrics;
mod periods;
mod tiers;

use maud::{Markup, html};

use super::text::nowrap;
use crate::card::{Card, ValueCard};
use crate::report::number::{amount, counted, percent, thousands};
use crate::report::wording::value::{ValueTotals, amounts, models, residual, untested};

/// The content of the section; `None` where no value was configured.
pub(crate) fn section(card: &Card) -> Option<Markup> {
    let value = card.value.as_ref()?;
    Some(html! {
        (tiles(card, value))
        div.pair {
            (tiers::at_risk(value))
            (tiers::tiers(value))
        }
        (tiers::stages(value))
        @match &value.evaluation {
            Some(evaluation) => {
                div.pair {
                    (deciles::figure(value, evaluation))
                    (gini::figure(evaluation))
                }
                (metrics::metrics(value, evaluation))
                (metrics::coverage(evaluation))
            }
            None => p.card.empty { (untested(value)) }
        }
        (periods::figures(value))
        (notes(value))
    })
}

/// The sums over all users, each with its meaning.
fn tiles(card: &Card, value: &ValueCard) -> Markup {
    let totals = ValueTotals::of(value);
    let share = totals.value_at_risk / totals.residual_value;
    let horizon = format!("within {} days", value.horizon_days);
    html! {
        div.tiles.sums {
            (tile("Users", None, thousands(totals.users), html! { "as of " (nowrap(card.as_of)) }))
            (tile("Expected spend", Some(value), amount(totals.expected_spend), html! { (horizon) }))
            (tile("Residual value", Some(value), amount(totals.residual_value), html! { (residual(value)) "." }))
            (tile("Value at risk", Some(value), amount(totals.value_at_risk), html! {
                @if share.is_finite() { (percent(share)) " of the residual value. " }
                "What churn would cost, times its probability."
            }))
        }
        p.aside { (amounts(value)) "." }
    }
}

fn tile(name: &str, money: Option<&ValueCard>, figure: String, meaning: Markup) -> Markup {
    let currency = money.and_then(|value| value.currency.as_deref());
    html! {
        div.card.tile {
            h3 { (name) }
            p.big { (figure) @if let Some(currency) = currency { " " small { (currency) } } }
            p.meaning { (meaning) }
        }
    }
}

/// The models and their data, and what else to know.
fn notes(value: &ValueCard) -> Markup {
    html! {
        div.notes {
            h3 { "How the value was estimated" }
            ul {
                @for sentence in models(value) { li { (sentence) } }
                @for note in &value.notes { li { (note) } }
            }
        }
    }
}

/// A table that is wider than a phone: it is moved sideways by itself, by touch and by keyboard.
pub(super) fn wide(label: &str, table: Markup) -> Markup {
    html! { div.scroll role="region" aria-label=(label) tabindex="0" { (table) } }
}

/// A table behind a picture, to be opened.
fn behind(label: &str, table: Markup) -> Markup {
    html! {
        details.others {
            summary { "As a table" }
            (wide(label, table))
        }
    }
}

/// A table of figures: the headings, and rows that begin with a name.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> Markup {
    html! {
        table.plain {
            thead { tr { @for heading in headings { th scope="col" { (heading) } } } }
            tbody {
                @for row in rows {
                    tr {
                        @for (column, cell) in row.iter().enumerate() {
                            @if column == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                        }
                    }
                }
            }
        }
    }
}

/// Users in a sentence: `1 user`.
fn users(users: u64) -> String {
    counted(users, "user")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::value::untested as untested_value;
    use super::super::tests::{card, plain, snapshot};
    use super::*;
    use crate::report::html::render;

    #[test]
    fn the_section_begins_with_sums_and_ends_with_how_they_were_made() {
        let card = card();
        let value = card.value.as_ref().unwrap();
        snapshot("value_head", html! { (tiles(&card, value)) (notes(value)) });
        let page = render(&card);
        assert!(page.contains("<section id=\"value\"") && page.contains("href=\"#value\""));
    }

    #[test]
    fn without_an_evaluation_its_reason_stands_in_its_place() {
        let mut card = card();
        card.value = Some(untested_value());
        let text = plain(section(&card).unwrap());
        assert!(text.contains("two are needed."), "{text}");
        assert!(!text.contains("Gini") && !text.contains("NaN"), "{text}");
        assert!(text.contains("Amounts are sums of purchase + return &lt;&amp;&gt;, without"));
        assert!(text.contains("No amounts by period"), "{text}");
    }

    #[test]
    fn a_bundle_without_value_has_no_such_section() {
        let mut card = card();
        card.value = None;
        assert!(section(&card).is_none());
        assert!(!render(&card).contains("id=\"value\""));
    }
}
