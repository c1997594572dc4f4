//! Imports run one way, third parties stay behind the module that owns them, and files stay readable.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Each module with those that it may import, in reading order.
const MAY_IMPORT: [(&str, &[&str]); 24] = [
    ("math", &[]),
    ("regular_file", &[]),
    ("output", &["regular_file"]),
    ("columnar", &[]),
    ("terminal", &[]),
    ("phases", &[]),
    ("configuration", &[]),
    (
        "history",
        &["math", "regular_file", "output", "phases", "columnar"],
    ),
    ("features", &["history"]),
    ("lifecycle", &["math", "history", "features"]),
    (
        "events",
        &["math", "columnar", "configuration", "phases", "history"],
    ),
    ("rollup_sql", &["events", "history"]),
    (
        "model",
        &[
            "math",
            "regular_file",
            "output",
            "history",
            "features",
            "lifecycle",
        ],
    ),
    (
        "card",
        &["configuration", "history", "features", "lifecycle", "model"],
    ),
    (
        "kpi",
        &[
            "math",
            "configuration",
            "phases",
            "history",
            "features",
            "lifecycle",
            "model",
        ],
    ),
    (
        "train",
        &[
            "math",
            "columnar",
            "configuration",
            "output",
            "phases",
            "history",
            "features",
            "lifecycle",
            "events",
            "model",
            "card",
            "kpi",
        ],
    ),
    (
        "init",
        &["math", "columnar", "phases", "history", "events", "train"],
    ),
    (
        "batch",
        &[
            "columnar",
            "output",
            "phases",
            "history",
            "features",
            "lifecycle",
            "model",
        ],
    ),
    (
        "explain",
        &["math", "history", "features", "lifecycle", "model"],
    ),
    (
        "report",
        &[
            "math",
            "history",
            "features",
            "lifecycle",
            "model",
            "card",
            "batch",
            "explain",
        ],
    ),
    ("simulate", &["math", "output", "phases", "history"]),
    (
        "serve",
        &[
            "math",
            "configuration",
            "regular_file",
            "phases",
            "history",
            "features",
            "lifecycle",
            "model",
            "kpi",
        ],
    ),
    (
        "bin ebb-train",
        &[
            "output",
            "phases",
            "terminal",
            "history",
            "features",
            "events",
            "rollup_sql",
            "model",
            "card",
            "train",
            "init",
            "batch",
            "explain",
            "report",
            "simulate",
            "kpi",
        ],
    ),
    ("bin ebb-serve", &["terminal", "history", "model", "serve"]),
];

/// The folders and files inside of a module.
struct Floors {
    parent: &'static str,
    /// From the top floor down; a folder imports folders of lower floors only.
    floors: &'static [&'static [&'static str]],
    /// Every folder may import these; they import each other and what the last floors hold, from this one on.
    leaves: &'static [&'static str],
    below_leaves: usize,
}

const FLOORS: [Floors; 4] = [
    Floors {
        parent: "history",
        floors: &[
            &["tests"],
            &["rollup"],
            &["coverage"],
            &["store"],
            &["attributes"],
            &["codec"],
            &["bounds"],
            &["day"],
        ],
        leaves: &[],
        below_leaves: 9,
    },
    Floors {
        parent: "events",
        floors: &[
            &["tests"],
            &["attributes"],
            &["log"],
            &["reader"],
            &["collect"],
            &["input"],
            &["ingest"],
            &["mapping"],
            &["error"],
            &["quality"],
            &["config"],
        ],
        leaves: &[],
        below_leaves: 11,
    },
    Floors {
        parent: "train",
        floors: &[
            &["config"],
            &["pipeline", "matrix", "later", "proposals"],
            &["value", "conversion", "laws"],
            &["horizons"],
            &["evaluation", "selection"],
            &["estimators", "checks", "population"],
            &["metrics"],
            &["data"],
            &["settings"],
        ],
        leaves: &[],
        below_leaves: 9,
    },
    Floors {
        parent: "serve",
        floors: &[
            &["server", "client", "reference", "probe"],
            &["initial_state"],
            &["transport"],
            &["gateway"],
            &["services"],
            &["state"],
            &["engine"],
            &["convert"],
            &["registry"],
            &["config"],
            &["codec"],
            &["errors"],
            &["wire"],
        ],
        leaves: &[
            "telemetry",
            "limits",
            "memory",
            "quota",
            "context",
            "form",
            "methods",
            "detached",
        ],
        below_leaves: 11,
    },
];

