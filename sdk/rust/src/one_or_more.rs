//! A list that can be written without brackets if it has one entry.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{I64Deserializer, StrDeserializer, U64Deserializer};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// One text or number, or a list of them: `path = "/a"` and `path = ["/a", "/b"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMore<T>(pub Vec<T>);

/// The empty list, for a field that may be left out.
impl<T> Default for OneOrMore<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either(PhantomData))
    }
}

struct Either<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
    type Value = OneOrMore<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one value or a list of values")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMore<T>, E> {
        one(T::deserialize(StrDeserializer::new(text)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<OneOrMore<T>, E> {
        one(T::deserialize(U64Deserializer::new(number)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<OneOrMore<T>, E> {
        one(T::deserialize(I64Deserializer::new(number)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMore<T>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            entries.push(entry);
        }
        Ok(OneOrMore(entries))
    }
}

fn one<T, E>(entry: Result<T, E>) -> Result<OneOrMore<T>, E> {
    entry.map(|entry| OneOrMore(vec![entry]))
}

#[cfg(test)]
mod tests {
    use super::OneOrMore;
    use crate::read_config;

    #[derive(Debug, serde::Deserialize)]
    struct Config {
        #[serde(default)]
        texts: OneOrMore<String>,
        #[serde(default)]
        numbers: OneOrMore<i32>,
    }

    #[test]
    fn with_and_without_brackets() {
        for (json, texts, numbers) in [
            (r#"{"texts": "a", "numbers": -1}"#, vec!["a"], vec![-1]),
            (
                r#"{"texts": ["a", "b"], "numbers": [1, 2]}"#,
                vec!["a", "b"],
                vec![1, 2],
            ),
            (r#"{"texts": []}"#, vec![], vec![]),
        ] {
            let config: Config = read_config(json).unwrap();
            assert_eq!(config.texts.0, texts);
            assert_eq!(config.numbers.0, numbers);
        }
        for (json, message) in [
            (
                r#"{"texts": ["a", 1]}"#,
                "`texts[1]`: expected a string, found a whole number",
            ),
            (
                r#"{"texts": 1}"#,
                "`texts`: expected a string, found a whole number",
            ),
            (
                r#"{"texts": {}}"#,
                "`texts`: expected one value or a list of values, found a table",
            ),
        ] {
            assert_eq!(read_config::<Config>(json).unwrap_err(), message);
        }
    }
}
