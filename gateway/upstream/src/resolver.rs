//! Resolves host names, on a separate thread.
//!
//! Nothing waits for a look-up: an endpoint is unresolved at first and is
//! skipped until its name has an address. A name is looked up again when its
//! TTL expires, and earlier if connecting fails. If a look-up fails, the old
//! addresses are kept, so that a DNS server that is down does not take the
//! upstreams down. Look-ups for an endpoint end when the endpoint is dropped.
//!
//! A name that stands for several endpoints ([`NameList`]) is followed in the same way.

mod system;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::address::Address;
use crate::endpoint::Endpoint;
use crate::names::{Memory, NameList, Outcome, Question};

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

/// The most look-ups at the same time. Each takes up to two file descriptors, and an answer with a
/// thousand SRV records has as many names.
const MOST_AT_ONCE: usize = 128;

/// The hosts file of the operating system.
pub const HOSTS_FILE: &str = "/etc/hosts";

/// A handle to the resolver's thread, which ends when the last handle is
/// dropped.
#[derive(Debug, Clone)]
pub struct Resolver {
    followed: mpsc::UnboundedSender<Followed>,
}

/// What the thread keeps current until it is dropped.
#[derive(Debug)]
enum Followed {
    Endpoint(Weak<Endpoint>),
    List(Weak<NameList>),
}

impl Resolver {
    /// Starts the thread. `hosts_file` names the file that is consulted before
    /// any name server; on most systems it is [`HOSTS_FILE`].
    ///
    /// # Errors
    /// If the thread or its event loop cannot be started.
    pub fn start(hosts_file: PathBuf) -> io::Result<Self> {
        Self::start_asking(hosts_file, Vec::new())
    }

    /// The same, but it asks these name servers. Without any, those of the
    /// system are asked.
    ///
    /// # Errors
    /// If the thread or its event loop cannot be started.
    pub fn start_asking(hosts_file: PathBuf, name_servers: Vec<SocketAddr>) -> io::Result<Self> {
        let (followed, new) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("dns".to_owned())
            .spawn(move || {
                let tasks = LocalSet::new();
                let system = system::System::new(hosts_file, name_servers);
                tasks.block_on(&runtime, serve(new, system));
            })?;
        Ok(Self { followed })
    }

    /// Resolves the endpoint's name now, and again as needed while the endpoint
    /// exists.
    pub(crate) fn follow(&self, endpoint: &Arc<Endpoint>) {
        // This fails only if the thread has ended; the endpoint then stays
        // unresolved.
        let _ = self
            .followed
            .send(Followed::Endpoint(Arc::downgrade(endpoint)));
    }

    /// Looks the name of the list up now, and again as needed while the list exists.
    pub(crate) fn follow_list(&self, list: &Arc<NameList>) {
        let _ = self.followed.send(Followed::List(Arc::downgrade(list)));
    }
}

/// Looks up one name.
trait Lookup {
    /// The addresses in the order in which to try them, at least one, and their
    /// TTL.
    fn lookup(&self, host: &str) -> impl Future<Output = Result<Answer, String>>;

    /// What the DNS says to a question about endpoints.
    fn ask(&self, question: &Question) -> impl Future<Output = Outcome>;
}

#[derive(Debug, Clone)]
struct Answer {
    addresses: Vec<IpAddr>,
    ttl: Duration,
}

/// When a name is looked up again.
struct Pace {
    retry: Duration,
}

impl Pace {
    fn new() -> Self {
        Self {
            retry: *RETRY.start(),
        }
    }

    /// The wait after a look-up: within bounds the TTL of its answer, or ever longer if it has
    /// failed.
    fn wait(&mut self, ttl: Option<Duration>) -> Duration {
        match ttl {
            Some(ttl) => {
                self.retry = *RETRY.start();
                bounded(ttl)
            }
            None => {
                let wait = self.retry;
                self.retry = (self.retry * 2).min(*RETRY.end());
                wait
            }
        }
    }
}

fn bounded(ttl: Duration) -> Duration {
    ttl.clamp(*REFRESH.start(), *REFRESH.end())
}

/// Waits this long, or until somebody asks for an earlier look-up; not less than the least time
/// between two.
async fn pause(wait: Duration, wake: &Notify, asked: Instant) {
    tokio::select! {
        () = sleep_until(Instant::now() + wait) => {}
        () = wake.notified() => sleep_until(asked + *REFRESH.start()).await,
    }
}

