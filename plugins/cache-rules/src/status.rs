//! Statuses in the configuration: `404`, `"5xx"`, `"any"`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// One status, a class of them, or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statuses {
    /// This status.
    One(u64),
    /// All statuses with this first digit.
    Class(u64),
    /// All statuses.
    Any,
}

impl Statuses {
    /// Whether a status is one of them.
    #[must_use]
    pub fn has(self, status: u64) -> bool {
        match self {
            Self::One(one) => one == status,
            Self::Class(class) => status / 100 == class,
            Self::Any => true,
        }
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrWord)
    }
}

struct NumberOrWord;

impl Visitor<'_> for NumberOrWord {
    type Value = Statuses;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status such as 404, a class such as \"4xx\", or \"any\"")
    }

    fn visit_u64<E: Error>(self, status: u64) -> Result<Statuses, E> {
        match status {
            200..=599 => Ok(Statuses::One(status)),
            _ => Err(E::custom("a status is between 200 and 599")),
        }
    }

    fn visit_i64<E: Error>(self, status: i64) -> Result<Statuses, E> {
        self.visit_u64(u64::try_from(status).unwrap_or_default())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Statuses, E> {
        Ok(match text {
            "any" => Statuses::Any,
            "2xx" => Statuses::Class(2),
            "3xx" => Statuses::Class(3),
            "4xx" => Statuses::Class(4),
            "5xx" => Statuses::Class(5),
            _ => {
                let wrong =
                    "a status is a number, or one of \"2xx\", \"3xx\", \"4xx\", \"5xx\", \"any\"";
                return Err(E::custom(wrong));
            }
        })
    }
}
