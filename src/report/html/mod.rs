//! The card as a page to look at: `report.html` in the bundle.
//!
//! One file with everything inside it: no request leaves it, and its content security policy forbids any. The same
//! card gives the same bytes.
//!
//! Reading order: [`render`], `summary` (the head of the page), then its sections: `verdict`; `segments`, `stages` and
//! `retention` (the users); `value` (what they are worth); `conversion` (potential users); `laws` (how often they are
//! active); `gains` (the contact budget); `horizon` (the evidence on each model: its files are
//! `metric_tiles`, `calibration`, `baseline_comparison`, `curves`, `season` with `beforehand`, `dates`, `slices`,
//! `candidates`, `drift`, `backtest_baselines`, `effects`, `timeline`, `dropped`); `quality` and `coverage` (the log).
//! `axis`, `plot`, `bars`, `interval_plot` and `heatmap` draw. `user` and `later`
//! are pages of their own: one user's explanation, and a bundle judged on a later day.

pub(crate) mod axis;
pub(crate) mod backtest_baselines;
pub(crate) mod bars;
pub(crate) mod baseline_comparison;
pub(crate) mod beforehand;
pub(crate) mod calibration;
pub(crate) mod candidates;
pub(crate) mod conversion;
pub(crate) mod coverage;
pub(crate) mod curves;
pub(crate) mod dates;
pub(crate) mod drift;
pub(crate) mod dropped;
pub(crate) mod effects;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod gains;
pub(crate) mod heatmap;
pub(crate) mod horizon;
pub(crate) mod interval_plot;
pub mod later;
pub(crate) mod laws;
pub(crate) mod metric_tiles;
pub(crate) mod migration;
pub(crate) mod names;
pub(crate) mod plot;
pub(crate) mod quality;
pub(crate) mod retention;
pub(crate) mod season;
pub(crate) mod segments;
pub(crate) mod slices;
pub(crate) mod stages;
pub(crate) mod summary;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod text;
pub(crate) mod timeline;
pub(crate) mod user;
pub(crate) mod value;
pub(crate) mod verdict;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::card::Card;
pub use user::render as render_user;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A section of the page.
struct Section {
    /// Its id, the target of its link in the contents.
    id: &'static str,
    /// Its name in the contents.
    name: &'static str,
    heading: &'static str,
    content: Markup,
}

/// The sections in order: what to know first, what to do with it, and then the evidence.
fn sections(card: &Card) -> Vec<Section> {
    let users = html! {
        (segments::figures(card))
        (migration::figure(card))
        (stages::figures(card))
        (retention::figures(card))
    };
    let value = value::section(card).map(|content| Section {
        id: "value",
        name: "Value",
        heading: "What are users worth?",
        content,
    });
    let conversion = conversion::section(card).map(|content| Section {
        id: "conversion",
        name: "Conversion",
        heading: "Who will convert?",
        content,
    });
    let laws = laws::section(card).map(|content| Section {
        id: "laws",
        name: "Frequency",
        heading: "How often are users active?",
        content,
    });
    let before = [
        Section {
            id: "verdict",
            name: "Verdict",
            heading: "Is the model good enough?",
            content: verdict::content(card),
        },
        Section {
            id: "users",
            name: "Users",
            heading: "Who are the users?",
            content: users,
        },
    ];
    let after = [
        Section {
            id: "budget",
            name: "Budget",
            heading: "What does a contact budget reach?",
            content: gains::section(card),
        },
        Section {
            id: "evidence",
            name: "Evidence",
            heading: "How good is the model, and why?",
            content: horizon::evidence(card),
        },
        Section {
            id: "log",
            name: "Log",
            heading: "What is in the log?",
            content: quality::section(card),
        },
    ];
    let parts = value.into_iter().chain(conversion).chain(laws);
    before.into_iter().chain(parts).chain(after).collect()
}

/// The page of a card: a whole HTML document.
pub fn render(card: &Card) -> String {
    document(
        &summary::title(card),
        summary::header(card),
        &sections(card),
        summary::footer(card),
    )
}

/// A page in this style: a whole HTML document.
fn document(title: &str, header: Markup, sections: &[Section], footer: Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(content_security_policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header)
                (contents(sections))
                main { @for s in sections { (section(s)) } }
                (footer)
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    without_control_characters(&page.into_string())
}

fn contents(sections: &[Section]) -> Markup {
    html! {
        nav.contents aria-label="Contents" {
            ul { @for s in sections { li { a href={ "#" (s.id) } { (s.name) } } } }
        }
    }
}

fn section(s: &Section) -> Markup {
    html! {
        section id=(s.id) aria-labelledby={ (s.id) "-heading" } {
            h2 id={ (s.id) "-heading" } { (s.heading) }
            (s.content)
        }
    }
}

/// Nothing may be loaded, and no script may run but the page's own.
fn content_security_policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
    )
}

/// Names from a log may hold control characters: templates let them through, and some are not legal in a page.
fn without_control_characters(page: &str) -> String {
    page.replace(|c: char| c.is_control() && c != '\n', " ")
}

/// One chart with its heading, and below it the caption with its figures.
fn figure(class: &str, heading: &str, content: Markup, caption: Markup) -> Markup {
    html! {
        figure class={ "card " (class) } {
            h3 { (heading) }
            (content)
            figcaption { (caption) }
        }
    }
}

/// A figure whose data is missing: its heading and the reason.
fn no_figure(heading: &str, reason: &str) -> Markup {
    figure("", heading, html! {}, html! { (reason) })
}

/// Facts with their names, as a list.
fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, Markup)>) -> Markup {
    html! {
        dl.facts { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } }
    }
}
