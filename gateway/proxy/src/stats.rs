//! The metrics of a route and of an upstream, as handles that requests update without a
//! look-up.
//!
//! Each series is created at its first use, so that thousands of routes without traffic
//! cost no metrics.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use janua_cache::rules::CacheOutcome;
use janua_http::failure::{KINDS, Kind};
use janua_telemetry::metrics::{Counter, Histogram, Metric, Registry, definitions};
use janua_upstream::Upstream;

/// The status classes, and `none` for requests that got no response.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// The metrics of a route.
pub(crate) struct RouteStats {
    registry: Arc<Registry>,
    site: Arc<str>,
    route: Box<str>,
    by_class: [OnceLock<Arc<Counter>>; CLASSES.len()],
    failures: [OnceLock<Arc<Counter>>; KINDS.len()],
    cache: [OnceLock<Arc<Counter>>; CacheOutcome::ALL.len()],
    duration: OnceLock<Arc<Histogram>>,
    bytes_in: OnceLock<Arc<Counter>>,
    bytes_out: OnceLock<Arc<Counter>>,
}

impl RouteStats {
    pub(crate) fn new(registry: &Arc<Registry>, site: &Arc<str>, route: &str) -> Self {
        Self {
            registry: Arc::clone(registry),
            site: Arc::clone(site),
            route: route.into(),
            by_class: [const { OnceLock::new() }; CLASSES.len()],
            failures: [const { OnceLock::new() }; KINDS.len()],
            cache: [const { OnceLock::new() }; CacheOutcome::ALL.len()],
            duration: OnceLock::new(),
            bytes_in: OnceLock::new(),
            bytes_out: OnceLock::new(),
        }
    }

    /// Counts a completed exchange.
    pub(crate) fn count(
        &self,
        shard: usize,
        status: Option<u16>,
        duration: Duration,
        bytes_in: u64,
        bytes_out: u64,
    ) {
        let labels = [&*self.site, &*self.route];
        let class = usize::from(status.unwrap_or_default() / 100);
        if let (Some(slot), Some(word)) = (self.by_class.get(class), CLASSES.get(class)) {
            slot.get_or_init(|| {
                self.registry
                    .counter(&definitions::REQUESTS, [&*self.site, &*self.route, word])
            })
            .increment(shard);
        }
        self.duration
            .get_or_init(|| {
                self.registry
                    .histogram(&definitions::REQUEST_DURATION, labels)
            })
            .observe(shard, duration);
        if bytes_in > 0 {
            let slot = self
                .bytes_in
                .get_or_init(|| self.registry.counter(&definitions::REQUEST_BYTES, labels));
            slot.add(shard, bytes_in);
        }
        if bytes_out > 0 {
            let slot = self
                .bytes_out
                .get_or_init(|| self.registry.counter(&definitions::RESPONSE_BYTES, labels));
            slot.add(shard, bytes_out);
        }
    }

    /// Counts what the cache did with a request.
    pub(crate) fn count_cache(&self, shard: usize, outcome: CacheOutcome) {
        if let Some(slot) = self.cache.get(outcome as usize) {
            slot.get_or_init(|| {
                self.registry.counter(
                    &definitions::CACHE_REQUESTS,
                    [&*self.site, &*self.route, outcome.word()],
                )
            })
            .increment(shard);
        }
    }

    /// Counts a failure.
    pub(crate) fn count_failure(&self, shard: usize, kind: Kind) {
        if let Some(slot) = self.failures.get(kind as usize) {
            slot.get_or_init(|| {
                self.registry.counter(
                    &definitions::FAILURES,
                    [&*self.site, &*self.route, kind.word()],
                )
            })
            .increment(shard);
        }
    }
}

/// The counter of requests that are sent to one of several upstreams.
pub(crate) struct ChoiceStats {
    registry: Arc<Registry>,
    site: Arc<str>,
    route: Box<str>,
    upstream: Box<str>,
    chosen: OnceLock<Arc<Counter>>,
}

impl ChoiceStats {
    pub(crate) fn new(registry: &Arc<Registry>, site: &Arc<str>, route: &str, to: &str) -> Self {
        Self {
            registry: Arc::clone(registry),
            site: Arc::clone(site),
            route: route.into(),
            upstream: to.into(),
            chosen: OnceLock::new(),
        }
    }

    /// Counts a request for which the upstream was chosen.
    pub(crate) fn count(&self, shard: usize) {
        let labels = || [&*self.site, &*self.route, &*self.upstream];
        let counter = || {
            self.registry
                .counter(&definitions::SPLIT_REQUESTS, labels())
        };
        self.chosen.get_or_init(counter).increment(shard);
    }
}

impl fmt::Debug for ChoiceStats {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            site,
            route,
            upstream,
            ..
        } = self;
        write!(formatter, "ChoiceStats({site} {route} {upstream})")
    }
}

