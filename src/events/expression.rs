use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr};
use cel::{Context, Env, ExecutionError, IdedExpr, Program, extensions};

use super::EventsError;
use super::duplicates::{Identity, hash_bytes};
use super::reason::{Field, Refusal, RefusalReason};
use super::source::{Columns, NotUtf8, Row, Stop, not_utf8};
use super::value::{Owned, value_of, write_key};
use crate::history::Cell;

/// Results remembered. Logs repeat themselves: a receipt's lines share its number, prices and quantities are few.
const CACHE_LIMIT: usize = 65_536;

/// Identifiers that CEL gives a meaning of their own, and that are columns only where a file has them.
const CEL_NAMES: [&str; 14] = [
    "bool",
    "bytes",
    "double",
    "dyn",
    "google",
    "int",
    "list",
    "map",
    "math",
    "null_type",
    "optional",
    "optional_type",
    "string",
    "uint",
];

/// A compiled CEL expression over the columns of a row.
///
/// Its value depends on nothing but the columns it names, so results are remembered by their values.
pub(super) struct Expression {
    field: Field,
    text: String,
    program: Program,
    context: Context<'static, 'static>,
    inputs: Vec<Input>,
    cache: HashMap<u64, Remembered, BuildHasherDefault<Identity>>,
    last: Remembered,
    key: Vec<u8>,
}

struct Input {
    name: String,
    /// The column's position in the file at hand; `None` for a type's name.
    position: Option<usize>,
}

/// The bytes of an expression's inputs and what came of them.
struct Remembered {
    key: Vec<u8>,
    result: Outcome,
}

impl Default for Remembered {
    fn default() -> Self {
        Self { key: Vec::new(), result: Ok(Owned::Null) }
    }
}

type Outcome = Result<Owned, String>;

impl Expression {
    /// Compiles `text` with the standard library and the extensions for text and mathematics.
    pub(super) fn compile(field: Field, text: &str) -> Result<Self, EventsError> {
        let fail = |message| EventsError::Expression { setting: field.setting(), expression: text.to_owned(), message };
        let mut env = Env::stdlib();
        let extended = env.add_extension(extensions::strings).and_then(|()| env.add_extension(extensions::math));
        extended.map_err(|error| fail(error.to_string()))?;
        let env = Arc::new(env);
        // One error is enough, and the first is seldom the consequence of another.
        let first = |errors: cel::ParseErrors| {
            errors.errors.first().map_or_else(String::new, |e| format!("{} at character {}", e.msg.trim(), e.pos.1))
        };
        let program = env.compile(text).map_err(|errors| fail(first(errors)))?;
        let mut names = BTreeSet::new();
        collect_names(program.expression(), &mut Vec::new(), &mut names);
        let inputs = names.into_iter().map(|name| Input { name: name.to_owned(), position: None }).collect();
        Ok(Self {
            field,
            text: text.to_owned(),
            inputs,
            context: Context::with_env(env),
            program,
            cache: HashMap::default(),
            last: Remembered::default(),
            key: Vec::new(),
        })
    }

    /// The expression as it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What it says.
    pub(super) fn ast(&self) -> &IdedExpr {
        self.program.expression()
    }

