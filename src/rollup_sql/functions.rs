//! CEL's functions on text and numbers as SQL.

use std::borrow::Cow;

use cel::IdedExpr;

use super::columns::Type;
use super::dialect::Part;
use super::expression::{Result, Term, Translator};
use crate::events::SqlRemedy;
use crate::events::config::Decimal;
use crate::events::mapping::decimal::NO_BREAK_BLANKS;

/// Numbers as the reader reads them from text.
pub(crate) const NUMBER: &str = "^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$";
/// Whole numbers.
pub(crate) const WHOLE: &str = "^[+-]?[0-9]+$";

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";

/// The functions that are translated.
const KNOWN: SqlRemedy = SqlRemedy::Table(Cow::Borrowed(
    "the functions that are translated are startsWith, endsWith, contains, matches, size, lowerAscii, upperAscii, trim, \
     replace, substring, double, int and string; compute others in a view, and read the view instead",
));

impl Translator<'_> {
    pub(crate) fn function(&self, name: &str, operands: &[&IdedExpr]) -> Result<Term> {
        let text = |operand: &IdedExpr| self.of_kind(operand, &Type::Text, name);
        match (name, operands) {
            ("startsWith", [whole, part]) => {
                Ok(self.part(Part::Start, &text(whole)?, &text(part)?))
            }
            ("endsWith", [whole, part]) => Ok(self.part(Part::End, &text(whole)?, &text(part)?)),
            ("contains", [whole, part]) => Ok(self.part(Part::Any, &text(whole)?, &text(part)?)),
            ("matches", [whole, pattern]) => self.matches(&text(whole)?, &text(pattern)?),
            ("size", [whole]) => {
                let whole = text(whole)?;
                Ok(Term::of(
                    self.dialect.length(&whole.sql),
                    Type::Int,
                    &[&whole],
                ))
            }
            ("lowerAscii", [whole]) => Ok(self.letters(&text(whole)?, UPPER, LOWER)),
            ("upperAscii", [whole]) => Ok(self.letters(&text(whole)?, LOWER, UPPER)),
            ("trim", [whole]) => {
                let whole = text(whole)?;
                Ok(Term::of(
                    self.dialect.trim(&whole.sql),
                    Type::Text,
                    &[&whole],
                ))
            }
            ("replace", [whole, from, to]) => self.replace(&text(whole)?, &text(from)?, &text(to)?),
            ("substring", [whole, start]) => self.substring(&text(whole)?, start, None),
            ("substring", [whole, start, end]) => self.substring(&text(whole)?, start, Some(*end)),
            ("double", [number]) => self.double(self.term(number)?),
            ("int", [number]) => self.int(self.term(number)?),
            ("string", [value]) => self.string(self.term(value)?),
            _ => {
                Err(self.unsupported(&format!("`{name}` with {} operands", operands.len()), KNOWN))
            }
        }
    }

    fn part(&self, place: Part, whole: &Term, part: &Term) -> Term {
        Term::of(
            self.dialect.has_part(place, &whole.sql, &part.sql),
            Type::Bool,
            &[whole, part],
        )
    }

    /// Only patterns that mean the same everywhere: each engine has a syntax of its own beyond them.
    fn matches(&self, whole: &Term, pattern: &Term) -> Result<Term> {
        let instead = "write a literal with characters, `.`, classes such as [0-9], groups, `|`, `*`, `+`, `?`, `{2,3}`, \
                       `^` and `$` only";
        let Some(text) = &pattern.literal else {
            return Err(self.unsupported("`matches` with a computed pattern", instead));
        };
        let escapes = text.contains('\\')
            || text.contains("[:")
            || text.contains("(?")
            || text.contains("&&");
        let lazy = ["*?", "+?", "??", "}?", "*+", "++", "?+", "}+"]
            .iter()
            .any(|suffix| text.contains(suffix));
        if escapes || lazy || !text.is_ascii() {
            return Err(self.unsupported(&format!("the pattern `{text}`"), instead));
        }
        Ok(Term::of(
            self.dialect.matches(&whole.sql, text),
            Type::Bool,
            &[whole],
        ))
    }

    fn letters(&self, whole: &Term, from: &str, to: &str) -> Term {
        // ClickHouse has it in lower case only.
        Term::of(
            format!("translate({}, '{from}', '{to}')", whole.sql),
            Type::Text,
            &[whole],
        )
    }

    fn replace(&self, whole: &Term, from: &Term, to: &Term) -> Result<Term> {
        if from.literal.as_ref().is_none_or(String::is_empty) {
            return Err(self.unsupported(
                "`replace` of what may be empty",
                "write a literal that is not",
            ));
        }
        Ok(Term::of(
            format!("REPLACE({}, {}, {})", whole.sql, from.sql, to.sql),
            Type::Text,
            &[whole, to],
        ))
    }

    /// Characters by their positions; beyond the text it fails.
    fn substring(&self, whole: &Term, start: &IdedExpr, end: Option<&IdedExpr>) -> Result<Term> {
        let start = self.of_kind(start, &Type::Int, "substring")?;
        let length = self.dialect.length(&whole.sql);
        let end = end
            .map(|end| self.of_kind(end, &Type::Int, "substring"))
            .transpose()?;
        let until = end.as_ref().map_or(length.as_str(), |end| end.sql.as_str());
        let inside = format!(
            "{0} >= 0 AND {0} <= {until} AND {until} <= {length}",
            start.sql
        );
        let taken =
            self.dialect
                .substring(&whole.sql, &start.sql, &format!("{until} - {}", start.sql));
        Ok(Term::of(
            format!("CASE WHEN {inside} THEN {taken} END"),
            Type::Text,
            &[whole],
        )
        .failing())
    }

    /// The number as a double. Text must be a number without whitespace around it.
    pub(crate) fn double(&self, number: Term) -> Result<Term> {
        let sql = match number.kind {
            Type::Float => return Ok(number),
            Type::Int | Type::Uint | Type::Decimal => {
                return Ok(Term::of(
                    self.dialect.double(&number.sql),
                    Type::Float,
                    &[&number],
                ));
            }
            Type::Text => {
                let is_number = self.dialect.matches(&number.sql, NUMBER);
                format!(
                    "CASE WHEN {is_number} THEN {} END",
                    self.dialect.try_double(&number.sql)
                )
            }
            _ => {
                return Err(self.unsupported(
                    &format!("`double` of {}", number.kind),
                    "give text or a number",
                ));
            }
        };
        Ok(Term::of(sql, Type::Float, &[&number]).failing())
    }

    /// The number that a column of text holds as [`Decimal::parse`] reads it; NULL where it is none.
    pub(crate) fn written_decimal(&self, text: &str, decimal: Decimal) -> String {
        let replace = |text: String, from: &str, to: &str| {
            format!(
                "REPLACE({text}, {}, {})",
                self.dialect.text(from),
                self.dialect.text(to)
            )
        };
        let blank = NO_BREAK_BLANKS.iter().fold(text.to_owned(), |text, blank| {
            replace(text, &blank.to_string(), " ")
        });
        let groups = decimal
            .group_marks()
            .map(|mark| format!("[0-9]{{1,3}}([{mark}][0-9]{{3}})+"));
        let whole = format!("([0-9]+|{})", groups.join("|"));
        let mark = decimal.mark();
        let pattern = format!("^[+-]?({whole}([{mark}][0-9]*)?|[{mark}][0-9]+)([eE][+-]?[0-9]+)?$");
        let digits = decimal
            .group_marks()
            .iter()
            .fold(blank.clone(), |text, mark| {
                replace(text, &mark.to_string(), "")
            });
        let number = match decimal {
            Decimal::Point => digits,
            Decimal::Comma => replace(digits, ",", "."),
        };
        let is_number = self.dialect.matches(&blank, &pattern);
        format!(
            "CASE WHEN {is_number} THEN {} END",
            self.dialect.try_double(&number)
        )
    }

    fn int(&self, number: Term) -> Result<Term> {
        let sql = match number.kind {
            Type::Int => return Ok(number),
            Type::Float => self.dialect.truncate(&number.sql),
            Type::Uint => self.dialect.try_whole(&self.dialect.to_text(&number.sql)),
            Type::Text => {
                let is_whole = self.dialect.matches(&number.sql, WHOLE);
                format!(
                    "CASE WHEN {is_whole} THEN {} END",
                    self.dialect.try_whole(&number.sql)
                )
            }
            _ => {
                return Err(self.unsupported(
                    &format!("`int` of {}", number.kind),
                    "give text or a number",
                ));
            }
        };
        Ok(Term::of(sql, Type::Int, &[&number]).failing())
    }

    /// The value as text. Engines write doubles in ways of their own.
    pub(crate) fn string(&self, value: Term) -> Result<Term> {
        let sql = match value.kind {
            Type::Text => return Ok(value),
            Type::Int | Type::Uint => self.dialect.to_text(&value.sql),
            Type::Decimal => self.dialect.decimal_text(&value.sql),
            Type::Bool => format!(
                "CASE WHEN {0} THEN 'true' WHEN NOT {0} THEN 'false' END",
                value.sql
            ),
            _ => {
                let instead = "make an integer of it first: string(int(...))";
                return Err(self.unsupported(&format!("{} as text", value.kind), instead));
            }
        };
        Ok(Term::of(sql, Type::Text, &[&value]))
    }
}