/// Crates that only one module may name; a name that ends in `*` stands for all that begin with it.
const OWNED_CRATES: [(&str, &str); 5] = [
    ("linfa*", "train"),
    ("smartcore*", "train"),
    ("tonic*", "serve"),
    ("prost*", "serve"),
    ("opentelemetry*", "serve"),
];

const LONGEST_FILE_LINES: usize = 450;

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
fn folders_import_downwards() {
    let problems: Vec<String> = sources()
        .iter()
        .flat_map(|(path, text)| check_folders(path, text))
        .map(|found| found.to_string())
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_folder_has_its_floor() {
    for (path, _) in sources() {
        let own = own_path(&path);
        let Some(table) = FLOORS
            .iter()
            .find(|t| own.first() == Some(&t.parent.to_owned()))
        else {
            continue;
        };
        if let Some(folder) = own.get(1) {
            assert!(
                table.floor(folder).is_some(),
                "give `{folder}` a floor in the table of {}",
                table.parent
            );
        }
    }
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
#[expect(clippy::too_many_lines, reason = "a table of cases")]
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

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn the_checker_sees_every_way_to_climb_between_folders() {
    let found = |path: &str, source: &str| -> Vec<String> {
        let imports = check_folders(Path::new(path), source);
        imports.iter().map(ToString::to_string).collect()
    };
    for (path, source, expected) in [
        (
            "serve/wire.rs",
            "use crate::serve::errors::Fault;",
            "in serve, wire may not import errors",
        ),
        (
            "serve/engine/pool.rs",
            "use super::super::services::scoring;",
            "in serve, engine may not import services",
        ),
        (
            "serve/registry/mod.rs",
            "use super::convert::request;",
            "in serve, registry may not import convert",
        ),
        (
            "serve/errors/table.rs",
            "fn f() { crate::serve::gateway::check(); }",
            "in serve, errors may not import gateway",
        ),
        (
            "serve/limits.rs",
            "use super::{errors, convert::{request, score}};",
            "in serve, limits may not import convert",
        ),
        (
            "train/data/labels.rs",
            "use crate::{math, train::{checks, TrainError}};",
            "in train, data may not import checks",
        ),
        (
            "train/estimators/kmeans/mod.rs",
            "mod tests { use super::super::super::pipeline; }",
            "in train, estimators may not import pipeline",
        ),
        (
            "history/day.rs",
            "use super::store::Histories;",
            "in history, day may not import store",
        ),
        (
            "events/quality/report.rs",
            "mod tests { mod inner { use super::super::super::super::reader; } }",
            "in events, quality may not import reader",
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
            "serve/server.rs",
            "use super::{gateway, transport, wire, limits};",
        ),
        (
            "serve/engine/pool.rs",
            "use super::scorer; use crate::serve::{limits::size, errors::Fault};",
        ),
        (
            "serve/telemetry/http.rs",
            "use super::super::{context, errors};",
        ),
        (
            "serve/services/inference/mod.rs",
            "use super::super::engine; use super::scoring;",
        ),
        (
            "train/evaluation/mod.rs",
            "use super::TrainError; use super::data::dataset; // use super::pipeline;",
        ),
        (
            "events/input/csv.rs",
            "mod tests { use super::super::files; use crate::history::store; }",
        ),
    ] {
        assert_eq!(found(path, source), Vec::<String>::new(), "{source}");
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

/// The module path of a file's own items, such as `serve`, `gateway`, `check`.
fn own_path(path: &Path) -> Vec<String> {
    let mut parts: Vec<String> = path
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// What a source file names against the rules on modules and crates.
fn check_imports(path: &Path, source: &str) -> Vec<String> {
    let module = module_of(path);
    let tokens = tokens(source);
    let mut problems = BTreeSet::new();
    if let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) {
        let imported = imported_paths(&tokens, &own_path(path));
        for name in imported.iter().filter_map(|path| path.first()) {
            let is_module = MAY_IMPORT.iter().any(|(module, _)| module == name);
            if is_module && *name != module && !allowed.contains(&name.as_str()) {
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

/// An import between the folders of a module that the table does not allow.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct UpwardImport {
    file: PathBuf,
    parent: &'static str,
    from: String,
    to: String,
}

impl fmt::Display for UpwardImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            parent,
            from,
            to,
        } = self;
        let file = file.display();
        write!(f, "src/{file}: in {parent}, {from} may not import {to}")
    }
}

/// Where a folder stands in its table.
#[derive(Clone, Copy)]
enum Floor {
    /// On this floor, counted from the top.
    Number(usize),
    Leaf,
}

impl Floors {
    fn floor(&self, folder: &str) -> Option<Floor> {
        if self.leaves.contains(&folder) {
            return Some(Floor::Leaf);
        }
        let floor = self.floors.iter().position(|f| f.contains(&folder))?;
        Some(Floor::Number(floor))
    }

    /// Whether one folder may import another one; a name that is no folder of the table is an item of the parent.
    fn allows(&self, from: &str, to: &str) -> bool {
        let (Some(from), Some(to)) = (self.floor(from), self.floor(to)) else {
            return true;
        };
        match (from, to) {
            (_, Floor::Leaf) => true,
            (Floor::Leaf, Floor::Number(to)) => to >= self.below_leaves,
            (Floor::Number(from), Floor::Number(to)) => from < to,
        }
    }
}

/// What a source file names against the table of its module's folders.
fn check_folders(path: &Path, source: &str) -> BTreeSet<UpwardImport> {
    let own = own_path(path);
    let (Some(module), Some(folder)) = (own.first(), own.get(1)) else {
        return BTreeSet::new();
    };
    let Some(table) = FLOORS.iter().find(|t| t.parent == module) else {
        return BTreeSet::new();
    };
    imported_paths(&tokens(source), &own)
        .into_iter()
        .filter(|import| import.first() == Some(module))
        .filter_map(|import| import.into_iter().nth(1))
        .filter(|to| to != folder && !table.allows(folder, to))
        .map(|to| UpwardImport {
            file: path.to_owned(),
            parent: table.parent,
            from: folder.clone(),
            to,
        })
        .collect()
}

fn tokens(source: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    flatten(source.parse().unwrap(), &mut tokens);
    tokens
}

/// The paths, from the crate's root on, of everything that a file with the module path `own` names through `crate`, `ebb` or
/// `super`.
fn imported_paths(tokens: &[String], own: &[String]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    // For each open brace whether it is that of a module inside of the file.
    let mut braces: Vec<bool> = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let rest = &tokens[at..];
        match token.as_str() {
            "{" => braces.push(at >= 2 && tokens[at - 2] == "mod"),
            "}" => drop(braces.pop()),
            "crate" | "ebb" if is_path(rest) => expand(&rest[3..], &[], &mut paths),
            "super" if is_path(rest) => {
                let climbs = rest
                    .chunks(3)
                    .take_while(|step| step[0] == "super" && is_path(step))
                    .count();
                let inner = braces.iter().filter(|is_module| **is_module).count();
                // What stays inside of the file's own modules has no base above them.
                if let Some(base) = (own.len() + inner).checked_sub(climbs) {
                    let base = &own[..base.min(own.len())];
                    expand(&rest[climbs * 3..], base, &mut paths);
                }
                at += (climbs - 1) * 3;
            }
            _ => {}
        }
        at += 1;
    }
    paths
}

/// Whether a name is followed by `::`.
fn is_path(tokens: &[String]) -> bool {
    matches!(tokens, [_, a, b, ..] if a == ":" && b == ":")
}

/// The paths that a `use` tree or an expression continues `base` with.
fn expand(tokens: &[String], base: &[String], paths: &mut Vec<Vec<String>>) {
    match tokens {
        [open, members @ ..] if open == "{" => {
            for member in members_of(members) {
                expand(member, base, paths);
            }
        }
        [name, rest @ ..] => {
            let path = [base, std::slice::from_ref(name)].concat();
            match rest {
                [a, b, rest @ ..] if a == ":" && b == ":" => expand(rest, &path, paths),
                _ => paths.push(path),
            }
        }
        [] => {}
    }
}

/// The members of a group, whose opening brace has been passed.
fn members_of(tokens: &[String]) -> Vec<&[String]> {
    let mut members = Vec::new();
    let (mut level, mut start) = (0, 0);
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "}" if level == 0 => {
                members.push(&tokens[start..at]);
                break;
            }
            "{" => level += 1,
            "}" => level -= 1,
            "," if level == 0 => {
                members.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    members
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
