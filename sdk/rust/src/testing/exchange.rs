//! A simulated exchange: a request and its response.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Input;
use crate::base64::encode;

/// A request and its response, which only the phases with a response read.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    pub(super) method: String,
    pub(super) scheme: String,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) original: (String, String, Option<String>),
    pub(super) client_ip: String,
    pub(super) now: u64,
    pub(super) request: Vec<(String, String)>,
    pub(super) status: u16,
    pub(super) answered_by: String,
    pub(super) response: Vec<(String, String)>,
    body: Vec<u8>,
    response_body: Vec<u8>,
    records: Vec<(String, String, String, String)>,
    given: Vec<(Input, String)>,
}

impl Exchange {
    /// A `GET` of an absolute URL from 192.0.2.1, with a 200 from the upstream.
    #[must_use]
    pub fn get(url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
        let (host, target) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        Self {
            method: "GET".to_owned(),
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            path: path.to_owned(),
            query: query.clone(),
            original: (host.to_owned(), path.to_owned(), query),
            client_ip: "192.0.2.1".to_owned(),
            now: 1_700_000_000,
            request: Vec::new(),
            status: 200,
            answered_by: "upstream".to_owned(),
            response: Vec::new(),
            body: Vec::new(),
            response_body: Vec::new(),
            records: Vec::new(),
            given: Vec::new(),
        }
    }

    /// Sets the method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// Sets the client's address.
    #[must_use]
    pub fn client_ip(mut self, address: &str) -> Self {
        address.clone_into(&mut self.client_ip);
        self
    }

    /// Sets the time, in Unix seconds.
    #[must_use]
    pub fn now(mut self, seconds: u64) -> Self {
        self.now = seconds;
        self
    }

    /// Adds a line of a request field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request
            .push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// Sets the status of the response and its source: `upstream`, `files`, `cache`,
    /// `policy` or `gateway`.
    #[must_use]
    pub fn answered(mut self, status: u16, by: &str) -> Self {
        self.status = status;
        by.clone_into(&mut self.answered_by);
        self
    }

    /// Adds a line of a response field.
    #[must_use]
    pub fn response_header(mut self, name: &str, value: &str) -> Self {
        self.response
            .push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// Sets the body of the request.
    #[must_use]
    pub fn body(mut self, bytes: &[u8]) -> Self {
        self.body = bytes.to_owned();
        self
    }

    /// Sets the body of the response.
    #[must_use]
    pub fn response_body(mut self, bytes: &[u8]) -> Self {
        self.response_body = bytes.to_owned();
        self
    }

    /// Sets a variable of a policy, `policy.name`.
    #[must_use]
    pub fn variable(self, name: &str, value: &str) -> Self {
        self.with(Input::Variable(name.to_owned()), value)
    }

    /// Adds a key and its value to a dataset. `member` is empty unless it is a dataset of
    /// records.
    #[must_use]
    pub fn record(mut self, dataset: &str, key: &str, member: &str, value: &str) -> Self {
        let [dataset, key, member, value] = [dataset, key, member, value].map(ToOwned::to_owned);
        self.records.push((dataset, key, member, value));
        self
    }

    /// Sets the value of any input, such as a fact about the client's certificate, or the
    /// duration of a finished exchange.
    #[must_use]
    pub fn with(mut self, input: Input, value: &str) -> Self {
        self.given.retain(|(known, _)| *known != input);
        self.given.push((input, value.to_owned()));
        self
    }

    /// The first line of a request field.
    #[must_use]
    pub fn request_header(&self, name: &str) -> Option<&str> {
        lines(&self.request, name).next()
    }

    /// All lines of a response field.
    #[must_use]
    pub fn response_lines(&self, name: &str) -> Vec<&str> {
        lines(&self.response, name).collect()
    }

    /// Path and query, after the edits.
    #[must_use]
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of an input. Inputs that are neither simulated nor [given](Self::with),
    /// such as those about TLS, are absent. `references` are those that a look-up may
    /// point at.
    pub(super) fn input(&self, input: &Input, references: &[Input]) -> Option<String> {
        if let Some((_, value)) = self.given.iter().find(|(known, _)| known == input) {
            return Some(value.clone());
        }
        let (original_host, original_path, original_query) = &self.original;
        let flag = |there: bool| there.then(|| "1".to_owned());
        match input {
            Input::Method => Some(self.method.clone()),
            Input::Scheme => Some(self.scheme.clone()),
            Input::HttpVersion => Some("1.1".to_owned()),
            Input::ClientIp | Input::PeerIp => Some(self.client_ip.clone()),
            Input::ClientNetwork(lengths) => {
                network(&self.client_ip, lengths.ipv4.into(), lengths.ipv6.into())
            }
            Input::RequestId => Some("0123456789abcdef".to_owned()),
            Input::Site | Input::OriginalHost => Some(original_host.clone()),
            Input::Route => Some("/".to_owned()),
            Input::OriginalPath | Input::RawPath => Some(original_path.clone()),
            Input::OriginalQuery => original_query.clone(),
            Input::Host => Some(self.host.clone()),
            Input::Path => Some(self.path.clone()),
            Input::Extension => {
                let last = self.path.rsplit('/').next()?;
                let (_, extension) = last.rsplit_once('.')?;
                (!extension.is_empty()).then(|| extension.to_ascii_lowercase())
            }
            Input::Query => self.query.clone(),
            Input::Header(name) => joined(&self.request, name),
            Input::HeaderBase64(name) => base64(joined(&self.request, name)),
            Input::HeaderPresent(name) => flag(joined(&self.request, name).is_some()),
            Input::Cookie(name) => self.cookie(name),
            Input::CookiePresent(name) => flag(self.cookie(name).is_some()),
            Input::QueryParameter(name) => self.parameter(name).map(|value| decoded(&value)),
            Input::QueryParameterBase64(name) => {
                base64(self.parameter(name).map(|value| decoded(&value)))
            }
            Input::QueryParameterPresent(name) => flag(self.parameter(name).is_some()),
            Input::RawQueryParameter(name) => self.parameter(name),
            Input::Lookup(lookup) => {
                let key = references.get(lookup.key as usize)?;
                let key = self.input(key, references)?;
                let mut records = self.records.iter();
                let record = records.find(|(dataset, known, member, _)| {
                    (dataset, known, member) == (&lookup.dataset, &key, &lookup.member)
                });
                record.map(|(_, _, _, value)| value.clone())
            }
            Input::BodyText(most) => text(&self.body, *most),
            Input::BodyBase64(most) => whole(&self.body, *most).map(encode),
            Input::BodyPrefix(most) => Some(encode(prefix(&self.body, *most))),
            Input::ResponseBodyText(most) => text(&self.response_body, *most),
            Input::ResponseBodyBase64(most) => whole(&self.response_body, *most).map(encode),
            Input::ResponseBodyPrefix(most) => Some(encode(prefix(&self.response_body, *most))),
            Input::RequestBodySize => Some(self.body.len().to_string()),
            Input::ResponseBodySize => Some(self.response_body.len().to_string()),
            Input::Now => Some(self.now.to_string()),
            Input::Status => Some(self.status.to_string()),
            Input::ResponseHeader(name) => joined(&self.response, name),
            Input::ResponseHeaderBase64(name) => base64(joined(&self.response, name)),
            Input::ResponseHeaderPresent(name) => flag(joined(&self.response, name).is_some()),
            Input::AnsweredBy => Some(self.answered_by.clone()),
            _ => None,
        }
    }

    /// Absent if there are several with different values.
    fn cookie(&self, name: &str) -> Option<String> {
        let pairs = lines(&self.request, "cookie").flat_map(|line| line.split(';'));
        let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(known, _)| *known == name);
        let (_, value) = values.next()?;
        let same = values.all(|(_, other)| other == value);
        same.then(|| value.to_owned())
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self.query.as_deref()?.split('&');
        pairs.find_map(|pair| {
            let (known, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(known) == name).then(|| value.to_owned())
        })
    }
}