/// What became of the copy of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyOutcome {
    /// The upstream has answered, with whatever status.
    Answered,
    /// It could not be sent, or there was no valid answer.
    Failed,
    /// It was not answered in time.
    Timeout,
    /// There is none: the body is larger than the limit.
    TooLarge,
    /// There is none: too many others were in progress.
    Dropped,
    /// There is none: the whole body was not read from the client, or not in time.
    Aborted,
}

impl CopyOutcome {
    const WORDS: [&str; 6] = [
        "answered",
        "failed",
        "timeout",
        "too_large",
        "dropped",
        "aborted",
    ];
}

/// The counters of the copies that a route sends to an upstream.
pub(crate) struct MirrorStats {
    registry: Arc<Registry>,
    site: Arc<str>,
    route: Box<str>,
    upstream: Box<str>,
    outcomes: [OnceLock<Arc<Counter>>; CopyOutcome::WORDS.len()],
}

impl MirrorStats {
    pub(crate) fn new(registry: &Arc<Registry>, site: &Arc<str>, route: &str, to: &str) -> Self {
        Self {
            registry: Arc::clone(registry),
            site: Arc::clone(site),
            route: route.into(),
            upstream: to.into(),
            outcomes: [const { OnceLock::new() }; CopyOutcome::WORDS.len()],
        }
    }

    /// The name of the upstream.
    pub(crate) fn upstream(&self) -> &str {
        &self.upstream
    }

    /// Counts a request that was to be copied.
    pub(crate) fn count(&self, shard: usize, outcome: CopyOutcome) {
        let place = outcome as usize;
        let (slot, word) = (self.outcomes.get(place), CopyOutcome::WORDS.get(place));
        if let (Some(slot), Some(word)) = (slot, word) {
            slot.get_or_init(|| {
                let labels = [&*self.site, &*self.route, &*self.upstream, *word];
                self.registry.counter(&definitions::MIRROR_REQUESTS, labels)
            })
            .increment(shard);
        }
    }
}

impl fmt::Debug for MirrorStats {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            site,
            route,
            upstream,
            ..
        } = self;
        write!(formatter, "MirrorStats({site} {route} {upstream})")
    }
}

/// The names of what a configuration has, which are the labels of series.
pub(crate) struct Configured<'a> {
    listeners: HashSet<&'a str>,
    /// By site and route. Both are empty for what no site has, the route for what none has.
    routes: HashSet<(&'a str, &'a str)>,
    upstreams: HashSet<&'a str>,
    endpoints: HashSet<(&'a str, &'a str)>,
    policies: HashSet<&'a str>,
}

impl<'a> Configured<'a> {
    pub(crate) fn new(
        listeners: impl Iterator<Item = &'a str>,
        routes: impl Iterator<Item = &'a RouteStats>,
        upstreams: impl Iterator<Item = &'a UpstreamStats> + Clone,
        policies: impl Iterator<Item = &'a str>,
    ) -> Self {
        let endpoints = upstreams.clone().flat_map(|stats| {
            let addresses = stats.endpoints.iter();
            addresses.map(|address| (stats.name(), &**address))
        });
        Self {
            listeners: listeners.collect(),
            routes: routes.map(|stats| (&*stats.site, &*stats.route)).collect(),
            endpoints: endpoints.collect(),
            upstreams: upstreams.map(UpstreamStats::name).collect(),
            policies: policies.collect(),
        }
    }

    /// Whether a series with these labels is about something that is configured, or about the
    /// whole process.
    pub(crate) fn has(&self, labels: &[&str], values: &[Box<str>]) -> bool {
        match (labels, values) {
            (["site", "route", ..], [site, route, ..]) => {
                self.routes.contains(&(&**site, &**route))
            }
            (["upstream", "endpoint", ..], [upstream, endpoint, ..]) => {
                self.endpoints.contains(&(&**upstream, &**endpoint))
            }
            (["upstream", ..], [upstream, ..]) => self.upstreams.contains(&**upstream),
            (["policy", ..], [policy, ..]) => self.policies.contains(&**policy),
            (["listener", ..], [listener, ..]) => self.listeners.contains(&**listener),
            _ => true,
        }
    }
}

impl fmt::Debug for RouteStats {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RouteStats({} {})", self.site, self.route)
    }
}

/// The metrics of an upstream.
#[derive(Debug)]
pub(crate) struct UpstreamStats {
    registry: Arc<Registry>,
    name: Box<str>,
    pub(crate) connect: Arc<Histogram>,
    pub(crate) head: Arc<Histogram>,
    pub(crate) opened: Arc<Counter>,
    pub(crate) reused: Arc<Counter>,
    /// By endpoint and status class.
    by_class: Vec<[OnceLock<Arc<Counter>>; CLASSES.len()]>,
    endpoints: Vec<Box<str>>,
    /// The names that endpoints are told as theirs, if they are not known by them. Empty if there
    /// are none.
    hosts: Vec<Option<Box<str>>>,
}

