//! The configuration, which `schema.json` describes too.

use janua_sdk::{OneOrMore, PathPattern};
use serde::Deserialize;

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The path that is served instead of the missing one.
    #[serde(default = "index")]
    pub index: String,
    /// Paths for which the index is not served.
    #[serde(default)]
    pub exclude: OneOrMore<PathPattern>,
    /// Whether the index is served for navigations only.
    #[serde(default = "yes")]
    pub only_navigations: bool,
    /// Extensions for which the index is not served, in addition to the built-in ones.
    /// Default: all.
    pub assets: Option<OneOrMore<String>>,
    /// The `Cache-Control` of the index. Empty leaves that of the target.
    #[serde(default = "no_cache")]
    pub cache_control: String,
    /// Whether existing pages get it too, unless they have one.
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
