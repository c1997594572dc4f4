//! CEL's `matches`, with patterns that are compiled once. The engine's own compiles its pattern for every row.

use std::cell::RefCell;

use cel::common::ast::{CallExpr, Expr, LiteralValue};
use cel::common::types::{CelBool, CelString};
use cel::{DeclarationError, Env, ExecutionError};
use regex::Regex;

/// Patterns remembered by each thread. Those that are written in expressions are few.
const REMEMBERED: usize = 16;

const FUNCTION: &str = "matches";

thread_local! {
    /// The last patterns, those used last at the end.
    static PATTERNS: RefCell<Vec<(String, Regex)>> = const { RefCell::new(Vec::new()) };
}

/// Declares `matches(text, pattern)` and `text.matches(pattern)`.
pub(crate) fn extension(env: &mut Env) -> Result<(), DeclarationError> {
    cel::add_overload!(env, fn matches: (CelString, CelString) -> Result<CelBool>, id = "matches")?;
    cel::add_member_overload!(env, fn matches: (CelString, CelString) -> Result<CelBool>)
}

fn matches(text: &CelString<'_>, pattern: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    let found = PATTERNS.with_borrow_mut(|known| find(known, pattern.inner(), text.inner()));
    found
        .map(CelBool::from)
        .map_err(|message| ExecutionError::FunctionError {
            function: FUNCTION.to_owned(),
            message,
        })
}

fn find(known: &mut Vec<(String, Regex)>, pattern: &str, text: &str) -> Result<bool, String> {
    if let Some(at) = known.iter().rposition(|(written, _)| written == pattern) {
        // The last one stays where it is: most expressions have one.
        if at + 1 < known.len() {
            let found = known.remove(at);
            known.push(found);
        }
    } else {
        let compiled = compile(pattern)?;
        if known.len() >= REMEMBERED {
            known.remove(0);
        }
        known.push((pattern.to_owned(), compiled));
    }
    Ok(known
        .last()
        .is_some_and(|(_, compiled)| compiled.is_match(text)))
}

fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| format!("`{pattern}` is not a valid pattern: {error}"))
}

/// The pattern of a call, where it is one that is written in the expression.
pub(crate) fn written(call: &CallExpr) -> Option<&str> {
    match &call.args.last()?.expr {
        Expr::Literal(LiteralValue::String(pattern)) if call.func_name == FUNCTION => {
            Some(pattern.inner())
        }
        _ => None,
    }
}

/// What is wrong with a pattern that cannot be read.
pub(crate) fn check(pattern: &str) -> Result<(), String> {
    compile(pattern).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_compiled_once_and_few_are_remembered() {
        let mut known = Vec::new();
        for n in 0..40 {
            assert_eq!(find(&mut known, "^a+$", "aa"), Ok(true));
            assert_eq!(find(&mut known, "^a+$", "b"), Ok(false));
            assert_eq!(
                find(&mut known, &format!("^{n}$"), &n.to_string()),
                Ok(true)
            );
            assert!(known.len() <= REMEMBERED);
        }
        assert_eq!(
            known
                .iter()
                .filter(|(written, _)| written == "^a+$")
                .count(),
            1
        );
        assert!(
            find(&mut known, "(a", "a")
                .unwrap_err()
                .contains("`(a` is not a valid pattern")
        );
    }
}
