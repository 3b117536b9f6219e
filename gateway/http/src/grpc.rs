//! What the gateway has to know about gRPC: which requests are calls, how long a call may take, and
//! how a failure is reported to its client (the specification is `PROTOCOL-HTTP2.md` of gRPC).

use std::fmt::Write as _;
use std::time::Duration;

use crate::failure::Kind;
use crate::fields::Fields;

/// True if the request is a call of gRPC. gRPC-Web is another protocol.
#[must_use]
pub fn is_call(request: &Fields) -> bool {
    request
        .get(b"content-type")
        .is_some_and(|value| format(value).is_some())
}

/// What follows `application/grpc` in a content type of gRPC: the format of the messages and
/// parameters.
pub(crate) fn format(content_type: &[u8]) -> Option<&[u8]> {
    format_of(b"application/grpc", content_type)
}

/// What follows this name in a content type, if it is the whole name.
pub(crate) fn format_of<'v>(name: &[u8], content_type: &'v [u8]) -> Option<&'v [u8]> {
    let (begin, format) = content_type.split_at_checked(name.len())?;
    let is_whole = matches!(format.first(), None | Some(b'+' | b';'));
    (is_whole && begin.eq_ignore_ascii_case(name)).then_some(format)
}

/// How long the client waits for the call, if it says so: at most eight digits and a unit.
#[must_use]
pub fn timeout(request: &Fields) -> Option<Duration> {
    let (unit, digits) = request.get(b"grpc-timeout")?.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

/// The status of a call that has failed in the gateway: that of its status of HTTP, except that a
/// client of gRPC tells a passed time limit from an upstream that is not there.
#[must_use]
pub fn status(kind: Kind) -> u8 {
    match kind {
        Kind::WholeTimeout | Kind::ResponseTimeout => DEADLINE_EXCEEDED,
        _ => status_of_http(kind.status()),
    }
}

/// The status of a call that was answered with this status of HTTP: a limit by its meaning,
/// everything else as gRPC maps them.
#[must_use]
pub fn status_of_http(status: u16) -> u8 {
    match status {
        400 => INTERNAL,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 => UNIMPLEMENTED,
        408 => DEADLINE_EXCEEDED,
        413 | 429 | 431 => RESOURCE_EXHAUSTED,
        502..=504 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

const UNKNOWN: u8 = 2;
const DEADLINE_EXCEEDED: u8 = 4;
const PERMISSION_DENIED: u8 = 7;
const RESOURCE_EXHAUSTED: u8 = 8;
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;

/// A text as the value of `grpc-message`.
#[must_use]
pub fn message(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' => encoded.push_str("%25"),
            b' '..=b'~' => encoded.push(char::from(byte)),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &str, value: &str) -> Fields {
        let mut fields = Fields::default();
        fields.append(name.as_bytes(), value.as_bytes());
        fields
    }

    #[test]
    fn calls() {
        for (value, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/GRPC;x=y", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/grp", false),
            ("text/plain", false),
        ] {
            assert_eq!(is_call(&fields("Content-Type", value)), expected, "{value}");
        }
        assert!(!is_call(&Fields::default()));
    }

    #[test]
    fn timeouts() {
        for (value, expected) in [
            ("2H", Some(Duration::from_secs(7200))),
            ("3M", Some(Duration::from_secs(180))),
            ("4S", Some(Duration::from_secs(4))),
            ("250m", Some(Duration::from_millis(250))),
            ("99999999u", Some(Duration::from_micros(99_999_999))),
            ("1n", Some(Duration::from_nanos(1))),
            ("0S", Some(Duration::ZERO)),
            ("100000000S", None),
            ("S", None),
            ("", None),
            ("-1S", None),
            ("1s", None),
            ("1.5S", None),
        ] {
            assert_eq!(timeout(&fields("grpc-timeout", value)), expected, "{value}");
        }
    }

    #[test]
    fn statuses() {
        for (kind, expected) in [
            (Kind::WholeTimeout, 4),
            (Kind::ResponseTimeout, 4),
            (Kind::TooManyRequests, 8),
            (Kind::PolicyThrottled, 8),
            (Kind::PolicyOverloaded, 14),
            (Kind::RequestBodyTooLarge, 8),
            (Kind::ConnectTimeout, 14),
            (Kind::ConnectionRefused, 14),
            (Kind::NoneHealthy, 14),
            (Kind::NoHttp2, 14),
            (Kind::FileDenied, 7),
            (Kind::NoRoute, 12),
            (Kind::BadRequest, 13),
            (Kind::MethodNotAllowed, 2),
        ] {
            assert_eq!(status(kind), expected, "{kind:?}");
        }
    }

    #[test]
    fn statuses_of_http() {
        for (status, expected) in [(401, 16), (403, 7), (408, 4), (418, 2), (429, 8), (503, 14)] {
            assert_eq!(status_of_http(status), expected, "{status}");
        }
    }

    #[test]
    fn messages() {
        assert_eq!(message("100% für\nalle"), "100%25 f%C3%BCr%0Aalle");
    }
}
