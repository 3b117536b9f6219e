//! Look-ups as the system is configured: `/etc/resolv.conf` and `/etc/hosts`.
//!
//! By hickory-resolver and not by `getaddrinfo`: the latter gives no TTL, and
//! holds a thread for as long as a dead DNS server likes. What is given up for
//! it: sources of `nsswitch.conf` other than files and DNS, such as mDNS.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Instant, SystemTime};

use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{ResolverBuilder, TokioResolver};

use super::{Answer, Lookup};

/// The files that say how to look up; read again when one has changed, as when
/// a machine joins another network.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// A resolver, and the files' times from when it was made.
#[derive(Default)]
pub(super) struct System {
    current: RefCell<Option<(Times, TokioResolver)>>,
}

type Times = [Option<SystemTime>; FILES.len()];

impl Lookup for System {
    async fn lookup(&self, host: &str) -> Result<Answer, String> {
        let resolver = self.resolver().map_err(|error| error.to_string())?;
        let found = resolver.lookup_ip(host).await;
        let found = found.map_err(|error| error.to_string())?;
        let addresses: Vec<IpAddr> = found.iter().collect();
        if addresses.is_empty() {
            return Err("the name has no address".to_owned());
        }
        let ttl = found
            .valid_until()
            .saturating_duration_since(Instant::now());
        Ok(Answer { addresses, ttl })
    }
}

impl System {
    fn resolver(&self) -> Result<TokioResolver, NetError> {
        let times = times();
        let mut current = self.current.borrow_mut();
        if let Some((_, resolver)) = current.as_ref().filter(|(then, _)| *then == times) {
            return Ok(resolver.clone());
        }
        let resolver = resolver()?;
        *current = Some((times, resolver.clone()));
        Ok(resolver)
    }
}

fn times() -> Times {
    FILES.map(|file| std::fs::metadata(file).and_then(|m| m.modified()).ok())
}

fn resolver() -> Result<TokioResolver, NetError> {
    // Without the file the name server is the local one: resolv.conf(5).
    let builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
        tracing::warn!(%error, "no usable /etc/resolv.conf, asking 127.0.0.1");
        let local = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let config = ResolverConfig::from_name_servers(vec![local]);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    });
    finish(builder)
}

fn finish(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<TokioResolver, NetError> {
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    // Each endpoint keeps its addresses for their TTL. A second cache would
    // only hide a change when a failed connection makes us look again.
    options.cache_size = 0;
    builder.build()
}

#[cfg(test)]
mod tests;
