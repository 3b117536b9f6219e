//! Names whose answers are endpoints: each address of a name, or each target of SRV records.
//!
//! A [`NameList`] is what the resolver knows of such a name. It is shared by all upstreams that
//! ask the same [`Question`], kept across reloads, and forgotten when no snapshot uses it. The
//! endpoints of an upstream are fixed for a snapshot: when a list has changed, the gateway is
//! told ([`Names::on_change`]) and publishes another one.

use std::cmp::Reverse;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use ahash::HashMap;
use arc_swap::ArcSwap;
use tokio::sync::Notify;

use crate::address::Address;
use crate::resolver::Resolver;

/// The most endpoints of one name. Of a longer answer the first are used, in the order of their
/// addresses.
pub const MOST_FOUND: usize = 1_000;

/// How long the endpoints of a name are kept after the DNS has said that it has none any more.
/// A record may be replaced by removing and adding it, and a zone may be served incompletely.
const GONE: Duration = Duration::from_secs(30);

/// What the DNS is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Question {
    /// The addresses of a host, each of which is an endpoint with this port.
    Addresses {
        /// Lower-case.
        host: String,
        /// The port, not zero.
        port: u16,
        /// Which addresses count.
        family: Family,
    },
    /// The SRV records of a name, each of whose targets is an endpoint.
    Services {
        /// Lower-case.
        name: String,
    },
}

/// Which addresses of a name count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// All.
    Any,
    /// Those of IPv4.
    Ipv4,
    /// Those of IPv6.
    Ipv6,
}

/// An endpoint that the DNS has named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its address.
    pub address: Address,
    /// The weight of its record, if records have weights.
    pub weight: Option<u32>,
    /// Records with a better priority have other endpoints.
    pub backup: bool,
}

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// The endpoints, in the order of their addresses.
    pub found: Box<[Found]>,
    /// Why the last look-up failed, if it did; `found` is then what earlier ones have found.
    pub error: Option<String>,
}

/// A name that the resolver follows.
pub struct NameList {
    question: Question,
    listed: ArcSwap<Listed>,
    /// There was a first answer, or a failure.
    answered: AtomicBool,
    /// Wakes the resolver's task for this name, to look it up again or to end.
    pub(crate) wake: Arc<Notify>,
    changed: Arc<Changed>,
}

/// All names that are followed.
#[derive(Debug)]
pub struct Names {
    known: Mutex<HashMap<Question, Weak<NameList>>>,
    resolver: Resolver,
    changed: Arc<Changed>,
}

/// Who is told of changes.
#[derive(Default)]
struct Changed(OnceLock<Box<dyn Fn() + Send + Sync>>);

impl Names {
    pub(crate) fn new(resolver: Resolver) -> Self {
        Self {
            known: Mutex::default(),
            resolver,
            changed: Arc::default(),
        }
    }

    /// Calls `tell` whenever the endpoints of a name have changed, from the resolver's thread: it
    /// must not block. Later calls of this method have no effect.
    pub fn on_change(&self, tell: impl Fn() + Send + Sync + 'static) {
        let _ = self.changed.0.set(Box::new(tell));
    }

    /// The list of this question, which is followed as long as somebody holds it.
    pub fn follow(&self, question: &Question) -> Arc<NameList> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = known.get(question).and_then(Weak::upgrade) {
            return list;
        }
        known.retain(|_, list| list.strong_count() > 0);
        let list = Arc::new(NameList::new(question.clone(), Arc::clone(&self.changed)));
        known.insert(question.clone(), Arc::downgrade(&list));
        self.resolver.follow_list(&list);
        list
    }

    /// Whether some name was never looked up to an end.
    pub fn is_waiting(&self) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lists = known.values().filter_map(Weak::upgrade);
        lists.any(|list| !list.answered.load(Acquire))
    }

    /// What wakes the resolver for the name of which this is an address.
    pub(crate) fn waker(&self, address: &Address) -> Option<Arc<Notify>> {
        let Address::Resolved { host, at } = address else {
            return None;
        };
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lists = known.values().filter_map(Weak::upgrade);
        let list = lists.find(|list| match &list.question {
            Question::Addresses { host: of, port, .. } => of == host && *port == at.port(),
            Question::Services { .. } => false,
        });
        list.map(|list| Arc::clone(&list.wake))
    }
}

impl NameList {
    fn new(question: Question, changed: Arc<Changed>) -> Self {
        Self {
            question,
            listed: ArcSwap::default(),
            answered: AtomicBool::new(false),
            wake: Arc::default(),
            changed,
        }
    }

    /// What the DNS is asked.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// What is known now.
    pub fn listed(&self) -> Arc<Listed> {
        self.listed.load_full()
    }

    /// Stores what the resolver has learnt.
    pub(crate) fn set(&self, listed: Listed) {
        let before = self.listed.load();
        let is_other = before.found != listed.found;
        if **before != listed {
            self.listed.store(Arc::new(listed));
        }
        self.answered.store(true, Release);
        if is_other && let Some(tell) = self.changed.0.get() {
            tell();
        }
    }
}

