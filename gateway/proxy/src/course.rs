//! The settings by which a request is sent to an upstream, copied from its route so that
//! the request need not hold the snapshot.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::exchange::Matched;
use crate::retries::Retries;
use crate::snapshot::{Forwarding, HostField, LocalUpstream, Mirror, To};

/// Where and how a request is sent.
#[derive(Clone)]
pub(crate) struct Course {
    pub(crate) upstream: Rc<LocalUpstream>,
    /// See [`To::cache_scope`].
    pub(crate) cache_scope: [u8; 8],
    pub(crate) host: HostField,
    pub(crate) path: UpstreamPath,
    /// How the request is repeated; none for as the upstream says.
    pub(crate) retries: Option<Arc<Retries>>,
    /// See [`To::upstream_timeout`].
    pub(crate) upstream_timeout: Option<Duration>,
    pub(crate) idle_timeout: Duration,
}

/// The path that an upstream gets.
#[derive(Clone, Debug)]
pub(crate) enum UpstreamPath {
    /// That of the request.
    Routed,
    /// That without this prefix.
    Stripped(Arc<str>),
    /// This one, in its normal form.
    Rewritten(Arc<[u8]>),
}

impl UpstreamPath {
    /// The path of a request to the upstream, by the path of the client's request.
    pub(crate) fn of<'a>(&'a self, path: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Routed => path,
            Self::Stripped(prefix) => strip(path, Some(prefix)),
            Self::Rewritten(path) => path,
        }
    }
}

/// The path without the prefix that the route strips. It always begins with a
/// slash.
pub(crate) fn strip<'a>(path: &'a [u8], prefix: Option<&str>) -> &'a [u8] {
    let rest = prefix.and_then(|prefix| path.strip_prefix(prefix.trim_end_matches('/').as_bytes()));
    match rest {
        Some(rest) if rest.first() == Some(&b'/') => rest,
        Some([]) => b"/",
        // A prefix ends at a segment: `/api` is no prefix of `/apix`.
        Some(_) | None => path,
    }
}

impl Course {
    /// The settings of a route. None if the snapshot has no such upstream, which
    /// compiling it rules out.
    pub(crate) fn new(to: &To, matched: &Matched) -> Option<Self> {
        let upstream = matched.local.upstreams.get(to.upstream)?;
        Some(Self {
            cache_scope: to.cache_scope,
            host: to.host.clone(),
            path: match &to.strip_prefix {
                Some(prefix) => UpstreamPath::Stripped(Arc::clone(prefix)),
                None => UpstreamPath::Routed,
            },
            retries: to.retries.clone(),
            upstream_timeout: to.upstream_timeout,
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

    /// The course of a copy of the request, which is the same but for the upstream, and is not
    /// tried a second time. None if the snapshot has no such upstream, which compiling it rules
    /// out.
    pub(crate) fn of_copy(&self, mirror: &Mirror, matched: &Matched) -> Option<Self> {
        let upstream = matched.local.upstreams.get(mirror.upstream)?;
        let of_route = matched.route().terms.idle_timeout;
        Some(Self {
            retries: mirror.retries.clone(),
            idle_timeout: of_route.unwrap_or(upstream.forwarding.idle_timeout),
            upstream: Rc::clone(upstream),
            ..self.clone()
        })
    }

    pub(crate) fn forwarding(&self) -> &Forwarding {
        &self.upstream.forwarding
    }
}

#[cfg(test)]
mod tests {
    use super::strip;

    #[test]
    fn prefixes() {
        for (path, prefix, expected) in [
            ("/api/x", Some("/api"), "/x"),
            ("/api/x", Some("/api/"), "/x"),
            ("/api", Some("/api"), "/"),
            ("/api/", Some("/api"), "/"),
            ("/apix", Some("/api"), "/apix"),
            ("/x", Some("/api"), "/x"),
            ("/x", None, "/x"),
            ("/x", Some("/"), "/x"),
        ] {
            let rest = strip(path.as_bytes(), prefix);
            assert_eq!(rest, expected.as_bytes(), "{path} {prefix:?}");
        }
    }
}
