//! The configuration, which `schema.json` describes too.

use janua_sdk::{OneOrMore, PathPattern, Template};
use serde::Deserialize;

use crate::media_type::MediaType;
use crate::span::{Span, Store};
use crate::status::Statuses;

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The first rule that matches applies.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// The parts of the cache key beside scheme, host and path.
    pub key: Option<Key>,
    /// A request that matches one of these bypasses the cache.
    #[serde(default)]
    pub bypass: Vec<Bypass>,
    /// Response fields that contain cache tags.
    pub tags_from: Option<OneOrMore<String>>,
}

/// A rule: conditions, all of which must be met, and effects.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name in `Cache-Status` and the access log. Default: its number.
    pub name: Option<String>,

    /// The path of the request.
    pub path: Option<OneOrMore<PathPattern>>,
    /// The extension of the last path segment.
    pub extension: Option<OneOrMore<String>>,
    /// The media type of the response.
    #[serde(rename = "type")]
    pub media_type: Option<OneOrMore<MediaType>>,
    /// The status of the response.
    pub status: Option<OneOrMore<Statuses>>,
    /// The method of the request.
    pub method: Option<OneOrMore<String>>,
    /// Cookies, one of which the request must have.
    pub cookie: Option<OneOrMore<String>>,
    /// Request fields, one of which must be present.
    pub header: Option<OneOrMore<String>>,

    /// For how long the gateway stores it.
    #[serde(default)]
    pub store: Store,
    /// The new `Cache-Control`.
    pub browser: Option<String>,
    /// The new `CDN-Cache-Control`.
    pub cdn: Option<String>,
    /// For how long the stale response is served while it is revalidated.
    pub stale_while_revalidate: Option<Span>,
    /// For how long the stale response is served if the upstream fails.
    pub stale_if_error: Option<Span>,
    /// Whether users share the response although it contains part of a request.
    #[serde(default)]
    pub shared: bool,
    /// Cache tags.
    #[serde(default)]
    pub tags: OneOrMore<Template>,
}

/// The parts of the cache key beside scheme, host and path.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The part of the query.
    #[serde(default)]
    pub query: Query,
    /// Request fields whose values are part of the key.
    #[serde(default)]
    pub headers: OneOrMore<String>,
    /// Cookies whose values are part of the key.
    #[serde(default)]
    pub cookies: OneOrMore<String>,
}

/// The part of the query in the cache key.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Query {
    /// The query as it is.
    #[default]
    Whole,
    /// All parameters, sorted by name.
    Sorted,
    /// No part of it.
    Ignored,
    /// These parameters, sorted.
    Only(OneOrMore<String>),
    /// All but these, sorted.
    Without(OneOrMore<String>),
}

/// Conditions of a bypass, all of which must be met.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bypass {
    /// The path of the request.
    pub path: Option<OneOrMore<PathPattern>>,
    /// Cookies, one of which the request must have.
    pub cookie: Option<OneOrMore<String>>,
    /// Request fields, one of which must be present.
    pub header: Option<OneOrMore<String>>,
}
