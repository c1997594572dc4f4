//! Lists of a configuration file, for which one value by itself stands for a list of one.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{SeqAccessDeserializer, StrDeserializer};
use serde::de::{Error, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Reads a list, or one value as a list of one.
///
/// # Errors
/// That of the element's type, or one that asks for a value or a list.
pub fn list<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(OneOrMany(PhantomData))
}

/// The same for a list that may be left out.
///
/// # Errors
/// As [`list`].
pub fn optional_list<'de, T, D>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    list(deserializer).map(Some)
}

struct OneOrMany<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one value or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        let value: StrDeserializer<'_, E> = text.into_deserializer();
        T::deserialize(value).map(|value| vec![value])
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Vec<T>, E> {
        T::deserialize(number.into_deserializer()).map(|value| vec![value])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<T>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Table {
        #[serde(default, deserialize_with = "list")]
        names: Vec<String>,
        #[serde(default, deserialize_with = "optional_list")]
        days: Option<Vec<u16>>,
    }

    fn read(text: &str) -> Result<Table, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn one_value_is_a_list_of_one() {
        let expected = read("names = ['a']\ndays = [60]").unwrap();
        assert_eq!(read("names = 'a'\ndays = 60").unwrap(), expected);
        assert_eq!(expected.names, ["a"]);
        assert_eq!(read("").unwrap().days, None);
        assert_eq!(read("names = ['a', 'b']").unwrap().names, ["a", "b"]);
    }

    #[test]
    fn what_is_no_element_is_refused_by_itself_as_in_a_list() {
        for text in ["names = 7", "names = [7]"] {
            assert!(
                read(text).unwrap_err().contains("expected a string"),
                "{text}"
            );
        }
        for text in ["days = 70000", "days = [70000]", "days = -1"] {
            assert!(read(text).unwrap_err().contains("expected u16"), "{text}");
        }
        let message = read("names = true").unwrap_err();
        assert!(message.contains("one value or a list of them"), "{message}");
        assert!(read("names = { a = 1 }").is_err());
    }
}
