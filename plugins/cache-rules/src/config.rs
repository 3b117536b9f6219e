//! What an operator writes. The same in `schema.json`.

use janua_sdk::{OneOrMore, PathPattern, Template};
use serde::Deserialize;

use crate::media_type::MediaType;
use crate::span::{Span, Store};
use crate::status::Statuses;

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The first that matches decides.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// What tells requests apart beside scheme, host and path.
    pub key: Option<Key>,
    /// Requests that pass by the cache: each that one of these matches.
    #[serde(default)]
    pub bypass: Vec<Bypass>,
    /// Response fields whose words are cache tags.
    pub tags_from: Option<OneOrMore<String>>,
}

/// Conditions, all of which must hold, and what then happens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name in `Cache-Status` and the log; its number if left out.
    pub name: Option<String>,

    /// The path of the request.
    pub path: Option<OneOrMore<PathPattern>>,
    /// The extension of its last segment.
    pub extension: Option<OneOrMore<String>>,
    /// The media type of the response.
    #[serde(rename = "type")]
    pub media_type: Option<OneOrMore<MediaType>>,
    /// The status of the response.
    pub status: Option<OneOrMore<Statuses>>,
    /// The method of the request.
    pub method: Option<OneOrMore<String>>,
    /// Cookies, one of which the request has.
    pub cookie: Option<OneOrMore<String>>,
    /// Request fields, one of which is there.
    pub header: Option<OneOrMore<String>>,

    /// For how long the gateway stores it.
    #[serde(default)]
    pub store: Store,
    /// The new `Cache-Control`.
    pub browser: Option<String>,
    /// The new `CDN-Cache-Control`.
    pub cdn: Option<String>,
    /// For how long after its end it is served while it is revalidated.
    pub stale_while_revalidate: Option<Span>,
    /// For how long after its end it is served when the upstream fails.
    pub stale_if_error: Option<Span>,
    /// Whether users share what was made with something of a request.
    #[serde(default)]
    pub shared: bool,
    /// Cache tags.
    #[serde(default)]
    pub tags: OneOrMore<Template>,
}

/// What joins the key of the cache.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The part of the query that counts.
    #[serde(default)]
    pub query: Query,
    /// Request fields whose values tell responses apart.
    #[serde(default)]
    pub headers: OneOrMore<String>,
    /// Cookies whose values tell responses apart.
    #[serde(default)]
    pub cookies: OneOrMore<String>,
}

/// The part of the query that counts.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Query {
    /// All of it, as it is.
    #[default]
    Whole,
    /// All of it, sorted by name.
    Sorted,
    /// Nothing of it.
    Ignored,
    /// These parameters, sorted.
    Only(OneOrMore<String>),
    /// All but these, sorted.
    Without(OneOrMore<String>),
}

/// Conditions, all of which must hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bypass {
    /// The path of the request.
    pub path: Option<OneOrMore<PathPattern>>,
    /// Cookies, one of which the request has.
    pub cookie: Option<OneOrMore<String>>,
    /// Request fields, one of which is there.
    pub header: Option<OneOrMore<String>>,
}
