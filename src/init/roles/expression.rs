//! Columns as expressions write them.

use crate::events::config::{Decimal, Format, Mapping};
use crate::events::mapping::cel::CEL_NAMES;
use crate::events::mapping::field::identifier;
use crate::init::columns::number::Numbers;
use crate::init::columns::profile::Profile;
use crate::init::sample::Nature;

/// Words that the expression language keeps for itself, beside [`CEL_NAMES`].
const RESERVED: [&str; 24] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "has",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
    "type",
    "all",
];

/// A column in an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Operand {
    /// The column, or the way to a value below others.
    pub(crate) path: String,
    /// The condition that there is no value.
    pub(crate) missing: String,
    is_text: bool,
    /// Whether values are missing and are no empty text instead, so that no method can be called on them.
    has_null: bool,
}

impl Operand {
    /// A column as an operand; `None` where no expression can name it.
    pub(crate) fn new(profile: &Profile, format: Format) -> Option<Self> {
        let path = match (&profile.mapping, format) {
            (Mapping::Expression(path), _) => path.clone(),
            (Mapping::Column(name), Format::Jsonl) => name.clone(),
            // What an identifier cannot hold is written as `_`.
            (Mapping::Column(name), _) => identifier(name),
        };
        if !path.split('.').all(is_identifier) {
            return None;
        }
        let is_text = profile.nature == Nature::Text;
        let missing = match format {
            Format::Csv => format!("{path} == \"\""),
            _ => is_missing(&path),
        };
        Some(Self {
            path,
            missing,
            is_text,
            has_null: format != Format::Csv && profile.filled < 1.0,
        })
    }

    /// The text in the column without a currency; empty where there is none.
    pub(crate) fn bare(&self, currency: &str) -> String {
        let bare = without(&self.path, currency);
        match self.has_null {
            true => format!("{} ? \"\" : {bare}", self.missing),
            false => bare,
        }
    }

    /// The number in the column, whose values are written as `numbers` are.
    pub(crate) fn number(&self, numbers: &Numbers) -> String {
        let Self { path, is_text, .. } = self;
        if !is_text {
            return format!("double({path})");
        }
        let mut text = match numbers.currency {
            Some(currency) => without(path, currency),
            None => path.clone(),
        };
        let mut replace = |from: char, to: &str| {
            text.push_str(&format!(".replace(\"{from}\", \"{to}\")"));
        };
        if let Some(decimal) = numbers.decimal {
            numbers.spaces.iter().for_each(|space| replace(*space, ""));
            match decimal {
                Decimal::Point => replace(',', ""),
                Decimal::Comma => {
                    replace('.', "");
                    replace(',', ".");
                }
            }
        }
        format!("double({text})")
    }

    /// The condition that the text in the column begins so.
    pub(crate) fn starts_with(&self, beginning: &str) -> String {
        let condition = format!("{}.startsWith(\"{beginning}\")", self.path);
        match self.has_null {
            true => format!("!({}) && {condition}", self.missing),
            false => condition,
        }
    }

    /// The condition that the number is below 0.
    pub(crate) fn is_negative(&self, filled: f64) -> String {
        let Self { path, missing, .. } = self;
        match (self.is_text, filled < 1.0) {
            // Empty text does not begin with a sign.
            (true, _) => self.starts_with("-"),
            (false, true) => format!("!({missing}) && double({path}) < 0.0"),
            (false, false) => format!("double({path}) < 0.0"),
        }
    }
}

/// The condition that there is no value at a path. It goes down step by step: no field of what is not there can be asked for.
fn is_missing(path: &str) -> String {
    let ends = path.match_indices('.').map(|(dot, _)| dot);
    let steps = ends.chain([path.len()]).map(|end| &path[..end]);
    let conditions: Vec<String> = steps
        .enumerate()
        .map(|(depth, step)| match depth {
            0 => format!("{step} == null"),
            _ => format!("!has({step}) || {step} == null"),
        })
        .collect();
    conditions.join(" || ")
}

/// The text at a path without a currency.
fn without(path: &str, currency: &str) -> String {
    format!("{path}.replace(\"{currency}\", \"\").trim()")
}

fn is_identifier(name: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_first)
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !RESERVED.contains(&name)
        && !CEL_NAMES.contains(&name)
}
