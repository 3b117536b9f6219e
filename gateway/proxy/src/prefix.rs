//! Paths whose prefix is replaced by another one.

/// A prefix that takes the place of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PrefixEdit {
    /// Without its last slash.
    old: Box<[u8]>,
    /// Without its last slash.
    new: Box<[u8]>,
    /// The old one is divided from the rest by a slash.
    is_whole: bool,
}

impl PrefixEdit {
    /// `new` in place of `old`. If `is_whole`, only whole segments are a prefix: `/api` is none
    /// of `/apix`.
    pub(crate) fn new(old: &str, new: &str, is_whole: bool) -> Self {
        Self {
            old: old.trim_end_matches('/').as_bytes().into(),
            new: new.trim_end_matches('/').as_bytes().into(),
            is_whole,
        }
    }

    /// The path with the new prefix. None if it does not begin with the old one, because a
    /// policy has changed it.
    pub(crate) fn apply(&self, path: &[u8]) -> Option<Vec<u8>> {
        let rest = path.strip_prefix(&*self.old)?;
        let is_divided = matches!(rest.first(), None | Some(b'/'));
        if self.is_whole && !is_divided {
            return None;
        }
        let mut path = Vec::with_capacity(self.new.len() + rest.len() + 1);
        path.extend_from_slice(&self.new);
        path.extend_from_slice(rest);
        if path.first() != Some(&b'/') {
            path.insert(0, b'/');
        }
        Some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::PrefixEdit;

    /// The table of `ReplacePrefixMatch` in the Gateway API, and prefixes that are no whole
    /// segments.
    #[test]
    fn prefixes() {
        for (path, old, new, expected) in [
            ("/foo/bar", "/foo", "/xyz", Some("/xyz/bar")),
            ("/foo/bar", "/foo", "/xyz/", Some("/xyz/bar")),
            ("/foo/bar", "/foo/", "/xyz", Some("/xyz/bar")),
            ("/foo/bar", "/foo/", "/xyz/", Some("/xyz/bar")),
            ("/foo", "/foo", "/xyz", Some("/xyz")),
            ("/foo/", "/foo", "/xyz", Some("/xyz/")),
            ("/foo/bar", "/foo", "/", Some("/bar")),
            ("/foo/", "/foo", "/", Some("/")),
            ("/foo", "/foo", "/", Some("/")),
            ("/foo", "/", "/v2", Some("/v2/foo")),
            ("/", "/", "/v2", Some("/v2/")),
            ("/fool", "/foo", "/xyz", None),
            ("/other", "/foo", "/xyz", None),
        ] {
            let edit = PrefixEdit::new(old, new, true);
            let found = edit.apply(path.as_bytes());
            let found = found.map(|path| String::from_utf8(path).unwrap());
            assert_eq!(found.as_deref(), expected, "{path} {old} {new}");
        }
        for (path, old, new, expected) in [
            ("/rawfoo", "/raw", "/v2", "/v2foo"),
            ("/rawfoo", "/raw", "/", "/foo"),
            ("/raw/foo", "/raw", "/v2", "/v2/foo"),
            ("/raw", "/raw", "/", "/"),
        ] {
            let edit = PrefixEdit::new(old, new, false);
            let found = edit.apply(path.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(found).unwrap(), expected, "{path}");
        }
    }
}
