//! How inputs are written where a value becomes a path or a query, as the gateway does it.

use crate::Input;

/// What a value becomes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Destination {
    Text,
    Path,
    Query,
    /// A path, and behind the first `?` of a literal a query.
    Url,
}

impl Destination {
    /// The destination of what follows this literal.
    pub(super) fn behind(self, literal: &str) -> Self {
        match self {
            Self::Url if literal.contains('?') => Self::Query,
            other => other,
        }
    }

    /// Appends the value of an input: as it is if it is itself a path, or a query or a part of
    /// one; otherwise it becomes a part of one segment, or the value of one parameter.
    pub(super) fn write(self, input: &Input, value: &str, out: &mut String) {
        let in_path = |byte: u8| is_unreserved(byte) || b"!$&'()*+,=:@".contains(&byte);
        match (self, input) {
            (Self::Text, _)
            | (Self::Path | Self::Url, Input::Path | Input::OriginalPath)
            | (Self::Query, Input::Query | Input::OriginalQuery | Input::RawQueryParameter(_)) => {
                out.push_str(value);
            }
            (Self::Path | Self::Url, _) => encode(value, in_path, out),
            (Self::Query, _) => encode(value, is_unreserved, out),
        }
    }
}

/// True if a segment of the path is `.` or `..`.
pub(super) fn has_dot_segment(path: &str) -> bool {
    let plain = path.replace("%2e", ".").replace("%2E", ".");
    plain
        .split('/')
        .any(|segment| matches!(segment, "." | ".."))
}

fn encode(value: &str, is_plain: impl Fn(u8) -> bool, out: &mut String) {
    for byte in value.bytes() {
        match is_plain(byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}
