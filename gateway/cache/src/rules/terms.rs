//! The terms under which a response is stored: what the rules have read from its head.
//! They are kept with the response in memory and on disk, so that the head is parsed only
//! once.

/// The source of a freshness lifetime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Source {
    /// Neither the response nor a rule states a lifetime: it is zero.
    #[default]
    None = 0,
    /// `s-maxage` (RFC 9111 §5.2.2.10).
    SMaxage = 1,
    /// `max-age` (RFC 9111 §5.2.2.1).
    MaxAge = 2,
    /// `Expires` (RFC 9111 §5.3).
    Expires = 3,
    /// `CDN-Cache-Control` (RFC 9213).
    CdnCacheControl = 4,
    /// The heuristic of RFC 9111 §4.2.2.
    Heuristic = 5,
    /// The number of seconds of a cache rule.
    Rule = 6,
    /// `Surrogate-Control` (W3C Edge Architecture).
    SurrogateControl = 7,
}

impl Source {
    /// The word that `janua cache get` prints.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SMaxage => "s-maxage",
            Self::MaxAge => "max-age",
            Self::Expires => "expires",
            Self::CdnCacheControl => "cdn-cache-control",
            Self::Heuristic => "heuristic",
            Self::Rule => "rule",
            Self::SurrogateControl => "surrogate-control",
        }
    }

    fn of(byte: u8) -> Option<Self> {
        [
            Self::None,
            Self::SMaxage,
            Self::MaxAge,
            Self::Expires,
            Self::CdnCacheControl,
            Self::Heuristic,
            Self::Rule,
            Self::SurrogateControl,
        ]
        .into_iter()
        .find(|source| *source as u8 == byte)
    }
}

/// The terms of one stored response. Durations are in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// When the response, or the last 304 for it, was received, in Unix milliseconds.
    pub received_ms: u64,
    /// Its age at that time (`corrected_initial_age`, RFC 9111 §4.2.3).
    pub initial_age: u32,
    /// The age up to which it is fresh (`freshness_lifetime`, RFC 9111 §4.2.1).
    pub lifetime: u32,
    /// How long it may be served stale while it is revalidated.
    pub stale_while_revalidate: u32,
    /// How long it may be served stale when the upstream fails.
    pub stale_if_error: u32,
    /// The source of `lifetime`.
    pub source: Source,
    /// It must be validated before each use (`no-cache`).
    pub no_cache: bool,
    /// It is never served stale, even if the request or the two durations above allow
    /// that (`must-revalidate`, `proxy-revalidate`).
    pub must_revalidate: bool,
    /// The `max-stale` of requests is ignored (`s-maxage`, RFC 9111 §5.2.2.10).
    pub ignores_max_stale: bool,
    /// It may answer requests with `Authorization` (RFC 9111 §3.5).
    pub shares_authorized: bool,
    /// Its `Set-Cookie` may be sent to all users.
    pub shares_cookies: bool,
}

/// How far the time of receipt may lie in the future, in milliseconds. A request that
/// waits for the response to another one uses the time of its own arrival, which is
/// earlier than the receipt of the response.
const AHEAD_MS: u64 = 60_000;

impl Terms {
    /// Length of the binary form, in bytes.
    pub const SIZE: usize = 26;

    /// The age at `now_ms` in seconds, for `Age` (`current_age`, RFC 9111 §4.2.3).
    /// `u32::MAX` if the response was received in the future: the clock has been set
    /// back, so that the age is unknown, and the response must not stay fresh until the
    /// clock has caught up.
    #[must_use]
    pub fn age(&self, now_ms: u64) -> u32 {
        if self.received_ms > now_ms.saturating_add(AHEAD_MS) {
            return u32::MAX;
        }
        let resident = now_ms.saturating_sub(self.received_ms) / 1000;
        let resident = u32::try_from(resident).unwrap_or(u32::MAX);
        self.initial_age.saturating_add(resident)
    }

    /// For how many more seconds the response is fresh; zero or less if it is stale.
    #[must_use]
    pub fn ttl(&self, now_ms: u64) -> i64 {
        i64::from(self.lifetime) - i64::from(self.age(now_ms))
    }

    /// True while its lifetime has not expired.
    #[must_use]
    pub fn is_fresh(&self, now_ms: u64) -> bool {
        self.ttl(now_ms) > 0
    }

    /// The terms after a soft purge: the response is stale from `at_ms` on, and the
    /// durations for which it may be served stale begin then. A response that was stale
    /// already is unchanged.
    #[must_use]
    pub fn expired(self, at_ms: u64) -> Self {
        Self {
            lifetime: self.lifetime.min(self.age(at_ms)),
            ..self
        }
    }

    /// Appends the binary form that [`read`](Self::read) reads.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.received_ms.to_le_bytes());
        for span in [
            self.initial_age,
            self.lifetime,
            self.stale_while_revalidate,
            self.stale_if_error,
        ] {
            out.extend_from_slice(&span.to_le_bytes());
        }
        out.push(self.source as u8);
        let flags = [
            self.no_cache,
            self.must_revalidate,
            self.ignores_max_stale,
            self.shares_authorized,
            self.shares_cookies,
        ];
        out.push(
            flags
                .iter()
                .enumerate()
                .fold(0, |bits, (place, &flag)| bits | u8::from(flag) << place),
        );
    }

    /// Reads the binary form; `None` for bytes that [`write`](Self::write) never writes.
    #[must_use]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Option<Self> {
        let (received, rest) = bytes.split_first_chunk::<8>()?;
        let (initial_age, rest) = rest.split_first_chunk::<4>()?;
        let (lifetime, rest) = rest.split_first_chunk::<4>()?;
        let (while_revalidate, rest) = rest.split_first_chunk::<4>()?;
        let (if_error, rest) = rest.split_first_chunk::<4>()?;
        let &[source, flags] = rest else {
            return None;
        };
        let flag = |place: u8| flags & (1 << place) != 0;
        (flags < 1 << 5).then_some(Self {
            received_ms: u64::from_le_bytes(*received),
            initial_age: u32::from_le_bytes(*initial_age),
            lifetime: u32::from_le_bytes(*lifetime),
            stale_while_revalidate: u32::from_le_bytes(*while_revalidate),
            stale_if_error: u32::from_le_bytes(*if_error),
            source: Source::of(source)?,
            no_cache: flag(0),
            must_revalidate: flag(1),
            ignores_max_stale: flag(2),
            shares_authorized: flag(3),
            shares_cookies: flag(4),
        })
    }
}

#[cfg(test)]
mod tests;
