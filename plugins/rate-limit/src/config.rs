//! The configuration, which `schema.json` describes too.

use janua_sdk::AbsentKey;
use serde::Deserialize;

use crate::rate::Rate;

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The steady rate, such as `10/s`.
    pub rate: Rate,
    /// Requests at once beyond the rate.
    #[serde(default)]
    pub burst: u32,
    /// The placeholder whose values have a bucket each. Empty or `constant`: one bucket
    /// for all requests.
    #[serde(default = "client_ip")]
    pub key: String,
    /// How requests without a key are limited.
    #[serde(default)]
    pub absent: Absent,
    /// The status of the response to a refused request.
    #[serde(default = "too_many_requests")]
    pub status: u16,
    /// Tokens that a request takes.
    #[serde(default = "one")]
    pub cost: u32,
    /// The text of the response to a refused request.
    #[serde(default = "body")]
    pub body: String,
}

/// How requests without a key are limited.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Absent {
    /// They share one bucket.
    #[default]
    Share,
    /// They are refused.
    Refuse,
    /// They are not limited.
    Skip,
}

impl From<Absent> for AbsentKey {
    fn from(absent: Absent) -> Self {
        match absent {
            Absent::Share => Self::Share,
            Absent::Refuse => Self::Refuse,
            Absent::Skip => Self::Skip,
        }
    }
}

fn client_ip() -> String {
    "client_ip".to_owned()
}

fn too_many_requests() -> u16 {
    429
}

fn one() -> u32 {
    1
}

fn body() -> String {
    "Too many requests\n".to_owned()
}
