//! Pages that are made from tables in the code. `EBB_WRITE_DOCS=1 cargo test --test it docs` writes them anew.

use std::path::{Path, PathBuf};

use ebb::serve::errors_page;

use super::*;

fn page(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name)
}

fn check(path: &Path, expected: &str) {
    if std::env::var_os("EBB_WRITE_DOCS").is_some() {
        std::fs::write(path, expected).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap();
    assert_eq!(
        found,
        expected,
        "{}: EBB_WRITE_DOCS=1 cargo test --test it docs writes it anew",
        path.display()
    );
}

#[test]
fn the_page_of_errors_is_the_table() {
    let text = errors_page();
    assert!(
        text.matches("\n| ").count() > 15
            && text.contains("| FIELD_INVALID | INVALID_ARGUMENT | ErrorInfo, BadRequest |")
    );
    check(&page("errors.md"), &text);
}

#[test]
fn the_page_on_serving_has_every_limit() {
    let path = page("serving.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("<!-- limits -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of limits -->").unwrap();
    check(
        &path,
        &format!(
            "{before}<!-- limits -->\n{}<!-- end of limits -->{after}",
            Limits::table()
        ),
    );
}
