//! Path patterns in configurations: `/assets/*`.

use serde::de::{Deserialize, Deserializer, Error};

/// A path in which `*` matches any text, slashes included: `/robots.txt` matches that
/// path, `/assets/*` all below it, and `*.map` all with that ending. Compared with the
/// normalised path; letter case matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    start: String,
    /// The text after each `*`. The last one must be the end of the path.
    rest: Vec<String>,
}

impl PathPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A pattern that no path could match: it does not begin with `/` or `*`, has a query,
    /// or contains characters that are percent-encoded in a path.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with(['/', '*']) {
            return Err(["\"", text, "\" is not a path; it begins with `/` or `*`"].concat());
        }
        if text.contains(['?', '#']) {
            return Err("a path has no `?` and no `#`; the query is no part of it".to_owned());
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a path is ASCII without spaces; write others percent-encoded".to_owned());
        }
        let mut pieces = text.split('*').map(ToOwned::to_owned);
        Ok(Self {
            start: pieces.next().unwrap_or_default(),
            rest: pieces.collect(),
        })
    }

    /// Whether it matches a path.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix(self.start.as_str()) else {
            return false;
        };
        let Some((end, between)) = self.rest.split_last() else {
            return path.is_empty();
        };
        let Some(mut path) = path.strip_suffix(end.as_str()) else {
            return false;
        };
        // The first match suffices, because it leaves the longest rest for the others.
        for piece in between {
            let Some((_, after)) = path.split_once(piece.as_str()) else {
                return false;
            };
            path = after;
        }
        true
    }
}

impl<'de> Deserialize<'de> for PathPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::PathPattern;

    #[test]
    fn matching() {
        let table: [(&str, &[&str], &[&str]); 9] = [
            ("/", &["/"], &["/a"]),
            ("/a", &["/a"], &["/a/", "/A", "/ab", "/"]),
            ("/a/*", &["/a/", "/a/b", "/a/b/c"], &["/a", "/ab"]),
            ("*.map", &["/a.map", "/b/.map"], &["/a.map/", "/a.mapp"]),
            ("*", &["/", "/a/b"], &[]),
            ("/*/feed", &["/a/feed", "/a/b/feed", "//feed"], &["/feed"]),
            ("/a*a", &["/aa", "/aba", "/aXa/a"], &["/a"]),
            ("/a**b", &["/ab", "/a/b"], &["/a"]),
            (
                "*/x/*/y*",
                &["/x/1/y", "/x/x//y", "/a/x/b/y/c"],
                &["/x/y", "/y/x/a"],
            ),
        ];
        for (text, good, bad) in table {
            let pattern = PathPattern::parse(text).unwrap();
            for path in good {
                assert!(pattern.matches(path), "{text} {path}");
            }
            for path in bad {
                assert!(!pattern.matches(path), "{text} {path}");
            }
        }
    }

    #[test]
    fn mistakes() {
        for text in ["", "a", "a/*", "/a?b", "/a#b", "/a b", "/é", "/a\n"] {
            assert!(PathPattern::parse(text).is_err(), "{text:?}");
        }
    }
}
