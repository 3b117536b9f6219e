//! What stands between the gateway and an authority.

mod asked;
mod call;
mod fault;
mod hold;
mod renewal;
mod visit;
mod wishes;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::Pebble;
use crate::eventually;
use crate::tls::{TlsClient, TlsServer};
use crate::upstream::Upstream;
pub use asked::Asked;
pub use call::Call;
pub use fault::Fault;
use fault::Faults;
use hold::Holds;
pub use hold::{Hold, Point};
pub use renewal::Renewal;
use renewal::Renewals;
use wishes::Wishes;

/// A reverse proxy with TLS in front of a [`Pebble`], through which a test sees what the gateway
/// asks, delays it and spoils it, and which adds what the authority does not have.
///
/// The authority makes all URLs of the field Host, which is passed on as it is, so they lead
/// through this too, and the URLs that the gateway signs are those that the authority expects.
#[derive(Debug)]
pub struct Front {
    server: Upstream,
    state: Arc<State>,
}

/// What the test sets, and what it wants to know.
#[derive(Debug)]
struct State {
    pebble: SocketAddr,
    client: TlsClient,
    calls: Mutex<Vec<Call>>,
    faults: Mutex<Faults>,
    holds: Mutex<Holds>,
    renewals: Mutex<Renewals>,
    profiles: Mutex<Option<Value>>,
    wishes: Mutex<Wishes>,
    is_down: AtomicBool,
}

impl Front {
    /// In front of this authority, with a certificate that [`Pebble::ca_path`] verifies too.
    pub async fn of(pebble: &Pebble) -> Self {
        let authority = pebble.authority();
        let state = Arc::new(State {
            pebble: pebble.address(),
            client: TlsClient::trusting(authority),
            calls: Mutex::default(),
            faults: Mutex::default(),
            holds: Mutex::default(),
            renewals: Mutex::default(),
            profiles: Mutex::default(),
            wishes: Mutex::default(),
            is_down: AtomicBool::new(false),
        });
        let identity = authority.issue(&["localhost", "127.0.0.1"]);
        let shared = Arc::clone(&state);
        let server = Upstream::tls_raw(TlsServer::with(&identity), move |visit| {
            visit::serve(visit, Arc::clone(&shared))
        });
        Self {
            server: server.await,
            state,
        }
    }

    /// The URL of the directory.
    #[must_use]
    pub fn directory_url(&self) -> String {
        format!("https://{}/dir", self.server.endpoint())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.endpoint().parse().unwrap()
    }

    /// While it is down, it resets every connection on which something is asked.
    pub fn set_down(&self, is_down: bool) {
        self.state.is_down.store(is_down, Ordering::SeqCst);
    }

    /// The next requests of a kind get this, so many times.
    pub fn fail(&self, asked: Asked, times: usize, fault: Fault) {
        self.state.faults.lock().unwrap().add(asked, times, fault);
    }

    /// Requests of a kind get no faults any more.
    pub fn mend(&self, asked: Asked) {
        self.state.faults.lock().unwrap().clear(asked);
    }

    /// Requests of a kind are held at this point until the hold is released or dropped.
    #[must_use]
    pub fn hold(&self, asked: Asked, point: Point) -> Hold {
        self.state.holds.lock().unwrap().add(asked, point)
    }

    /// The directory offers these profiles: their names with descriptions.
    pub fn offer_profiles(&self, profiles: Value) {
        *self.state.profiles.lock().unwrap() = Some(profiles);
    }

    /// The directory offers renewal information, which is this for every certificate that has
    /// none of its own.
    pub fn renew(&self, renewal: Renewal) {
        self.state.renewals.lock().unwrap().set_default(renewal);
    }

    /// The same for one certificate, by the identifier of RFC 9773, section 4.1.
    pub fn renew_one(&self, identifier: &str, renewal: Renewal) {
        self.state.renewals.lock().unwrap().set(identifier, renewal);
    }

    /// All that was asked so far, in order of arrival.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.state.calls.lock().unwrap().clone()
    }

    /// What of this kind was asked so far.
    #[must_use]
    pub fn calls_of(&self, asked: Asked) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(|call| call.asked == asked);
        calls
    }

    /// How often this kind was asked.
    #[must_use]
    pub fn count(&self, asked: Asked) -> usize {
        self.calls_of(asked).len()
    }

    /// How often this kind was asked and got what it asked for. Requests that only failed for
    /// their nonce are repeated, so this is what was achieved.
    #[must_use]
    pub fn successes(&self, asked: Asked) -> usize {
        let calls = self.calls_of(asked);
        calls.iter().filter(|call| call.succeeded()).count()
    }

    /// The orders that the authority accepted.
    #[must_use]
    pub fn orders(&self) -> Vec<Call> {
        let mut calls = self.calls_of(Asked::NewOrder);
        calls.retain(Call::succeeded);
        calls
    }

    /// The names of the orders that the authority accepted, each order's in the order sent.
    #[must_use]
    pub fn ordered(&self) -> Vec<Vec<String>> {
        self.orders().iter().map(Call::names).collect()
    }

    /// Waits until this kind was asked so often.
    pub async fn asked(&self, asked: Asked, times: usize) {
        let there = eventually(async || (self.count(asked) >= times).then_some(()));
        let found = there.await.is_some();
        assert!(found, "{asked:?} {times} times in {:#?}", self.calls());
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what the authority was asked ---");
            let calls = self
                .state
                .calls
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            for call in calls.iter() {
                eprintln!("{:?} {} {:?}", call.asked, call.path, call.status);
            }
            eprintln!("---");
        }
    }
}
