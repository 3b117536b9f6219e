//! What handshakes and requests have to do with certificates by ACME (RFC 8555): the
//! certificates that were issued, what is answered to an authority that checks whether the
//! gateway controls a name, and who orders certificates while clients wait for them.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use janua_http::RequestHead;
use janua_tls::{Issued, tls_alpn};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::server::ClientHello;

/// Where an authority looks for the answer to HTTP-01 (RFC 8555 §8.3).
const HTTP_01: &[u8] = b"/.well-known/acme-challenge/";

/// What all workers need, on all listeners. It outlives reloads.
#[derive(Default)]
pub struct Acme {
    /// The certificates of each authority, by its name in the configuration.
    issued: Mutex<HashMap<String, Arc<Issued>>>,
    /// The key authorizations of orders in progress, by token.
    http: ArcSwap<HashMap<Box<str>, Box<str>>>,
    /// What the handshake is performed with in which an authority checks a name, by the
    /// name that it sends.
    tls_alpn: ArcSwap<HashMap<Box<str>, Arc<ServerConfig>>>,
    /// Who orders certificates while clients wait; none if nobody does.
    orders: OnceLock<Arc<dyn Orders>>,
}

impl Acme {
    /// The certificates that an authority has issued.
    pub fn issued(&self, authority: &str) -> Arc<Issued> {
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(issued.entry(authority.to_owned()).or_default())
    }

    /// Has certificates ordered while clients wait for them. Only the first call counts.
    pub fn set_orders(&self, orders: Arc<dyn Orders>) {
        // It is set once, when the gateway starts.
        let _ = self.orders.set(orders);
    }

    /// Waits for the certificate of a name, ordering it if need be.
    pub(crate) async fn obtain(&self, name: &str, site: &OnDemand) -> Result<(), NoCertificate> {
        if site.issued.find(name).is_some() {
            return Ok(());
        }
        let orders = self.orders.get().ok_or(NoCertificate::Failed)?;
        let ordered = orders.obtain(Wanted {
            authority: &site.authority,
            ask: &site.ask,
            name,
        });
        ordered.await
    }

    /// Answers HTTP-01 for this token from now on.
    pub fn put_http(&self, token: &str, key_authorization: &str) {
        put(&self.http, token, key_authorization.into());
    }

    /// Forgets a token.
    pub fn remove_http(&self, token: &str) {
        remove(&self.http, token);
    }

    /// Answers TLS-ALPN-01 from now on for handshakes with this name in lower case.
    pub fn put_tls_alpn(&self, server_name: &str, config: Arc<ServerConfig>) {
        put(&self.tls_alpn, server_name, config);
    }

    /// No longer answers TLS-ALPN-01 for this name.
    pub fn remove_tls_alpn(&self, server_name: &str) {
        remove(&self.tls_alpn, server_name);
    }

    /// What answers a request for the token of an order in progress. All others are
    /// requests like any: a site may have an ACME client of its own behind it.
    pub(crate) fn for_request(&self, request: &RequestHead) -> Option<Box<str>> {
        let token = request.path.strip_prefix(HTTP_01)?;
        if !matches!(&*request.method, b"GET" | b"HEAD") {
            return None;
        }
        let token = str::from_utf8(token).ok()?;
        let challenges = self.http.load();
        challenges.get(token).cloned()
    }

    /// What a handshake is performed with in which an authority checks a name (RFC 8737 §3).
    /// None for all other handshakes.
    pub(crate) fn for_handshake(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        if !is_of_authority(hello) {
            return None;
        }
        let configs = self.tls_alpn.load();
        configs.get(hello.server_name()?).cloned()
    }
}

/// Whether a handshake is one in which an authority checks a name: it wants nothing else.
pub(crate) fn is_of_authority(hello: &ClientHello<'_>) -> bool {
    let mut protocols = hello.alpn().into_iter().flatten();
    protocols.next() == Some(tls_alpn::PROTOCOL) && protocols.next().is_none()
}

/// Tables change twice for each order, so that a copy costs less than a lock would.
fn put<T: Clone>(table: &ArcSwap<HashMap<Box<str>, T>>, name: &str, value: T) {
    table.rcu(|table| {
        let mut table = HashMap::clone(table);
        table.insert(name.into(), value.clone());
        table
    });
}

fn remove<T: Clone>(table: &ArcSwap<HashMap<Box<str>, T>>, name: &str) {
    table.rcu(|table| {
        let mut table = HashMap::clone(table);
        table.remove(name);
        table
    });
}

/// Orders certificates for names that clients ask for.
pub trait Orders: Send + Sync {
    /// Orders a certificate, unless there is one. `ask` is the URL that decides whether the
    /// name may have one. The result comes when the certificate is served; whoever no longer
    /// waits for it drops the future, and the order goes on.
    fn obtain(&self, wanted: Wanted<'_>) -> Obtained;
}

/// Whether there is a certificate, once that is known.
pub type Obtained = Pin<Box<dyn Future<Output = Result<(), NoCertificate>> + Send>>;

/// A certificate that a client waits for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The authority that is to issue it.
    pub authority: &'a str,
    /// The URL that decides whether the name may have one.
    pub ask: &'a str,
    /// The name, in lower case.
    pub name: &'a str,
}

/// Why a client gets no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCertificate {
    /// The name may not have one.
    NotPermitted,
    /// The order has failed, or cannot be placed now.
    Failed,
}

/// How a site orders the certificates that are not there yet.
#[derive(Debug)]
pub(crate) struct OnDemand {
    pub(crate) authority: Arc<str>,
    pub(crate) ask: Arc<str>,
    pub(crate) issued: Arc<Issued>,
}
