//! How an upstream's requests are spread over its endpoints, and which of them stay together.

use std::time::Duration;

use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::header::is_token;
use crate::input::Input;
use crate::macros::{table, words};
use crate::reference::FieldDoc;
use crate::span::Spanned;
use crate::tree::{ToTree, Tree};

/// How an endpoint is chosen.
#[derive(Debug, Clone, PartialEq)]
pub enum Balance {
    /// Round robin, in proportion to the weights.
    RoundRobin,
    /// The endpoint with the fewest requests in flight, relative to its weight.
    LeastConn,
    /// The better one of two that are drawn at random.
    RandomTwo,
    /// The endpoint that responds the soonest.
    Latency,
    /// By the client's address, as nginx does.
    IpHash,
    /// By a value of the request.
    Hash(Box<HashBalance>),
}

impl Balance {
    /// The word as it is written in the file; `hash` for a balance by hash.
    pub fn as_str(&self) -> &'static str {
        let word = match self {
            Self::RoundRobin => BalanceWord::RoundRobin,
            Self::LeastConn => BalanceWord::LeastConn,
            Self::RandomTwo => BalanceWord::RandomTwo,
            Self::Latency => BalanceWord::Latency,
            Self::IpHash => BalanceWord::IpHash,
            Self::Hash(_) => return "hash",
        };
        word.as_str()
    }
}

impl Decode for Balance {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        if let DeValue::Table(_) = node.get_ref() {
            return HashBalance::decode(node, decoder).map(|it| Self::Hash(Box::new(it)));
        }
        Some(match BalanceWord::decode(node, decoder)? {
            BalanceWord::RoundRobin => Self::RoundRobin,
            BalanceWord::LeastConn => Self::LeastConn,
            BalanceWord::RandomTwo => Self::RandomTwo,
            BalanceWord::Latency => Self::Latency,
            BalanceWord::IpHash => Self::IpHash,
        })
    }

    fn kind() -> String {
        format!("{}, or {}", BalanceWord::kind(), HashBalance::kind())
    }

    fn describe(path: &str, fields: &mut Vec<FieldDoc>) {
        HashBalance::describe(path, fields);
    }
}

impl ToTree for Balance {
    fn to_tree(&self) -> Tree {
        match self {
            Self::Hash(hash) => hash.to_tree(),
            word => Tree::Value(word.as_str().to_owned()),
        }
    }
}

words! {
    /// How an endpoint is chosen, as far as one word says it.
    pub enum BalanceWord {
        /// Round robin, in proportion to the weights.
        RoundRobin = "round_robin",
        /// The endpoint with the fewest requests in flight, relative to its weight.
        LeastConn = "least_conn",
        /// The better one of two that are drawn at random.
        RandomTwo = "random_two",
        /// The endpoint that responds the soonest.
        Latency = "latency",
        /// By the client's address, as nginx does.
        IpHash = "ip_hash",
    }
    refused {
        "hash": "write what is hashed: `{ hash = \"header:x-user\" }`",
        "consistent_hash": "write what is hashed: `{ hash = \"header:x-user\" }`",
        "random": "write \"random_two\", which avoids the busier one of two",
        "least_time": "write \"latency\"",
        "ewma": "write \"latency\"",
        "cookie": "`sticky = { cookie = \"app\" }` in the upstream keeps sessions together",
        "sticky": "`sticky = { cookie = \"app\" }` in the upstream keeps sessions together",
    }
}

table! {
    /// A choice by a value of the request: equal values come to the same endpoint, as long as it
    /// is up. When an endpoint leaves, only its values move.
    pub struct HashBalance("a table such as `{ hash = \"header:x-user\" }`") {
        /// The input whose value is hashed: `"header:x-user"`, `"cookie:session"`, `"client_ip"`,
        /// `"path"` and so on. Requests without it take turns.
        hash: Input = required;
        /// How many times its fair share of the requests in flight an endpoint may have before
        /// the next one on the ring takes its values, more than 1 and at most 100.
        bounded: Option<Factor> = optional("no bound");
    }
}

impl PartialEq for HashBalance {
    fn eq(&self, other: &Self) -> bool {
        (&self.hash, self.bounded) == (&other.hash, other.bounded)
    }
}

/// A factor above 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Factor(f64);

impl Factor {
    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Decode for Factor {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = match node.get_ref() {
            DeValue::Float(number) => number.as_str(),
            DeValue::Integer(number) => number.as_str(),
            _ => return decoder.mismatch(node, &Self::kind()),
        };
        match text.replace('_', "").parse::<f64>() {
            Ok(number) if number > 1.0 && number <= 100.0 => Some(Self(number)),
            _ => {
                let span = decoder.span(node);
                decoder.refuse(
                    Diagnostic::error(span, format!("{text} is not a number above 1, up to 100"))
                        .help("write 1.25 for a quarter more than the fair share"),
                )
            }
        }
    }

    fn kind() -> String {
        "a number such as 1.25".to_owned()
    }
}

impl ToTree for Factor {
    fn to_tree(&self) -> Tree {
        Tree::Value(self.0.to_string())
    }
}

table! {
    /// Sessions: a client gets a signed cookie that names the endpoint, and comes back to that as
    /// long as it is up.
    pub struct Sticky("a table such as `{ cookie = \"app\", lifetime = \"1h\" }`") {
        /// The name of the cookie.
        cookie: Spanned<CookieName> = required;
        /// How long a client that sends no more requests is remembered.
        lifetime: Option<Spanned<Duration>> = optional("until the browser is closed");
        /// Whether the cookie is sent with requests that other sites cause: `"lax"` only if they
        /// lead there, `"strict"` never, `"none"` always.
        same_site: SameSite = default("\"lax\"");
    }
    check remembered
}

fn remembered(sticky: &Sticky, decoder: &mut Decoder<'_>) {
    if let Some(lifetime) = &sticky.lifetime
        && lifetime.value < Duration::from_secs(1)
    {
        decoder.push(
            Diagnostic::error(lifetime.span, "`lifetime` is at least one second")
                .help("leave it out for a cookie that lasts until the browser is closed"),
        );
    }
}

/// The name of a cookie: a token (RFC 6265, section 4.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieName(String);

impl CookieName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for CookieName {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        if is_token(text) && text.len() <= 128 {
            return Some(Self(text.to_owned()));
        }
        let span = decoder.span(node);
        decoder.refuse(
            Diagnostic::error(span, format!("`{text}` is not the name of a cookie"))
                .help("a name has letters, digits, `-` and `_`: \"app_endpoint\""),
        )
    }

    fn kind() -> String {
        "the name of a cookie".to_owned()
    }
}

words! {
    /// When a cookie is sent with requests that other sites cause.
    pub enum SameSite {
        /// Only if they lead to the site.
        Lax = "lax",
        /// Never.
        Strict = "strict",
        /// Always.
        None = "none",
    }
}
