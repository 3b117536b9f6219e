//! Questions to recursive resolvers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use hickory_proto::rr::{Name, RecordType};

use super::Lookup;
use super::ask::Question;
use super::response::Response;
use crate::error::Error;

/// Where the system's resolvers are listed.
const RESOLV_CONF: &str = "/etc/resolv.conf";
const PORT: u16 = 53;

impl Lookup {
    /// The resolvers, at least one.
    pub(super) fn resolvers(&self) -> Result<Vec<SocketAddr>, Error> {
        if !self.settings.resolvers.is_empty() {
            return Ok(self.settings.resolvers.clone());
        }
        match std::fs::read_to_string(RESOLV_CONF) {
            Ok(text) => Ok(listed(&text)),
            Err(error) => Err(Error::new(format!(
                "The system's resolvers are not known: {RESOLV_CONF}: {error}."
            ))),
        }
    }

    /// The answer of the first resolver that has one, if only that there is
    /// nothing.
    pub(super) async fn resolve(&self, name: &Name, kind: RecordType) -> Result<Response, Error> {
        let question = Question {
            name: name.clone(),
            kind,
            recursive: true,
        };
        let mut failures = Vec::new();
        for resolver in self.resolvers()? {
            let failure = match question.ask(resolver, self.settings.timeout).await {
                Ok(response) if response.is_definite() => return Ok(response),
                Ok(response) => format!("answered {}", response.code_text()),
                Err(silence) => silence.to_string(),
            };
            failures.push(format!("the resolver {} {failure}", resolver.ip()));
        }
        let failures = failures.join(", and ");
        let failed = format!("The {kind} records of `{name}` cannot be looked up: {failures}.");
        Err(Error::new(failed))
    }
}

/// The addresses in a file of the format of `resolv.conf(5)`. An unreadable one is
/// left out, as other resolvers do; with none, it is this machine.
fn listed(text: &str) -> Vec<SocketAddr> {
    let addresses = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("nameserver"), Some(address)) => parse(address),
            _ => None,
        }
    });
    let mut addresses: Vec<SocketAddr> = addresses.collect();
    if addresses.is_empty() {
        addresses.push((Ipv4Addr::LOCALHOST, PORT).into());
    }
    addresses
}

/// An address, of a link-local one with the number or the name of its interface.
fn parse(address: &str) -> Option<SocketAddr> {
    let Some((address, interface)) = address.split_once('%') else {
        return Some((address.parse::<IpAddr>().ok()?, PORT).into());
    };
    let address: Ipv6Addr = address.parse().ok()?;
    let number = interface.parse().ok().or_else(|| {
        let file = format!("/sys/class/net/{interface}/ifindex");
        std::fs::read_to_string(file).ok()?.trim().parse().ok()
    });
    Some(SocketAddrV6::new(address, PORT, 0, number?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_file_is_read() {
        let text = "# comment\nsearch example.com\nnameserver 192.0.2.1\n\
            nameserver\t2001:db8::1 # second\nnameserver fe80::1%7\nnameserver nonsense\n\
            nameserver fe80::1%no-such-interface\n#nameserver 192.0.2.9\noptions edns0\n";
        let listed: Vec<String> = listed(text).iter().map(ToString::to_string).collect();
        let expected = ["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%7]:53"];
        assert_eq!(listed, expected);
    }

    #[test]
    fn without_any_it_is_this_machine() {
        assert_eq!(
            listed("search example.com\n"),
            ["127.0.0.1:53".parse().unwrap()]
        );
    }
}
