//! A value of a request, by which the gateway tells requests apart.

use std::fmt;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::header::is_token;
use crate::names::{Kind, Reference};
use crate::span::Spanned;
use crate::suggest::nearest;

/// A value of a request: some of the inputs that policies have, in the same words, with a colon
/// before the name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RequestInput {
    /// The method.
    Method,
    /// The host that the client asked for.
    Host,
    /// The normalised path, as edited by policies.
    Path,
    /// The whole query, as edited by policies.
    Query,
    /// The client's address behind trusted proxies.
    ClientIp,
    /// The address of the connection's peer.
    PeerIp,
    /// The server name that the client indicated.
    TlsServerName,
    /// The subject of the client's certificate.
    TlsClientSubject,
    /// The fingerprint of the client's certificate.
    TlsClientFingerprint,
    /// A field of the request, in lower case.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// A parameter of the query, decoded.
    QueryParameter(String),
    /// A variable that a policy sets, as `policy.name`.
    Variable(String),
}

/// The words without a name.
const PLAIN: [(&str, RequestInput); 9] = [
    ("method", RequestInput::Method),
    ("host", RequestInput::Host),
    ("path", RequestInput::Path),
    ("query", RequestInput::Query),
    ("client-ip", RequestInput::ClientIp),
    ("peer-ip", RequestInput::PeerIp),
    ("tls-server-name", RequestInput::TlsServerName),
    ("tls-client-subject", RequestInput::TlsClientSubject),
    ("tls-client-fingerprint", RequestInput::TlsClientFingerprint),
];

/// An input with a name.
type Named = fn(String) -> RequestInput;

/// The words before the name of a field, cookie, parameter or variable.
const NAMED: [(&str, Named); 4] = [
    ("header", RequestInput::Header),
    ("cookie", RequestInput::Cookie),
    ("query", RequestInput::QueryParameter),
    ("variable", RequestInput::Variable),
];

/// Words of other proxies, and what they mean here.
const OTHERS: [(&str, &str); 8] = [
    ("$remote_addr", "client-ip"),
    ("$binary_remote_addr", "client-ip"),
    ("ip", "client-ip"),
    ("source", "client-ip"),
    ("$request_uri", "path"),
    ("$uri", "path"),
    ("uri", "path"),
    ("$host", "host"),
];

impl fmt::Display for RequestInput {
    /// As it is written in the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::QueryParameter(name) => write!(f, "query:{name}"),
            Self::Variable(name) => write!(f, "variable:{name}"),
            plain => {
                let word = PLAIN.iter().find(|(_, input)| input == plain);
                f.write_str(word.map_or("", |(word, _)| *word))
            }
        }
    }
}

impl Decode for RequestInput {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        let span = decoder.span(node);
        match parse(text) {
            Ok(input) => {
                if let Self::Variable(name) = &input
                    && let Some((policy, _)) = name.split_once('.')
                {
                    let policy = Spanned::new(policy.to_owned(), span);
                    decoder
                        .references
                        .push(Reference::new(Kind::Policy, policy));
                }
                Some(input)
            }
            Err(help) => decoder.refuse(
                Diagnostic::error(span, format!("`{text}` is not a value of a request")).help(help),
            ),
        }
    }

    fn kind() -> String {
        "a value of the request such as \"header:x-user\"".to_owned()
    }
}

/// Parses an input, or returns advice on what to write instead.
fn parse(text: &str) -> Result<RequestInput, String> {
    if let Some((_, input)) = PLAIN.iter().find(|(word, _)| *word == text) {
        return Ok(input.clone());
    }
    if let Some((_, here)) = OTHERS.iter().find(|(word, _)| *word == text) {
        return Err(format!("write \"{here}\""));
    }
    for (prefix, word) in [
        ("$http_", "header"),
        ("$cookie_", "cookie"),
        ("$arg_", "query"),
    ] {
        if let Some(name) = text.strip_prefix(prefix) {
            return Err(format!("write \"{word}:{}\"", name.replace('_', "-")));
        }
    }
    let Some((word, name)) = text.split_once(':') else {
        return Err(advice(text));
    };
    let Some((_, named)) = NAMED.iter().find(|(known, _)| *known == word) else {
        return Err(advice(word));
    };
    match word {
        "header" if is_token(name) => Ok(named(name.to_ascii_lowercase())),
        "header" => Err("write the name of a header field: \"header:x-user\"".to_owned()),
        "cookie" if is_token(name) => Ok(named(name.to_owned())),
        "cookie" => Err("write the name of a cookie: \"cookie:session\"".to_owned()),
        "query" if !name.is_empty() && name.len() <= 128 => Ok(named(name.to_owned())),
        "query" => Err("write the name of a parameter: \"query:tenant\"".to_owned()),
        _ if is_variable(name) => Ok(named(name.to_owned())),
        _ => Err("write the policy and its variable: \"variable:jwt.sub\"".to_owned()),
    }
}

fn is_variable(name: &str) -> bool {
    let parts = name.split_once('.');
    parts.is_some_and(|(policy, variable)| !policy.is_empty() && !variable.is_empty())
}

/// The nearest word, or all of them.
fn advice(word: &str) -> String {
    let words = PLAIN.iter().map(|(word, _)| *word);
    let named = NAMED.iter().map(|(word, _)| *word);
    match nearest(&word.replace('_', "-"), words.clone().chain(named.clone())) {
        Some(near) if named.clone().any(|known| known == near) && near != "query" => {
            format!("did you mean \"{near}:…\"?")
        }
        Some(near) => format!("did you mean \"{near}\"?"),
        None => {
            let named: Vec<String> = named.map(|word| format!("{word}:…")).collect();
            let words: Vec<&str> = words.collect();
            format!(
                "write one of \"{}\", \"{}\"",
                words.join("\", \""),
                named.join("\", \"")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_read_and_written_the_same() {
        for (word, _) in PLAIN {
            assert_eq!(parse(word).unwrap().to_string(), word);
        }
        for text in [
            "header:x-user",
            "cookie:Session",
            "query:a b",
            "variable:jwt.sub",
            "variable:jwt.a.b",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        assert_eq!(parse("header:X-User").unwrap().to_string(), "header:x-user");
    }

    #[test]
    fn what_is_wrong_gets_advice() {
        for (text, advice) in [
            ("client_ip", "did you mean \"client-ip\"?"),
            ("$remote_addr", "write \"client-ip\""),
            ("$http_x_user", "write \"header:x-user\""),
            ("headers:x", "did you mean \"header:…\"?"),
            ("header", "did you mean \"header:…\"?"),
            (
                "header:",
                "write the name of a header field: \"header:x-user\"",
            ),
            (
                "header:x user",
                "write the name of a header field: \"header:x-user\"",
            ),
            (
                "cookie:a=b",
                "write the name of a cookie: \"cookie:session\"",
            ),
            ("query:", "write the name of a parameter: \"query:tenant\""),
            (
                "variable:sub",
                "write the policy and its variable: \"variable:jwt.sub\"",
            ),
            (
                "variable:.sub",
                "write the policy and its variable: \"variable:jwt.sub\"",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), advice, "{text}");
        }
        assert!(parse("").unwrap_err().contains("\"variable:…\""));
    }
}
