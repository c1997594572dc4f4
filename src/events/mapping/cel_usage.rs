//! What an expression uses, and how much of it: an expression that nobody meant must not take the program down.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::{ComprehensionExpr, EntryExpr, Expr};

use crate::events::mapping::patterns;

/// Bytes of an expression.
const BYTES: usize = 65_536;
/// Operators of an expression, each of which may lie inside of the one before.
const OPERATORS: usize = 1_000;
/// Operators that lie inside of one another: the engine goes as deep.
const DEPTH: usize = 200;
/// Loops, such as `map` and `exists`: each may double a text.
const LOOPS: usize = 10;
/// Loops inside of one another: each takes as many times the time as its list is long.
const LOOPS_INSIDE: usize = 3;

/// What an expression uses.
#[derive(Debug, Default)]
pub(crate) struct Used<'e> {
    /// The identifiers that no macro such as `map` or `exists` binds.
    pub(crate) names: BTreeSet<&'e str>,
    /// The patterns that are written in it.
    pub(crate) patterns: Vec<&'e str>,
    bound: Vec<&'e str>,
    depth: usize,
    deepest: usize,
    loops: usize,
    loops_inside: usize,
    most_loops_inside: usize,
}

/// Whether a text is too much of an expression to be compiled, and why.
pub(crate) fn check_text(text: &str) -> Result<(), String> {
    if text.len() > BYTES {
        return Err(format!("it has {} bytes, more than {BYTES}", text.len()));
    }
    match operators(text) {
        ..=OPERATORS => Ok(()),
        more => Err(format!(
            "it has {more} operators, dots and brackets, more than {OPERATORS}"
        )),
    }
}

/// Characters outside of literal texts that may begin something inside of what was before.
fn operators(text: &str) -> usize {
    let (mut count, mut rest) = (0, text);
    while let Some(at) = rest.find([
        '\'', '"', '+', '-', '*', '/', '%', '.', '[', '(', '{', '!', '?',
    ]) {
        let (before, from) = rest.split_at(at);
        let raw = before.ends_with(['r', 'R']);
        let quote = from.get(..1).unwrap_or_default();
        if !matches!(quote, "'" | "\"") {
            count += 1;
            rest = from.get(1..).unwrap_or_default();
            continue;
        }
        let three = quote.repeat(3);
        let quote = if from.starts_with(&three) {
            three.as_str()
        } else {
            quote
        };
        rest = after_text(from.get(quote.len()..).unwrap_or_default(), quote, raw);
    }
    count
}

/// What follows a literal text that ends with `quote`.
fn after_text<'t>(mut text: &'t str, quote: &str, raw: bool) -> &'t str {
    loop {
        let end = text.find(quote).unwrap_or(text.len());
        match text.find('\\').filter(|at| !raw && *at < end) {
            Some(at) => {
                let mut escaped = text.get(at + 1..).unwrap_or_default().chars();
                escaped.next();
                text = escaped.as_str();
            }
            None => return text.get(end + quote.len()..).unwrap_or_default(),
        }
    }
}

impl<'e> Used<'e> {
    /// What a compiled expression uses, or why it is too much.
    pub(crate) fn by(expression: &'e IdedExpr) -> Result<Self, String> {
        let mut used = Self::default();
        used.visit(expression);
        match used {
            Self { deepest, .. } if deepest > DEPTH => Err(format!(
                "its operators lie up to {deepest} deep inside of one another, more than {DEPTH}"
            )),
            Self { loops, .. } if loops > LOOPS => Err(format!(
                "it has {loops} loops such as `map`, more than {LOOPS}"
            )),
            Self {
                most_loops_inside: inside,
                ..
            } if inside > LOOPS_INSIDE => Err(format!(
                "its loops such as `map` lie {inside} deep inside of one another, more than {LOOPS_INSIDE}"
            )),
            used => Ok(used),
        }
    }

    fn visit(&mut self, expression: &'e IdedExpr) {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        match &expression.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => {
                let name = name.strip_prefix('.').unwrap_or(name);
                if !self.bound.contains(&name) {
                    self.names.insert(name);
                }
            }
            Expr::Call(call) => {
                self.patterns.extend(patterns::written(call));
                call.target.iter().for_each(|target| self.visit(target));
                call.args.iter().for_each(|argument| self.visit(argument));
            }
            Expr::Select(select) => self.visit(&select.operand),
            Expr::List(list) => list.elements.iter().for_each(|element| self.visit(element)),
            Expr::Map(map) => map
                .entries
                .iter()
                .for_each(|entry| self.visit_entry(&entry.expr)),
            Expr::Struct(value) => value
                .entries
                .iter()
                .for_each(|entry| self.visit_entry(&entry.expr)),
            Expr::Comprehension(loop_) => self.visit_loop(loop_),
        }
        self.depth -= 1;
    }

    fn visit_entry(&mut self, entry: &'e EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.visit(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.visit(&entry.key);
                self.visit(&entry.value);
            }
        }
    }

    fn visit_loop(&mut self, loop_: &'e ComprehensionExpr) {
        self.loops += 1;
        self.visit(&loop_.iter_range);
        self.visit(&loop_.accu_init);
        self.loops_inside += 1;
        self.most_loops_inside = self.most_loops_inside.max(self.loops_inside);
        let outer = self.bound.len();
        self.bound
            .extend([loop_.iter_var.as_str(), loop_.accu_var.as_str()]);
        self.bound.extend(loop_.iter_var2.as_deref());
        self.visit(&loop_.loop_cond);
        self.visit(&loop_.loop_step);
        self.visit(&loop_.result);
        self.bound.truncate(outer);
        self.loops_inside -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_counted_outside_of_texts() {
        for (text, count) in [
            ("a + b.c[0]", 3),
            ("k == 'a+b.c' ? \"(-)\" : 'x'", 1),
            (r"'it\'s + ' + 'b'", 1),
            (r"r'\' + 'b'", 1),
            ("'''a'+'b''' + c", 1),
            ("\"\"\" \\\"\"\" + \"\"\"", 0),
            ("'open + ", 0),
            ("'é\\é+'+'é'", 1),
        ] {
            assert_eq!(operators(text), count, "{text}");
        }
    }
}
