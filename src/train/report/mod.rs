//! The card as a page to look at: `report.html` in the bundle.
//!
//! One file with everything inside it: no request leaves it, and its content security policy forbids any. The same
//! card gives the same bytes.
//!
//! Reading order: [`render`], `summary` (the head of the page), `horizon` (one model: its files are `tiles`,
//! `gains`, `calibration`, `versus`, `dates`, `curves`, `slices`, `trials`, `drift`, `effects`, `timeline`, `dropped`),
//! `segments`, `stages` and `retention` (who the users are), `quality` (the log). `plot`, `bars`, `strips` and `heat` draw, `text`
//! writes.

mod bars;
mod calibration;
mod curves;
mod dates;
mod drift;
mod dropped;
mod effects;
mod gains;
mod heat;
mod horizon;
mod names;
mod plot;
mod quality;
mod retention;
mod segments;
mod slices;
mod stages;
mod strips;
mod summary;
mod text;
mod tiles;
mod timeline;
mod trials;
mod versus;

#[cfg(test)]
mod made_up;
#[cfg(test)]
mod tests;

use sha2::{Digest, Sha256};

use super::card::Card;
use text::escape;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The page of a card: a whole HTML document.
pub fn render(card: &Card) -> String {
    let body = [
        summary::header(card),
        "<main>".to_owned(),
        horizon::sections(card),
        users(card),
        quality::section(card),
        "</main>".to_owned(),
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

/// Who the users are.
fn users(card: &Card) -> String {
    format!(
        "<section class=\"users\"><h2>Who the users are</h2>{}{}{}</section>",
        segments::figures(card),
        stages::figures(card),
        retention::figures(card)
    )
}

/// One chart with its heading, and below it the sentence that says what to see in it. `caption` is HTML.
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
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for k in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * k) & 63) as usize];
            text.push(if k > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    text
}
