//! `tls` of a listener: what all its handshakes have in common. Certificates,
//! versions and cipher suites belong to the sites.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::decode::Decoder;
use crate::diagnostic::Diagnostic;
use crate::list::NonEmpty;
use crate::macros::table;
use crate::span::Spanned;
use crate::switch::OrFalse;

table! {
    /// TLS on the connections of a listener.
    pub struct ListenerTls("a table such as `{ tickets = false, session_cache = 40960 }`") {
        /// The time limit of the handshake, from the start of the connection.
        /// `0s`: no limit.
        handshake_timeout: Duration = default("\"10s\"");
        /// The groups for the key exchange, in order of preference:
        /// `["X25519MLKEM768", "X25519", "secp256r1"]`.
        groups: Option<NonEmpty<Spanned<String>>> = optional("all that this version has, `X25519MLKEM768` first");
        /// The number of sessions that are kept, over all workers, for clients
        /// that resume them. `false`: none; sessions are then resumed only by
        /// tickets.
        session_cache: OrFalse<Spanned<NonZeroU32>> = default("20480");
        /// How long after a handshake its session can be resumed: at most `7d`
        /// (RFC 8446, section 4.6.1). A connection that resumes one begins another.
        session_lifetime: Spanned<Duration> = default("\"1d\"");
        /// Whether clients get tickets, which hold their session encrypted by
        /// keys that are replaced regularly, so that the gateway stores nothing.
        /// `false`: sessions are resumed only from `session_cache`.
        tickets: bool = default("true");
        /// Whether the order of the gateway's cipher suites decides, or that of
        /// the client's.
        prefer_server_ciphers: bool = default("true");
    }
    check sessions
}

/// RFC 8446, section 4.6.1: a ticket is not used for longer than seven days.
const LONGEST_LIFETIME: Duration = Duration::from_secs(7 * 86_400);
/// A session takes about half a kilobyte, and more if the client has sent a
/// certificate.
const MOST_SESSIONS: u32 = 10_000_000;

fn sessions(tls: &ListenerTls, decoder: &mut Decoder<'_>) {
    let lifetime = &tls.session_lifetime;
    if lifetime.is_zero() {
        decoder.push(
            Diagnostic::error(lifetime.span, "`session_lifetime` must not be 0")
                .help("to resume no sessions, write `session_cache = false` and `tickets = false`"),
        );
    }
    if lifetime.value > LONGEST_LIFETIME {
        decoder.push(
            Diagnostic::error(
                lifetime.span,
                "a session cannot be resumed for longer than seven days",
            )
            .help("write \"7d\" or less"),
        );
    }
    if let Some(cache) = tls.session_cache.value()
        && cache.get() > MOST_SESSIONS
    {
        decoder.push(Diagnostic::error(
            cache.span,
            "there can be at most 10_000_000 sessions",
        ));
    }
    distinct(tls.groups.iter().flat_map(|groups| groups.iter()), decoder);
}

/// Refuses names that are empty or occur twice. Whether this version has what
/// they name is known only where the handshake is configured.
pub(crate) fn distinct<'a>(
    names: impl IntoIterator<Item = &'a Spanned<String>>,
    decoder: &mut Decoder<'_>,
) {
    let mut seen = BTreeSet::new();
    for name in names {
        if name.trim().is_empty() {
            decoder.push(Diagnostic::error(name.span, "the name is empty"));
        } else if !seen.insert(name.to_ascii_lowercase()) {
            decoder.push(Diagnostic::error(
                name.span,
                format!("`{name}` is given twice"),
            ));
        }
    }
}
