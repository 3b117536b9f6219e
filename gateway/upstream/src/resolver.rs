//! Names into addresses, on a thread of their own.
//!
//! Nobody waits for it: an endpoint begins unresolved and is passed over until
//! its name has an address. A name is looked up again at its TTL, and before
//! its time when connecting fails. If a look-up fails, the old addresses stay:
//! a DNS server that is down must not take the upstreams down. An endpoint that
//! is gone is looked up no more.

mod system;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::address::Address;
use crate::endpoint::Endpoint;

/// A TTL counts as no less and no more than this. The least keeps a TTL of
/// zero, and connections that fail, from becoming a flood of queries; the most
/// bounds how long a new answer of the hosts file goes unseen.
const REFRESH: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(300);
/// After a failure, the first wait; doubled with each until the last.
const RETRY: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30);
/// What one look-up may take, with all its own retries.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// The hosts file of the system.
pub const HOSTS_FILE: &str = "/etc/hosts";

/// A handle to the resolver's thread, which ends with it.
#[derive(Debug, Clone)]
pub struct Resolver {
    names: mpsc::UnboundedSender<Weak<Endpoint>>,
}

impl Resolver {
    /// Starts the thread. `hosts_file` has the names that no name server is
    /// asked for; on most systems it is [`HOSTS_FILE`].
    ///
    /// # Errors
    /// If the system gives no thread, or its runtime no event loop.
    pub fn start(hosts_file: PathBuf) -> io::Result<Self> {
        let (names, new) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("dns".to_owned())
            .spawn(move || {
                let tasks = LocalSet::new();
                tasks.block_on(&runtime, serve(new, system::System::new(hosts_file)));
            })?;
        Ok(Self { names })
    }

    /// Looks the endpoint's name up, now and again, as long as it lives.
    pub(crate) fn follow(&self, endpoint: &Arc<Endpoint>) {
        // Fails only if the thread is gone; the endpoint stays unresolved then,
        // which is what it is.
        let _ = self.names.send(Arc::downgrade(endpoint));
    }
}

/// Looks one name up.
trait Lookup {
    /// The addresses in the order in which to try them, at least one, and how
    /// long they hold.
    fn lookup(&self, host: &str) -> impl Future<Output = Result<Answer, String>>;
}

#[derive(Debug, Clone)]
struct Answer {
    addresses: Vec<IpAddr>,
    ttl: Duration,
}

async fn serve(mut new: mpsc::UnboundedReceiver<Weak<Endpoint>>, lookup: impl Lookup + 'static) {
    let lookup = Rc::new(lookup);
    while let Some(endpoint) = new.recv().await {
        tokio::task::spawn_local(follow(endpoint, Rc::clone(&lookup)));
    }
}

/// Follows one endpoint to its end.
async fn follow(endpoint: Weak<Endpoint>, lookup: Rc<impl Lookup>) {
    let Some((host, port, hurry)) = endpoint.upgrade().and_then(|e| name(&e)) else {
        return;
    };
    let mut retry = *RETRY.start();
    // The endpoint is not held while waiting.
    while endpoint.strong_count() > 0 {
        let asked = Instant::now();
        let found = match timeout(LOOKUP_TIMEOUT, lookup.lookup(&host)).await {
            Ok(found) => found,
            Err(_) => Err(format!("no answer within {} s", LOOKUP_TIMEOUT.as_secs())),
        };
        let Some(endpoint) = endpoint.upgrade() else {
            return;
        };
        let wait = match &found {
            Ok(answer) => {
                retry = *RETRY.start();
                answer.ttl.clamp(*REFRESH.start(), *REFRESH.end())
            }
            Err(error) => {
                tracing::warn!(host, error, "name not resolved");
                let wait = retry;
                retry = (retry * 2).min(*RETRY.end());
                wait
            }
        };
        let with_port = |answer: Answer| {
            let each = answer.addresses.into_iter();
            each.map(|ip| SocketAddr::new(ip, port)).collect()
        };
        endpoint.set_resolution(found.map(with_port));
        drop(endpoint);
        tokio::select! {
            () = sleep_until(Instant::now() + wait) => {}
            () = hurry.notified() => sleep_until(asked + *REFRESH.start()).await,
        }
    }
}

fn name(endpoint: &Endpoint) -> Option<(String, u16, Arc<Notify>)> {
    match endpoint.address() {
        Address::Name { host, port } => Some((host.clone(), *port, Arc::clone(&endpoint.hurry))),
        Address::Ip(_) | Address::Unix(_) => None,
    }
}

#[cfg(test)]
mod tests;
