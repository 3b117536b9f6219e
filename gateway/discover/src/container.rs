//! Which endpoint a container is.
//!
//! The address is the Engine's: that of the container in one of its networks. Its labels choose
//! the upstream, the port, the network and the weight. Each value is parsed, so that none of them
//! reaches a file as it is; and a container that uses the network of the machine, or of another
//! container, is none, because its labels would choose among ports that are not its own.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32};

use serde::Deserialize;
use serde::de::IgnoredAny;

/// The longest prefix of labels.
const LONGEST_PREFIX: usize = 64;

/// The labels that count, without the prefix.
const LABELS: [&str; 5] = ["upstream", "port", "network", "weight", "backup"];

/// The longest value of a label that counts, in bytes.
const LONGEST_LABEL: usize = 256;

/// The largest weight that a label may ask for.
const LARGEST_WEIGHT: u32 = 1_000;

/// The beginning of the labels that are meant for the gateway: `janua` for `janua.upstream`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelPrefix(String);

impl LabelPrefix {
    /// A prefix as it was written.
    ///
    /// # Errors
    /// It has characters that the prefix of a label must not have.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_prefix =
            !text.is_empty() && text.len() <= LONGEST_PREFIX && text.bytes().all(is_known);
        match is_prefix {
            true => Ok(Self(text.trim_end_matches('.').to_owned())),
            false => Err("write letters, digits, dots, hyphens and underscores".to_owned()),
        }
    }

    /// The label with this name.
    pub(crate) fn label(&self, name: &str) -> String {
        format!("{}.{name}", self.0)
    }
}

/// What the Engine says of a container. Only what is needed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Inspected {
    name: String,
    state: State,
    config: Config,
    network_settings: NetworkSettings,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct State {
    running: bool,
    paused: bool,
    restarting: bool,
    health: Option<Health>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Health {
    status: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    labels: Option<BTreeMap<String, String>>,
    exposed_ports: Option<BTreeMap<String, IgnoredAny>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NetworkSettings {
    networks: Option<BTreeMap<String, Option<Network>>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Network {
    #[serde(rename = "IPAddress")]
    ip_address: Option<String>,
    #[serde(rename = "GlobalIPv6Address")]
    global_ipv6_address: Option<String>,
}

/// An endpoint as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    pub(crate) weight: NonZeroU32,
    pub(crate) backup: bool,
    /// The name of the container, if it is one that the Engine gives.
    pub(crate) id: Option<String>,
}

/// Why a container is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is not meant to be one, or not now.
    NotNow,
    /// Its labels ask for what cannot be.
    Wrong(String),
}

impl Inspected {
    /// Forgets labels that do not count. They may be many and long, and containers many too.
    pub(crate) fn forget_other_labels(&mut self, prefix: &LabelPrefix) {
        let own = LABELS.map(|name| prefix.label(name));
        if let Some(labels) = &mut self.config.labels {
            labels.retain(|name, value| own.contains(name) && value.len() <= LONGEST_LABEL);
        }
    }

    /// The upstream for which its label asks.
    pub(crate) fn upstream(&self, prefix: &LabelPrefix) -> Option<&str> {
        self.label(prefix, "upstream")
    }

    /// Its name, without anything that a name does not have.
    pub(crate) fn name(&self) -> String {
        let name = self.name.trim_start_matches('/');
        let is_known = |c: &char| c.is_ascii_alphanumeric() || "_.-".contains(*c);
        name.chars().filter(is_known).take(128).collect()
    }

    /// The endpoint that it is. `network` is the one whose addresses count, if its labels name
    /// no other.
    ///
    /// # Errors
    /// Why it is none.
    pub(crate) fn endpoint(
        &self,
        prefix: &LabelPrefix,
        network: Option<&str>,
    ) -> Result<Endpoint, Unfit> {
        let state = &self.state;
        if !state.running || state.paused || state.restarting || !self.is_healthy() {
            return Err(Unfit::NotNow);
        }
        let wrong = |name: &str, what: &str| Unfit::Wrong(format!("{} {what}", prefix.label(name)));
        let weight = match self.label(prefix, "weight") {
            None => NonZeroU32::MIN,
            Some(text) => whole(text)
                .filter(|weight: &NonZeroU32| weight.get() <= LARGEST_WEIGHT)
                .ok_or_else(|| wrong("weight", "is not a number from 1 to 1000"))?,
        };
        let backup = match self.label(prefix, "backup") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(wrong("backup", "is neither true nor false")),
        };
        let port: NonZeroU16 = match self.label(prefix, "port") {
            Some(text) => {
                whole(text).ok_or_else(|| wrong("port", "is not a number from 1 to 65535"))?
            }
            None => self
                .only_port()
                .ok_or_else(|| wrong("port", "is missing, and not exactly one port is exposed"))?,
        };
        let named = self.label(prefix, "network").or(network);
        let ip = self.address(named).map_err(Unfit::Wrong)?;
        let name = self.name();
        Ok(Endpoint {
            address: SocketAddr::new(ip, port.get()),
            weight,
            backup,
            id: (!name.is_empty()).then_some(name),
        })
    }

    /// Without a health check of its own it counts as healthy.
    fn is_healthy(&self) -> bool {
        match &self.state.health {
            None => true,
            Some(health) => matches!(&*health.status, "" | "none" | "healthy"),
        }
    }

    fn label(&self, prefix: &LabelPrefix, name: &str) -> Option<&str> {
        let labels = self.config.labels.as_ref()?;
        labels.get(&prefix.label(name)).map(String::as_str)
    }

    /// The TCP port that the image exposes, if it is the only one.
    fn only_port(&self) -> Option<NonZeroU16> {
        let exposed = self.config.exposed_ports.as_ref()?;
        let mut ports = exposed
            .keys()
            .filter_map(|port| whole(port.strip_suffix("/tcp")?));
        let first = ports.next()?;
        ports.next().is_none().then_some(first)
    }

    /// Its address in the network of this name, or in the only one that it has.
    fn address(&self, name: Option<&str>) -> Result<IpAddr, String> {
        let networks = self.network_settings.networks.as_ref();
        let networks = || networks.into_iter().flatten();
        let network = match name {
            Some(name) => {
                let mut networks = networks();
                let network = networks.find(|(known, _)| *known == name);
                network.ok_or_else(|| "it is not in the network that is asked for".to_owned())?
            }
            None => {
                let mut networks = networks();
                match (networks.next(), networks.next()) {
                    (Some(only), None) => only,
                    (None, _) => return Err("it has no network of its own".to_owned()),
                    (Some(_), Some(_)) => {
                        return Err("it has several networks, and none is named".to_owned());
                    }
                }
            }
        };
        let (Some(network), true) = (network.1, network.0 != "host") else {
            return Err("it has no network of its own".to_owned());
        };
        let texts = [&network.ip_address, &network.global_ipv6_address];
        let mut addresses = texts.into_iter().flatten().filter_map(|it| it.parse().ok());
        addresses
            .find(is_of_a_container)
            .ok_or_else(|| "it has no address in its network".to_owned())
    }
}

/// Whether an address can be that of a container. Others would be the machine's, or those at which
/// clouds tell machines their credentials: whoever may make networks may choose what is in them.
fn is_of_a_container(ip: &IpAddr) -> bool {
    // An IPv4 address in the form of IPv6 is the same one.
    let ip = ip.to_canonical();
    let is_link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast() && !is_link_local
}

/// A number in digits, without a sign.
fn whole<T: std::str::FromStr>(text: &str) -> Option<T> {
    let is_digits = text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits)
}

impl fmt::Display for LabelPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
