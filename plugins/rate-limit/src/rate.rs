//! Rates in the configuration: `10/s`.

use serde::de::{Deserialize, Deserializer, Error};

/// The tokens that are added in each period. Both are at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The number of tokens.
    pub tokens: u32,
    /// The period in milliseconds.
    pub period_ms: u32,
}

impl Rate {
    /// Reads `10/s`, `600/m`, `1000/h` or `5000/d`.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{text:?} is not a rate; write \"10/s\", \"600/m\", \"1000/h\" or \"5000/d\"")
        };
        let (tokens, unit) = text.split_once('/').ok_or_else(wrong)?;
        let period_ms = match unit.trim() {
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        match tokens.trim().parse() {
            Ok(0) => {
                Err("a rate of 0 would let nobody in; `respond` with a status does that".to_owned())
            }
            Ok(tokens) => Ok(Self { tokens, period_ms }),
            Err(_) => Err(wrong()),
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}
