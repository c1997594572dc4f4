//! What the log-odds of one horizon are made of.

use maud::{Markup, html};

use crate::explain::{Contribution, HorizonAnswer};
use crate::report::html::bars::{Row, legend, list};
use crate::report::html::text::words;
use crate::report::number::{probability, signed};

/// A value that is drawn, with its name.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) value: f64,
}

/// Features that are shown at once; the others are folded away.
const SHOWN: usize = 15;

/// By groups, and by features.
pub(super) fn figures(h: &HorizonAnswer) -> Markup {
    html! {
        div.stack { (groups(h)) (features(h)) }
    }
}

fn groups(h: &HorizonAnswer) -> Markup {
    let mut rows = vec![Named {
        name: "The average user".to_owned(),
        value: h.base_log_odds,
    }];
    rows.extend(h.reasons.iter().map(|reason| Named {
        name: format!("{}: {}", words(reason.group), reason.description),
        value: reason.contribution,
    }));
    rows.push(Named {
        name: "The log-odds, which is the sum".to_owned(),
        value: h.log_odds,
    });
    let caption = html! {
        "Log-odds of churn in the " (h.horizon_days) " days from " (h.from) " to " (h.last) ": "
        (signed(h.log_odds, 2)) ", a probability of " (probability(h.churn_probability)) ". "
        "Each group of features is explained by its most influential one."
    };
    crate::report::html::figure("effects", "By group", chart(&rows), caption)
}

fn features(h: &HorizonAnswer) -> Markup {
    let rows: Vec<Named> = h.contributions.iter().map(feature).collect();
    let caption = html! {
        "All " (h.contributions.len()) " features and numbers derived from them. Those of a group add up to its bar."
    };
    crate::report::html::figure("effects", "By feature", folded(&rows), caption)
}

/// A chart of the first rows, and one of the others behind a heading that opens it; of one scale.
pub(super) fn folded(rows: &[Named]) -> Markup {
    let (first, others) = rows.split_at(rows.len().min(SHOWN));
    let largest = largest(rows);
    html! {
        (scaled(first, largest))
        @if !others.is_empty() {
            details.others {
                summary { (others.len()) " more" }
                (scaled(others, largest))
            }
        }
    }
}

fn feature(contribution: &Contribution) -> Named {
    Named {
        name: format!("{} ({})", contribution.feature, contribution.description),
        value: contribution.contribution,
    }
}

/// Bars to both sides of zero, all of one scale.
pub(super) fn chart(rows: &[Named]) -> Markup {
    scaled(rows, largest(rows))
}

fn largest(rows: &[Named]) -> f64 {
    rows.iter().map(|row| row.value.abs()).fold(0.0, f64::max)
}

fn scaled(rows: &[Named], largest: f64) -> Markup {
    let rows: Vec<Row> = rows
        .iter()
        .map(|row| Row::around_zero(row.name.clone(), row.value, largest))
        .collect();
    html! {
        (legend([("stay", "lowers the risk"), ("churn", "raises the risk")]))
        (list(&rows))
    }
}
