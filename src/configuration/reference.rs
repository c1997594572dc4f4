//! The reference of a configuration file as data: rows that tests compare with the types, and from which the page is made.

use std::borrow::Cow;
use std::fmt::Write;

/// A table of a configuration file.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its name; empty for keys outside of any table.
    pub name: &'static str,
    /// One sentence on its purpose.
    pub purpose: &'static str,
    /// Its keys, in the order of the page.
    pub settings: Cow<'static, [Setting]>,
}

/// One key of a configuration file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// The key.
    pub key: &'static str,
    /// The type of its value: `integer`, `number`, `string`, `list of strings` and so on.
    pub value: &'static str,
    /// What a number counts, such as `days`; empty where there is nothing to count.
    pub unit: &'static str,
    /// What holds where the key is left out.
    pub default: DefaultValue,
    /// Which values are legal.
    pub range: Range,
    /// What the setting does.
    pub meaning: &'static str,
}

/// What holds where a key is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DefaultValue {
    /// Nothing: the key is required.
    Required,
    /// This value, as TOML.
    Value(&'static str),
    /// This number.
    Number(u64),
    /// What these words say.
    Otherwise(&'static str),
}

/// The legal values of a setting, beyond its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// Every value of the type.
    Any,
    /// Integers from the first to the second, both included.
    Integers(u64, u64),
    /// Integers from this one on.
    IntegersFrom(u64),
    /// Numbers from the first to the second, both included.
    Closed(f64, f64),
    /// Numbers between the first and the second, both excluded.
    Open(f64, f64),
    /// Numbers from this one on.
    NumbersFrom(f64),
    /// Numbers above this one.
    Above(f64),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A condition in words, with examples as TOML on both sides of it.
    Condition {
        /// The condition.
        words: &'static str,
        /// Values that satisfy it while every other key has its default.
        legal: &'static [&'static str],
        /// Values that do not.
        illegal: &'static [&'static str],
    },
}

impl Setting {
    /// A required setting without a unit that takes every value of its type.
    pub const fn new(key: &'static str, value: &'static str, meaning: &'static str) -> Self {
        Self {
            key,
            value,
            unit: "",
            default: DefaultValue::Required,
            range: Range::Any,
            meaning,
        }
    }

    /// The setting with a unit.
    pub const fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// The setting with a default value, as TOML.
    pub const fn default(self, value: &'static str) -> Self {
        let default = DefaultValue::Value(value);
        Self { default, ..self }
    }

    /// The setting with words for what holds where it is left out.
    pub const fn otherwise(self, words: &'static str) -> Self {
        let default = DefaultValue::Otherwise(words);
        Self { default, ..self }
    }

    /// The setting with a range.
    pub const fn range(self, range: Range) -> Self {
        Self { range, ..self }
    }
}

impl Range {
    /// Legal and illegal values as TOML: the ends of the range, and their neighbours outside of it.
    pub fn examples(&self) -> (Vec<String>, Vec<String>) {
        // Far below the step between two settings, far above the rounding of any.
        const STEP: f64 = 1e-6;
        let texts = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect();
        let quoted = |value: &&str| toml_string(value);
        let numbers = |values: &[f64]| values.iter().map(|v| format!("{v:?}")).collect();
        match *self {
            Self::Any => (Vec::new(), Vec::new()),
            Self::Integers(least, most) => (
                texts(&[&least.to_string(), &most.to_string()]),
                below(least)
                    .into_iter()
                    .chain([(most + 1).to_string()])
                    .collect(),
            ),
            Self::IntegersFrom(least) => (texts(&[&least.to_string()]), below(least)),
            Self::Closed(least, most) => (
                numbers(&[least, most]),
                numbers(&[least - STEP, most + STEP]),
            ),
            Self::Open(least, most) => (
                numbers(&[least + STEP, most - STEP]),
                numbers(&[least, most]),
            ),
            Self::NumbersFrom(least) => (numbers(&[least]), numbers(&[least - STEP])),
            Self::Above(least) => (numbers(&[least + STEP]), numbers(&[least])),
            Self::OneOf(values) => (
                values.iter().map(quoted).collect(),
                vec!["\"no such value\"".to_owned()],
            ),
            Self::Condition { legal, illegal, .. } => (texts(legal), texts(illegal)),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Any => String::new(),
            Self::Integers(least, most) => format!("{least} to {most}"),
            Self::IntegersFrom(least) => format!("at least {least}"),
            Self::Closed(least, most) => format!("{least} to {most}"),
            Self::Open(least, most) => format!("between {least} and {most}, both excluded"),
            Self::NumbersFrom(least) => format!("at least {least}"),
            Self::Above(least) => format!("above {least}"),
            Self::OneOf(values) => {
                let quoted: Vec<String> = values
                    .iter()
                    .map(|v| format!("`{}`", toml_string(v)))
                    .collect();
                quoted.join(", ")
            }
            Self::Condition { words, .. } => (*words).to_owned(),
        }
    }
}

