//! Expressions of CEL as SQL. Where CEL fails, SQL has NULL; CEL's `&&`, `||` and `?:` then do what `AND`, `OR` and
//! `CASE` do.

use std::borrow::Cow;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};

use super::columns::{Columns, Type, computed};
use super::dialect::Dialect;
use crate::events::config::Field;
use crate::events::{EventsError, SqlRemedy};

/// What to do about anything that is not translated.
pub(super) const IN_A_VIEW: SqlRemedy = SqlRemedy::Table(Cow::Borrowed(
    "compute it in a view, and read the view instead",
));

/// A value in SQL.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    pub(crate) sql: String,
    pub(crate) kind: Type,
    /// It may be a column's NULL, which to CEL is a value, not a failure.
    pub(crate) nullable: bool,
    /// It may be the NULL that stands for a failure.
    pub(crate) fails: bool,
    /// The text, where it is a literal.
    pub(crate) literal: Option<String>,
}

impl Term {
    /// A value computed from others: it fails where one of them is missing.
    pub(crate) fn of(sql: String, kind: Type, from: &[&Self]) -> Self {
        let fails = from.iter().any(|term| term.fails || term.nullable);
        Self {
            sql,
            kind,
            nullable: false,
            fails,
            literal: None,
        }
    }

    /// The same value, which may fail by itself.
    pub(crate) fn failing(self) -> Self {
        Self {
            fails: true,
            ..self
        }
    }
}

/// Translates the expression of one field.
pub(crate) struct Translator<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) field: Field,
    pub(crate) columns: &'a Columns,
}

pub(crate) type Result<T> = std::result::Result<T, EventsError>;

