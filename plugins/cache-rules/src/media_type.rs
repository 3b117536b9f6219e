//! Media types in the configuration: `text/html`, `image/*`.

use janua_sdk::syntax;
use serde::de::{Deserialize, Deserializer, Error};

/// A media type without parameters, or all media types of one top-level type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    kind: String,
    /// `None` stands for `*`.
    subtype: Option<String>,
}

impl MediaType {
    /// Reads `text/html` or `image/*`.
    ///
    /// # Errors
    /// Anything else, such as parameters.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            [
                "\"",
                text,
                "\" is not a media type; write \"text/html\" or \"image/*\"",
            ]
            .concat()
        };
        let (kind, subtype) = text.split_once('/').ok_or_else(wrong)?;
        let word = |word: &str| syntax::is_token(word) && !word.contains('*');
        if !word(kind) || !(subtype == "*" || word(subtype)) {
            return Err(wrong());
        }
        Ok(Self {
            kind: kind.to_ascii_lowercase(),
            subtype: (subtype != "*").then(|| subtype.to_ascii_lowercase()),
        })
    }

    /// Whether a `Content-Type` matches, regardless of parameters.
    #[must_use]
    pub fn has(&self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default();
        let Some((kind, subtype)) = essence.trim().split_once('/') else {
            return false;
        };
        let same = |known: &String| known.eq_ignore_ascii_case(subtype);
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.as_ref().is_none_or(same)
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}
