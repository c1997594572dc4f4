//! What a user is worth.

use maud::{Markup, html};

use crate::explain::{ValueAnswer, ValueChange};
use crate::model::factor_words;
use crate::report::html::figure;
use crate::report::html::text::{thin, words};
use crate::report::number::percent;
use crate::report::worth::rows;

/// The figures, and what the regression multiplies the spend by.
pub(super) fn figures(value: &ValueAnswer) -> Markup {
    let table = html! {
        table.plain.worth {
            tbody {
                @for (name, figure) in rows(value) {
                    tr { th scope="row" { (name) } td { (thin(&figure)) } }
                }
            }
        }
    };
    let caption = html! {
        "The interval is that of users of whom as much was expected. Residual value and value at risk are what is earned, \
         discounted; the spend is what is paid."
    };
    let reasons = value.reasons.iter().map(|reason| &reason.reason);
    let reasons: Vec<Factor<'_>> = reasons
        .map(|r| Factor {
            contribution: r.contribution,
            group: r.group,
            description: &r.description,
        })
        .collect();
    html! {
        div.stack {
            (figure("small", "Figures", table, caption))
            @if !reasons.is_empty() {
                (figure("small", "Why so much", factors(&reasons), html! {
                    "What each group of features multiplies the spend of the average user by in the regression, which has \
                     a weight of " (percent(value.regression_share)) " in the expected spend."
                }))
            }
        }
    }
}

/// What supposed events multiply the regression's spend by.
pub(super) fn changes(change: &ValueChange) -> Markup {
    let reasons: Vec<Factor<'_>> = change
        .reasons
        .iter()
        .map(|c| Factor {
            contribution: c.change,
            group: c.after.group,
            description: &c.description,
        })
        .collect();
    html! {
        @if !reasons.is_empty() {
            (figure("small", "Change of the spend", factors(&reasons), html! {
                "What the events multiply the regression's spend by, by groups of features."
            }))
        }
    }
}

/// A feature group with its effect on the logarithm of the spend.
struct Factor<'a> {
    contribution: f64,
    group: &'a str,
    description: &'a str,
}

fn factors(factors: &[Factor<'_>]) -> Markup {
    html! {
        table.plain.worth {
            thead {
                tr {
                    th scope="col" { "Features" }
                    th scope="col" { "Factor" }
                    th scope="col" { "What explains it best" }
                }
            }
            tbody {
                @for factor in factors {
                    tr {
                        th scope="row" { (words(factor.group)) }
                        td { (factor_words(factor.contribution)) }
                        td { (thin(factor.description)) }
                    }
                }
            }
        }
    }
}
