//! Requests and responses as the tests write and read them.

use std::fmt;

/// A request to send.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    version: &'static str,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A response that was parsed strictly.
#[derive(Clone, Debug)]
pub struct Response {
    /// `HTTP/1.1`.
    pub version: String,
    /// The status.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// The field lines as received.
    pub fields: Vec<(String, String)>,
    /// How the body was delimited.
    pub framing: Framing,
    /// The decoded body.
    pub body: Vec<u8>,
    /// The trailer fields of a chunked body.
    pub trailers: Vec<(String, String)>,
    /// The interim responses before it.
    pub interim: Vec<Response>,
}

/// A request as an upstream received it.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The request target.
    pub target: String,
    /// `HTTP/1.1`.
    pub version: String,
    /// The field lines as received.
    pub fields: Vec<(String, String)>,
    /// How the body was delimited.
    pub framing: Framing,
    /// The decoded body.
    pub body: Vec<u8>,
    /// The trailer fields of a chunked body.
    pub trailers: Vec<(String, String)>,
    /// The number of the connection on which it was received, from 0.
    pub connection: usize,
}

/// A reply of a stand-in upstream.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
    raw: Option<Vec<u8>>,
}

/// How the length of a body is determined (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// By `Content-Length`.
    Length(usize),
    /// By the chunked coding.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// Why a message could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The connection ended before the first byte.
    Closed,
    /// The connection ended within the message, by a close or a reset.
    Incomplete(String),
    /// The message is not valid HTTP.
    Malformed(String),
    /// Nothing arrived in time.
    TimedOut,
}

impl Request {
    /// A request to the host `a.example`.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            version: "HTTP/1.1",
            fields: vec![("Host".to_owned(), "a.example".to_owned())],
            body: Vec::new(),
        }
    }

    /// `GET`.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// `POST` of a body, with its length.
    #[must_use]
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", target).body(body)
    }

    /// Sets another host.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.fields.retain(|(name, _)| name != "Host");
        self.fields.insert(0, ("Host".to_owned(), host.to_owned()));
        self
    }

    /// Uses HTTP/1.0.
    #[must_use]
    pub fn http10(mut self) -> Self {
        self.version = "HTTP/1.0";
        self
    }

    /// Adds a field line.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a body and its length.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.header("Content-Length", &length)
    }

    /// Adds a chunked body, with one chunk per element, and trailers.
    #[must_use]
    pub fn chunked(mut self, chunks: &[&[u8]], trailers: &[(&str, &str)]) -> Self {
        self.body = chunked(chunks, trailers);
        self.header("Transfer-Encoding", "chunked")
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The bytes to send.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let start = format!("{} {} {}\r\n", self.method, self.target, self.version);
        with_fields(start, &self.fields, &self.body)
    }
}

impl Response {
    /// The value of a field, which must not occur twice.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        only(&self.fields, name)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error} in {:?}", String::from_utf8_lossy(&self.body));
        })
    }

    /// The error in `Proxy-Status`, without its other parameters.
    #[must_use]
    pub fn proxy_error(&self) -> Option<&str> {
        let value = self.header("proxy-status")?;
        let error = value.strip_prefix("janua; error=")?;
        error.split(';').next()
    }
}

impl Received {
    /// The value of a field, which must not occur twice.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        only(&self.fields, name)
    }

    /// The values of all lines of a field, in their order.
    #[must_use]
    pub fn lines(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter();
        let named = named.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }
}

impl Reply {
    /// A reply that has only a status.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            status,
            fields: Vec::new(),
            body: Vec::new(),
            raw: None,
        }
    }

    /// 200 with a body.
    #[must_use]
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200).body(body)
    }

    /// A reply of exactly these bytes.
    #[must_use]
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        let mut reply = Self::new(0);
        reply.raw = Some(bytes.into());
        reply
    }

    /// Adds a field line.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds this body if the status allows one and there is none yet.
    #[must_use]
    pub fn body_if_none(self, body: impl Into<Vec<u8>>) -> Self {
        match self.raw.is_some() || !self.body.is_empty() || has_no_body(self.status) {
            true => self,
            false => self.body(body),
        }
    }

    /// 200 with a chunked body, with one chunk per element, and trailers.
    #[must_use]
    pub fn chunked(chunks: &[&[u8]], trailers: &[(&str, &str)]) -> Self {
        let mut reply = Self::new(200).header("Transfer-Encoding", "chunked");
        reply.body = chunked(chunks, trailers);
        reply
    }

    /// The status.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// The body, as it was given.
    pub(crate) fn content(&self) -> &[u8] {
        &self.body
    }

    /// Whether the server must close the connection afterwards: the reply says
    /// so, or consists of raw bytes that the server does not interpret.
    pub(crate) fn closes(&self) -> bool {
        self.raw.is_some() || only(&self.fields, "connection") == Some("close")
    }

    /// The bytes to send; without the body in response to `HEAD`.
    #[must_use]
    pub fn to_bytes(&self, method: &str) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let has_framing = self.fields.iter().any(|(name, _)| {
            name.eq_ignore_ascii_case("content-length")
                || name.eq_ignore_ascii_case("transfer-encoding")
        });
        let mut fields = self.fields.clone();
        if !has_framing && !has_no_body(self.status) {
            fields.push(("Content-Length".to_owned(), self.body.len().to_string()));
        }
        let body: &[u8] = if method == "HEAD" { &[] } else { &self.body };
        with_fields(format!("HTTP/1.1 {} Said\r\n", self.status), &fields, body)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => formatter.write_str("the connection was closed"),
            Self::Incomplete(what) => write!(formatter, "the connection ended in {what}"),
            Self::Malformed(what) => write!(formatter, "malformed: {what}"),
            Self::TimedOut => formatter.write_str("nothing came in time"),
        }
    }
}

impl std::error::Error for ReadError {}

/// Responses that never have a body (RFC 9110, section 6.4.1).
pub(crate) fn has_no_body(status: u16) -> bool {
    status < 200 || status == 204 || status == 304
}

/// The value of the one field of this name.
pub(crate) fn only<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut values = fields
        .iter()
        .filter(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str());
    let value = values.next();
    assert_eq!(values.next(), None, "`{name}` is there twice: {fields:?}");
    value
}

fn with_fields(start: String, fields: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let lines = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    let mut bytes = (start + &lines.collect::<String>() + "\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn chunked(chunks: &[&[u8]], trailers: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in chunks {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}
