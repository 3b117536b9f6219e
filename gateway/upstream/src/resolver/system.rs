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
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, ResolverBuilder, TokioResolver};

use super::Answer;
use crate::address::is_of_host;
use crate::names::{Answer as Found, Family, Outcome, Question, Service};

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// How long an address from the hosts file is valid. The file has no TTL, and
/// to look whether it has changed costs little.
const HOSTS_TTL: Duration = Duration::from_secs(5);

/// The resolver, and the modification times of the files it was configured
/// from.
pub(super) struct System {
    hosts_file: PathBuf,
    /// Those that are asked; without any, those of the system are.
    name_servers: Vec<SocketAddr>,
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

impl super::Lookup for System {
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

    async fn ask(&self, question: &Question) -> Outcome {
        match question {
            Question::Addresses { host, family, .. } => self.addresses(host, *family).await,
            Question::Services { name } => self.services(name).await,
        }
    }
}

impl System {
    /// A resolver that reads this hosts file, and asks these name servers.
    pub(super) fn new(hosts_file: PathBuf, name_servers: Vec<SocketAddr>) -> Self {
        Self {
            hosts_file,
            name_servers,
            current: RefCell::default(),
        }
    }

    /// All addresses of a host. The two families are asked for apart, so that an answer for one
    /// does not hide that there was none for the other.
    async fn addresses(&self, host: &str, family: Family) -> Outcome {
        let (name, current) = match self.prepare(host) {
            Ok(prepared) => prepared,
            Err(error) => return Outcome::Failed(error),
        };
        let known = in_hosts(&current.hosts, &name);
        if !known.is_empty() && !name.is_localhost() {
            let of_family = known.into_iter().filter(|ip| is_of(*ip, family)).collect();
            return Outcome::Answer(Found::Addresses(of_family), HOSTS_TTL);
        }
        let look = async |kind, other| match family == other {
            true => Ok((Vec::new(), None)),
            false => addresses_of(&current.resolver, name.clone(), kind).await,
        };
        let (v4, v6) = tokio::join!(
            look(RecordType::A, Family::Ipv6),
            look(RecordType::AAAA, Family::Ipv4)
        );
        match (v4, v6) {
            (Ok((mut addresses, v4_ttl)), Ok((v6, v6_ttl))) => {
                addresses.extend(v6);
                match v4_ttl.into_iter().chain(v6_ttl).min() {
                    Some(ttl) => Outcome::Answer(Found::Addresses(addresses), ttl),
                    None => Outcome::Gone("the name has no address".to_owned()),
                }
            }
            (Ok((v4, Some(ttl))), Err(error)) => {
                Outcome::Partial(Found::Addresses(v4), ttl, Family::Ipv6, error)
            }
            (Err(error), Ok((v6, Some(ttl)))) => {
                Outcome::Partial(Found::Addresses(v6), ttl, Family::Ipv4, error)
            }
            (Err(error), _) | (_, Err(error)) => Outcome::Failed(error),
        }
    }

    async fn services(&self, name: &str) -> Outcome {
        let (name, current) = match self.prepare(name) {
            Ok(prepared) => prepared,
            Err(error) => return Outcome::Failed(error),
        };
        let found = match current.resolver.lookup(name, RecordType::SRV).await {
            Ok(found) => found,
            Err(error) if error.is_no_records_found() => return Outcome::Gone(error.to_string()),
            Err(error) => return Outcome::Failed(error.to_string()),
        };
        let services = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => service(srv),
                _ => None,
            });
        let services: Vec<Service> = services.collect();
        match services.is_empty() {
            true => Outcome::Gone("there are no SRV records with a target".to_owned()),
            false => Outcome::Answer(Found::Services(services), ttl(&found)),
        }
    }

    fn prepare(&self, name: &str) -> Result<(Name, Current), String> {
        let name = Name::from_ascii(name).map_err(|error| error.to_string())?;
        let current = self.current().map_err(|error| error.to_string())?;
        Ok((name, current))
    }

    fn current(&self) -> Result<Current, NetError> {
        let times = self.times();
        let mut current = self.current.borrow_mut();
        if let Some(current) = current.as_ref().filter(|current| current.times == times) {
            return Ok(current.clone());
        }
        let servers = match self.name_servers.as_slice() {
            [] => system(),
            servers => asking(servers),
        };
        let fresh = Current::new(times, read_hosts(&self.hosts_file), servers)?;
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

/// Configured to ask these name servers.
fn asking(servers: &[SocketAddr]) -> ResolverBuilder<TokioRuntimeProvider> {
    let servers = servers.iter().map(|server| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
        let connections = connections.map(|mut connection| {
            connection.port = server.port();
            connection
        });
        NameServerConfig::new(server.ip(), true, connections.into())
    });
    let config = ResolverConfig::from_name_servers(servers.collect());
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
}

/// The addresses of one family, with their TTL if there are any.
///
/// # Errors
/// Nobody could say whether there are any.
async fn addresses_of(
    resolver: &TokioResolver,
    name: Name,
    kind: RecordType,
) -> Result<(Vec<IpAddr>, Option<Duration>), String> {
    match resolver.lookup(name, kind).await {
        Ok(found) => {
            let addresses = found.answers().iter().filter_map(|it| it.data.ip_addr());
            let addresses: Vec<IpAddr> = addresses.collect();
            let ttl = (!addresses.is_empty()).then(|| ttl(&found));
            Ok((addresses, ttl))
        }
        Err(error) if error.is_no_records_found() => Ok((Vec::new(), None)),
        Err(error) => Err(error.to_string()),
    }
}

/// The service of a record; none if it has no target that can be connected to.
fn service(srv: &SRV) -> Option<Service> {
    let target = srv.target.to_lowercase().to_ascii();
    let target = target.strip_suffix('.').unwrap_or(&target);
    // The root as the target says that there is no such service (RFC 2782). Other characters than
    // those of hosts are possible in the DNS, but not where the name is told, such as in `Host`.
    let is_host = !target.is_empty() && target.bytes().all(is_of_host);
    (is_host && srv.port != 0).then(|| Service {
        priority: srv.priority,
        weight: srv.weight,
        port: srv.port,
        target: target.to_owned(),
    })
}

fn ttl(found: &Lookup) -> Duration {
    found
        .valid_until()
        .saturating_duration_since(Instant::now())
}

fn is_of(ip: IpAddr, family: Family) -> bool {
    match family {
        Family::Any => true,
        Family::Ipv4 => ip.is_ipv4(),
        Family::Ipv6 => ip.is_ipv6(),
    }
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
