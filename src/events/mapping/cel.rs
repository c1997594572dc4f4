//! Compiled CEL expressions over the columns of a row.

use std::collections::HashMap;
use std::sync::Arc;

use cel::{Context, Env, ExecutionError, IdedExpr, Program, extensions};

use super::cel_cost::check_cost;
use super::cel_usage::{Used, check_text};
use super::field::{Columns, INEXACT, NotUtf8, Row, Stop, not_utf8};
use super::value::{Owned, has_many_digits, value_of, write_key};
use crate::columnar::Cell;
use crate::events::EventsError;
use crate::events::config::Field;
use crate::events::mapping::patterns;
use crate::events::quality::duplicates::hash_bytes;
use crate::events::quality::rejection::{Rejection, RejectionReason};
use crate::history::SecretState;

/// Bytes of results that are remembered. Logs repeat themselves: a receipt's lines share its number, prices and quantities
/// are few.
const CACHE_BYTES: usize = 4 << 20;
/// Characters of an expression that a message shows.
const CHARACTERS_SHOWN: usize = 1_000;
/// Inputs of more bytes hardly come again.
const KEY_BYTES: usize = 1 << 10;
/// What a result takes beside its inputs and its text.
const ENTRY_BYTES: usize = size_of::<(u64, Remembered)>();

/// Identifiers that CEL gives a meaning of their own, and that are columns only where a file has them.
pub(crate) const CEL_NAMES: [&str; 14] = [
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
pub(crate) struct Expression {
    field: Field,
    text: String,
    program: Program,
    context: Context<'static, 'static>,
    inputs: Vec<Input>,
    cache: HashMap<u64, Remembered, SecretState>,
    /// Bytes in the cache.
    cached: usize,
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
        Self {
            key: Vec::new(),
            result: Ok(Owned::Null),
        }
    }
}

type Outcome = Result<Owned, String>;

impl Expression {
    /// Compiles `text` with the standard library and the extensions for text and mathematics.
    pub(crate) fn compile(field: Field, text: &str) -> Result<Self, EventsError> {
        let fail = |message| EventsError::Expression {
            setting: field.setting(),
            expression: shortened(text),
            message,
        };
        check_text(text).map_err(fail)?;
        let mut env = Env::stdlib();
        let extended = env
            .add_extension(extensions::strings)
            .and_then(|()| env.add_extension(extensions::math));
        let extended = extended.and_then(|()| env.add_extension(patterns::extension));
        extended.map_err(|error| fail(error.to_string()))?;
        let env = Arc::new(env);
        // One error is enough, and the first is seldom the consequence of another.
        let first = |errors: cel::ParseErrors| {
            errors.errors.first().map_or_else(String::new, |e| {
                format!("{} at character {}", e.msg.trim(), e.pos.1)
            })
        };
        let program = env.compile(text).map_err(|errors| fail(first(errors)))?;
        // The depth comes first: what follows goes down as deep.
        let used = Used::by(program.expression()).map_err(fail)?;
        check_cost(program.expression()).map_err(fail)?;
        used.patterns
            .into_iter()
            .try_for_each(patterns::check)
            .map_err(fail)?;
        let inputs = used
            .names
            .into_iter()
            .map(|name| Input {
                name: name.to_owned(),
                position: None,
            })
            .collect();
        Ok(Self {
            field,
            text: text.to_owned(),
            inputs,
            context: Context::with_env(env),
            program,
            cache: HashMap::default(),
            cached: 0,
            last: Remembered::default(),
            key: Vec::new(),
        })
    }

    /// What it says.
    pub(crate) fn ast(&self) -> &IdedExpr {
        self.program.expression()
    }