impl Translator<'_> {
    /// The error for something that SQL cannot say as CEL does.
    pub(crate) fn unsupported(
        &self,
        construct: &str,
        instead: impl Into<SqlRemedy>,
    ) -> EventsError {
        EventsError::Sql {
            setting: self.field.setting(),
            dialect: self.dialect.name(),
            construct: construct.to_owned(),
            instead: instead.into(),
        }
    }

    /// The value of the field: an amount that is a column's NULL is empty, not a failure.
    pub(crate) fn value(&self, expression: &IdedExpr) -> Result<Term> {
        match &expression.expr {
            Expr::Call(call) if call.func_name == operators::CONDITIONAL => {
                self.conditional(call, &|branch| self.value(branch))
            }
            Expr::Ident(_) | Expr::Select(_) if self.field == Field::Amount => {
                let column = self.term(expression)?;
                Ok(if column.nullable {
                    self.never_null(column)
                } else {
                    column
                })
            }
            _ => self.term(expression),
        }
    }

    /// A column whose NULL is written as the empty amount.
    pub(crate) fn never_null(&self, column: Term) -> Term {
        let empty = if column.kind == Type::Text { "''" } else { "0" };
        Term {
            sql: format!("COALESCE({}, {empty})", column.sql),
            nullable: false,
            ..column
        }
    }

    pub(crate) fn term(&self, expression: &IdedExpr) -> Result<Term> {
        match &expression.expr {
            Expr::Literal(literal) => self.literal(literal),
            Expr::Ident(name) => self.columns.column(
                self.dialect,
                self.field,
                name.strip_prefix('.').unwrap_or(name),
            ),
            Expr::Select(select) => {
                let structure = self.term(&select.operand)?;
                let Type::Struct(members) = &structure.kind else {
                    return Err(self.unsupported(
                        &format!("`.{}` of what is no structure", select.field),
                        IN_A_VIEW,
                    ));
                };
                let Some((_, stored)) = members.iter().find(|(name, _)| *name == select.field)
                else {
                    return Err(self.unsupported(
                        &format!("the member `{}`, which is not there,", select.field),
                        IN_A_VIEW,
                    ));
                };
                if select.test {
                    let sql = format!("CASE WHEN {} IS NOT NULL THEN TRUE END", structure.sql);
                    return Ok(Term::of(sql, Type::Bool, &[&structure]).failing());
                }
                let (sql, kind) = (
                    self.dialect.member(&structure.sql, &select.field),
                    stored.clone(),
                );
                let (sql, kind) = match kind {
                    Type::Single => (self.dialect.double(&sql), Type::Float),
                    kind => (sql, kind),
                };
                let member = Term {
                    sql,
                    kind,
                    nullable: true,
                    fails: false,
                    literal: None,
                };
                computed(self.dialect, self.field, &select.field, member, stored)
            }
            Expr::Call(call) => self.call(call),
            Expr::List(_) => {
                Err(self.unsupported("a list other than of literals after `in`", IN_A_VIEW))
            }
            Expr::Map(_) | Expr::Struct(_) => Err(self.unsupported("a map", IN_A_VIEW)),
            Expr::Comprehension(_) => Err(self.unsupported(
                "a loop such as `all`, `exists`, `map` or `filter`",
                IN_A_VIEW,
            )),
            Expr::Unspecified => Err(self.unsupported("an empty expression", "write one")),
        }
    }

    fn literal(&self, literal: &LiteralValue) -> Result<Term> {
        let (sql, kind, text) = match literal {
            LiteralValue::String(text) => (
                self.dialect.text(text.inner()),
                Type::Text,
                Some(text.inner().to_owned()),
            ),
            LiteralValue::Int(number) => (
                self.dialect.whole_number(&number.inner().to_string()),
                Type::Int,
                None,
            ),
            LiteralValue::Double(number) => (
                self.dialect.double(&format!("{:?}", number.inner())),
                Type::Float,
                None,
            ),
            LiteralValue::Boolean(value) => (
                if *value.inner() { "TRUE" } else { "FALSE" }.to_owned(),
                Type::Bool,
                None,
            ),
            LiteralValue::Null => {
                return Err(
                    self.unsupported("`null` other than in a comparison with a column", IN_A_VIEW)
                );
            }
            LiteralValue::Bytes(_) => {
                return Err(self.unsupported("a literal of bytes", "write text"));
            }
            LiteralValue::UInt(_) => {
                return Err(self.unsupported("an unsigned number", "write it without the `u`"));
            }
        };
        Ok(Term {
            sql,
            kind,
            nullable: false,
            fails: false,
            literal: text,
        })
    }

    fn call(&self, call: &CallExpr) -> Result<Term> {
        let operands: Vec<&IdedExpr> = call
            .target
            .iter()
            .map(AsRef::as_ref)
            .chain(&call.args)
            .collect();
        match (call.func_name.as_str(), operands.as_slice()) {
            (operators::CONDITIONAL, _) => self.conditional(call, &|branch| self.term(branch)),
            (operators::EQUALS, [left, right]) => self.equality(left, right),
            (operators::NOT_EQUALS, [left, right]) => {
                let equal = self.equality(left, right)?;
                Ok(Term::of(
                    format!("(NOT {})", equal.sql),
                    Type::Bool,
                    &[&equal],
                ))
            }
            (operators::LESS, [left, right]) => self.order(left, "<", right),
            (operators::LESS_EQUALS, [left, right]) => self.order(left, "<=", right),
            (operators::GREATER, [left, right]) => self.order(left, ">", right),
            (operators::GREATER_EQUALS, [left, right]) => self.order(left, ">=", right),
            (operators::LOGICAL_AND, [left, right]) => self.logic(left, "AND", right),
            (operators::LOGICAL_OR, [left, right]) => self.logic(left, "OR", right),
            (operators::LOGICAL_NOT, [operand]) => {
                let operand = self.of_kind(operand, &Type::Bool, "!")?;
                Ok(Term::of(
                    format!("(NOT {})", operand.sql),
                    Type::Bool,
                    &[&operand],
                ))
            }
            (operators::IN, [value, list]) => self.in_list(value, list),
            (operators::ADD, [left, right]) => self.arithmetic(left, '+', right),
            (operators::SUBSTRACT, [left, right]) => self.arithmetic(left, '-', right),
            (operators::MULTIPLY, [left, right]) => self.arithmetic(left, '*', right),
            (operators::DIVIDE, [left, right]) => self.arithmetic(left, '/', right),
            (operators::MODULO, [left, right]) => self.arithmetic(left, '%', right),
            (operators::NEGATE, [operand]) => {
                let operand = self.number(operand, "-")?;
                let sql = match operand.kind {
                    Type::Int => {
                        self.dialect
                            .whole('-', &self.dialect.whole_number("0"), &operand.sql)
                    }
                    _ => format!("(- {})", operand.sql),
                };
                Ok(Term::of(sql, operand.kind.clone(), &[&operand]).failing())
            }
            (operators::INDEX | operators::OPT_INDEX, _) => {
                Err(self.unsupported("an index", IN_A_VIEW))
            }
            (name, operands) => self.function(name, operands),
        }
    }

    /// `condition ? yes : no`; a condition that fails takes neither.
    fn conditional(
        &self,
        call: &CallExpr,
        branch: &dyn Fn(&IdedExpr) -> Result<Term>,
    ) -> Result<Term> {
        let [condition, yes, no] = call.args.as_slice() else {
            return Err(self.unsupported("`?:` without three parts", IN_A_VIEW));
        };
        let (condition, yes, no) = (
            self.of_kind(condition, &Type::Bool, "?:")?,
            branch(yes)?,
            branch(no)?,
        );
        if yes.kind != no.kind {
            let construct = format!(
                "`?:` with {} on one side and {} on the other",
                yes.kind, no.kind
            );
            return Err(self.unsupported(
                &construct,
                "convert one of them with double(), int() or string()",
            ));
        }
        let sql = if condition.fails || condition.nullable {
            format!(
                "CASE WHEN {0} THEN {1} WHEN NOT {0} THEN {2} END",
                condition.sql, yes.sql, no.sql
            )
        } else {
            format!(
                "CASE WHEN {} THEN {} ELSE {} END",
                condition.sql, yes.sql, no.sql
            )
        };
        let fails = [&condition, &yes, &no].iter().any(|term| term.fails) || condition.nullable;
        Ok(Term {
            sql,
            kind: yes.kind,
            nullable: yes.nullable || no.nullable,
            fails,
            literal: None,
        })
    }

    fn arithmetic(&self, left: &IdedExpr, operator: char, right: &IdedExpr) -> Result<Term> {
        let (left, right) = (self.term(left)?, self.term(right)?);
        let sql = match (&left.kind, operator, &right.kind) {
            (Type::Text, '+', Type::Text) => {
                return Ok(Term::of(
                    format!("({} || {})", left.sql, right.sql),
                    Type::Text,
                    &[&left, &right],
                ));
            }
            (Type::Int, '+' | '-' | '*', Type::Int) => {
                self.dialect.whole(operator, &left.sql, &right.sql)
            }
            (Type::Int, '/', Type::Int) => self.dialect.quotient(&left.sql, &right.sql),
            (Type::Int, '%', Type::Int) => format!("MOD({}, NULLIF({}, 0))", left.sql, right.sql),
            (Type::Float, '/', Type::Float) => format!("({} / NULLIF({}, 0))", left.sql, right.sql),
            (Type::Float, '+' | '-' | '*', Type::Float) => {
                format!("({} {operator} {})", left.sql, right.sql)
            }
            (one, _, other) => {
                let construct = format!("`{operator}` between {one} and {other}");
                return Err(self.unsupported(
                    &construct,
                    "convert with double() or int(), as CEL needs too",
                ));
            }
        };
        Ok(Term::of(sql, left.kind.clone(), &[&left, &right]).failing())
    }

    /// A value that must be of a type for `user` to take it.
    pub(crate) fn of_kind(&self, expression: &IdedExpr, kind: &Type, user: &str) -> Result<Term> {
        let term = self.term(expression)?;
        if term.kind == *kind {
            return Ok(term);
        }
        let construct = format!("`{user}` of {} instead of {kind}", term.kind);
        Err(self.unsupported(&construct, "convert it with double(), int() or string()"))
    }

    pub(super) fn number(&self, expression: &IdedExpr, user: &str) -> Result<Term> {
        let term = self.term(expression)?;
        match term.kind {
            Type::Int | Type::Float => Ok(term),
            _ => self.of_kind(expression, &Type::Float, user),
        }
    }
}
