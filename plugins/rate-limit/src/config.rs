//! What an operator writes. The same in `schema.json`.

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
    /// The placeholder name of what tells clients apart; empty or `constant`
    /// is one bucket for all.
    #[serde(default = "client_ip")]
    pub key: String,
    /// What a request without a key means.
    #[serde(default)]
    pub absent: Absent,
    /// The status of a refusal.
    #[serde(default = "too_many_requests")]
    pub status: u16,
    /// Tokens that a request takes.
    #[serde(default = "one")]
    pub cost: u32,
    /// The text of a refusal.
    #[serde(default = "body")]
    pub body: String,
}

/// What a request without a key means.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Absent {
    /// Everyone without a key shares one bucket.
    #[default]
    Share,
    /// The request is refused.
    Refuse,
    /// The request is not limited.
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
