//! The key of a stored response: the primary key, and the variant under it.
//!
//! Both are sequences of length-prefixed parts, so that two different requests never have
//! the same key; an absent part differs from an empty one.
//! They are compared in full on every lookup: with a hash alone a collision, by chance
//! or by an attacker, would hand out the response of another request.

/// The parts of a primary key, borrowed from the request.
#[derive(Clone, Copy, Debug)]
pub struct KeyParts<'a> {
    /// Digest of everything that determines the stored response besides the request: the
    /// upstream, and what the route changes in request and response.
    pub cache_scope: &'a [u8],
    /// `http` or `https`.
    pub scheme: &'a [u8],
    /// Host and port as in the request's authority; stored in lower case.
    pub host: &'a [u8],
    /// The normalised path that the client requested.
    pub path: &'a [u8],
    /// The query as part of the key, without the `?`; `None` if there is none.
    pub query: Option<&'a [u8]>,
    /// True if a rule dropped or sorted parameters: `query` then stands for
    /// many queries, and a purge of any of them reaches the entry.
    pub query_edited: bool,
    /// The path that is requested from the upstream, if a policy has edited it.
    pub upstream_path: Option<&'a [u8]>,
}

/// The key of a request. Its buffers are reused for further requests.
///
/// [`Cache::find`](crate::Cache::find) completes it with the variant, and
/// [`Cache::join`](crate::Cache::join) uses it as `find` has left it.
#[derive(Debug, Default)]
pub struct Key {
    pub(crate) primary: Parts,
    pub(crate) variant: Parts,
    pub(crate) lookup: Lookup,
}

/// Where the last lookup of a key was in the store.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lookup {
    /// Hash of the primary part: selects the shard of the flights.
    pub(crate) primary: u64,
    /// Hash of primary and variant: the slot.
    pub(crate) slot: u64,
    /// How many flights had landed in the shard before the lookup.
    pub(crate) landed: u64,
}

impl Key {
    /// Begins a new key with the parts that each key has.
    pub fn begin(&mut self, parts: &KeyParts<'_>) {
        self.primary.0.clear();
        self.variant.0.clear();
        self.lookup = Lookup::default();
        self.primary.0.push(u8::from(parts.query_edited));
        self.primary.push(Some(parts.cache_scope));
        self.primary.push(Some(parts.scheme));
        self.primary.push_lowercase(parts.host);
        self.primary.push(Some(parts.path));
        self.primary.push(parts.query);
        self.primary.push(parts.upstream_path);
    }

    /// Adds one value of the route's `vary_on`; `None` if the request does not have it.
    pub fn vary_on(&mut self, value: Option<&[u8]>) {
        self.primary.push(value);
    }

    /// Capacity of the buffers, in bytes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.primary.0.capacity() + self.variant.0.capacity()
    }
}

/// Length-prefixed parts, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts(pub(crate) Vec<u8>);

impl Parts {
    /// Adds a part. `None` differs from an empty part.
    pub fn push(&mut self, part: Option<&[u8]>) {
        let Some(part) = part else {
            return self.push_length(0);
        };
        self.push_length(part.len() as u64 + 1);
        self.0.extend_from_slice(part);
    }

    fn push_lowercase(&mut self, part: &[u8]) {
        self.push(Some(part));
        let start = self.0.len() - part.len();
        if let Some(written) = self.0.get_mut(start..) {
            written.make_ascii_lowercase();
        }
    }

    /// Writes a length in LEB128: seven bits per byte, the lowest first; the high bit marks
    /// that more bytes follow.
    fn push_length(&mut self, mut length: u64) {
        while length >= 0x80 {
            self.0.push(low_byte(length) | 0x80);
            length >>= 7;
        }
        self.0.push(low_byte(length));
    }
}

fn low_byte(length: u64) -> u8 {
    (length & 0x7f) as u8
}

/// Reads parts. Ends at the first one that is incomplete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartsReader<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for PartsReader<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut length = 0u64;
        let mut shift = 0u32;
        loop {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            length |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let Some(length) = length.checked_sub(1) else {
            return Some(None);
        };
        let (part, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(Some(part))
    }
}

/// The address of a stored response, read from its primary key: the part of the key that
/// purges and `janua cache get` refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// `http` or `https`.
    pub scheme: &'a [u8],
    /// Host in lower case, with the port if the request had one.
    pub host: &'a [u8],
    /// Normalised path.
    pub path: &'a [u8],
    /// The query of the key.
    pub query: Option<&'a [u8]>,
    /// True if `query` stands for many queries.
    pub query_edited: bool,
}

impl<'a> Address<'a> {
    /// `None` only for bytes that are no primary key.
    pub(crate) fn of(primary: &'a [u8]) -> Option<Self> {
        let (&edited, rest) = primary.split_first()?;
        let mut parts = PartsReader(rest);
        parts.next()??;
        Some(Self {
            scheme: parts.next()??,
            host: parts.next()??,
            path: parts.next()??,
            query: parts.next()?,
            query_edited: edited != 0,
        })
    }
}

