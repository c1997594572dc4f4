//! How many steps an expression may take for a row, and how long its texts and lists may become: an upper bound, from the
//! expression alone.
//!
//! Every column is taken to hold a text of [`COLUMN_BYTES`] bytes or a list of [`COLUMN_ITEMS`]. Rows with longer ones take
//! longer in proportion, by what their own author has put into them.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue};

/// Steps for a row: operators evaluated, elements looked at, and bytes copied in units of [`BYTES_A_STEP`].
const STEPS: f64 = 1e6;
/// Bytes of a text or list that is produced on the way.
const BYTES: f64 = (4 << 20) as f64;
/// What a column is taken to hold at most, where it is a text.
const COLUMN_BYTES: f64 = 1_000.0;
/// What a column is taken to hold at most, where it is a list.
const COLUMN_ITEMS: f64 = 100.0;
/// Bytes that are compared or copied in the time of a step.
const BYTES_A_STEP: f64 = 64.0;
/// Bytes of a number, a truth value or a time as text.
const SCALAR_BYTES: f64 = 32.0;

/// How large a value may be.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Extent {
    /// Bytes of the text, or of all elements.
    bytes: f64,
    /// Elements that a loop over it goes through.
    items: f64,
    /// Bytes of the largest element.
    largest: f64,
}

impl Extent {
    const SCALAR: Self = Self::text(SCALAR_BYTES);
    const COLUMN: Self = Self {
        bytes: COLUMN_BYTES,
        items: COLUMN_ITEMS,
        largest: COLUMN_BYTES,
    };

    const fn text(bytes: f64) -> Self {
        Self {
            bytes,
            items: 0.0,
            largest: 0.0,
        }
    }

    /// An element, which may be a list itself.
    fn element(self) -> Self {
        Self {
            bytes: self.largest,
            items: self.items.min(self.largest),
            largest: self.largest,
        }
    }

    /// One of two values.
    fn or(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.max(other.bytes),
            items: self.items.max(other.items),
            largest: self.largest.max(other.largest),
        }
    }

    /// One value behind the other.
    fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            items: self.items + other.items,
            largest: self.largest.max(other.largest),
        }
    }

    /// A list of values.
    fn list(elements: impl Iterator<Item = Self>) -> Self {
        elements.fold(Self::text(0.0), |list, element| Self {
            bytes: list.bytes + element.bytes + 1.0,
            items: list.items + 1.0,
            largest: list.largest.max(element.bytes),
        })
    }
}

/// What has been found of an expression so far.
#[derive(Debug, Default)]
struct Cost<'e> {
    steps: f64,
    longest: f64,
    /// The variables of the loops around.
    bound: Vec<(&'e str, Extent)>,
}

/// Whether an expression takes too many steps for a row or produces too long a text, and why.
pub(crate) fn check_cost(expression: &IdedExpr) -> Result<(), String> {
    let mut cost = Cost::default();
    cost.visit(expression);
    let Cost { steps, longest, .. } = cost;
    if longest > BYTES {
        return Err(format!(
            "it may make a text or list of {longest:.0} bytes of columns of {COLUMN_BYTES} bytes, more than {BYTES:.0}"
        ));
    }
    if steps > STEPS {
        return Err(format!(
            "it may take {steps:.0} steps for a row, more than {STEPS:.0}; loop over shorter lists, or less often"
        ));
    }
    Ok(())
}

impl<'e> Cost<'e> {
    /// Adds what an expression takes; how large its value may be.
    fn visit(&mut self, expression: &'e IdedExpr) -> Extent {
        self.steps += 1.0;
        let extent = match &expression.expr {
            Expr::Unspecified => Extent::SCALAR,
            Expr::Literal(literal) => literal_extent(literal),
            Expr::Ident(name) => {
                let bound = self.bound.iter().rev().find(|(bound, _)| bound == name);
                bound.map_or(Extent::COLUMN, |(_, extent)| *extent)
            }
            Expr::Call(call) => self.visit_call(call),
            Expr::Select(select) => self.visit(&select.operand).element(),
            Expr::List(list) => {
                let elements: Vec<Extent> = list.elements.iter().map(|e| self.visit(e)).collect();
                Extent::list(elements.into_iter())
            }
            Expr::Map(map) => self.visit_entries(map.entries.iter().map(|entry| &entry.expr)),
            Expr::Struct(value) => {
                self.visit_entries(value.entries.iter().map(|entry| &entry.expr))
            }
            Expr::Comprehension(loop_) => self.visit_loop(loop_),
        };
        self.longest = self.longest.max(extent.bytes);
        extent
    }

