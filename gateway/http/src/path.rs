//! Normalisation of paths.
//!
//! Router, policies, cache key, files and the upstream all see the same normalised path:
//! components that interpret a path differently are the classic way to bypass an access
//! rule. Percent-encoded unreserved characters are decoded, other percent-encodings are
//! written in upper case, bytes that are not allowed in a path are percent-encoded (RFC
//! 3986 §6.2.2), repeated slashes are merged, and dot segments are removed (§5.2.4).

use crate::byte_set::ByteSet;

/// What a site does with `%2F` in a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EncodedSlash {
    /// It stays `%2F` and is part of its segment.
    #[default]
    Keep,
    /// The request is answered 400.
    Refuse,
}

/// Why a path was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// It does not start with a slash.
    NotAbsolute,
    /// A `%` without two hexadecimal digits.
    BadEscape,
    /// `%00`.
    Nul,
    /// `..` would leave the root.
    AboveRoot,
}

impl PathError {
    /// A description for the client and the log.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NotAbsolute => "path does not start with a slash",
            Self::BadEscape => "path has a percent sign without two hexadecimal digits",
            Self::Nul => "path has a NUL",
            Self::AboveRoot => "path climbs out of the root",
        }
    }
}

/// Appends the normalised form of `raw` to `out`, and returns whether `raw` contains `%2F`, even
/// in a segment that a later `..` removes.
///
/// # Errors
/// See [`PathError`]. The content of `out` is then unspecified.
pub fn normalise(raw: &[u8], out: &mut Vec<u8>) -> Result<bool, PathError> {
    if raw.first() != Some(&b'/') {
        return Err(PathError::NotAbsolute);
    }
    if is_plain(raw) {
        out.extend_from_slice(raw);
        return Ok(false);
    }
    // Decoding comes before removing dot segments: `%2e%2e` is `..`.
    let root = out.len();
    let has_slash = unescape(raw, out)?;
    resolve(out, root)?;
    Ok(has_slash)
}

/// True if the path is certainly normalised already, which is the common case.
fn is_plain(raw: &[u8]) -> bool {
    let mut previous = 0;
    for &byte in raw {
        if !is_path_byte(byte) || (previous == b'/' && (byte == b'/' || byte == b'.')) {
            return false;
        }
        previous = byte;
    }
    true
}

fn unescape(raw: &[u8], out: &mut Vec<u8>) -> Result<bool, PathError> {
    let mut has_slash = false;
    let mut rest = raw.iter().copied();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'%' => {
                let high = rest.next().and_then(hex);
                let low = rest.next().and_then(hex);
                let (Some(high), Some(low)) = (high, low) else {
                    return Err(PathError::BadEscape);
                };
                let value = high << 4 | low;
                match value {
                    0 => return Err(PathError::Nul),
                    _ if is_unreserved(value) => value,
                    _ => {
                        has_slash |= value == b'/';
                        escape(value, out);
                        continue;
                    }
                }
            }
            _ if is_path_byte(byte) => byte,
            0 => return Err(PathError::Nul),
            _ => {
                escape(byte, out);
                continue;
            }
        };
        out.push(decoded);
    }
    Ok(has_slash)
}

/// Merges slashes and removes dot segments of `path[root..]` in place. The write position
/// never passes the read position.
fn resolve(path: &mut Vec<u8>, root: usize) -> Result<(), PathError> {
    let mut write = root;
    let mut read = root;
    let end = path.len();
    while read < end {
        // `read` is at a slash: find the segment after it.
        let start = read + 1;
        let length = path
            .get(start..end)
            .and_then(|rest| memchr::memchr(b'/', rest))
            .unwrap_or(end - start);
        let segment = start..start + length;
        let is_last = segment.end == end;
        match path.get(segment.clone()).unwrap_or_default() {
            b"" | b"." if !is_last => {}
            b"" | b"." => write = put_slash(path, write),
            b".." => {
                let kept = path.get(root..write).unwrap_or_default();
                let parent = memchr::memrchr(b'/', kept).ok_or(PathError::AboveRoot)?;
                write = root + parent;
                if is_last {
                    write = put_slash(path, write);
                }
            }
            _ => {
                write = put_slash(path, write);
                path.copy_within(segment.clone(), write);
                write += length;
            }
        }
        read = segment.end;
    }
    path.truncate(write);
    Ok(())
}

fn put_slash(path: &mut [u8], write: usize) -> usize {
    if let Some(byte) = path.get_mut(write) {
        *byte = b'/';
    }
    write + 1
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
}

/// The value of a hexadecimal digit.
#[must_use]
pub fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// True for the characters of `pchar` except `%`, and for the slash (RFC 3986 §3.3).
fn is_path_byte(byte: u8) -> bool {
    static ALLOWED: ByteSet = ByteSet::new(
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/",
    );
    ALLOWED.contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(raw: &[u8]) -> Result<String, PathError> {
        let mut out = Vec::new();
        normalise(raw, &mut out).map(|_| String::from_utf8(out).unwrap())
    }

    #[test]
    fn one_spelling() {
        for (raw, path) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("//a///b//", "/a/b/"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/b/.", "/a/b/"),
            ("/a//../b", "/b"),
            ("/%61%2D%7e", "/a-~"),
            ("/%2e%2E/x/..", "ERR"),
            ("/a/%2e%2e/b", "/b"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%2f..%2fb", "/a%2F..%2Fb"),
            ("/a b\u{e9}", "/a%20b%C3%A9"),
            ("/a\\..\\b", "/a%5C..%5Cb"),
            ("/.well-known/x", "/.well-known/x"),
            ("/...", "/..."),
            ("/..a/b", "/..a/b"),
        ] {
            match of(raw.as_bytes()) {
                Ok(normal) => assert_eq!(normal, path, "{raw}"),
                Err(_) => assert_eq!(path, "ERR", "{raw}"),
            }
        }
    }

    #[test]
    fn refusals() {
        for (raw, error) in [
            ("a", PathError::NotAbsolute),
            ("", PathError::NotAbsolute),
            ("/..", PathError::AboveRoot),
            ("/a/../..", PathError::AboveRoot),
            ("/%2e./x", PathError::AboveRoot),
            ("/%", PathError::BadEscape),
            ("/%4", PathError::BadEscape),
            ("/%4g", PathError::BadEscape),
            ("/%00", PathError::Nul),
        ] {
            assert_eq!(of(raw.as_bytes()), Err(error), "{raw}");
        }
    }

    proptest! {
        /// Normalising twice changes nothing, and no dot segment survives.
        #[test]
        fn idempotent(raw in "/[/.%a-f0-9 ]{0,24}") {
            if let Ok(once) = of(raw.as_bytes()) {
                prop_assert_eq!(&of(once.as_bytes()).unwrap(), &once);
                prop_assert!(once.starts_with('/') && !once.contains("//"));
                prop_assert!(once.split('/').all(|segment| segment != ".." && segment != "."));
            }
        }
    }
}