/// The integer before one, unless there is none: an unsigned setting takes nothing below 0.
fn below(least: u64) -> Vec<String> {
    least
        .checked_sub(1)
        .map_or_else(|| vec!["-1".to_owned()], |n| vec![n.to_string()])
}

/// A text as TOML: in single quotes where it holds what double quotes would escape.
fn toml_string(text: &str) -> String {
    if text.contains(['"', '\\']) {
        format!("'{text}'")
    } else {
        format!("\"{text}\"")
    }
}

impl DefaultValue {
    fn words(&self) -> String {
        match self {
            Self::Required => "required".to_owned(),
            Self::Value(value) => format!("`{value}`"),
            Self::Number(number) => format!("`{number}`"),
            Self::Otherwise(words) => (*words).to_owned(),
        }
    }
}

/// The sections as Markdown: a heading of the given level, the purpose and a table for each.
pub fn markdown(sections: &[Section], level: usize) -> String {
    let mut page = String::new();
    for section in sections {
        let Section {
            name,
            purpose,
            settings,
        } = section;
        let heading = match *name {
            "" => "Keys outside of any section".to_owned(),
            name => format!("`[{name}]`"),
        };
        let marks = "#".repeat(level);
        // Writing to a text cannot fail.
        let _ = write!(page, "\n{marks} {heading}\n\n{purpose}\n\n");
        page.push_str("| key | type | unit | default | range | meaning |\n");
        page.push_str("| --- | --- | --- | --- | --- | --- |\n");
        for setting in settings.iter() {
            page.push_str(&table_row(setting));
        }
    }
    page
}

fn table_row(setting: &Setting) -> String {
    let Setting {
        key,
        value,
        unit,
        default,
        range,
        meaning,
    } = setting;
    let cells = [
        format!("`{key}`"),
        (*value).to_owned(),
        (*unit).to_owned(),
        default.words(),
        range.words(),
        (*meaning).to_owned(),
    ];
    // A bar would end the cell.
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_row_for_each_key() {
        const SETTINGS: &[Setting] = &[
            Setting::new("paths", "list of strings", "What to read."),
            Setting::new("escape", "string", "Either | or.")
                .default("'\"'")
                .range(Range::OneOf(&["\"", "a"])),
            Setting::new("days", "integer", "How long.")
                .unit("days")
                .otherwise("as long as it takes")
                .range(Range::Integers(1, 30)),
        ];
        let section = Section {
            name: "events",
            purpose: "The log.",
            settings: Cow::Borrowed(SETTINGS),
        };
        insta::assert_snapshot!(markdown(&[section], 3), @r#"

        ### `[events]`

        The log.

        | key | type | unit | default | range | meaning |
        | --- | --- | --- | --- | --- | --- |
        | `paths` | list of strings |  | required |  | What to read. |
        | `escape` | string |  | `'"'` | `'"'`, `"a"` | Either \| or. |
        | `days` | integer | days | as long as it takes | 1 to 30 | How long. |
        "#);
    }

    #[test]
    fn examples_lie_on_both_sides_of_the_ends() {
        let of = |range: Range| {
            let (legal, illegal) = range.examples();
            (legal.join(" "), illegal.join(" "))
        };
        assert_eq!(of(Range::Integers(1, 30)), ("1 30".into(), "0 31".into()));
        assert_eq!(of(Range::IntegersFrom(0)), ("0".into(), "-1".into()));
        assert_eq!(
            of(Range::Open(0.0, 1.0)),
            ("1e-6 0.999999".into(), "0.0 1.0".into())
        );
        assert_eq!(
            of(Range::OneOf(&["\\"])),
            ("'\\'".into(), "\"no such value\"".into())
        );
    }
}