impl UpstreamStats {
    /// The metrics of an upstream.
    pub(crate) fn of(registry: &Arc<Registry>, upstream: &Upstream) -> Self {
        let name = upstream.name();
        let addresses = upstream.members().iter();
        let addresses = addresses.map(|member| member.endpoint.address());
        let labels = addresses.clone().map(|address| address.to_string().into());
        let mut hosts: Vec<Option<Box<str>>> =
            addresses.map(|it| it.named().map(Into::into)).collect();
        if hosts.iter().all(Option::is_none) {
            hosts = Vec::new();
        }
        Self {
            registry: Arc::clone(registry),
            name: name.into(),
            connect: registry.histogram(&definitions::UPSTREAM_CONNECT, [name]),
            head: registry.histogram(&definitions::UPSTREAM_HEAD, [name]),
            opened: registry.counter(&definitions::UPSTREAM_OPENED, [name]),
            reused: registry.counter(&definitions::UPSTREAM_REUSED, [name]),
            by_class: upstream
                .members()
                .iter()
                .map(|_| [const { OnceLock::new() }; CLASSES.len()])
                .collect(),
            endpoints: labels.collect(),
            hosts,
        }
    }

    /// The upstream's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The endpoint's address as configured, for the log.
    pub(crate) fn endpoint(&self, index: usize) -> &str {
        self.endpoints.get(index).map_or("", |address| address)
    }

    /// The host and port that the endpoint knows as its own.
    pub(crate) fn host(&self, index: usize) -> &str {
        let host = self.hosts.get(index).and_then(Option::as_deref);
        host.unwrap_or_else(|| self.endpoint(index))
    }

    /// Counts a response of an endpoint.
    pub(crate) fn count(&self, shard: usize, endpoint: usize, status: u16) {
        let class = usize::from(status / 100);
        let slot = self
            .by_class
            .get(endpoint)
            .and_then(|classes| classes.get(class));
        if let (Some(slot), Some(word)) = (slot, CLASSES.get(class)) {
            slot.get_or_init(|| {
                let labels = [&*self.name, self.endpoint(endpoint), *word];
                self.registry
                    .counter(&definitions::UPSTREAM_REQUESTS, labels)
            })
            .increment(shard);
        }
    }

    /// Counts a connection on which an endpoint sent bytes unsolicited.
    pub(crate) fn count_unsolicited(&self, shard: usize, endpoint: usize) {
        let labels = [&*self.name, self.endpoint(endpoint)];
        self.increment(shard, &definitions::UPSTREAM_UNSOLICITED, labels);
    }

    /// Counts a request for which a limit of the upstream has left no place. They may be very
    /// many, but looking the series up costs less than sending a request.
    pub(crate) fn count_overload(&self, shard: usize, limit: &str) {
        let labels = [&*self.name, limit];
        self.increment(shard, &definitions::UPSTREAM_OVERLOADS, labels);
    }

    /// Counts an ejection.
    pub(crate) fn count_ejection(&self, shard: usize, endpoint: usize, reason: &str) {
        let labels = [&*self.name, self.endpoint(endpoint), reason];
        self.increment(shard, &definitions::UPSTREAM_EJECTIONS, labels);
    }

    /// Counts a request that is sent again.
    pub(crate) fn count_retry(&self, shard: usize, reason: &str) {
        let labels = [&*self.name, reason];
        self.increment(shard, &definitions::UPSTREAM_RETRIES, labels);
    }

    /// Counts a request that might have been sent again and was not.
    pub(crate) fn count_refused_retry(&self, shard: usize, reason: &str) {
        let labels = [&*self.name, reason];
        self.increment(shard, &definitions::UPSTREAM_RETRIES_REFUSED, labels);
    }

    /// Counts a request that was sent to a second endpoint.
    pub(crate) fn count_hedge(&self, shard: usize, outcome: &str) {
        let labels = [&*self.name, outcome];
        self.increment(shard, &definitions::UPSTREAM_HEDGES, labels);
    }

    /// Counts a request that has waited for an endpoint.
    pub(crate) fn count_hold(&self, shard: usize, outcome: &str, waited: Duration) {
        let labels = [&*self.name, outcome];
        self.increment(shard, &definitions::UPSTREAM_HOLDS, labels);
        self.registry
            .histogram(&definitions::UPSTREAM_HOLD, [&*self.name])
            .observe(shard, waited);
    }

    /// Counts a failed attempt.
    pub(crate) fn count_failure(&self, shard: usize, endpoint: usize, kind: Kind) {
        let labels = [&*self.name, self.endpoint(endpoint), kind.word()];
        self.increment(shard, &definitions::UPSTREAM_FAILURES, labels);
    }

    /// Counts what is rare, so that its series is looked up each time.
    fn increment<const N: usize>(
        &self,
        shard: usize,
        metric: &Metric<Counter, N>,
        labels: [&str; N],
    ) {
        self.registry.counter(metric, labels).increment(shard);
    }
}
