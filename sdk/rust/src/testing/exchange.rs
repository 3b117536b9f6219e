//! A simulated exchange: a request and its response.

use crate::Input;

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

    /// The value of an input. Inputs that are not simulated, such as those about TLS, are
    /// absent.
    pub(super) fn input(&self, input: &Input) -> Option<String> {
        let (original_host, original_path, original_query) = &self.original;
        let flag = |there: bool| there.then(|| "1".to_owned());
        match input {
            Input::Method => Some(self.method.clone()),
            Input::Scheme => Some(self.scheme.clone()),
            Input::HttpVersion => Some("1.1".to_owned()),
            Input::ClientIp | Input::PeerIp => Some(self.client_ip.clone()),
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
            Input::HeaderPresent(name) => flag(joined(&self.request, name).is_some()),
            Input::Cookie(name) => self.cookie(name),
            Input::CookiePresent(name) => flag(self.has_cookie(name)),
            Input::QueryParameter(name) => self.parameter(name).map(|value| decoded(&value)),
            Input::RawQueryParameter(name) => self.parameter(name),
            Input::Now => Some(self.now.to_string()),
            Input::Status => Some(self.status.to_string()),
            Input::ResponseHeader(name) => joined(&self.response, name),
            Input::ResponseHeaderPresent(name) => flag(joined(&self.response, name).is_some()),
            Input::AnsweredBy => Some(self.answered_by.clone()),
            Input::TlsVersion
            | Input::TlsServerName
            | Input::TlsClientSubject
            | Input::TlsClientFingerprint
            | Input::BodyText(_)
            | Input::BodyBase64(_) => None,
        }
    }

    fn cookie(&self, name: &str) -> Option<String> {
        let pairs = lines(&self.request, "cookie").flat_map(|line| line.split(';'));
        let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(known, _)| *known == name);
        let (_, value) = values.next()?;
        // Of several that differ, a policy gets none.
        let is_sole = values.all(|(_, other)| other == value);
        is_sole.then(|| value.to_owned())
    }

    fn has_cookie(&self, name: &str) -> bool {
        let mut pairs = lines(&self.request, "cookie").flat_map(|line| line.split(';'));
        pairs.any(|pair| {
            let pair = pair.trim().split_once('=');
            pair.is_some_and(|(known, _)| known == name)
        })
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self.query.as_deref()?.split('&');
        pairs.find_map(|pair| {
            let (known, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(known) == name).then(|| value.to_owned())
        })
    }
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