    /// The columns it names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.inputs
            .iter()
            .map(|input| input.name.as_str())
            .filter(|name| !CEL_NAMES.contains(name))
    }

    /// The positions of its columns in the file it is bound to.
    pub(crate) fn positions(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().filter_map(|input| input.position)
    }

    /// Looks its columns up in another file.
    pub(crate) fn bind(&mut self, columns: &Columns<'_>) -> Result<(), EventsError> {
        for input in &mut self.inputs {
            input.position = match columns.position_of_identifier(self.field, &input.name) {
                Err(_) if CEL_NAMES.contains(&input.name.as_str()) => None,
                found => Some(found?),
            };
        }
        // Another file may give a column another type, and with it the same bytes another meaning.
        self.forget();
        self.last = Remembered::default();
        Ok(())
    }

    /// The value for a row.
    pub(crate) fn evaluate<'s>(&'s mut self, row: &'s impl Row) -> Result<Cell<'s>, Stop> {
        self.key.clear();
        let mut nested = false;
        for position in self.inputs.iter().filter_map(|input| input.position) {
            let cell = row
                .cell(position)
                .map_err(|bytes| not_utf8(self.field, bytes))?;
            nested |= cell == Cell::Nested;
            if self.field == Field::User && cell.is_inexact() {
                let reason = RejectionReason::BadType;
                return Err(Rejection {
                    reason,
                    field: self.field,
                    value: cell.to_string(),
                    expected: INEXACT.into(),
                }
                .into());
            }
            write_key(&mut self.key, cell);
        }
        if nested {
            self.last = Remembered {
                key: Vec::new(),
                result: self.execute(row)?,
            };
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
                self.remember(hash, &result);
                result
            }
        };
        self.last.result = result;
        self.last.key.clone_from(&self.key);
        Ok(())
    }

    fn remember(&mut self, hash: u64, result: &Outcome) {
        let text = match result {
            Ok(Owned::Text(text)) | Err(text) => text.len(),
            Ok(_) => 0,
        };
        if self.key.len() + text > KEY_BYTES {
            return;
        }
        let bytes = ENTRY_BYTES + self.key.len() + text;
        if self.cached + bytes > CACHE_BYTES {
            self.forget();
        }
        self.cached += bytes;
        self.cache.insert(
            hash,
            Remembered {
                key: self.key.clone(),
                result: result.clone(),
            },
        );
    }

    fn forget(&mut self) {
        self.cache.clear();
        self.cached = 0;
    }

    fn execute(&mut self, row: &impl Row) -> Result<Outcome, Stop> {
        for input in &self.inputs {
            let Some(position) = input.position else {
                continue;
            };
            let value = match row.cell(position) {
                // An id needs all of its digits; what is computed with does not.
                Ok(cell) if self.field == Field::User && has_many_digits(cell) => {
                    cel::Value::from(cell.to_string().as_str())
                }
                Ok(cell) => value_of(cell, || row.nested(position)),
                Err(bytes) => return Err(not_utf8(self.field, bytes).into()),
            };
            self.context
                .add_variable_from_value(input.name.as_str(), value);
        }
        match self.program.execute(&self.context) {
            Ok(value) => Ok(Ok(Owned::from(&value))),
            // All columns are bound, so what is not declared is a function: no row can do any better.
            Err(ExecutionError::UndeclaredReference(name)) => {
                Err(Stop::from(EventsError::Expression {
                    setting: self.field.setting(),
                    expression: self.text.clone(),
                    message: format!("there is no function `{name}`"),
                }))
            }
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    fn present<'s>(&'s self, result: &'s Outcome, row: &impl Row) -> Result<Cell<'s>, Stop> {
        match result {
            Ok(owned) => Ok(owned.cell()),
            Err(message) => Err(Stop::Rejected(Rejection {
                reason: RejectionReason::ExpressionFailed,
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
                Ok(cell) => cell.to_string(),
                Err(NotUtf8(text)) => text,
            };
            Some(format!("{}={value}", input.name))
        };
        self.inputs
            .iter()
            .filter_map(input)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The beginning of an expression, for a message.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(CHARACTERS_SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