    fn visit_entries(&mut self, entries: impl Iterator<Item = &'e EntryExpr>) -> Extent {
        let visit = |entry: &'e EntryExpr| match entry {
            EntryExpr::StructField(field) => self.visit(&field.value),
            EntryExpr::MapEntry(entry) => self.visit(&entry.key).and(self.visit(&entry.value)),
        };
        let entries: Vec<Extent> = entries.map(visit).collect();
        Extent::list(entries.into_iter())
    }

    fn visit_call(&mut self, call: &'e CallExpr) -> Extent {
        let operands = call.target.iter().map(|target| &**target);
        let operands: Vec<Extent> = operands
            .chain(&call.args)
            .map(|operand| self.visit(operand))
            .collect();
        let all = operands
            .iter()
            .copied()
            .fold(Extent::text(0.0), Extent::and);
        // Whatever a function does, it looks at what it is given, and few do so more than once.
        self.steps += all.bytes / BYTES_A_STEP;
        match (call.func_name.as_str(), operands.as_slice()) {
            ("_?_:_", [_, one, other]) => one.or(*other),
            ("_[_]" | "_[?_]", [from, _]) => from.element(),
            // What decides is as short however much it looks at: the result of a loop such as `all` does not grow.
            (
                "_&&_"
                | "_||_"
                | "!_"
                | "@not_strictly_false"
                | "_==_"
                | "_!=_"
                | "_<_"
                | "_<=_"
                | "_>_"
                | "_>=_",
                _,
            ) => Extent::SCALAR,
            ("@in", [_, list]) => {
                self.steps += list.items;
                Extent::SCALAR
            }
            ("matches", [text, pattern]) => {
                self.steps += text.bytes * pattern.bytes / BYTES_A_STEP;
                Extent::SCALAR
            }
            ("split", [text, ..]) => {
                self.steps += text.bytes;
                Extent {
                    bytes: text.bytes,
                    items: text.bytes + 1.0,
                    largest: text.bytes,
                }
            }
            ("join", [list, between @ ..]) => {
                let between: f64 = between.iter().map(|text| text.bytes).sum();
                Extent::text(list.bytes + list.items * between)
            }
            // Every character may be replaced, and an empty text is found before each.
            ("replace", [text, _, by, ..]) => {
                self.steps += text.bytes;
                Extent::text((text.bytes + 1.0) * (by.bytes + 1.0))
            }
            // A clause takes two characters at least, and writes a whole value.
            ("format", [text, values]) => {
                Extent::text(text.bytes + text.bytes / 2.0 * (values.largest + SCALAR_BYTES))
            }
            ("strings.quote" | "quote", _) => Extent::text(2.0 * all.bytes + 2.0),
            _ => all.or(Extent::SCALAR),
        }
    }

    /// What a loop takes: macros add to their result in each turn, so one turn shows by how much.
    fn visit_loop(&mut self, loop_: &'e ComprehensionExpr) -> Extent {
        let range = self.visit(&loop_.iter_range);
        let first = self.visit(&loop_.accu_init);
        let outer = self.bound.len();
        let element = range.element();
        self.bound.push((loop_.iter_var.as_str(), element));
        self.bound
            .extend(loop_.iter_var2.iter().map(|name| (name.as_str(), element)));
        self.bound.push((loop_.accu_var.as_str(), first));
        let before = self.steps;
        self.visit(&loop_.loop_cond);
        let next = self.visit(&loop_.loop_step);
        self.steps = before + (self.steps - before) * range.items;
        let grown = |first: f64, next: f64| first + (next - first).max(0.0) * range.items;
        let last = Extent {
            bytes: grown(first.bytes, next.bytes),
            items: grown(first.items, next.items),
            largest: first.largest.max(next.largest),
        };
        self.longest = self.longest.max(last.bytes);
        self.bound.pop();
        self.bound.push((loop_.accu_var.as_str(), last));
        let result = self.visit(&loop_.result);
        self.bound.truncate(outer);
        result
    }
}

fn literal_extent(literal: &LiteralValue) -> Extent {
    match literal {
        LiteralValue::String(text) => Extent::text(text.inner().len() as f64),
        LiteralValue::Bytes(bytes) => Extent::text(bytes.inner().len() as f64),
        _ => Extent::SCALAR,
    }
}
