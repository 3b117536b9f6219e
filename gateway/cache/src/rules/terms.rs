//! The terms under which a response is stored: what the rules made of its
//! head, kept beside it in memory and on disk, so that no later request parses
//! the head again.

/// Where a lifetime comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Source {
    /// Nothing states one: it is zero.
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
    /// As `janua cache get` prints it.
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

/// The terms of one stored response. All spans are in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// When the answer, or the 304 that last renewed it, was received: Unix milliseconds.
    pub received_ms: u64,
    /// How old it was then (`corrected_initial_age`, RFC 9111 §4.2.3).
    pub initial_age: u32,
    /// Up to which age it is fresh.
    pub lifetime: u32,
    /// How long after its end it may be served while it is revalidated.
    pub stale_while_revalidate: u32,
    /// How long after its end it may be served when the upstream fails.
    pub stale_if_error: u32,
    /// Where `lifetime` comes from.
    pub source: Source,
    /// Never served without asking the upstream (`no-cache`).
    pub no_cache: bool,
    /// Never served after its end, whatever a request or the two spans above
    /// allow (`must-revalidate`, `proxy-revalidate`).
    pub must_revalidate: bool,
    /// A request's `max-stale` does not count (`s-maxage`, RFC 9111 §5.2.2.10).
    pub ignores_max_stale: bool,
    /// May answer requests with `Authorization` (RFC 9111 §3.5).
    pub shares_authorized: bool,
    /// Its `Set-Cookie` is for everybody.
    pub shares_cookies: bool,
}

/// How far the time of receipt may lie ahead, in milliseconds: a request that
/// waited for another's answer still goes by the time at which it came itself.
const AHEAD_MS: u64 = 60_000;

impl Terms {
    /// How many bytes [`write`](Self::write) writes.
    pub const SIZE: usize = 26;

    /// How old it is, in seconds, for `Age` (RFC 9111 §4.2.3). What was received
    /// in the future is of unknown age, as old as can be: the clock was set back,
    /// and nothing may stay fresh until it has caught up.
    #[must_use]
    pub fn age(&self, now_ms: u64) -> u32 {
        if self.received_ms > now_ms.saturating_add(AHEAD_MS) {
            return u32::MAX;
        }
        let resident = now_ms.saturating_sub(self.received_ms) / 1000;
        let resident = u32::try_from(resident).unwrap_or(u32::MAX);
        self.initial_age.saturating_add(resident)
    }

    /// Seconds until it is stale; zero or less when it is.
    #[must_use]
    pub fn ttl(&self, now_ms: u64) -> i64 {
        i64::from(self.lifetime) - i64::from(self.age(now_ms))
    }

    /// True if it may be served as it is, as far as its lifetime goes.
    #[must_use]
    pub fn is_fresh(&self, now_ms: u64) -> bool {
        self.ttl(now_ms) > 0
    }

    /// The same, stale from `at_ms` on: what a soft purge leaves. The spans in
    /// which it may still be served count from then; what was stale before
    /// stays as stale as it was.
    #[must_use]
    pub fn expired(self, at_ms: u64) -> Self {
        Self {
            lifetime: self.lifetime.min(self.age(at_ms)),
            ..self
        }
    }

    /// Appends the terms in a form that [`read`](Self::read) understands.
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

    /// Reads what [`write`](Self::write) wrote; `None` for anything else.
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
