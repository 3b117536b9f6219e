//! What clients resume: a cache of sessions and the keys of tickets.
//!
//! There is one [`Sessions`] for each listener. It outlives reloads, and all
//! workers share it, so that a client may resume on another worker than the one
//! that it began on.
//!
//! rustls skips the authentication of the client when it resumes a session. So a
//! session must not be resumed under other rules than those it was made under:
//! it could have been made without a certificate where one is required now, or
//! with a certificate of an authority that is no longer trusted. Every session
//! and every ticket is therefore bound to a [`Scope`], the digest of the
//! client-authentication settings, and is unknown in any other scope. rustls
//! itself binds sessions to the name that the client sent.

mod cache;
mod tickets;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, ProducesTickets, StoresServerSessions};

use cache::SessionCache;
use tickets::TicketKeys;

use crate::error::Error;

/// What sessions are bound to: a digest of the client-authentication settings
/// and of the contents of their files.
pub(crate) type Scope = [u8; 32];

/// How clients resume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSettings {
    /// The cache, or none.
    pub cache: Option<CacheSettings>,
    /// Tickets (RFC 5077), or none. The key is changed after this time, at most
    /// 84 hours; a ticket is accepted for at least as long and at most twice as
    /// long.
    ///
    /// With tickets, the cache serves only clients of TLS 1.2 that do not use
    /// them.
    pub tickets: Option<Duration>,
}

/// The size of the cache and the life of what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// Bytes. A session takes about 400, or a few thousand if the client has a
    /// certificate. The oldest sessions give way.
    pub bytes: usize,
    /// How long after the full handshake a session can be resumed.
    pub lifetime: Duration,
}

/// Sessions of all clients of one listener.
#[derive(Debug)]
pub struct Sessions {
    cache: Arc<SessionCache>,
    keys: Arc<TicketKeys>,
}

impl Default for SessionSettings {
    /// 10 MiB for an hour, and a new key for tickets every six hours.
    fn default() -> Self {
        Self {
            cache: Some(CacheSettings {
                bytes: 10 << 20,
                lifetime: Duration::from_hours(1),
            }),
            tickets: Some(Duration::from_hours(6)),
        }
    }
}

impl SessionSettings {
    /// Neither a cache nor tickets: every handshake is a full one.
    pub fn off() -> Self {
        Self {
            cache: None,
            tickets: None,
        }
    }
}

impl Sessions {
    /// No sessions yet. An error if the system has no random numbers.
    pub fn new(settings: &SessionSettings) -> Result<Self, Error> {
        let now = unix_seconds();
        let sessions = Self {
            cache: Arc::new(SessionCache::new()),
            keys: Arc::new(TicketKeys::new(now).ok_or_else(|| {
                Error::new("The operating system gave no random numbers for the keys of tickets.")
            })?),
        };
        sessions.apply(settings);
        Ok(sessions)
    }

    /// Takes over other settings, at a reload. What no longer fits is dropped at
    /// once; if the cache is turned off, all of it.
    pub fn apply(&self, settings: &SessionSettings) {
        match &settings.cache {
            Some(cache) => self.cache.resize(cache.bytes, cache.lifetime),
            None => self.cache.resize(0, Duration::ZERO),
        }
        if let Some(rotation) = settings.tickets {
            self.keys.set_rotation(rotation);
        }
    }

    /// Has `config` resume sessions of one scope. Resumption that the settings
    /// turn off is turned off in `config`.
    pub(crate) fn attach(
        &self,
        config: &mut ServerConfig,
        scope: Scope,
        settings: &SessionSettings,
    ) {
        config.session_storage = match settings.cache {
            Some(_) => Arc::new(ScopedCache {
                cache: Arc::clone(&self.cache),
                scope,
            }),
            None => Arc::new(NoServerSessionStorage {}),
        };
        if settings.tickets.is_some() {
            config.ticketer = Arc::new(ScopedTickets {
                keys: Arc::clone(&self.keys),
                scope,
            });
        }
        // Otherwise tickets would be sent that nothing can be resumed with.
        if *settings == SessionSettings::off() {
            config.send_tls13_tickets = 0;
        }
    }
}

/// The cache as one scope sees it.
#[derive(Debug)]
struct ScopedCache {
    cache: Arc<SessionCache>,
    scope: Scope,
}

impl StoresServerSessions for ScopedCache {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.cache.put(self.scope, &key, value, Instant::now())
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.cache.get(self.scope, key, Instant::now())
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.cache.take(self.scope, key, Instant::now())
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// The keys of tickets as one scope sees them.
#[derive(Debug)]
struct ScopedTickets {
    keys: Arc<TicketKeys>,
    scope: Scope,
}

impl ProducesTickets for ScopedTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.keys.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.keys.seal(self.scope, plain, unix_seconds())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.keys.open(self.scope, ticket, unix_seconds())
    }
}

fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