    /// The columns it names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(|input| input.name.as_str()).filter(|name| !CEL_NAMES.contains(name))
    }

    /// The positions of its columns in the file it is bound to.
    pub(super) fn positions(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().filter_map(|input| input.position)
    }

    /// Looks its columns up in another file.
    pub(super) fn bind(&mut self, columns: &Columns<'_>) -> Result<(), EventsError> {
        for input in &mut self.inputs {
            input.position = match columns.position_of_identifier(self.field, &input.name) {
                Err(_) if CEL_NAMES.contains(&input.name.as_str()) => None,
                found => Some(found?),
            };
        }
        // Another file may give a column another type, and with it the same bytes another meaning.
        self.cache.clear();
        self.last = Remembered::default();
        Ok(())
    }

    /// The value for a row.
    pub(super) fn evaluate<'s>(&'s mut self, row: &'s impl Row) -> Result<Cell<'s>, Stop> {
        self.key.clear();
        let mut nested = false;
        for position in self.inputs.iter().filter_map(|input| input.position) {
            let cell = row.cell(position).map_err(|bytes| not_utf8(self.field, bytes))?;
            nested |= cell == Cell::Nested;
            write_key(&mut self.key, cell);
        }
        if nested {
            self.last = Remembered { key: Vec::new(), result: self.execute(row)? };
            return self.present(&self.last.result, row);
        }
        if self.last.key != self.key || self.key.is_empty() {
            self.recall(row)?;
        }
        self.present(&self.last.result, row)
    }

    /// Sets `last` to the result for `key`, from the cache where it is there.
    fn recall(&mut self, row: &impl Row) -> Result<(), Stop> {
        let hash = hash_bytes(0, &self.key);
        let known = self.cache.get(&hash).filter(|known| known.key == self.key);
        let result = match known {
            Some(known) => known.result.clone(),
            None => {
                let result = self.execute(row)?;
                if self.cache.len() >= CACHE_LIMIT {
                    self.cache.clear();
                }
                self.cache.insert(hash, Remembered { key: self.key.clone(), result: result.clone() });
                result
            }
        };
        self.last.result = result;
        self.last.key.clone_from(&self.key);
        Ok(())
    }

    fn execute(&mut self, row: &impl Row) -> Result<Outcome, Stop> {
        for input in &self.inputs {
            let Some(position) = input.position else { continue };
            let value = match row.cell(position) {
                Ok(cell) => value_of(cell, || row.nested(position)),
                Err(bytes) => return Err(not_utf8(self.field, bytes).into()),
            };
            self.context.add_variable_from_value(input.name.as_str(), value);
        }
        match self.program.execute(&self.context) {
            Ok(value) => Ok(Ok(Owned::from(&value))),
            // All columns are bound, so what is not declared is a function: no row can do any better.
            Err(ExecutionError::UndeclaredReference(name)) => Err(Stop::from(EventsError::Expression {
                setting: self.field.setting(),
                expression: self.text.clone(),
                message: format!("there is no function `{name}`"),
            })),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    fn present<'s>(&'s self, result: &'s Outcome, row: &impl Row) -> Result<Cell<'s>, Stop> {
        match result {
            Ok(owned) => Ok(owned.cell()),
            Err(message) => Err(Stop::Refused(Refusal {
                reason: RefusalReason::ExpressionFailed,
                field: self.field,
                value: self.describe_inputs(row),
                expected: format!("values for which it can be computed: {message}").into(),
            })),
        }
    }

    fn describe_inputs(&self, row: &impl Row) -> String {
        let input = |input: &Input| {
            let value = match row.cell(input.position?) {
                Ok(Cell::Text(text)) => format!("\"{text}\""),
                Ok(Cell::Null) => "null".to_owned(),
                Ok(Cell::Nested) => "a nested value".to_owned(),
                Ok(cell) => cell.number().map_or_else(|| format!("{cell:?}"), |number| number.to_string()),
                Err(NotUtf8(text)) => text,
            };
            Some(format!("{}={value}", input.name))
        };
        self.inputs.iter().filter_map(input).collect::<Vec<_>>().join(", ")
    }
}

/// Collects the identifiers that no macro such as `map` or `exists` binds.
fn collect_names<'e>(expression: &'e IdedExpr, bound: &mut Vec<&'e str>, into: &mut BTreeSet<&'e str>) {
    match &expression.expr {
        Expr::Unspecified | Expr::Literal(_) => {}
        Expr::Ident(name) => {
            let name = name.strip_prefix('.').unwrap_or(name);
            if !bound.contains(&name) {
                into.insert(name);
            }
        }
        Expr::Call(call) => {
            call.target.iter().for_each(|target| collect_names(target, bound, into));
            call.args.iter().for_each(|argument| collect_names(argument, bound, into));
        }
        Expr::Select(select) => collect_names(&select.operand, bound, into),
        Expr::List(list) => list.elements.iter().for_each(|element| collect_names(element, bound, into)),
        Expr::Map(map) => map.entries.iter().for_each(|entry| collect_entry(&entry.expr, bound, into)),
        Expr::Struct(value) => value.entries.iter().for_each(|entry| collect_entry(&entry.expr, bound, into)),
        Expr::Comprehension(loop_) => {
            collect_names(&loop_.iter_range, bound, into);
            collect_names(&loop_.accu_init, bound, into);
            let outer = bound.len();
            bound.extend([loop_.iter_var.as_str(), loop_.accu_var.as_str()]);
            bound.extend(loop_.iter_var2.as_deref());
            collect_names(&loop_.loop_cond, bound, into);
            collect_names(&loop_.loop_step, bound, into);
            collect_names(&loop_.result, bound, into);
            bound.truncate(outer);
        }
    }
}

fn collect_entry<'e>(entry: &'e EntryExpr, bound: &mut Vec<&'e str>, into: &mut BTreeSet<&'e str>) {
    match entry {
        EntryExpr::StructField(field) => collect_names(&field.value, bound, into),
        EntryExpr::MapEntry(entry) => {
            collect_names(&entry.key, bound, into);
            collect_names(&entry.value, bound, into);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(text: &str) -> Vec<String> {
        Expression::compile(Field::Kind, text).unwrap().names().map(str::to_owned).collect()
    }

    #[test]
    fn the_names_of_an_expression_are_its_columns() {
        assert_eq!(names("int(b) > 1 ? a.c : string(1.5)"), ["a", "b"]);
        assert_eq!(names("[a].exists(x, x == b) && c.all(y, y > 0)"), ["a", "b", "c"]);
        assert_eq!(names("has(a.b) ? a.b : type"), ["a", "type"]);
        assert_eq!(names("type(a) == string ? {b: c}[d] : math.greatest(1, e)"), ["a", "b", "c", "d", "e"]);
        assert_eq!(names("x.map(x, x + y)"), ["x", "y"]);
        assert_eq!(names("'constant'"), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_compiler_panic(text in "[a-c0-9 ()\\[\\]{}.,?:+*/<>=!&|%\"'\\\\-]{0,24}") {
            let _ = Expression::compile(Field::Kind, &text);
        }
    }
}
