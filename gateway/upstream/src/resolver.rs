//! Resolves host names, on a separate thread.
//!
//! Nothing waits for a look-up: an endpoint is unresolved at first and is
//! skipped until its name has an address. A name is looked up again when its
//! TTL expires, and earlier if connecting fails. If a look-up fails, the old
//! addresses are kept, so that a DNS server that is down does not take the
//! upstreams down. Look-ups for an endpoint end when the endpoint is dropped.

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

/// The bounds for a TTL. The lower bound prevents a flood of queries if the TTL
/// is zero or connections keep failing; the upper bound limits how long a
/// change of the hosts file goes unnoticed.
const REFRESH: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(300);
/// The wait after a first failed look-up, doubled after each further one, and
/// its limit.
const RETRY: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30);
/// The time limit of one look-up, including its own retries.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// The hosts file of the operating system.
pub const HOSTS_FILE: &str = "/etc/hosts";

/// A handle to the resolver's thread, which ends when the last handle is
/// dropped.
#[derive(Debug, Clone)]
pub struct Resolver {
    names: mpsc::UnboundedSender<Weak<Endpoint>>,
}

impl Resolver {
    /// Starts the thread. `hosts_file` names the file that is consulted before
    /// any name server; on most systems it is [`HOSTS_FILE`].
    ///
    /// # Errors
    /// If the thread or its event loop cannot be started.
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

    /// Resolves the endpoint's name now, and again as needed while the endpoint
    /// exists.
    pub(crate) fn follow(&self, endpoint: &Arc<Endpoint>) {
        // This fails only if the thread has ended; the endpoint then stays
        // unresolved.
        let _ = self.names.send(Arc::downgrade(endpoint));
    }
}

/// Looks up one name.
trait Lookup {
    /// The addresses in the order in which to try them, at least one, and their
    /// TTL.
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

/// Keeps one endpoint's addresses current until the endpoint is dropped.
async fn follow(endpoint: Weak<Endpoint>, lookup: Rc<impl Lookup>) {
    let Some((host, port, wake)) = endpoint.upgrade().and_then(|e| name(&e)) else {
        return;
    };
    let mut retry = *RETRY.start();
    // The endpoint is held weakly while waiting, so that it can be dropped.
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
            () = wake.notified() => sleep_until(asked + *REFRESH.start()).await,
        }
    }
}

fn name(endpoint: &Endpoint) -> Option<(String, u16, Arc<Notify>)> {
    match endpoint.address() {
        Address::Name { host, port } => {
            Some((host.clone(), *port, Arc::clone(&endpoint.wake_resolver)))
        }
        Address::Ip(_) | Address::Unix(_) => None,
    }
}

#[cfg(test)]
mod tests;
