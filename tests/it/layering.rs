//! Imports run one way, third parties stay behind the module that owns them, and files stay readable.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Each module with those that it may import, in reading order.
const MAY_IMPORT: [(&str, &[&str]); 17] = [
    ("math", &[]),
    ("output", &[]),
    ("columnar", &[]),
    ("history", &["output", "columnar"]),
    ("features", &["history"]),
    ("lifecycle", &["math", "history", "features"]),
    ("events", &["columnar", "history"]),
    ("rollup_sql", &["events", "history"]),
    (
        "model",
        &["math", "output", "history", "features", "lifecycle"],
    ),
    (
        "card",
        &["history", "features", "lifecycle", "model", "train"],
    ),
    (
        "train",
        &[
            "math",
            "columnar",
            "output",
            "history",
            "features",
            "lifecycle",
            "events",
            "model",
            "card",
            "report",
        ],
    ),
    (
        "batch",
        &[
            "columnar",
            "output",
            "history",
            "features",
            "lifecycle",
            "model",
            "train",
        ],
    ),
    (
        "report",
        &[
            "math",
            "history",
            "features",
            "lifecycle",
            "card",
            "train",
            "model",
        ],
    ),
    ("simulate", &["output", "history"]),
    (
        "serve",
        &["math", "history", "features", "lifecycle", "model"],
    ),
    (
        "bin ebb-train",
        &[
            "output",
            "history",
            "events",
            "rollup_sql",
            "model",
            "card",
            "train",
            "batch",
            "report",
            "simulate",
        ],
    ),
    ("bin ebb-serve", &["history", "model", "serve"]),
];

/// Crates that only one module may name; a name that ends in `*` stands for all that begin with it.
const OWNED_CRATES: [(&str, &str); 5] = [
    ("linfa*", "train"),
    ("smartcore*", "train"),
    ("tonic*", "serve"),
    ("prost*", "serve"),
    ("opentelemetry*", "serve"),
];

const LONGEST_FILE_LINES: usize = 600;

#[test]
fn imports_run_one_way() {
    let sources = sources();
    assert!(
        sources.len() > 50,
        "only {} source files were found",
        sources.len()
    );
    let problems: Vec<String> = sources
        .iter()
        .flat_map(|(path, text)| check_imports(path, text))
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_module_has_its_line_in_the_table() {
    let known: BTreeSet<&str> = MAY_IMPORT.iter().map(|(module, _)| *module).collect();
    let unknown: Vec<String> = sources()
        .iter()
        .map(|(path, _)| module_of(path))
        .filter(|m| !m.is_empty())
        .collect();
    let unknown: BTreeSet<&str> = unknown
        .iter()
        .map(String::as_str)
        .filter(|m| !known.contains(m))
        .collect();
    assert!(
        unknown.is_empty(),
        "add {unknown:?} to the table, here and in src/lib.rs"
    );
}

#[test]
fn files_are_short_enough_to_read() {
    let long = |(path, text): &(PathBuf, String)| {
        let lines = text.lines().count();
        (lines > LONGEST_FILE_LINES).then(|| format!("{}: {lines} lines", path.display()))
    };
    let long: Vec<String> = sources().iter().filter_map(long).collect();
    assert!(
        long.is_empty(),
        "split what has more than {LONGEST_FILE_LINES} lines:\n{}",
        long.join("\n")
    );
}

#[test]
fn the_checker_sees_every_way_to_break_the_rules() {
    let found = |path: &str, source: &str| check_imports(Path::new(path), source);
    for (path, source, expected) in [
        (
            "model/bundle.rs",
            "use crate::train::fit::fit;",
            "model may not import train",
        ),
        (
            "math/mod.rs",
            "fn f() { crate::history::Day::new(0); }",
            "math may not import history",
        ),
        (
            "events/text.rs",
            "use super::super::features::Catalogue;",
            "events may not import features",
        ),
        (
            "events/mod.rs",
            "use super::model;",
            "events may not import model",
        ),
        (
            "features/mod.rs",
            "use crate::{history, model::{Bundle}};",
            "features may not import model",
        ),
        (
            "serve/state.rs",
            "use crate::train;",
            "serve may not import train",
        ),
        (
            "serve/state.rs",
            "mod tests { use crate::events::read_log; }",
            "serve may not import events",
        ),
        (
            "train/fit.rs",
            "use crate::serve::Limits;",
            "train may not import serve",
        ),
        (
            "bin/ebb-serve.rs",
            "use ebb::train::card::Card;",
            "bin ebb-serve may not import train",
        ),
        (
            "bin/ebb-train/main.rs",
            "use ebb::serve::run;",
            "bin ebb-train may not import serve",
        ),
        (
            "model/score.rs",
            "use linfa_clustering::KMeans;",
            "`linfa_clustering` belongs to train",
        ),
        (
            "simulate/mod.rs",
            "use smartcore::ensemble;",
            "`smartcore` belongs to train",
        ),
        (
            "model/mod.rs",
            "fn f() -> tonic::Status { loop {} }",
            "`tonic` belongs to serve",
        ),
        (
            "bin/ebb-serve.rs",
            "use prost::Message;",
            "`prost` belongs to serve",
        ),
        (
            "lib.rs",
            "pub use tonic_health::server;",
            "`tonic_health` belongs to serve",
        ),
    ] {
        let problems = found(path, source).join("\n");
        assert!(
            problems.contains(expected) && problems.contains(path),
            "{source}: {problems:?}"
        );
    }
    for (path, source) in [
        (
            "model/score.rs",
            "// use crate::train;\n/// [`crate::train::fit`]\nconst TEXT: &str = \"use crate::train;\";",
        ),
        (
            "train/logistic/mod.rs",
            "use super::super::labels::train; use super::metrics; use crate::model;",
        ),
        (
            "train/fit.rs",
            "use linfa::traits::Fit; use crate::{events, model::Bundle};",
        ),
        ("serve/wire.rs", "tonic::include_proto!(\"churn.v1\");"),
    ] {
        assert_eq!(found(path, source), Vec::<String>::new());
    }
}

/// Every source file, by its path below `src/`.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                sources.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    sources.sort();
    sources
}

