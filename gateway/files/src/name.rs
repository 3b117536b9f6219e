//! Converts the path of a request to the name of a file.
//!
//! The gateway's normalised path still contains percent-encoded characters.
//! They are decoded here, once. A path that could then mean something else to
//! the file system than it meant to the router is refused and counts as
//! missing.

/// The longest path that the kernel accepts, without the final NUL.
const MAX_PATH: usize = 4095;
/// The longest name of a directory entry.
const MAX_SEGMENT: usize = 255;

/// A path below a root. It has no empty, dot or dot-dot segment, no NUL and no
/// backslash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Decoded, without a slash at either end; empty for the root itself.
    pub path: Vec<u8>,
    /// True if the path of the request ended in a slash.
    pub is_directory: bool,
}

impl Name {
    /// Parses a normalised path, with its leading slash; `None` if it is
    /// refused: such a path has no file. With `hidden`, segments may begin with
    /// a dot.
    #[must_use]
    pub fn parse(path: &[u8], hidden: bool) -> Option<Self> {
        let rest = path.strip_prefix(b"/")?;
        let (rest, is_directory) = match rest.strip_suffix(b"/") {
            Some(rest) => (rest, true),
            None => (rest, rest.is_empty()),
        };
        // `//` is not the root.
        if rest.is_empty() && path.len() > 1 {
            return None;
        }
        let path = decode(rest)?;
        let is_allowed = path.is_empty()
            || path
                .split(|&byte| byte == b'/')
                .enumerate()
                .all(|(place, segment)| is_name(segment, hidden || is_well_known(place, segment)));
        (is_allowed && path.len() <= MAX_PATH).then_some(Self { path, is_directory })
    }

    /// The path of an entry of this directory.
    pub(crate) fn child(&self, name: &[u8]) -> Vec<u8> {
        let mut path = Vec::with_capacity(self.path.len() + 1 + name.len());
        path.extend_from_slice(&self.path);
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        path
    }
}

/// True for a valid file name; `dots` allows it to begin with a dot.
pub(crate) fn is_name(segment: &[u8], dots: bool) -> bool {
    !matches!(segment, b"" | b"." | b"..")
        && segment.len() <= MAX_SEGMENT
        && (dots || segment.first() != Some(&b'.'))
        && !segment.iter().any(|&byte| is_forbidden(byte))
}

/// On Linux a backslash is an ordinary byte. No file name needs it, and it
/// occurs in attempts at path traversal on other systems.
fn is_forbidden(byte: u8) -> bool {
    matches!(byte, 0 | b'/' | b'\\')
}

/// RFC 8615: `.well-known` is special only as the first segment.
fn is_well_known(place: usize, segment: &[u8]) -> bool {
    place == 0 && segment == b".well-known"
}

fn decode(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let high = janua_http::path::hex(rest.next()?)?;
        let low = janua_http::path::hex(rest.next()?)?;
        let value = high << 4 | low;
        // A decoded slash would be part of a segment, and no file name contains
        // one.
        if is_forbidden(value) {
            return None;
        }
        out.push(value);
    }
    Some(out)
}

/// Appends a path, percent-encoding all but unreserved characters and slashes.
pub(crate) fn escape(path: &[u8], out: &mut String) {
    use std::fmt::Write as _;
    for &byte in path {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (path, expected) in [
            ("/", Some("|/")),
            ("/a", Some("a|")),
            ("/a/", Some("a|/")),
            ("/a/b.css", Some("a/b.css|")),
            ("/a%20b%C3%A9", Some("a b\u{e9}|")),
            ("/%61", Some("a|")),
            ("/a%25b", Some("a%b|")),
            // Decoded only once.
            ("/%252e%252e/x", Some("%2e%2e/x|")),
            ("/...", None),
            ("/.well-known/acme", Some(".well-known/acme|")),
            ("/.well-known/", Some(".well-known|/")),
            // Malicious paths, and paths that are not normalised.
            ("", None),
            ("a", None),
            ("//", None),
            ("///", None),
            ("//a", None),
            ("/a//b", None),
            ("/a//", None),
            ("/..", None),
            ("/../x", None),
            ("/a/../../x", None),
            ("/a/..", None),
            ("/a/./b", None),
            ("/.", None),
            ("/%2e%2e/x", None),
            ("/%2E%2E%2Fx", None),
            ("/a%2Fb", None),
            ("/a%2f..%2f..%2fx", None),
            ("/%2Fetc/passwd", None),
            ("/a%00", None),
            ("/a%00.css", None),
            ("/a\0b", None),
            ("/a%5C..%5Cb", None),
            ("/..\\..\\x", None),
            ("/..%5c..%5cx", None),
            ("/%", None),
            ("/%4", None),
            ("/%zz", None),
            ("/.git/config", None),
            ("/a/.env", None),
            ("/%2egit/config", None),
            ("/.well-known/.git", None),
            ("/a/.well-known/x", None),
            ("/.well-knownx", None),
        ] {
            let name = Name::parse(path.as_bytes(), false).map(|name| {
                let slash = if name.is_directory { "/" } else { "" };
                format!("{}|{slash}", String::from_utf8(name.path).unwrap())
            });
            assert_eq!(name.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn hidden_names_by_choice() {
        for path in ["/.git/config", "/a/.env", "/..."] {
            assert!(Name::parse(path.as_bytes(), true).is_some(), "{path}");
        }
        for path in ["/..", "/a/../b", "/."] {
            assert!(Name::parse(path.as_bytes(), true).is_none(), "{path}");
        }
    }

    #[test]
    fn lengths() {
        let of = |path: String| Name::parse(path.as_bytes(), false).is_some();
        assert!(of(format!("/{}", "a".repeat(255))));
        assert!(!of(format!("/{}", "a".repeat(256))));
        assert!(of(format!("/{}b", "a/".repeat(2047))));
        assert!(!of(format!("/{}b", "a/".repeat(2048))));
    }

    #[test]
    fn escaped() {
        let mut out = String::new();
        escape("a/b c\"<%\u{e9}?#".as_bytes(), &mut out);
        assert_eq!(out, "a/b%20c%22%3C%25%C3%A9%3F%23");
    }
}
