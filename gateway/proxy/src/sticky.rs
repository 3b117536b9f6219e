//! Sessions: a signed cookie names the endpoint that a client comes back to.
//!
//! The value is the base64url of a name of the endpoint (8 bytes), the time at which it expires (8
//! bytes, in seconds since 1970; 0 for never), and an HMAC-SHA256 of both under a key that only
//! the gateway knows. The name is a part of an HMAC too, so that it says nothing about the
//! address. Both are made for one upstream: the cookie of another is not accepted.

mod key;

use std::collections::HashMap;
use std::io::Write as _;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;

pub(crate) use key::StickyKey;

/// The bytes that name an endpoint.
type Name = [u8; 8];

const NAME: usize = 8;
const EXPIRY: usize = 8;
const MAC: usize = 32;
const TOKEN: usize = NAME + EXPIRY + MAC;
/// The length of a value.
const ENCODED: usize = (TOKEN * 4).div_ceil(3);

/// How many cookies of the name are looked at. A client has one; several can be left over from
/// other paths or domains.
const LOOKED_AT: usize = 2;

/// How the cookie of an upstream is written.
#[derive(Debug, Clone)]
pub(crate) struct CookieSettings {
    pub(crate) name: Box<str>,
    /// How long a client without requests is remembered; none for as long as its browser runs.
    pub(crate) lifetime: Option<Duration>,
    /// `Lax`, `Strict` or `None`.
    pub(crate) same_site: &'static str,
}

/// The sessions of an upstream.
pub(crate) struct Sticky {
    upstream: Box<str>,
    key: StickyKey,
    cookie: CookieSettings,
    /// By the index of the endpoint.
    names: Box<[Name]>,
    indexes: HashMap<Name, usize>,
}

/// A session of which a client has the cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session {
    /// The index of the endpoint.
    pub(crate) endpoint: usize,
    /// The cookie is to be written anew before it expires.
    pub(crate) is_ending: bool,
}

impl Sticky {
    /// The sessions of an upstream with endpoints at these addresses.
    pub(crate) fn new(
        upstream: &str,
        addresses: impl Iterator<Item = String>,
        key: StickyKey,
        cookie: CookieSettings,
    ) -> Self {
        let names: Box<[Name]> = addresses
            .map(|address| {
                let tag = sign(&key, "endpoint", upstream, address.as_bytes());
                let (name, _) = tag.as_ref().split_at(NAME);
                name.try_into().unwrap_or_default()
            })
            .collect();
        Self {
            upstream: upstream.into(),
            indexes: names.iter().copied().zip(0..).collect(),
            names,
            key,
            cookie,
        }
    }

    /// The sessions of the same upstream with endpoints at other addresses.
    pub(crate) fn with(&self, addresses: impl Iterator<Item = String>) -> Self {
        let (key, cookie) = (self.key.clone(), self.cookie.clone());
        Self::new(&self.upstream, addresses, key, cookie)
    }

    /// The session that a request belongs to, by its fields `Cookie`. A cookie that is forged,
    /// expired, or of an endpoint that is gone, is none.
    pub(crate) fn session<'a>(
        &self,
        fields: impl Iterator<Item = &'a [u8]>,
        unix_seconds: u64,
    ) -> Option<Session> {
        let mut cookies = fields
            .flat_map(|field| janua_http::query::cookies(field, &self.cookie.name))
            .take(LOOKED_AT);
        cookies.find_map(|value| self.verify(value, unix_seconds))
    }

    fn verify(&self, value: &[u8], unix_seconds: u64) -> Option<Session> {
        if value.len() != ENCODED {
            return None;
        }
        let mut token = [0; TOKEN];
        let length = BASE64.decode_slice(value, &mut token).ok()?;
        let (signed, mac) = token.get(..length)?.split_at_checked(NAME + EXPIRY)?;
        let context = context("session", &self.upstream, signed);
        // Compares in constant time.
        hmac::verify(self.key.get(), &context, mac).ok()?;
        let (name, expiry) = signed.split_at(NAME);
        let endpoint = *self.indexes.get(name)?;
        let expires = u64::from_be_bytes(expiry.try_into().ok()?);
        if expires != 0 && expires <= unix_seconds {
            return None;
        }
        let left = expires.saturating_sub(unix_seconds);
        let is_ending = match self.cookie.lifetime {
            // It was written by an earlier configuration.
            None => expires != 0,
            Some(lifetime) => left < lifetime.as_secs() / 2 || left > lifetime.as_secs(),
        };
        Some(Session {
            endpoint,
            is_ending,
        })
    }

    /// The value of a field `Set-Cookie` that ties a client to an endpoint.
    pub(crate) fn set_cookie(
        &self,
        endpoint: usize,
        is_https: bool,
        unix_seconds: u64,
    ) -> Option<Vec<u8>> {
        let lifetime = self.cookie.lifetime.map(|lifetime| lifetime.as_secs());
        let expires = lifetime.map_or(0, |lifetime| unix_seconds.saturating_add(lifetime));
        let mut token = Vec::with_capacity(TOKEN);
        token.extend_from_slice(self.names.get(endpoint)?);
        token.extend_from_slice(&expires.to_be_bytes());
        let mac = sign(&self.key, "session", &self.upstream, &token);
        token.extend_from_slice(mac.as_ref());

        let mut cookie = Vec::with_capacity(160);
        let CookieSettings {
            name, same_site, ..
        } = &self.cookie;
        let value = BASE64.encode(&token);
        write!(
            cookie,
            "{name}={value}; Path=/; HttpOnly; SameSite={same_site}"
        )
        .ok()?;
        if let Some(lifetime) = lifetime {
            write!(cookie, "; Max-Age={lifetime}").ok()?;
        }
        if is_https {
            cookie.extend_from_slice(b"; Secure");
        }
        Some(cookie)
    }
}

impl std::fmt::Debug for Sticky {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sticky")
            .field("cookie", &self.cookie)
            .finish_non_exhaustive()
    }
}

fn sign(key: &StickyKey, purpose: &str, upstream: &str, what: &[u8]) -> hmac::Tag {
    hmac::sign(key.get(), &context(purpose, upstream, what))
}

/// What is signed: no two purposes, upstreams and contents give the same bytes, because a purpose
/// has no NUL, and neither has the name of an upstream.
fn context(purpose: &str, upstream: &str, what: &[u8]) -> Vec<u8> {
    [purpose.as_bytes(), b"\0", upstream.as_bytes(), b"\0", what].concat()
}

#[cfg(test)]
mod tests;
