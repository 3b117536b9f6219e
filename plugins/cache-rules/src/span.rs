//! Times in the configuration: `7d`, `10s`, or a number of seconds.

use std::fmt;

use janua_sdk::Storage;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// The longest time in seconds: the largest `delta-seconds` that every cache can
/// represent (RFC 9111 §1.2.2).
const LONGEST: u64 = (1 << 31) - 1;

/// A span of time in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub u32);

impl Span {
    /// Reads `10s`, `5m`, `12h`, `7d`, `2w` or `1y`, which is 365 days.
    ///
    /// # Errors
    /// Any other text, and more than 68 years.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            [
                "\"",
                text,
                "\" is not a time; write \"10s\", \"5m\", \"12h\", \"7d\", \"2w\", \"1y\" or a number of seconds",
            ]
            .concat()
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            "y" => 365 * 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        Self::seconds(number.saturating_mul(unit))
    }

    fn seconds(seconds: u64) -> Result<Self, String> {
        match u32::try_from(seconds) {
            Ok(short) if seconds <= LONGEST => Ok(Self(short)),
            _ => Err("68 years are the longest".to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Seconds)
    }
}

struct Seconds;

impl Visitor<'_> for Seconds {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time such as \"7d\", or a number of seconds")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
        Span::parse(text).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Span, E> {
        Span::seconds(seconds).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Span, E> {
        match u64::try_from(seconds) {
            Ok(seconds) => self.visit_u64(seconds),
            Err(_) => Err(E::custom("a time is not negative")),
        }
    }
}

/// For how long a response is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Store {
    /// As its own fields say.
    #[default]
    Fields,
    /// As its own fields say, with heuristic freshness if they do not say.
    Heuristic,
    /// It is not stored.
    Never,
    /// For this long, regardless of its fields.
    For(Span),
}

impl From<Store> for Storage {
    fn from(store: Store) -> Self {
        match store {
            Store::Fields => Self::ByFields,
            Store::Heuristic => Self::ByFieldsOrHeuristic,
            Store::Never => Self::Never,
            Store::For(Span(seconds)) => Self::Seconds(seconds),
        }
    }
}

impl<'de> Deserialize<'de> for Store {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrTime)
    }
}

struct WordOrTime;

impl Visitor<'_> for WordOrTime {
    type Value = Store;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"never\", \"fields\", \"heuristic\", or a time such as \"7d\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Store, E> {
        Ok(match text {
            "fields" => Store::Fields,
            "heuristic" => Store::Heuristic,
            "never" => Store::Never,
            time => {
                let span = Span::parse(time).map_err(|message| {
                    E::custom([&message, ", or \"never\", \"fields\", \"heuristic\""].concat())
                });
                Store::For(span?)
            }
        })
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Store, E> {
        Seconds.visit_u64(seconds).map(Store::For)
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Store, E> {
        Seconds.visit_i64(seconds).map(Store::For)
    }
}
