//! Normalisation of paths.
//!
//! Router, policies, cache key, files and the upstream all see the same normalised path:
//! components that interpret a path differently are the classic way to bypass an access
//! rule. Percent-encoded unreserved characters are decoded, other percent-encodings are
//! written in upper case, bytes that are not allowed in a path are percent-encoded (RFC
//! 3986 §6.2.2), repeated slashes are merged, and dot segments are removed (§5.2.4).
//!
//! Some upstreams decode once more than that: they take `%2F`, `%5C` and `\` for a slash, or
//! drop the parameters of a segment, which begin at `;`. A dot segment that only they would
//! find is hidden to everybody else, and leads around the rules of a route: see
//! [`Spelling::has_hidden_dots`].

use crate::byte_set::ByteSet;
use crate::percent;

pub use crate::percent::hex;

/// What a site does with `%2F` in a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EncodedSlash {
    /// It stays `%2F` and is part of its segment.
    #[default]
    Keep,
    /// The request is answered 400.
    Refuse,
}

/// What a site does with a path that has a hidden dot segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HiddenDots {
    /// The request is answered 400.
    #[default]
    Refuse,
    /// It stays as it is, and is part of its segment.
    Keep,
}

/// What the spelling of a path may mean to an upstream that decodes more than the gateway
/// does. A path keeps what it had in segments that a later `..` removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spelling {
    /// It contains `%2F`.
    pub has_encoded_slash: bool,
    /// A segment has a part that is `.` or `..`, once it is divided at `%2F`, `%5C` and `\`, and
    /// each part is cut at its first `;` or `%3B`: `/a/..%2Fb`, `/a/..;c/b`.
    pub has_hidden_dots: bool,
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

/// Appends the normalised form of `raw` to `out`, and returns what is special about its
/// spelling.
///
/// # Errors
/// See [`PathError`]. The content of `out` is then unspecified.
pub fn normalise(raw: &[u8], out: &mut Vec<u8>) -> Result<Spelling, PathError> {
    if raw.first() != Some(&b'/') {
        return Err(PathError::NotAbsolute);
    }
    if is_plain(raw) {
        out.extend_from_slice(raw);
        return Ok(Spelling::default());
    }
    // Decoding comes before removing dot segments: `%2e%2e` is `..`.
    let root = out.len();
    let has_encoded_slash = unescape(raw, out)?;
    let has_hidden_dots = has_hidden_dots(out.get(root..).unwrap_or_default());
    resolve(out, root)?;
    Ok(Spelling {
        has_encoded_slash,
        has_hidden_dots,
    })
}

/// Appends `value` as it is written within one segment of a path: every byte that does not
/// stand for itself in a segment is percent-encoded. So are `%` and `/`, and `;`, at which some
/// upstreams cut a segment. Whatever the value is, it does not end the segment; but it may be a
/// dot segment: see [`has_dot_segment`].
pub fn encode_segment(value: &[u8], out: &mut Vec<u8>) {
    percent::encode(value, is_segment_byte, out);
}

/// True if a segment of the path is `.` or `..`, which [`normalise`] removes. The path need not
/// be normalised.
#[must_use]
pub fn has_dot_segment(raw: &[u8]) -> bool {
    raw.split(|&byte| byte == b'/').any(is_dots)
}