impl Drop for NameList {
    fn drop(&mut self) {
        // The resolver's task finds the list gone, and ends.
        self.wake.notify_one();
    }
}

impl Question {
    /// The endpoints of an answer, each address once, in an order that does not depend on that of
    /// the answer: name servers change it from query to query.
    pub(crate) fn found(&self, answer: Answer) -> Vec<Found> {
        let mut found: Vec<Found> = match (self, answer) {
            (Self::Addresses { host, port, .. }, Answer::Addresses(addresses)) => {
                let each = addresses.into_iter().map(|ip| Found {
                    address: Address::Resolved {
                        host: host.clone(),
                        at: SocketAddr::new(ip, *port),
                    },
                    weight: None,
                    backup: false,
                });
                each.collect()
            }
            (_, Answer::Services(services)) => {
                let best = services.iter().map(|service| service.priority).min();
                let each = services.into_iter().map(|service| Found {
                    weight: Some(u32::from(service.weight).max(1)),
                    backup: Some(service.priority) != best,
                    address: Address::Name {
                        host: service.target,
                        port: service.port,
                    },
                });
                each.collect()
            }
            (Self::Services { .. }, Answer::Addresses(_)) => Vec::new(),
        };
        let order = |found: &Found| (key(&found.address), found.backup, Reverse(found.weight));
        found.sort_by_cached_key(order);
        found.dedup_by(|one, other| one.address == other.address);
        found
    }

    /// Whether an endpoint is one of those whose family could not be looked up.
    fn is_of(found: &Found, family: Family) -> bool {
        match (&found.address, family) {
            (Address::Resolved { at, .. }, Family::Ipv4) => at.is_ipv4(),
            (Address::Resolved { at, .. }, Family::Ipv6) => at.is_ipv6(),
            _ => false,
        }
    }
}

/// Addresses in the order of their numbers, and names in that of their letters.
fn key(address: &Address) -> (Option<SocketAddr>, String) {
    match address {
        Address::Resolved { at, .. } | Address::Ip(at) => (Some(*at), String::new()),
        other => (None, other.to_string()),
    }
}

/// What a look-up has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Addresses of a host.
    Addresses(Vec<IpAddr>),
    /// SRV records.
    Services(Vec<Service>),
}

/// An SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) priority: u16,
    pub(crate) weight: u16,
    pub(crate) port: u16,
    pub(crate) target: String,
}

/// The outcome of a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer, and for how long it is valid.
    Answer(Answer, Duration),
    /// An answer without the addresses of this family, for which there was none.
    Partial(Answer, Duration, Family, String),
    /// The name, or what was asked about it, does not exist.
    Gone(String),
    /// Nobody could say.
    Failed(String),
}

/// What is known of a name over several look-ups. Takes the time as an argument, since any
/// beginning.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    found: Vec<Found>,
    gone_since: Option<Duration>,
    /// How many endpoints beyond [`MOST_FOUND`] the last answer had.
    left_out: usize,
}

impl Memory {
    /// Takes note of an outcome. A look-up that fails changes nothing, and that there is nothing
    /// any more counts only when it has been said for a while.
    pub(crate) fn note(&mut self, question: &Question, outcome: Outcome, now: Duration) -> Listed {
        let error = match outcome {
            Outcome::Answer(answer, _) => {
                let found = question.found(answer);
                match found.is_empty() {
                    true => self.gone("there are no endpoints in the answer".to_owned(), now),
                    false => {
                        self.keep(question, found);
                        None
                    }
                }
            }
            Outcome::Partial(answer, _, missing, error) => {
                let mut found = question.found(answer);
                let kept = self.found.drain(..);
                found.extend(kept.filter(|it| Question::is_of(it, missing)));
                found.sort_by_cached_key(|found| key(&found.address));
                self.keep(question, found);
                Some(error)
            }
            Outcome::Gone(error) => self.gone(error, now),
            Outcome::Failed(error) => Some(error),
        };
        Listed {
            found: self.found.clone().into(),
            error,
        }
    }

    fn keep(&mut self, question: &Question, mut found: Vec<Found>) {
        let left_out = found.len().saturating_sub(MOST_FOUND);
        if left_out > 0 && self.left_out == 0 {
            tracing::warn!(name = %question, left_out, "only {MOST_FOUND} endpoints are used");
        }
        found.truncate(MOST_FOUND);
        self.found = found;
        self.gone_since = None;
        self.left_out = left_out;
    }

    fn gone(&mut self, error: String, now: Duration) -> Option<String> {
        let since = *self.gone_since.get_or_insert(now);
        if now.saturating_sub(since) >= GONE {
            self.found.clear();
        }
        Some(error)
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses { host, port, .. } => write!(f, "{host}:{port}"),
            Self::Services { name } => write!(f, "srv:{name}"),
        }
    }
}

impl fmt::Debug for NameList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NameList").field(&self.question).finish()
    }
}

impl fmt::Debug for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changed")
    }
}

#[cfg(test)]
mod tests;
