//! Tables of header fields, in which a value may come from a file or an environment
//! variable: `x-token_file = "token.txt"` sets `x-token`.
//!
//! The gateway replaces the path by the content of the file and does not change the key,
//! which the policy interprets.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use janua_sdk::Template;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

/// The name of the field that a key sets.
pub(crate) fn field_of(key: &str) -> &str {
    referred(key).unwrap_or(key)
}

/// The name before `_file` or `_env`, if the key is a reference.
fn referred(key: &str) -> Option<&str> {
    key.strip_suffix("_file")
        .or_else(|| key.strip_suffix("_env"))
}

/// Reads such a table. The keys of the map are those in the configuration.
pub(crate) fn fields<'de, D, T>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + From<Template>,
{
    deserializer.deserialize_map(Table(PhantomData))
}

struct Table<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + From<Template>> Visitor<'de> for Table<T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of header fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = match referred(&key) {
                Some(_) => T::from(map.next_value_seed(Content)?),
                None => map.next_value()?,
            };
            fields.insert(key, value);
        }
        Ok(fields)
    }
}

/// The content of a file or variable, without line breaks at the end. Braces in it are
/// not placeholders. Error messages do not contain it, because it may be secret.
struct Content;

impl<'de> DeserializeSeed<'de> for Content {
    type Value = Template;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Template, D::Error> {
        let content = String::deserialize(deserializer).map_err(|_| {
            D::Error::custom("a reference is the path of one file, or one variable")
        })?;
        let text = content.trim_end_matches(['\r', '\n']);
        if text.trim().is_empty() {
            return Err(D::Error::custom("the file or variable is empty"));
        }
        Template::parse(&text.replace('{', "{{").replace('}', "}}")).map_err(D::Error::custom)
    }
}