/// True for `.` and `..`, with escaped dots too.
fn is_dots(segment: &[u8]) -> bool {
    let mut rest = segment;
    let mut dots = 0;
    loop {
        rest = match rest {
            [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
            _ => return rest.is_empty() && (dots == 1 || dots == 2),
        };
        dots += 1;
    }
}

/// Whether an unescaped path has a hidden dot segment. The ordinary ones, which are about to
/// be removed, are not meant.
fn has_hidden_dots(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/')
        .filter(|segment| !matches!(*segment, b"." | b".."))
        .any(|segment| {
            let mut rest = Some(segment);
            std::iter::from_fn(|| {
                let (part, after) = split_at_slash(rest?);
                rest = after;
                Some(part)
            })
            .any(|part| matches!(without_parameters(part), b"." | b".."))
        })
}

/// The part of a segment before its first encoded slash or backslash, and what follows it.
fn split_at_slash(segment: &[u8]) -> (&[u8], Option<&[u8]>) {
    for at in memchr::memchr_iter(b'%', segment) {
        if let Some(b"%2F" | b"%5C") = segment.get(at..at + 3) {
            return (segment.get(..at).unwrap_or_default(), segment.get(at + 3..));
        }
    }
    (segment, None)
}

/// A segment without its parameters (RFC 3986 §3.3), which begin at `;`.
fn without_parameters(segment: &[u8]) -> &[u8] {
    let semicolon = memchr::memchr(b';', segment);
    let encoded = memchr::memmem::find(segment, b"%3B");
    let end = semicolon.into_iter().chain(encoded).min();
    segment
        .get(..end.unwrap_or(segment.len()))
        .unwrap_or_default()
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
                        percent::escape(value, out);
                        continue;
                    }
                }
            }
            _ if is_path_byte(byte) => byte,
            0 => return Err(PathError::Nul),
            _ => {
                percent::escape(byte, out);
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

/// True for the characters that never need an escape (RFC 3986 §2.3).
pub(crate) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// True for the characters of `pchar` that stand for themselves in a segment that is made of a
/// value: all but `%` and `;`.
fn is_segment_byte(byte: u8) -> bool {
    is_path_byte(byte) && byte != b'/' && byte != b';'
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
            ("/a/..;x/b", "/a/..;x/b"),
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

    #[test]
    fn hidden_dots() {
        for (raw, is_hidden) in [
            ("/a/..%2fadmin", true),
            ("/a/..%2Fadmin", true),
            ("/a%2f..", true),
            ("/a%2f..%2fadmin", true),
            ("/a/%2e%2e%5cadmin", true),
            ("/a/..\\admin", true),
            ("/a\\..", true),
            ("/a/..;/admin", true),
            ("/..;x=1/admin", true),
            ("/a/%2E.;/admin", true),
            ("/a/..%3bx/admin", true),
            ("/a;x%2f..;y%5cadmin", true),
            ("/a/.;x/b", true),
            ("/a/.%2Fb", true),
            // In a segment that is removed.
            ("/a/..;/../b", true),
            ("/a/../b", false),
            ("/a/%2e%2e/b", false),
            ("/a/./b", false),
            ("/a%2Fb", false),
            ("/a%2F%2Fb", false),
            ("/a;v=../b", false),
            ("/a;v=1/..", false),
            ("/;/a", false),
            ("/...;/a", false),
            ("/..a%2Fb", false),
            ("/a..%2Fb", false),
            ("/.git;x%2F.b", false),
            ("/a/%252e%252e%252fadmin", false),
        ] {
            let spelling = normalise(raw.as_bytes(), &mut Vec::new()).unwrap();
            assert_eq!(spelling.has_hidden_dots, is_hidden, "{raw}");
        }
    }

    #[test]
    fn segments_of_values() {
        for (value, written) in [
            (&b"a-._~1"[..], "a-._~1"),
            (b"!$&'()*+,=:@", "!$&'()*+,=:@"),
            (
                b"a/b%2f;c?d#e f\\\0\xff",
                "a%2Fb%252f%3Bc%3Fd%23e%20f%5C%00%FF",
            ),
            (b"..", ".."),
        ] {
            let mut out = Vec::new();
            encode_segment(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), written);
        }
        for (path, has_dots) in [
            ("/a/..", true),
            ("/./a", true),
            ("/a/%2e%2E/b", true),
            ("/.%2e", true),
            ("/a/...", false),
            ("/..%2Fa", false),
            ("/a..b", false),
            ("/", false),
        ] {
            assert_eq!(has_dot_segment(path.as_bytes()), has_dots, "{path}");
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

        /// What is accepted as having no hidden dots has none, however it is decoded.
        #[test]
        fn no_view_has_dots(raw in "/[/.%25cCfFeE;\\\\aB3]{0,16}") {
            let mut path = Vec::new();
            let Ok(spelling) = normalise(raw.as_bytes(), &mut path) else {
                return Ok(());
            };
            prop_assert!(!has_dot_segment(&path));
            let path = String::from_utf8(path).unwrap();
            for view in views(&path) {
                let dots = view.split('/').any(|segment| segment == "." || segment == "..");
                prop_assert!(spelling.has_hidden_dots || !dots, "{} of {}", view, path);
            }
        }

        /// A value is one segment, unless it is a dot segment.
        #[test]
        fn a_value_stays_in_its_segment(value in prop::collection::vec(any::<u8>(), 0..12)) {
            let mut raw = b"/before/".to_vec();
            encode_segment(&value, &mut raw);
            raw.extend_from_slice(b"/after");
            prop_assume!(!value.contains(&0) && !value.is_empty() && !has_dot_segment(&raw));
            let path = of(&raw).unwrap();
            prop_assert!(path.starts_with("/before/") && path.ends_with("/after"));
            prop_assert_eq!(path.matches('/').count(), 3);
        }
    }

    /// The path as upstreams may read it: each of these decodings alone, and together.
    fn views(path: &str) -> Vec<String> {
        let without_parameters = |path: &str| {
            let cut = |segment: &str| segment.split(';').next().unwrap().to_owned();
            path.split('/').map(cut).collect::<Vec<_>>().join("/")
        };
        (0..32)
            .map(|decodings: u32| {
                let does = |bit: u32| decodings & (1 << bit) != 0;
                let mut view = path.to_owned();
                if does(0) {
                    view = view.replace("%3B", ";");
                }
                if does(1) {
                    view = without_parameters(&view);
                }
                if does(2) {
                    view = view.replace("%2F", "/");
                }
                if does(3) {
                    view = view.replace("%5C", "/");
                }
                if does(4) {
                    view = without_parameters(&view);
                }
                view
            })
            .collect()
    }
}
