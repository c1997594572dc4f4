//! Comparisons and logic of CEL as SQL.

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue};

use super::columns::Type;
use super::expression::{IN_A_VIEW, Result, Term, Translator};

impl Translator<'_> {
    pub(super) fn equality(&self, left: &IdedExpr, right: &IdedExpr) -> Result<Term> {
        let is_null = |side: &IdedExpr| matches!(side.expr, Expr::Literal(LiteralValue::Null));
        if is_null(left) || is_null(right) {
            let other = self.term(if is_null(left) { right } else { left })?;
            if other.fails {
                return Err(
                    self.unsupported("a comparison of a computed value with `null`", IN_A_VIEW)
                );
            }
            return Ok(Term::of(
                format!("({} IS NULL)", other.sql),
                Type::Bool,
                &[],
            ));
        }
        let (left, right) = (self.term(left)?, self.term(right)?);
        if !left.kind.compares_with(&right.kind) {
            let never = if [&left.kind, &right.kind].contains(&&Type::Uint) {
                ""
            } else {
                ", which are never equal,"
            };
            let construct = format!("a comparison of {} with {}{never}", left.kind, right.kind);
            return Err(self.unsupported(
                &construct,
                "convert one of them with double(), int() or string()",
            ));
        }
        let plain = format!("({} = {})", left.sql, right.sql);
        if !left.nullable && !right.nullable {
            return Ok(Term::of(plain, Type::Bool, &[&left, &right]));
        }
        // A missing value equals a missing value and nothing else; a failure stays one.
        let known = format!(
            "COALESCE({plain}, {} IS NULL AND {} IS NULL)",
            left.sql, right.sql
        );
        let failing: Vec<String> = [&left, &right]
            .iter()
            .filter(|term| term.fails)
            .map(|term| format!("{} IS NOT NULL", term.sql))
            .collect();
        let sql = match failing.as_slice() {
            [] => known,
            some => format!("CASE WHEN {} THEN {known} END", some.join(" AND ")),
        };
        Ok(Term {
            sql,
            kind: Type::Bool,
            nullable: false,
            fails: !failing.is_empty(),
            literal: None,
        })
    }

    pub(super) fn order(&self, left: &IdedExpr, operator: &str, right: &IdedExpr) -> Result<Term> {
        let (left, right) = (self.term(left)?, self.term(right)?);
        let ordered = left.kind.compares_with(&right.kind) && left.kind != Type::Bool;
        if !ordered {
            let construct = format!("`{operator}` between {} and {}", left.kind, right.kind);
            return Err(self.unsupported(
                &construct,
                "convert one of them with double(), int() or string()",
            ));
        }
        let sql = match left.kind {
            Type::Text => format!(
                "({} {operator} {})",
                self.dialect.in_byte_order(&left.sql),
                right.sql
            ),
            _ => format!("({} {operator} {})", left.sql, right.sql),
        };
        Ok(Term::of(sql, Type::Bool, &[&left, &right]))
    }

    pub(super) fn logic(&self, left: &IdedExpr, operator: &str, right: &IdedExpr) -> Result<Term> {
        let shown = if operator == "AND" { "&&" } else { "||" };
        let (left, right) = (
            self.of_kind(left, &Type::Bool, shown)?,
            self.of_kind(right, &Type::Bool, shown)?,
        );
        Ok(Term::of(
            format!("({} {operator} {})", left.sql, right.sql),
            Type::Bool,
            &[&left, &right],
        ))
    }

    pub(super) fn in_list(&self, value: &IdedExpr, list: &IdedExpr) -> Result<Term> {
        let Expr::List(list) = &list.expr else {
            return Err(self.unsupported("`in` something that is no list of literals", IN_A_VIEW));
        };
        let value = self.term(value)?;
        let mut elements = Vec::new();
        for element in &list.elements {
            let term = self.term(element)?;
            if !matches!(element.expr, Expr::Literal(_)) || !value.kind.compares_with(&term.kind) {
                let construct = format!(
                    "`in` a list that holds more than literals of the same type ({})",
                    value.kind
                );
                return Err(self.unsupported(&construct, "write literals of that type"));
            }
            elements.push(term.sql);
        }
        if elements.is_empty() {
            return Err(self.unsupported("`in` an empty list", "name what the list holds"));
        }
        let found = format!("({} IN ({}))", value.sql, elements.join(", "));
        if value.nullable && !value.fails {
            return Ok(Term::of(
                format!("COALESCE({found}, FALSE)"),
                Type::Bool,
                &[],
            ));
        }
        Ok(Term::of(found, Type::Bool, &[&value]))
    }
}