/// What distinguishes the stored responses of one primary key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variance {
    names: Vec<Box<[u8]>>,
    by_user: bool,
}

impl Variance {
    /// `names` are those of `Vary`, in any order and letter case, and may be repeated.
    /// `by_user` is true if the response belongs to one user.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n [u8]>, by_user: bool) -> Self {
        let mut names: Vec<Box<[u8]>> = names
            .into_iter()
            .map(|name| name.to_ascii_lowercase().into_boxed_slice())
            .collect();
        names.sort_unstable();
        names.dedup();
        Self { names, by_user }
    }

    /// The names of `Vary`, lower case, sorted.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// True if the response belongs to one user.
    #[must_use]
    pub fn by_user(&self) -> bool {
        self.by_user
    }

    /// True if one response serves every request of the primary key.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.names.is_empty() && !self.by_user
    }

    /// The names of both. With the union, an upstream that sends `Vary` on only some of its
    /// responses does not make the others unreachable.
    pub(crate) fn union(&self, other: &Self) -> Self {
        Self::new(
            self.names().chain(other.names()),
            self.by_user || other.by_user,
        )
    }

    /// Begins the key of a variant with the variance itself, so that values of different
    /// fields are never confused.
    pub(crate) fn begin(&self, variant: &mut Parts) {
        variant.0.clear();
        variant.0.push(if self.by_user { 2 } else { 1 });
        variant.push_length(self.names.len() as u64);
        for name in self.names() {
            variant.push(Some(name));
        }
    }

    /// Reads the variance at the beginning of a variant's key; the values follow it.
    pub(crate) fn of(variant: &[u8]) -> Option<(Self, PartsReader<'_>)> {
        let (&kind, rest) = variant.split_first()?;
        let mut reader = PartsReader(rest);
        let (&count, rest) = reader.0.split_first()?;
        // The count of 128 names or more takes two bytes; such a list is never stored.
        if count & 0x80 != 0 {
            return None;
        }
        reader.0 = rest;
        let mut names = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            names.push(Box::from(reader.next()??));
        }
        let variance = Self {
            names,
            by_user: kind == 2,
        };
        Some((variance, reader))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts<'a>(path: &'a [u8], query: Option<&'a [u8]>) -> KeyParts<'a> {
        KeyParts {
            cache_scope: b"u",
            scheme: b"https",
            host: b"Shop.Example:8443",
            path,
            query,
            query_edited: false,
            upstream_path: None,
        }
    }

    fn key(parts: &KeyParts<'_>, vary_on: &[Option<&[u8]>]) -> Vec<u8> {
        let mut key = Key::default();
        key.begin(parts);
        for value in vary_on {
            key.vary_on(*value);
        }
        key.primary.0
    }

    #[test]
    fn no_two_requests_write_the_same_key() {
        let long = vec![b'a'; 300];
        let keys = [
            key(&parts(b"/a", None), &[]),
            key(&parts(b"/a", Some(b"")), &[]),
            key(&parts(b"/", Some(b"a")), &[]),
            key(&parts(b"/a", None), &[None]),
            key(&parts(b"/a", None), &[Some(b"")]),
            key(&parts(b"/a", None), &[Some(b"x"), None]),
            key(&parts(b"/a", None), &[None, Some(b"x")]),
            key(&parts(&long, None), &[]),
            key(
                &KeyParts {
                    query_edited: true,
                    ..parts(b"/a", None)
                },
                &[],
            ),
            key(
                &KeyParts {
                    upstream_path: Some(b"/a"),
                    ..parts(b"/a", None)
                },
                &[],
            ),
        ];
        for (index, one) in keys.iter().enumerate() {
            for other in &keys[index + 1..] {
                assert_ne!(one, other);
            }
        }
    }

    #[test]
    fn the_address_is_read_back() {
        let long = vec![b'q'; 20_000];
        let written = key(&parts(b"/p", Some(&long)), &[Some(b"de")]);
        let address = Address::of(&written).unwrap();
        assert_eq!(address.scheme, b"https");
        assert_eq!(address.host, b"shop.example:8443");
        assert_eq!(address.path, b"/p");
        assert_eq!(address.query, Some(&long[..]));
        for end in 0..40 {
            assert_eq!(Address::of(&written[..end]), None, "{end} bytes");
        }
    }

    #[test]
    fn a_variance_is_sorted_and_read_back() {
        let variance = Variance::new([&b"Origin"[..], b"accept", b"ORIGIN"], true);
        assert_eq!(
            variance.names().collect::<Vec<_>>(),
            [&b"accept"[..], b"origin"]
        );
        let mut variant = Parts::default();
        variance.begin(&mut variant);
        variant.push(Some(b"text/html"));
        variant.push(None);
        let (read, values) = Variance::of(&variant.0).unwrap();
        assert_eq!(read, variance);
        assert_eq!(values.collect::<Vec<_>>(), [Some(&b"text/html"[..]), None]);
        assert!(Variance::default().is_none());
        let union = Variance::new([&b"a"[..]], false).union(&Variance::new([&b"b"[..]], true));
        assert_eq!(union, Variance::new([&b"a"[..], b"b"], true));
    }
}