/// The network of an address.
fn network(address: &str, ipv4: u32, ipv6: u32) -> Option<String> {
    Some(match address.parse().ok()? {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - ipv4).unwrap_or_default();
            format!("{}/{ipv4}", Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - ipv6).unwrap_or_default();
            format!("{}/{ipv6}", Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    })
}

fn base64(text: Option<String>) -> Option<String> {
    text.map(|text| encode(text.as_bytes()))
}

/// A body as text, if it is UTF-8 and at most this long.
fn text(body: &[u8], most: u32) -> Option<String> {
    let body = whole(body, most)?;
    std::str::from_utf8(body).ok().map(ToOwned::to_owned)
}

fn whole(body: &[u8], most: u32) -> Option<&[u8]> {
    (body.len() <= most as usize).then_some(body)
}

fn prefix(body: &[u8], most: u32) -> &[u8] {
    body.get(..most as usize).unwrap_or(body)
}

fn lines<'a>(fields: &'a [(String, String)], name: &str) -> impl Iterator<Item = &'a str> {
    let name = name.to_ascii_lowercase();
    let lines = fields.iter().filter(move |(known, _)| *known == name);
    lines.map(|(_, value)| value.as_str())
}

/// All lines of a field as one value (RFC 9110 §5.3): joined with `, `, lines of `Cookie`
/// with `; `, and only the first line of `Set-Cookie`.
fn joined(fields: &[(String, String)], name: &str) -> Option<String> {
    let lines: Vec<_> = lines(fields, name).collect();
    let comma = if name == "cookie" { "; " } else { ", " };
    (!lines.is_empty()).then(|| match name {
        "set-cookie" => lines.first().copied().unwrap_or_default().to_owned(),
        _ => lines.join(comma),
    })
}

/// Percent-decodes text, and replaces `+` by a space.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let escape = after.get(..2).filter(|_| *byte == b'%');
        let code = escape
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (code, *byte) {
            (Some(code), _) => {
                bytes.push(code);
                rest = after.get(2..).unwrap_or_default();
            }
            (None, b'+') => bytes.push(b' '),
            (None, other) => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
