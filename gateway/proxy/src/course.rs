//! What sending a request needs to know of its route, so that it need not hold
//! the snapshot.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::exchange::Matched;
use crate::snapshot::{Forwarding, HostField, LocalUpstream, To};

/// The way of a request to its upstream.
#[derive(Clone)]
pub(crate) struct Course {
    pub(crate) upstream: Rc<LocalUpstream>,
    /// See [`To::way`].
    pub(crate) way: [u8; 8],
    pub(crate) host: HostField,
    pub(crate) strip_prefix: Option<Arc<str>>,
    /// Endpoints that are tried at most.
    pub(crate) attempts: usize,
    pub(crate) idle_timeout: Duration,
}

impl Course {
    /// What a route says. None if the snapshot has no such upstream, which
    /// compiling it rules out.
    pub(crate) fn new(to: &To, matched: &Matched) -> Option<Self> {
        let upstream = matched.local.upstreams.get(to.upstream)?;
        Some(Self {
            way: to.way,
            host: to.host.clone(),
            strip_prefix: to.strip_prefix.clone(),
            attempts: to.attempts,
            idle_timeout: matched
                .route()
                .terms
                .idle_timeout
                .unwrap_or(upstream.forwarding.idle_timeout),
            upstream: Rc::clone(upstream),
        })
    }

    pub(crate) fn forwarding(&self) -> &Forwarding {
        &self.upstream.forwarding
    }
}
