//! Resolves names with the system's configuration: `/etc/resolv.conf` and the
//! hosts file.
//!
//! It uses hickory-resolver instead of `getaddrinfo`, which reports no TTL and
//! blocks a thread for as long as a DNS server does not respond. The price is
//! that sources in `nsswitch.conf` other than files and DNS, such as mDNS, are
//! not used.
//!
//! A name is plain ASCII and may contain underscores: container networks have
//! names such as `app_backend`, which the rules for internationalised names
//! refuse.

use std::cell::RefCell;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, ResolverBuilder, TokioResolver};

use super::{Answer, Lookup};

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// How long an address from the hosts file is valid. The file has no TTL, and
/// the resolver's upper bound ends the period earlier.
const HOSTS_TTL: Duration = Duration::from_secs(3600);

/// The resolver, and the modification times of the files it was configured
/// from.
pub(super) struct System {
    hosts_file: PathBuf,
    current: RefCell<Option<Current>>,
}

#[derive(Clone)]
struct Current {
    /// The modification times of the files, which are read again when one has
    /// changed, for example when a machine joins another network.
    times: Times,
    hosts: Arc<Hosts>,
    resolver: TokioResolver,
}

type Times = [Option<SystemTime>; 2];

impl Lookup for System {
    async fn lookup(&self, host: &str) -> Result<Answer, String> {
        let name = Name::from_ascii(host).map_err(|error| error.to_string())?;
        let current = self.current().map_err(|error| error.to_string())?;
        // As in other resolvers, a name in the hosts file is not looked up
        // elsewhere, neither with a search domain nor for its other address
        // family. `localhost` resolves to both families, whatever the file says
        // (RFC 6761, section 6.3).
        let known = in_hosts(&current.hosts, &name);
        if !known.is_empty() && !name.is_localhost() {
            return Ok(Answer {
                addresses: known,
                ttl: HOSTS_TTL,
            });
        }
        let found = current.resolver.lookup_ip(name).await;
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
    /// A resolver that reads this hosts file.
    pub(super) fn new(hosts_file: PathBuf) -> Self {
        Self {
            hosts_file,
            current: RefCell::default(),
        }
    }

    fn current(&self) -> Result<Current, NetError> {
        let times = self.times();
        let mut current = self.current.borrow_mut();
        if let Some(current) = current.as_ref().filter(|current| current.times == times) {
            return Ok(current.clone());
        }
        let fresh = Current::new(times, read_hosts(&self.hosts_file), system())?;
        *current = Some(fresh.clone());
        Ok(fresh)
    }

    fn times(&self) -> Times {
        [Path::new(RESOLV_CONF), &self.hosts_file]
            .map(|file| std::fs::metadata(file).and_then(|m| m.modified()).ok())
    }
}

impl Current {
    fn new(
        times: Times,
        hosts: Hosts,
        mut builder: ResolverBuilder<TokioRuntimeProvider>,
    ) -> Result<Self, NetError> {
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        // Each endpoint keeps its addresses for their TTL. A second cache would
        // only hide a change when a failed connection causes another look-up.
        options.cache_size = 0;
        // The path of the hosts file is configurable, so the file is read here.
        options.use_hosts_file = ResolveHosts::Never;
        let hosts = Arc::new(hosts);
        let mut resolver = builder.build()?;
        resolver.set_hosts(Arc::clone(&hosts));
        Ok(Self {
            times,
            hosts,
            resolver,
        })
    }
}

/// Configured by `/etc/resolv.conf`. If the file does not exist, the name
/// server is the local one, as in resolv.conf(5).
fn system() -> ResolverBuilder<TokioRuntimeProvider> {
    TokioResolver::builder_tokio().unwrap_or_else(|error| {
        tracing::warn!(%error, "no usable /etc/resolv.conf, asking 127.0.0.1");
        let local = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let config = ResolverConfig::from_name_servers(vec![local]);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    })
}

/// The entries of the hosts file; none if the file does not exist.
fn read_hosts(path: &Path) -> Hosts {
    let mut hosts = Hosts::default();
    let read = File::open(path).and_then(|file| hosts.read_hosts_conf(file));
    if let Err(error) = read {
        tracing::warn!(file = %path.display(), %error, "the hosts file cannot be read");
    }
    hosts
}

/// The addresses of a name in the hosts file.
fn in_hosts(hosts: &Hosts, name: &Name) -> Vec<IpAddr> {
    let of_type = |kind| hosts.lookup_static_host(&Query::query(name.clone(), kind));
    [RecordType::A, RecordType::AAAA]
        .into_iter()
        .filter_map(of_type)
        .flat_map(|found| {
            let addresses = found.answers().iter().filter_map(|it| it.data.ip_addr());
            addresses.collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests;