/// The table's name for the module that a file belongs to; empty for the crate's root.
fn module_of(path: &Path) -> String {
    let parts: Vec<String> = path
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    match parts
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["bin", name, ..] => format!("bin {name}"),
        ["lib", ..] | [] => String::new(),
        [module, ..] => (*module).to_owned(),
    }
}

/// How many `super::` lead from a file's own items to the crate's root.
fn depth_of(path: &Path) -> usize {
    let own = path.file_stem().is_some_and(|stem| stem != "mod");
    path.components().count() - 1 + usize::from(own)
}

/// What a source file names against the rules.
fn check_imports(path: &Path, source: &str) -> Vec<String> {
    let module = module_of(path);
    let mut tokens = Vec::new();
    flatten(source.parse().unwrap(), &mut tokens);
    let mut problems = BTreeSet::new();
    if let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) {
        for name in imported_modules(&tokens, depth_of(path)) {
            let is_module = MAY_IMPORT.iter().any(|(module, _)| *module == name);
            if is_module && name != module && !allowed.contains(&name) {
                problems.insert(format!(
                    "src/{}: {module} may not import {name}",
                    path.display()
                ));
            }
        }
    }
    for token in &tokens {
        let owner = OWNED_CRATES
            .iter()
            .find(|(name, _)| match name.strip_suffix('*') {
                Some(stem) => token
                    .strip_prefix(stem)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('_')),
                None => token == name,
            });
        if let Some((_, owner)) = owner.filter(|(_, owner)| *owner != module) {
            problems.insert(format!(
                "src/{}: `{token}` belongs to {owner}",
                path.display()
            ));
        }
    }
    problems.into_iter().collect()
}

/// The modules of the crate that paths lead to, absolute ones and those that climb up to the root.
fn imported_modules(tokens: &[String], depth: usize) -> Vec<&str> {
    let mut names = Vec::new();
    for start in 0..tokens.len() {
        let rest = tokens.get(start..).unwrap_or_default();
        let climbs = rest
            .chunks(3)
            .take_while(|step| matches!(step, [a, b, c] if a == "super" && b == ":" && c == ":"));
        let after = match rest {
            [root, a, b, after @ ..]
                if (root == "crate" || root == "ebb") && a == ":" && b == ":" =>
            {
                after
            }
            [first, ..] if first == "super" && climbs.clone().count() == depth => {
                rest.get(depth * 3..).unwrap_or_default()
            }
            _ => continue,
        };
        match after {
            [open, members @ ..] if open == "{" => names.extend(group(members)),
            [name, ..] => names.push(name),
            [] => {}
        }
    }
    names
}

/// The first name of each member of a `use` group, whose opening brace has been passed.
fn group(tokens: &[String]) -> Vec<&str> {
    let mut names = Vec::new();
    let (mut level, mut first) = (0, true);
    for token in tokens {
        match token.as_str() {
            "}" if level == 0 => break,
            "{" => level += 1,
            "}" => level -= 1,
            "," if level == 0 => first = true,
            name if first && level == 0 => {
                names.push(name);
                first = false;
            }
            _ => {}
        }
    }
    names
}

/// Identifiers, punctuation and braces in order; comments and texts are left out.
fn flatten(stream: TokenStream, into: &mut Vec<String>) {
    for token in stream {
        match token {
            TokenTree::Ident(name) => into.push(name.to_string()),
            TokenTree::Punct(sign) => into.push(sign.as_char().to_string()),
            TokenTree::Literal(_) => {}
            TokenTree::Group(group) => {
                let braces = group.delimiter() == Delimiter::Brace;
                into.extend(braces.then(|| "{".to_owned()));
                flatten(group.stream(), into);
                into.extend(braces.then(|| "}".to_owned()));
            }
        }
    }
}
