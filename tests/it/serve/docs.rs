//! Pages that are made from tables in the code. `just docs` writes them anew.

use std::path::{Path, PathBuf};

use ebb::serve::errors_page;

use super::*;

/// The page of the reasons that a call can fail for.
const ERRORS: &str = "docs/errors.md";
/// The page that has the table of limits.
const LIMITS: &str = "docs/serving/tune.md";

fn path(page: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(page)
}

fn read(page: &str) -> String {
    std::fs::read_to_string(path(page)).unwrap()
}

/// The page of limits with the table as it is in the code.
fn limits_page() -> String {
    let text = read(LIMITS);
    let (before, rest) = text.split_once("<!-- limits -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of limits -->").unwrap();
    format!(
        "{before}<!-- limits -->\n{}<!-- end of limits -->{after}",
        Limits::table()
    )
}

fn check(page: &str, expected: &str) {
    assert_eq!(read(page), expected, "{page}: `just docs` writes it anew");
}

#[test]
fn the_page_of_errors_is_the_table() {
    let text = errors_page();
    assert!(
        text.matches("\n| ").count() > 15
            && text.contains("| FIELD_INVALID | INVALID_ARGUMENT | ErrorInfo, BadRequest |")
    );
    check(ERRORS, &text);
}

#[test]
fn the_page_of_limits_has_every_limit() {
    check(LIMITS, &limits_page());
}
