//! The card as a page to look at: `report.html` in the bundle.
//!
//! One file with everything inside it: no request leaves it, and its content security policy forbids any. The same
//! card gives the same bytes.
//!
//! Reading order: [`render`], `summary` (the head of the page), then its sections: `verdict`; `segments`, `stages` and
//! `retention` (who the users are); `gains` (whom a budget reaches); `horizon` (the evidence on each model: its files are
//! `tiles`, `calibration`, `versus`, `curves`, `dates`, `slices`, `trials`, `drift`, `effects`, `timeline`, `dropped`);
//! `quality` and `coverage` (the log). `plot`, `bars`, `strips` and `heat` draw, `text` writes.

pub(crate) mod bars;
pub(crate) mod calibration;
pub(crate) mod coverage;
pub(crate) mod curves;
pub(crate) mod dates;
pub(crate) mod drift;
pub(crate) mod dropped;
pub(crate) mod effects;
pub(crate) mod gains;
pub(crate) mod heat;
pub(crate) mod horizon;
#[cfg(test)]
mod made_up;
#[cfg(test)]
mod made_up_trials;
pub(crate) mod names;
pub(crate) mod plot;
pub(crate) mod quality;
pub(crate) mod retention;
pub(crate) mod segments;
pub(crate) mod slices;
pub(crate) mod stages;
pub(crate) mod strips;
pub(crate) mod summary;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod text;
pub(crate) mod tiles;
pub(crate) mod timeline;
pub(crate) mod trials;
pub(crate) mod verdict;
pub(crate) mod versus;

use sha2::{Digest, Sha256};

use crate::card::Card;
use text::escape;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A section of the page: its id, its name in the contents, its heading and what it holds.
struct Section {
    id: &'static str,
    name: &'static str,
    heading: &'static str,
    content: String,
}

/// The sections in order: what to know first, what to do with it, and then the evidence.
fn sections(card: &Card) -> [Section; 5] {
    let users = [
        segments::figures(card),
        stages::figures(card),
        retention::figures(card),
    ]
    .concat();
    [
        Section {
            id: "verdict",
            name: "Verdict",
            heading: "Is the model good enough?",
            content: verdict::content(card),
        },
        Section {
            id: "users",
            name: "Users",
            heading: "Who the users are",
            content: users,
        },
        Section {
            id: "budget",
            name: "Budget",
            heading: "Whom to contact",
            content: gains::section(card),
        },
        Section {
            id: "evidence",
            name: "Evidence",
            heading: "How good it is, and why",
            content: horizon::evidence(card),
        },
        Section {
            id: "log",
            name: "Log",
            heading: "The log",
            content: quality::section(card),
        },
    ]
}

/// The page of a card: a whole HTML document.
pub fn render(card: &Card) -> String {
    let sections = sections(card);
    let links: String = sections
        .iter()
        .map(|s| format!("<li><a href=\"#{}\">{}</a></li>", s.id, escape(s.name)))
        .collect();
    let section = |s: &Section| {
        format!(
            "<section id=\"{0}\" aria-labelledby=\"{0}-heading\"><h2 id=\"{0}-heading\">{1}</h2>{2}</section>",
            s.id,
            escape(s.heading),
            s.content
        )
    };
    let body = [
        summary::header(card),
        format!("<nav class=\"contents\" aria-label=\"Contents\"><ul>{links}</ul></nav>"),
        format!(
            "<main>\n{}\n</main>",
            sections.iter().map(section).collect::<Vec<_>>().join("\n")
        ),
        summary::footer(card),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{}\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        base64(&Sha256::digest(SCRIPT)),
        escape(&summary::title(card)),
        body.join("\n"),
    )
}

/// One chart with its heading, and below it the description that says what to see in it. `caption` is HTML.
fn figure(class: &str, heading: &str, content: &str, caption: &str) -> String {
    format!(
        "<figure class=\"card {class}\"><h3>{}</h3>{content}<figcaption>{caption}</figcaption></figure>",
        escape(heading)
    )
}

/// RFC 4648, with padding: how a content security policy wants a hash.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for k in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * k) & 63) as usize];
            text.push(if k > chunk.len() {
                '='
            } else {
                char::from(digit)
            });
        }
    }
    text
}
