//! What an operator writes. The same in `schema.json`.

use janua_sdk::{OneOrMore, PathPattern};
use serde::Deserialize;

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The path that is served instead.
    #[serde(default = "index")]
    pub index: String,
    /// Paths that stay missing.
    #[serde(default)]
    pub exclude: OneOrMore<PathPattern>,
    /// Whether only navigations are answered.
    #[serde(default = "yes")]
    pub only_navigations: bool,
    /// Extensions that stay missing, beside the usual ones; left out, all do.
    pub assets: Option<OneOrMore<String>>,
    /// The `Cache-Control` of the index; empty leaves it.
    #[serde(default = "no_cache")]
    pub cache_control: String,
    /// Whether pages that are there get it too, unless they have one.
    #[serde(default = "yes")]
    pub pages: bool,
}

fn index() -> String {
    "/index.html".to_owned()
}

fn yes() -> bool {
    true
}

fn no_cache() -> String {
    "no-cache".to_owned()
}
