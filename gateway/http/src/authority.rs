//! The authority of a request: host and port (RFC 3986 §3.2, RFC 9110 §7.2).

use crate::byte_set::ByteSet;

/// A host in lower case without a trailing dot, and a port if one was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authority {
    host: String,
    port: Option<u16>,
}

impl Authority {
    /// Parses `host`, `host:port`, `[v6]` or `[v6]:port`, and reuses the memory of an earlier
    /// authority. False, and empty, if `text` is not an authority; user information is not
    /// accepted (RFC 9110 §4.2.4).
    #[must_use]
    pub fn read(&mut self, text: &[u8]) -> bool {
        self.clear();
        let Some((host, port)) = split(text) else {
            return false;
        };
        if !port.is_empty() {
            let parsed = std::str::from_utf8(port)
                .ok()
                .filter(|_| port.iter().all(u8::is_ascii_digit));
            let Some(number) = parsed.and_then(|digits| digits.parse().ok()) else {
                return false;
            };
            self.port = Some(number);
        }
        // `split` lets only ASCII through.
        self.host
            .push_str(std::str::from_utf8(host).unwrap_or_default());
        self.host.make_ascii_lowercase();
        if self.host.len() > 1 && self.host.ends_with('.') {
            self.host.pop();
            // Whoever reads the name again would remove the next dot, and see another host.
            if self.host.ends_with('.') {
                return self.reject();
            }
        }
        !self.host.is_empty() && self.host.len() <= 255 || self.reject()
    }

    /// Resets the authority, and keeps its memory.
    pub fn clear(&mut self) {
        self.host.clear();
        self.port = None;
    }

    /// The host in lower case, an IPv6 address in brackets; empty if none was given.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, if one was given.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Appends `host` or `host:port`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.host.as_bytes());
        if let Some(port) = self.port {
            out.push(b':');
            out.extend_from_slice(itoa::Buffer::new().format(port).as_bytes());
        }
    }

    /// Appends `host` or `host:port`, without the default port of the scheme (RFC 9110 §4.2.3).
    pub fn write_without_default(&self, is_https: bool, out: &mut Vec<u8>) {
        let implied = if is_https { 443 } else { 80 };
        if self.port == Some(implied) {
            out.extend_from_slice(self.host.as_bytes());
        } else {
            self.write_to(out);
        }
    }

    /// True if `text` is what [`Self::write_to`] writes.
    #[must_use]
    pub fn is_written(&self, text: &[u8]) -> bool {
        let Some(rest) = text.strip_prefix(self.host.as_bytes()) else {
            return false;
        };
        match self.port {
            None => rest.is_empty(),
            Some(port) => {
                let mut digits = itoa::Buffer::new();
                rest.strip_prefix(b":") == Some(digits.format(port).as_bytes())
            }
        }
    }

    fn reject(&mut self) -> bool {
        self.clear();
        false
    }
}

fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if text.first() == Some(&b'[') {
        let end = memchr::memchr(b']', text)?;
        let (host, rest) = text.split_at_checked(end + 1)?;
        let inside = host.get(1..end)?;
        let is_v6 = std::str::from_utf8(inside)
            .ok()?
            .parse::<std::net::Ipv6Addr>()
            .is_ok();
        let port = match rest.split_first() {
            None => rest,
            Some((b':', port)) => port,
            Some(_) => return None,
        };
        return is_v6.then_some((host, port));
    }
    let (host, port) = match memchr::memchr(b':', text) {
        Some(colon) => (text.get(..colon)?, text.get(colon + 1..)?),
        None => (text, &[][..]),
    };
    host.iter()
        .all(|&byte| is_reg_name(byte))
        .then_some((host, port))
}

/// True for a byte that is allowed in a registered name. Percent-encoding is not accepted: no
/// DNS name needs it, and it would allow several spellings of the same host.
fn is_reg_name(byte: u8) -> bool {
    static ALLOWED: ByteSet = ByteSet::new(
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+;=",
    );
    ALLOWED.contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_hosts_and_ports() {
        for (text, host, port) in [
            ("Example.COM", "example.com", None),
            ("example.com.", "example.com", None),
            ("example.com:8080", "example.com", Some(8080)),
            ("example.com:", "example.com", None),
            ("[::1]:80", "[::1]", Some(80)),
            ("[2001:DB8::1]", "[2001:db8::1]", None),
            ("my_service", "my_service", None),
        ] {
            let mut authority = Authority::default();
            assert!(authority.read(text.as_bytes()), "{text}");
            assert_eq!((authority.host(), authority.port()), (host, port), "{text}");
        }
    }

    #[test]
    fn only_letters_digits_and_these_are_of_a_name() {
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(&byte);
            let read = Authority::default().read(&[b'a', byte, b'b']);
            assert_eq!(read, expected, "{byte}");
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for text in [
            "",
            ":80",
            "a b",
            "a/b",
            "user@host",
            "host:99999",
            "host:+1",
            "[::1",
            "[x]",
            "[::1]x",
            "a,b",
            "a%2eb",
            "a:1:2",
            "a..",
            "..",
        ] {
            let mut authority = Authority::default();
            assert!(!authority.read(text.as_bytes()), "{text}");
            assert_eq!(authority.host(), "");
        }
    }
}
