//! What supposed events change.

use maud::{Markup, html};

use super::contributions::{Named, chart, folded};
use super::worth;
use crate::explain::{Change, HorizonChange, WhatIf};
use crate::report::html::figure;
use crate::report::html::horizon::panels_of;
use crate::report::html::text::{thin, words};
use crate::report::number::signed;

pub(super) fn figures(what_if: &WhatIf) -> Markup {
    let changes: Vec<(u16, &HorizonChange)> = what_if
        .changes
        .iter()
        .map(|change| (change.horizon_days, change))
        .collect();
    html! {
        div.stack {
            div.card { @for sentence in &what_if.sentences { p { (thin(sentence)) } } }
            @if let Some(value) = &what_if.value { (worth::changes(value)) }
            @if !changes.is_empty() { div { (panels_of(&changes, 'w', |change| changed(change))) } }
        }
    }
}

fn changed(change: &HorizonChange) -> Markup {
    let named = |change: &Change, name: String| Named {
        name,
        value: change.change,
    };
    let groups: Vec<Named> = change
        .reasons
        .iter()
        .map(|c| {
            let name = format!("{}: {}", words(c.after.group), c.description);
            named(c, name)
        })
        .collect();
    let features: Vec<Named> = change
        .contributions
        .iter()
        .map(|c| named(c, format!("{} ({})", c.after.feature, c.after.description)))
        .collect();
    let sum = signed(change.log_odds_change, 2);
    html! {
        div.stack {
            (figure("effects", "Change by group", chart(&groups), html! {
                "The log-odds of churn in " (change.horizon_days) " days change by " (sum) "."
            }))
            (figure("effects", "Change by feature", folded(&features), html! {
                "All " (features.len()) " features whose value or contribution changes."
            }))
        }
    }
}
