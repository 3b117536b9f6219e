//! The sessions of clients that do not do with them what honest ones do.

use rustls::NamedGroup;
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;

/// Stores all sessions under one name.
#[derive(Debug)]
pub(super) struct OneSession {
    /// Whether the first session of TLS 1.2 is not replaced by later ones.
    keeps_first: bool,
    sessions: ClientSessionMemoryCache,
    name: ServerName<'static>,
}

impl OneSession {
    /// Keeps the first session, and not those that it leads to.
    pub(super) fn the_first() -> Self {
        Self {
            keeps_first: true,
            ..Self::default()
        }
    }
}

impl Default for OneSession {
    fn default() -> Self {
        Self {
            keeps_first: false,
            sessions: ClientSessionMemoryCache::new(16),
            name: ServerName::try_from("any.example").unwrap(),
        }
    }
}

impl ClientSessionStore for OneSession {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.sessions.set_kx_hint(self.name.clone(), group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.sessions.kx_hint(&self.name)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        if !self.keeps_first || self.sessions.tls12_session(&self.name).is_none() {
            self.sessions.set_tls12_session(self.name.clone(), value);
        }
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.sessions.tls12_session(&self.name)
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.sessions.remove_tls12_session(&self.name);
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.sessions.insert_tls13_ticket(self.name.clone(), value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.sessions.take_tls13_ticket(&self.name)
    }
}
