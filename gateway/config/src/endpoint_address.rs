//! The address of an endpoint: a socket address, a name and a port, a Unix socket, or SRV records.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;

/// The address of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EndpointAddress {
    /// An IP address and port.
    Socket(SocketAddr),
    /// A name that is looked up, and a port.
    Name {
        /// The name, in lower case.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
    /// A name, in lower case, whose SRV records have names and ports.
    Srv(String),
}

impl fmt::Display for EndpointAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Srv(name) => write!(f, "srv:{name}"),
        }
    }
}

impl Decode for EndpointAddress {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        match address(text) {
            Ok(Self::Unix(path)) => Some(Self::Unix(decoder.directory.join(path))),
            Ok(address) => Some(address),
            Err(help) => {
                let span = decoder.span(node);
                decoder.refuse(
                    Diagnostic::error(span, format!("`{text}` is not an address of an endpoint"))
                        .help(help),
                )
            }
        }
    }

    fn kind() -> String {
        "an address such as \"127.0.0.1:3000\"".to_owned()
    }
}

/// Parses an address, or returns advice on what to write instead.
fn address(text: &str) -> Result<EndpointAddress, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match path {
            "" => Err("write the path: \"unix:/run/app.sock\"".to_owned()),
            path => Ok(EndpointAddress::Unix(path.into())),
        };
    }
    if let Some(name) = text.strip_prefix("srv:") {
        return match name.rsplit_once(':') {
            Some((name, port)) if port.parse::<u16>().is_ok() => {
                Err(format!("SRV records have the port: write \"srv:{name}\""))
            }
            _ if is_dns_name(name) => Ok(EndpointAddress::Srv(name.to_ascii_lowercase())),
            _ => Err("write the name of SRV records: \"srv:_http._tcp.app.internal\"".to_owned()),
        };
    }
    if let Some(rest) = text.strip_prefix("http://") {
        let host = rest.split('/').next().unwrap_or_default();
        return Err(match host.contains(':') {
            true => format!("write \"{host}\", without the scheme and path"),
            false => format!("write \"{host}:80\", without the scheme and path"),
        });
    }
    if let Some(rest) = text.strip_prefix("https://") {
        let host = rest.split('/').next().unwrap_or_default();
        let port = if host.contains(':') { "" } else { ":443" };
        return Err(format!(
            "write \"{host}{port}\", and `tls = true` in the upstream"
        ));
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return match socket.port() {
            0 => Err("the port must not be 0".to_owned()),
            _ => Ok(EndpointAddress::Socket(socket)),
        };
    }
    if text.starts_with('/') {
        return Err(format!("for a Unix socket write \"unix:{text}\""));
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Err(format!(
            "the port is missing: write \"{}\"",
            SocketAddr::new(ip, 80)
        ));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!("the port is missing: write \"{text}:80\""));
    };
    match port.parse() {
        Ok(0) | Err(_) => return Err("the port must be a number from 1 to 65535".to_owned()),
        Ok(port) if is_dns_name(host) => {
            return Ok(EndpointAddress::Name {
                host: host.to_ascii_lowercase(),
                port,
            });
        }
        Ok(_) => {}
    }
    Err("write \"address:port\", \"name:port\" or \"unix:/path\"".to_owned())
}

/// Host and port of an address given where the name of an upstream is expected,
/// with or without `http://` and a trailing slash. None if the address has other
/// parts, such as a path or another scheme.
pub(crate) fn host_and_port(text: &str) -> Option<&str> {
    let text = text.strip_prefix("http://").unwrap_or(text);
    let text = text.strip_suffix('/').unwrap_or(text);
    let is_there = matches!(
        address(text),
        Ok(EndpointAddress::Socket(_) | EndpointAddress::Name { .. })
    );
    is_there.then_some(text)
}

/// Whether a resolver accepts the name. Underscores are allowed, because container
/// networks use them.
pub(crate) fn is_dns_name(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 253
        && host
            .strip_suffix('.')
            .unwrap_or(host)
            .split('.')
            .all(|label| {
                !label.is_empty()
                    && label.len() <= 63
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            })
}
