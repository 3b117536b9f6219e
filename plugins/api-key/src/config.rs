//! The configuration, which `schema.json` describes too.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::digest::Digest;

/// The configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The request field with the key.
    #[serde(default = "x_api_key")]
    pub(crate) header: String,
    /// Consumers and the hashes of their keys.
    #[serde(default)]
    pub(crate) keys: BTreeMap<String, Digests>,
    /// The content of a file with one line for each key.
    #[serde(default)]
    pub(crate) keys_file: String,
    /// The content of an environment variable, in the format of `keys_file`.
    #[serde(default)]
    pub(crate) keys_env: String,
    /// The field that tells the upstream the consumer. Empty for no field.
    #[serde(default = "x_consumer")]
    pub(crate) consumer_header: String,
    /// Whether the key is removed from the request to the upstream.
    #[serde(default = "yes")]
    pub(crate) strip: bool,
}

fn x_api_key() -> String {
    "x-api-key".to_owned()
}

fn x_consumer() -> String {
    "x-consumer".to_owned()
}

fn yes() -> bool {
    true
}

/// One hash, or a list of them while a key is being replaced.
pub(crate) struct Digests(pub(crate) Vec<Digest>);

impl<'de> Deserialize<'de> for Digests {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMore)
    }
}

struct OneOrMore;

impl<'de> Visitor<'de> for OneOrMore {
    type Value = Digests;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"sha256:…\" or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Digests, E> {
        let digest = Digest::parse(text).map_err(E::custom)?;
        Ok(Digests(vec![digest]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Digests, A::Error> {
        let mut digests = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            digests.push(Digest::parse(&text).map_err(A::Error::custom)?);
        }
        Ok(Digests(digests))
    }
}
