//! Makes the head of the request to an upstream that speaks HTTP/2.
//!
//! It says what [`super::request_head`] writes for HTTP/1: the request target is the normalised
//! path, followed by the query as the client sent it.

use std::fmt::Write as _;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use janua_hpack::Indexing;
use janua_http::failure::Kind;
use janua_http::fields::Known;
use janua_http::{Failure, RequestHead};

use super::Call;
use super::request_head::host;
use crate::body::Trailers;

/// The head of the request to an endpoint. `trailers` tells which trailers are forwarded after
/// its body.
///
/// # Errors
/// The request has a value that HTTP/2 cannot carry. That is not the fault of the endpoint.
pub(super) fn request(
    call: &Call<'_>,
    endpoint: &str,
    trailers: &Trailers,
) -> Result<Request<()>, Failure> {
    let head = call.head;
    let mut request = Request::new(());
    *request.version_mut() = Version::HTTP_2;
    *request.method_mut() = Method::from_bytes(&head.method).map_err(|_| bad("the method"))?;
    *request.uri_mut() = uri(call, endpoint)?;
    *request.headers_mut() = fields(head, trailers)?;
    if call.hop.takes_trailers {
        let trailers = HeaderValue::from_static("trailers");
        request.headers_mut().insert(http::header::TE, trailers);
    }
    Ok(request)
}

fn uri(call: &Call<'_>, endpoint: &str) -> Result<Uri, Failure> {
    let is_encrypted = call.course.forwarding().tls.is_some();
    let scheme = if is_encrypted {
        Scheme::HTTPS
    } else {
        Scheme::HTTP
    };
    // Every request of HTTP/2 has an authority, even if one of HTTP/1.0 had no `Host`.
    let host = host(call, endpoint).filter(|host| !host.is_empty());
    let host = host.unwrap_or_else(|| match endpoint.starts_with("unix:") {
        true => b"localhost",
        false => endpoint.as_bytes(),
    });
    let authority = Authority::try_from(host).map_err(|_| bad("the host"))?;
    let path = call.course.path.of(&call.head.path);
    let target = target(path, call.head.query.as_deref())?;
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(scheme);
    parts.authority = Some(authority);
    parts.path_and_query = Some(target);
    Uri::from_parts(parts).map_err(|_| bad("the target"))
}

/// The path, and the query as it was sent. Bytes that a URI cannot have, but that clients of HTTP/1
/// send all the same, are percent-encoded.
fn target(path: &[u8], query: Option<&[u8]>) -> Result<PathAndQuery, Failure> {
    let mut target = Vec::with_capacity(path.len() + query.map_or(0, |query| query.len() + 1));
    target.extend_from_slice(path);
    if let Some(query) = query {
        target.push(b'?');
        target.extend_from_slice(query);
    }
    if let Ok(target) = PathAndQuery::try_from(&*target) {
        return Ok(target);
    }
    let mut encoded = String::with_capacity(target.len() + 16);
    for &byte in &target {
        match byte {
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'#' => {
                let _ = write!(encoded, "%{byte:02X}");
            }
            b'!'..=b'~' => encoded.push(char::from(byte)),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    PathAndQuery::try_from(encoded).map_err(|_| bad("the target"))
}

/// All fields except `Host`, in lower case. `Trailer` is reduced to the trailers that are
/// forwarded.
fn fields(head: &RequestHead, trailers: &Trailers) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::with_capacity(head.fields.len() + 1);
    for (known, name, value) in head.fields.iter() {
        let announced;
        let value = match known {
            Known::Host => continue,
            known if known.is_hop_by_hop() => continue,
            Known::Trailer => match trailers.announced(value) {
                None => continue,
                Some(names) => {
                    announced = names;
                    &*announced
                }
            },
            _ => value,
        };
        let indexing = Indexing::of(name, value);
        let name = header_name(known, name).ok_or_else(|| bad("the name of a field"))?;
        let mut value = HeaderValue::from_bytes(value).map_err(|_| bad("the value of a field"))?;
        // The library would add each identifier of a request to its table, where it removes
        // fields that do repeat. Credentials it does not add, but whoever forwards them may, unless
        // they are marked (RFC 7541 §7.1.3).
        value.set_sensitive(indexing != Indexing::Add);
        let added = map.try_append(name, value);
        added.map_err(|_| bad("so many fields"))?;
    }
    Ok(map)
}

/// The name as the library has it; those of the fields that nearly every request has are not
/// parsed.
fn header_name(known: Known, name: &[u8]) -> Option<HeaderName> {
    static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
    static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
    static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
    static X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
    match known {
        Known::ContentLength => Some(http::header::CONTENT_LENGTH),
        Known::XForwardedFor => Some(X_FORWARDED_FOR.clone()),
        Known::XForwardedHost => Some(X_FORWARDED_HOST.clone()),
        Known::XForwardedProto => Some(X_FORWARDED_PROTO.clone()),
        Known::XRealIp => Some(X_REAL_IP.clone()),
        _ => HeaderName::from_bytes(name).ok(),
    }
}

fn bad(what: &str) -> Failure {
    let words = format!("HTTP/2, which the upstream speaks, cannot carry {what} of the request");
    Failure::with(Kind::BadRequest, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_identifiers_are_never_indexed() {
        let mut head = RequestHead::default();
        for (name, value) in [
            ("Authorization", "Basic YTpi"),
            ("X-Request-Id", "0d6307dfa81510b50b21e9d4a82b629a"),
            ("Cookie", "a=1"),
            ("X-Forwarded-For", "192.0.2.1"),
            ("X-Real-IP", "192.0.2.1"),
            ("Content-Length", "5"),
            ("User-Agent", "x"),
        ] {
            head.fields.append(name.as_bytes(), value.as_bytes());
        }
        let map = fields(&head, &Trailers::Drop).unwrap();
        for (name, is_sensitive) in [
            ("authorization", true),
            ("x-request-id", true),
            ("cookie", true),
            ("content-length", true),
            ("x-forwarded-for", true),
            ("x-real-ip", false),
            ("user-agent", false),
        ] {
            assert_eq!(map[name].is_sensitive(), is_sensitive, "{name}");
        }
    }
}
