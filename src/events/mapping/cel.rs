use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use cel::{Context, Env, ExecutionError, IdedExpr, Program, extensions};

use super::cel_usage::{Used, check_text};
use super::field::{Columns, INEXACT, NotUtf8, Row, Stop, not_utf8};
use super::value::{Owned, has_many_digits, value_of, write_key};
use crate::columnar::Cell;
use crate::events::EventsError;
use crate::events::input::patterns;
use crate::events::quality::duplicates::{Keyed, hash_bytes};
use crate::events::quality::rejection::{Field, Refusal, RefusalReason};

/// Bytes of results that are remembered. Logs repeat themselves: a receipt's lines share its number, prices and quantities
/// are few.
const CACHE_BYTES: usize = 4 << 20;
/// Inputs of more bytes hardly come again.
const KEY_BYTES: usize = 1 << 10;
/// What a result takes beside its inputs and its text.
const ENTRY_BYTES: usize = size_of::<(u64, Remembered)>();

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
pub(crate) struct Expression {
    field: Field,
    text: String,
    program: Program,
    context: Context<'static, 'static>,
    inputs: Vec<Input>,
    cache: HashMap<u64, Remembered, BuildHasherDefault<Keyed>>,
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
            expression: text.to_owned(),
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
        let used = Used::by(program.expression()).map_err(fail)?;
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

    /// The expression as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
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
                let reason = RefusalReason::BadType;
                return Err(Refusal {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(text: &str) -> Vec<String> {
        Expression::compile(Field::Kind, text)
            .unwrap()
            .names()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn the_names_of_an_expression_are_its_columns() {
        assert_eq!(names("int(b) > 1 ? a.c : string(1.5)"), ["a", "b"]);
        assert_eq!(
            names("[a].exists(x, x == b) && c.all(y, y > 0)"),
            ["a", "b", "c"]
        );
        assert_eq!(names("has(a.b) ? a.b : type"), ["a", "type"]);
        assert_eq!(
            names("type(a) == string ? {b: c}[d] : math.greatest(1, e)"),
            ["a", "b", "c", "d", "e"]
        );
        assert_eq!(names("x.map(x, x + y)"), ["x", "y"]);
        assert_eq!(names("'constant'"), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_compiler_panic(text in "[a-c0-9 ()\\[\\]{}.,?:+*/<>=!&|%\"'\\\\-]{0,24}") {
            let _ = Expression::compile(Field::Kind, &text);
        }
    }

    struct OneText(String);

    impl Row for OneText {
        fn cell(&self, _: usize) -> Result<Cell<'_>, NotUtf8> {
            Ok(Cell::Text(&self.0))
        }

        fn nested(&self, _: usize) -> cel::Value {
            cel::Value::Null
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_in_bytes() {
        let mut expression = Expression::compile(Field::Kind, "text + '!'").unwrap();
        let names = ["text".to_owned()];
        expression
            .bind(&Columns {
                path: "log.csv".as_ref(),
                names: &names,
            })
            .unwrap();
        let mut most = 0;
        for n in 0..60_000 {
            let row = OneText(format!("{n:0>width$}", width = [8, 400, 5_000][n % 3]));
            assert_eq!(
                expression.evaluate(&row).unwrap(),
                Cell::Text(&format!("{}!", row.0))
            );
            let remembered = |known: &Remembered| {
                let text = if let Ok(Owned::Text(text)) = &known.result {
                    text.len()
                } else {
                    0
                };
                assert!(known.key.len() < 1_100 && known.key.capacity() < 2_200 && text < 1_100);
                ENTRY_BYTES + known.key.len() + text
            };
            if n % 1_000 == 0 {
                let held: usize = expression.cache.values().map(remembered).sum();
                assert_eq!(held, expression.cached);
                most = most.max(held);
            }
        }
        assert!((1 << 20..=CACHE_BYTES).contains(&most), "{most}");
        assert!(expression.cache.capacity() * ENTRY_BYTES < 4 * CACHE_BYTES);
    }

    #[test]
    fn expressions_that_are_bombs_are_refused() {
        let ten = "[1,2,3,4,5,6,7,8,9,10]";
        for (text, expected) in [
            ("k".to_owned() + &" + k".repeat(2_000), "2000 operators"),
            ("k".to_owned() + &" + k".repeat(300), "lie up to 301 deep"),
            ("k".to_owned() + &".a".repeat(200_000), "more than 65536"),
            (
                "k".to_owned() + &".trim()".repeat(400),
                "deep inside of one another",
            ),
            (
                "k + '".to_owned() + &"x".repeat(1_000_000) + "'",
                "1000006 bytes, more than 65536",
            ),
            (
                "[k]".to_owned() + &".map(x, x + x)".repeat(30) + "[0]",
                "it has 30 loops",
            ),
            (
                format!("{ten}.all(a, {ten}.all(b, {ten}.all(c, {ten}.all(d, true)))) ? k : k"),
                "lie 4 deep",
            ),
        ] {
            let message = Expression::compile(Field::Kind, &text)
                .err()
                .map(|error| error.to_string())
                .unwrap();
            assert!(message.contains(expected), "{message}");
        }
        // As much as is allowed is also computed on a thread's stack.
        let most = [
            "k".to_owned() + &" + k".repeat(190),
            "k".to_owned() + &".trim()".repeat(190),
        ];
        for text in most {
            let mut expression = Expression::compile(Field::Kind, &text).unwrap();
            let names = ["k".to_owned()];
            expression
                .bind(&Columns {
                    path: "log.csv".as_ref(),
                    names: &names,
                })
                .unwrap();
            assert!(expression.evaluate(&OneText("a".to_owned())).is_ok());
        }
        let codes = (0..3_000)
            .map(|n| format!("'A-{n}.x'"))
            .collect::<Vec<_>>()
            .join(", ");
        assert!(Expression::compile(Field::Kind, &format!("k in [{codes}] ? 'a' : 'b'")).is_ok());
    }

    #[test]
    fn a_pattern_that_cannot_be_read_is_told_before_any_row_is() {
        let message = |text: &str| {
            Expression::compile(Field::Kind, text)
                .err()
                .map(|error| error.to_string())
        };
        let wrong = message("k.matches('(a') ? 'x' : 'y'").unwrap();
        assert!(
            wrong.contains("`events.kind`") && wrong.contains("`(a` is not a valid pattern"),
            "{wrong}"
        );
        assert!(message("[k].exists(x, matches(x, '[')) ? 'x' : 'y'").is_some());
        assert_eq!(message("k.matches('^(a|b)$') ? 'x' : 'y'"), None);
        assert_eq!(message("k.matches(k) ? 'x' : 'y'"), None);
    }
}
