//! Heads of HTTP/1.1 in the form of HTTP/2, and the other way round (RFC 9113, section 8).

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};

use super::intake::{Rest, field};
use crate::message::{Framing, Response, has_no_body};

/// A request as it is sent by HTTP/2.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// Its head.
    pub(super) request: http::Request<()>,
    /// How its body is delimited in HTTP/1.1; none if it has none.
    pub(super) body: Option<Rest>,
    /// Whether the client wants the connection to end after it.
    pub(super) is_last: bool,
}

/// Fields of a connection of HTTP/1.1, which HTTP/2 does not have.
const OF_CONNECTIONS: [HeaderName; 5] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

impl Outgoing {
    /// Translates a head up to its empty line. The error says what has no counterpart.
    pub(super) fn of(head: &[u8], scheme: &Scheme) -> Result<Self, String> {
        let text = head.strip_suffix(b"\r\n\r\n").unwrap_or(head);
        // A line end without CR leaves LF in a line, which no part of a head may contain.
        let mut lines = lines(text);
        let start = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
        let mut fields = HeaderMap::new();
        for line in lines {
            let (name, value) = field(line)?;
            fields.append(name, value);
        }
        let parts: Vec<&str> = start.split(' ').collect();
        let &[method, target, "HTTP/1.1"] = parts.as_slice() else {
            return Err(format!("request line {start:?}"));
        };
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let uri = uri(&method, target, scheme, &mut fields)?;
        let body = framing(&fields)?;
        let is_last = tokens(&fields, &CONNECTION).any(|token| token == "close");
        remove_fields_of_connections(&mut fields);

        let mut request = http::Request::new(());
        // A request without an authority is permitted to what translates from HTTP/1.1.
        let has_authority = uri.authority().is_some();
        *request.version_mut() = match has_authority {
            true => Version::HTTP_2,
            false => Version::HTTP_11,
        };
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = fields;
        Ok(Self {
            request,
            body,
            is_last,
        })
    }
}

/// The head of a response of HTTP/1.1, chunked if it may have a body of unknown length.
/// Field names are written in the letter case that is usual there.
pub(super) fn http1(head: &http::response::Parts, method: &Method) -> (Vec<u8>, Framing) {
    let status = head.status.as_u16();
    let framing = match length(&head.headers) {
        _ if *method == Method::HEAD || has_no_body(status) => Framing::None,
        Some(length) => Framing::Length(length),
        None => Framing::Chunked,
    };
    let reason = head.status.canonical_reason().unwrap_or_default();
    let mut text = format!("HTTP/1.1 {status} {reason}\r\n").into_bytes();
    write_fields(&mut text, &head.headers);
    if framing == Framing::Chunked {
        text.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    text.extend_from_slice(b"\r\n");
    (text, framing)
}

/// Writes field lines of HTTP/1.1.
pub(super) fn write_fields(text: &mut Vec<u8>, fields: &HeaderMap) {
    for (name, value) in fields {
        let mut is_first = true;
        text.extend(name.as_str().bytes().map(|byte| {
            let capital = std::mem::replace(&mut is_first, byte == b'-');
            if capital {
                byte.to_ascii_uppercase()
            } else {
                byte
            }
        }));
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
}

/// A response without its body.
pub(super) fn response(head: &http::response::Parts, is_over: bool) -> Response {
    Response {
        version: "HTTP/2".to_owned(),
        status: head.status.as_u16(),
        reason: String::new(),
        fields: field_lines(&head.headers),
        framing: match length(&head.headers) {
            _ if is_over => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        },
        body: Vec::new(),
        trailers: Vec::new(),
        interim: Vec::new(),
    }
}

/// Fields as the harness keeps them.
pub(super) fn field_lines(fields: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let lines = fields.iter();
    lines
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect()
}

/// The fields with these names and values, which must be valid.
pub(super) fn field_map(lines: &[(&str, &str)]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a valid name");
        fields.append(name, HeaderValue::from_str(value).expect("a valid value"));
    }
    fields
}

/// The length that the fields state.
pub(super) fn length(fields: &HeaderMap) -> Option<usize> {
    let value = fields.get(CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

/// Takes the host out of the fields, unless the target names one.
fn uri(
    method: &Method,
    target: &str,
    scheme: &Scheme,
    fields: &mut HeaderMap,
) -> Result<Uri, String> {
    let bad = |what: &str| format!("{what} {target:?}");
    let hosts: Vec<HeaderValue> = fields.get_all(HOST).iter().cloned().collect();
    fields.remove(HOST);
    if hosts.len() > 1 {
        return Err(format!("hosts {hosts:?}"));
    }
    if method == Method::CONNECT {
        let authority = Authority::try_from(target).map_err(|_| bad("the authority"))?;
        return Ok(authority.into());
    }
    let is_absolute = target.contains("://") && !target.starts_with('/');
    if is_absolute || hosts.is_empty() {
        let uri = Uri::try_from(target).map_err(|_| bad("the target"))?;
        return Ok(uri);
    }
    let path = PathAndQuery::try_from(target).map_err(|_| bad("the target"))?;
    // The library drops a fragment, and adds a slash.
    if path.as_str() != target {
        return Err(bad("the target"));
    }
    let uri = Uri::builder()
        .scheme(scheme.clone())
        .authority(hosts[0].as_bytes())
        .path_and_query(path);
    uri.build().map_err(|_| format!("the host {:?}", hosts[0]))
}

fn framing(fields: &HeaderMap) -> Result<Option<Rest>, String> {
    let lengths = fields.get_all(CONTENT_LENGTH).iter().count();
    let codings: Vec<String> = tokens(fields, &TRANSFER_ENCODING).collect();
    let codings: Vec<&str> = codings.iter().map(String::as_str).collect();
    match (lengths, length(fields), codings.as_slice()) {
        (0, None, []) => Ok(None),
        (0, None, ["chunked"]) => Ok(Some(Rest::Chunk(0))),
        (1, Some(length), []) => Ok((length > 0).then_some(Rest::Length(length))),
        _ => Err(format!("the framing {fields:?}")),
    }
}

/// Removes what HTTP/2 does not have (RFC 9113, section 8.2.2).
pub(super) fn remove_fields_of_connections(fields: &mut HeaderMap) {
    let named: Vec<String> = tokens(fields, &CONNECTION).collect();
    for name in OF_CONNECTIONS {
        fields.remove(name);
    }
    let wants_trailers = tokens(fields, &TE).any(|token| token == "trailers");
    for name in named {
        fields.remove(name.as_str());
    }
    // RFC 9113, section 8.2.2: with this value alone.
    fields.remove(TE);
    if wants_trailers {
        fields.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// The lines of a text, without their ends.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.windows(2).position(|two| two == b"\r\n");
        rest = end.map(|end| &text[end + 2..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

/// The members of a list, in small letters.
fn tokens(fields: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> {
    let lines = fields.get_all(name).iter();
    let text = lines.map(|line| String::from_utf8_lossy(line.as_bytes()).to_ascii_lowercase());
    let members = text.flat_map(|line| {
        let members = line.split(',').map(|member| member.trim().to_owned());
        members.collect::<Vec<_>>()
    });
    members.collect::<Vec<_>>().into_iter()
}
