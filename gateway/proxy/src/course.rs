//! The settings by which a request is sent to an upstream, copied from its route so that
//! the request need not hold the snapshot.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::exchange::Matched;
use crate::retries::Retries;
use crate::snapshot::{Forwarding, HostField, LocalUpstream, To};

/// Where and how a request is sent.
#[derive(Clone)]
pub(crate) struct Course {
    pub(crate) upstream: Rc<LocalUpstream>,
    /// See [`To::cache_scope`].
    pub(crate) cache_scope: [u8; 8],
    pub(crate) host: HostField,
    pub(crate) strip_prefix: Option<Arc<str>>,
    /// How the request is repeated; none for as the upstream says.
    pub(crate) retries: Option<Arc<Retries>>,
    pub(crate) idle_timeout: Duration,
}

impl Course {
    /// The settings of a route. None if the snapshot has no such upstream, which
    /// compiling it rules out.
    pub(crate) fn new(to: &To, matched: &Matched) -> Option<Self> {
        let upstream = matched.local.upstreams.get(to.upstream)?;
        Some(Self {
            cache_scope: to.cache_scope,
            host: to.host.clone(),
            strip_prefix: to.strip_prefix.clone(),
            retries: to.retries.clone(),
            idle_timeout: matched
                .route()
                .terms
                .idle_timeout
                .unwrap_or(upstream.forwarding.idle_timeout),
            upstream: Rc::clone(upstream),
        })
    }

    /// How the request is repeated.
    pub(crate) fn retries(&self) -> &Retries {
        match &self.retries {
            Some(retries) => retries,
            None => &self.forwarding().retries,
        }
    }

    /// The same for a request that does not wait while no endpoint can be reached.
    pub(crate) fn without_hold(&self) -> Self {
        let retries = Retries {
            hold: Duration::ZERO,
            ..self.retries().clone()
        };
        Self {
            retries: Some(Arc::new(retries)),
            ..self.clone()
        }
    }

    pub(crate) fn forwarding(&self) -> &Forwarding {
        &self.upstream.forwarding
    }
}
