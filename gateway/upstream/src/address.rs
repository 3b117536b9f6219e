//! The address of an endpoint: an IP address, a host name or a Unix socket.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The longest path of a Unix socket in bytes: `sun_path` without its final
/// NUL.
const UNIX_PATH_LIMIT: usize = 107;

/// The address at which an endpoint listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// `127.0.0.1:80`, `[::1]:80`.
    Ip(SocketAddr),
    /// `backend:80`; the name is resolved while the gateway runs.
    Name {
        /// Lower-case; a trailing dot prevents the use of search domains.
        host: String,
        /// The port, not zero.
        port: u16,
    },
    /// `unix:/run/app.sock`; an absolute path.
    Unix(PathBuf),
    /// One of the addresses of a name. It is shown as the address, and told and verified as the
    /// name.
    Resolved {
        /// The name, lower-case.
        host: String,
        /// The address, with the port of the name.
        at: SocketAddr,
    },
}

impl Address {
    /// Reads an address as it is written in the configuration.
    ///
    /// # Errors
    /// What is wrong with the text, for the operator.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return unix(path);
        }
        if text.contains("://") || text.contains('/') {
            return Err(format!(
                "`{text}` is not an address: write host and port alone, without scheme and path"
            ));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return match address.port() {
                0 => Err(format!("`{text}`: port 0 cannot be connected to")),
                _ => Ok(Self::Ip(address)),
            };
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(format!("`{text}` has no port: write `{text}:80`"));
        };
        if host.contains(':') || host.starts_with('[') {
            return Err(format!(
                "`{text}` is not an IPv6 address with a port: write `[::1]:80`"
            ));
        }
        let port = match port.parse() {
            Ok(port) if port != 0 && !text.contains(":+") => port,
            _ => return Err(format!("`{port}` is not a port between 1 and 65535")),
        };
        match host_fault(host) {
            Some(fault) => Err(format!("`{host}` {fault}")),
            None => Ok(Self::Name {
                host: host.to_ascii_lowercase(),
                port,
            }),
        }
    }
}

impl Address {
    /// The name and port that requests may be told as their `Host`, for one of the addresses of
    /// a name; none if the address itself is that.
    pub fn named(&self) -> Option<String> {
        match self {
            Self::Resolved { host, at } => Some(format!("{host}:{}", at.port())),
            Self::Ip(_) | Self::Name { .. } | Self::Unix(_) => None,
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl fmt::Display for Address {
    /// Writes the address as in the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Resolved { at, .. } => at.fmt(f),
        }
    }
}

fn unix(path: &str) -> Result<Address, String> {
    if !path.starts_with('/') {
        return Err(format!("`unix:{path}`: the path must be absolute"));
    }
    if path.contains('\0') {
        return Err("the path of a Unix socket contains a NUL".to_owned());
    }
    if path.len() > UNIX_PATH_LIMIT {
        return Err(format!(
            "`unix:{path}`: a socket's path has at most {UNIX_PATH_LIMIT} bytes, this one {}",
            path.len()
        ));
    }
    Ok(Address::Unix(PathBuf::from(path)))
}

/// Whether names of hosts have this byte. Those of container networks have underscores.
pub(crate) fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn host_fault(host: &str) -> Option<&'static str> {
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.is_empty() || name.split('.').any(str::is_empty) {
        return Some("has an empty label");
    }
    if name.len() > 253 || name.split('.').any(|label| label.len() > 63) {
        return Some("is too long: a name has at most 253 bytes, a label 63");
    }
    if !name.bytes().all(is_of_host) {
        return Some("has a character that no host name has");
    }
    // `127.1` and `300.0.0.1` are meant as addresses. Resolved as names, they
    // would not be found, or lead to an endpoint that was not meant.
    let last = name.rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|b| b.is_ascii_digit());
    number.then_some("is not an IPv4 address: it takes four numbers up to 255")
}

#[cfg(test)]
mod tests;
