//! Text with placeholders in configurations: `"for {client_ip}"`.
//!
//! Each placeholder becomes a *reference*, so a verdict with templates is the same for
//! all requests.

use serde::de::{Deserialize, Deserializer, Error};

use crate::bindings::janua::policy::subscriptions::PrefixLengths;
use crate::{Input, Kind, Phase, Value, client_network, syntax};

/// Text with placeholders in braces; `{{` and `}}` stand for braces. Deserialises from a
/// string. The error for an unknown placeholder suggests a similar one.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Input(Input),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// An unmatched brace, an unknown placeholder, or a control character.
    pub fn parse(text: &str) -> Result<Self, String> {
        syntax::field_text(text)?;
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else if let Some(inside) = from.strip_prefix('{') {
                let Some((name, after)) = inside.split_once('}') else {
                    return Err("`{` without `}`; a brace itself is written `{{`".to_owned());
                };
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Input(input_named(name)?));
                rest = after;
            } else {
                return Err("`}` without `{`; a brace itself is written `}}`".to_owned());
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self { pieces })
    }

    /// Declares the placeholders as references in `phase` and returns the value.
    ///
    /// # Errors
    /// A placeholder without a value in this phase.
    pub fn value<P: Kind>(&self, phase: &mut Phase<P>) -> Result<Value<P>, String> {
        let mut value = Value::new();
        for piece in &self.pieces {
            value = match piece {
                Piece::Text(text) => value.then(text),
                Piece::Input(input) => value.then(phase.refer(input.clone())?),
            };
        }
        Ok(value)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

/// Inputs without an argument, such as `client_ip`.
const PLAIN: [(&str, Input); 40] = [
    ("answered_by", Input::AnsweredBy),
    ("attempts", Input::Attempts),
    ("client_ip", Input::ClientIp),
    ("duration_ms", Input::DurationMs),
    ("extension", Input::Extension),
    ("failure", Input::Failure),
    ("first_byte_ms", Input::FirstByteMs),
    ("host", Input::Host),
    ("http_version", Input::HttpVersion),
    ("method", Input::Method),
    ("now", Input::Now),
    ("original_host", Input::OriginalHost),
    ("original_path", Input::OriginalPath),
    ("original_query", Input::OriginalQuery),
    ("path", Input::Path),
    ("peer_ip", Input::PeerIp),
    ("query", Input::Query),
    ("raw_path", Input::RawPath),
    ("request_body_size", Input::RequestBodySize),
    ("request_id", Input::RequestId),
    ("response_body_size", Input::ResponseBodySize),
    ("route", Input::Route),
    ("scheme", Input::Scheme),
    ("site", Input::Site),
    ("status", Input::Status),
    ("tls_cipher", Input::TlsCipher),
    ("tls_client_certificate", Input::TlsClientCertificate),
    ("tls_client_dns_names", Input::TlsClientDnsNames),
    ("tls_client_emails", Input::TlsClientEmails),
    ("tls_client_fingerprint", Input::TlsClientFingerprint),
    ("tls_client_issuer", Input::TlsClientIssuer),
    ("tls_client_not_after", Input::TlsClientNotAfter),
    ("tls_client_not_before", Input::TlsClientNotBefore),
    ("tls_client_serial", Input::TlsClientSerial),
    ("tls_client_subject", Input::TlsClientSubject),
    ("tls_client_uris", Input::TlsClientUris),
    ("tls_server_name", Input::TlsServerName),
    ("tls_version", Input::TlsVersion),
    ("upstream", Input::Upstream),
    // One IPv4 address, or the smallest network that an IPv6 site gets.
    ("client_network", CLIENT_NETWORK),
];

const CLIENT_NETWORK: Input = Input::ClientNetwork(PrefixLengths { ipv4: 32, ipv6: 64 });

/// Inputs with the name of a field, cookie or parameter, such as `header:x-tenant`.
type Named = fn(String) -> Input;
const NAMED: [(&str, Named); 6] = [
    ("cookie", Input::Cookie),
    ("header", Input::Header),
    ("query", Input::QueryParameter),
    ("raw_query", Input::RawQueryParameter),
    ("response_header", Input::ResponseHeader),
    ("variable", Input::Variable),
];

/// The input with this name in a configuration: `client_ip`, `header:x-tenant`,
/// `cookie:session`, `query:page`, `variable:auth.user`, `client_network:24/48` and so on.
///
/// # Errors
/// An unknown name. The message suggests a similar one.
pub fn input_named(name: &str) -> Result<Input, String> {
    if let Some((kind, of)) = name.split_once(':') {
        if kind == "client_network" {
            return network(of);
        }
        if let Some((_, input)) = NAMED.iter().find(|(known, _)| *known == kind) {
            return match kind {
                _ if of.is_empty() => Err(format!("`{name}` needs a name after the colon")),
                "header" | "response_header" => Ok(input(read_field_name(of)?)),
                _ => Ok(input(of.to_owned())),
            };
        }
    } else if let Some((_, input)) = PLAIN.iter().find(|(known, _)| *known == name) {
        return Ok(input.clone());
    }
    Err(unknown(name))
}

/// The prefix lengths of IPv4 and IPv6: `24/48`.
fn network(lengths: &str) -> Result<Input, String> {
    let length = |text: &str, most| text.parse().ok().filter(|length| *length <= most);
    let lengths = lengths.split_once('/');
    let lengths = lengths.and_then(|(v4, v6)| Some((length(v4, 32)?, length(v6, 128)?)));
    let (ipv4, ipv6) = lengths.ok_or(
        "write the lengths of the prefixes of IPv4 and IPv6, as in `client_network:24/48`",
    )?;
    Ok(client_network(ipv4, ipv6))
}

/// Unlike [`syntax::field_name`], accepts fields that only the gateway sets, because they
/// may be read.
fn read_field_name(name: &str) -> Result<String, String> {
    match syntax::is_token(name) {
        true => Ok(name.to_ascii_lowercase()),
        false => Err(format!("{name:?} is not a field name")),
    }
}

fn unknown(name: &str) -> String {
    let kind = name.split_once(':').map_or(name, |(kind, _)| kind);
    let plain: Vec<_> = PLAIN.iter().map(|(known, _)| *known).collect();
    let named: Vec<_> = NAMED.iter().map(|(known, _)| *known).collect();
    let all = [plain.as_slice(), &named].concat();
    let hint = match syntax::nearest(kind, &all) {
        Some(nearest) if named.contains(&nearest) => ["; did you mean `", nearest, ":…`?"].concat(),
        Some(nearest) => ["; did you mean `", nearest, "`?"].concat(),
        None => {
            let plain = plain.join(", ");
            let named = named.join(", ");
            [
                "; there are ",
                &plain,
                ", and with a name after a colon ",
                &named,
            ]
            .concat()
        }
    };
    ["unknown placeholder `", name, "`", &hint].concat()
}

#[cfg(test)]
mod tests;