/// Carries out look-ups, not too many at once, each within its time limit.
struct Bounded<L> {
    lookup: L,
    places: Semaphore,
}

impl<L: Lookup> Bounded<L> {
    async fn lookup(&self, host: &str) -> Result<Answer, String> {
        // It is never closed.
        let _place = self.places.acquire().await;
        let found = timeout(LOOKUP_TIMEOUT, self.lookup.lookup(host)).await;
        found.unwrap_or_else(|_| Err(no_answer()))
    }

    async fn ask(&self, question: &Question) -> Outcome {
        let _place = self.places.acquire().await;
        let outcome = timeout(LOOKUP_TIMEOUT, self.lookup.ask(question)).await;
        outcome.unwrap_or_else(|_| Outcome::Failed(no_answer()))
    }
}

fn no_answer() -> String {
    format!("no answer within {} s", LOOKUP_TIMEOUT.as_secs())
}

async fn serve(mut new: mpsc::UnboundedReceiver<Followed>, lookup: impl Lookup + 'static) {
    let bounded = Rc::new(Bounded {
        lookup,
        places: Semaphore::new(MOST_AT_ONCE),
    });
    while let Some(followed) = new.recv().await {
        let lookup = Rc::clone(&bounded);
        match followed {
            Followed::Endpoint(endpoint) => {
                tokio::task::spawn_local(follow(endpoint, lookup));
            }
            Followed::List(list) => {
                tokio::task::spawn_local(follow_list(list, lookup));
            }
        }
    }
}

/// Keeps the endpoints of a name current until the list is dropped.
async fn follow_list(list: Weak<NameList>, lookup: Rc<Bounded<impl Lookup>>) {
    let Some((question, wake)) = list
        .upgrade()
        .map(|list| (list.question().clone(), Arc::clone(&list.wake)))
    else {
        return;
    };
    let (begin, mut pace, mut memory) = (Instant::now(), Pace::new(), Memory::default());
    while list.strong_count() > 0 {
        let asked = Instant::now();
        let outcome = lookup.ask(&question).await;
        let Some(list) = list.upgrade() else {
            return;
        };
        let wait = match &outcome {
            Outcome::Answer(_, ttl) => pace.wait(Some(*ttl)),
            // Some servers fail for one family for ever: the other one has its TTL.
            Outcome::Partial(_, ttl, ..) => pace.wait(None).min(bounded(*ttl)),
            Outcome::Gone(_) | Outcome::Failed(_) => pace.wait(None),
        };
        let listed = memory.note(&question, outcome, asked - begin);
        if let Some(error) = &listed.error
            && list.listed().error.as_ref() != Some(error)
        {
            tracing::warn!(name = %question, error, "name not resolved");
        }
        list.set(listed);
        drop(list);
        pause(wait, &wake, asked).await;
    }
}

/// Keeps one endpoint's addresses current until the endpoint is dropped.
async fn follow(endpoint: Weak<Endpoint>, lookup: Rc<Bounded<impl Lookup>>) {
    let Some((host, port, wake)) = endpoint.upgrade().and_then(|e| name(&e)) else {
        return;
    };
    let mut pace = Pace::new();
    // The endpoint is held weakly while waiting, so that it can be dropped.
    while endpoint.strong_count() > 0 {
        let asked = Instant::now();
        let found = lookup.lookup(&host).await;
        let Some(endpoint) = endpoint.upgrade() else {
            return;
        };
        // Once, and not at each further attempt: an answer may have named a thousand such hosts.
        if let Err(error) = &found
            && endpoint.resolution().error.as_ref() != Some(error)
        {
            tracing::warn!(host, error, "name not resolved");
        }
        let wait = pace.wait(found.as_ref().ok().map(|answer| answer.ttl));
        let with_port = |answer: Answer| {
            let each = answer.addresses.into_iter();
            each.map(|ip| SocketAddr::new(ip, port)).collect()
        };
        endpoint.set_resolution(found.map(with_port));
        drop(endpoint);
        pause(wait, &wake, asked).await;
    }
}

fn name(endpoint: &Endpoint) -> Option<(String, u16, Arc<Notify>)> {
    match endpoint.address() {
        Address::Name { host, port } => {
            Some((host.clone(), *port, Arc::clone(&endpoint.wake_resolver)))
        }
        Address::Ip(_) | Address::Unix(_) | Address::Resolved { .. } => None,
    }
}

#[cfg(test)]
mod tests;
