//! Writes the head of the request to an upstream.
//!
//! The request target is the normalised path, so that gateway and upstream cannot
//! disagree about it, followed by the query as the client sent it.

use janua_http::fields::{Known, write_field};
use janua_http::{Length, RequestHead};

use super::Call;
use crate::body::Trailers;
use crate::snapshot::HostField;

/// Appends the head of the request to an endpoint. `length` is the length of the
/// body, and `trailers` tells which trailers are forwarded after it.
pub(super) fn write(
    call: &Call<'_>,
    endpoint: &str,
    length: Length,
    trailers: &Trailers,
    out: &mut Vec<u8>,
) {
    let (request, course) = (call.head, call.course);
    out.extend_from_slice(&request.method);
    out.push(b' ');
    out.extend_from_slice(course.path.of(&request.path));
    if let Some(query) = &request.query {
        out.push(b'?');
        out.extend_from_slice(query);
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    // HTTP/1.1 requires a `Host`, even if an HTTP/1.0 client sent none.
    write_field(out, b"Host", host(call, endpoint).unwrap_or_default());
    if request.fields.known(Known::Trailer).next().is_none() {
        let is_written = |known| known != Known::Host;
        request.fields.write_where(is_written, out);
    } else {
        write_fields(request, trailers, out);
    }
    if length == Length::Open {
        write_field(out, b"Transfer-Encoding", b"chunked");
    }
    match (&call.hop.upgrade, call.hop.takes_trailers) {
        (Some(protocol), _) => {
            write_field(out, b"Connection", b"upgrade");
            write_field(out, b"Upgrade", protocol);
        }
        (None, true) => {
            write_field(out, b"Connection", b"TE");
            write_field(out, b"TE", b"trailers");
        }
        (None, false) => {}
    }
    out.extend_from_slice(b"\r\n");
}

/// The host that the endpoint is told.
pub(super) fn host<'a>(call: &'a Call<'_>, endpoint: &'a str) -> Option<&'a [u8]> {
    match &call.course.host {
        HostField::Preserve => call.head.fields.known(Known::Host).next(),
        // The path of a Unix socket is not a valid `Host`.
        HostField::Endpoint if endpoint.starts_with("unix:") => Some(b"localhost"),
        HostField::Endpoint => Some(endpoint.as_bytes()),
        HostField::Fixed(host) => Some(host.as_bytes()),
    }
}

/// Appends all fields except `Host`, in their order. `Trailer` is reduced to the
/// trailers that are forwarded.
fn write_fields(request: &RequestHead, trailers: &Trailers, out: &mut Vec<u8>) {
    for (known, name, value) in request.fields.iter() {
        match known {
            Known::Host => {}
            Known::Trailer => {
                if let Some(announced) = trailers.announced(value) {
                    write_field(out, name, &announced);
                }
            }
            _ => write_field(out, name, value),
        }
    }
}
