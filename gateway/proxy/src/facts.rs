//! The inputs of policies, read from the heads of the exchange.

use janua_http::fields::Known;
use janua_http::query;
use janua_http::{RequestHead, ResponseHead};
use janua_wasm::{ClientKey, Facts, Input};

use crate::client::{Origin, Peer};

/// What generated a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnsweredBy {
    Upstream,
    Files,
    Cache,
    Policy,
    Gateway,
}

impl AnsweredBy {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Files => "files",
            Self::Cache => "cache",
            Self::Policy => "policy",
            Self::Gateway => "gateway",
        }
    }
}

/// The path and query that the client sent, kept when a policy changes them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Original {
    pub(crate) path: Vec<u8>,
    pub(crate) query: Option<Vec<u8>>,
}

/// An exchange as policies see it.
pub(crate) struct View<'a> {
    pub(crate) request: &'a RequestHead,
    /// The response, in the phases that have one.
    pub(crate) response: Option<(&'a ResponseHead, AnsweredBy)>,
    pub(crate) peer: &'a Peer,
    pub(crate) origin: &'a Origin,
    pub(crate) original: Option<&'a Original>,
    pub(crate) request_id: &'a [u8],
    pub(crate) unix_ms: u64,
    pub(crate) site: &'a str,
    pub(crate) route: &'a str,
}

impl Facts for View<'_> {
    fn input(&self, input: &Input, out: &mut Vec<u8>) -> bool {
        let head = self.request;
        let value: &[u8] = match input {
            Input::Method => &head.method,
            Input::Scheme => self.origin.scheme().as_bytes(),
            Input::HttpVersion => head.version.number().as_bytes(),
            Input::ClientIp => return self.client_ip(out),
            Input::PeerIp => self.peer.text.as_bytes(),
            Input::RequestId => self.request_id,
            Input::Site => self.site.as_bytes(),
            Input::Route => self.route.as_bytes(),
            Input::OriginalHost => head.authority.host().as_bytes(),
            Input::OriginalPath => self.original.map_or(&head.path, |original| &original.path),
            Input::OriginalQuery => match self
                .original
                .map_or(&head.query, |original| &original.query)
            {
                Some(query) => query,
                None => return false,
            },
            Input::Host => return self.host(out),
            Input::Path => &head.path,
            Input::RawPath => &head.raw_path,
            Input::Extension => return extension(&head.path, out),
            Input::Query => match &head.query {
                Some(query) => query,
                None => return false,
            },
            Input::Header(name) if &**name == "cookie" => {
                return head.fields.joined(b"cookie", b"; ", out);
            }
            Input::Header(name) => return head.fields.joined(name.as_bytes(), b", ", out),
            Input::HeaderPresent(name) => {
                return mark(head.fields.get(name.as_bytes()).is_some(), out);
            }
            Input::Cookie(name) => match self.cookie(name) {
                Some(cookie) => cookie,
                None => return false,
            },
            Input::CookiePresent(name) => return mark(self.cookie(name).is_some(), out),
            Input::QueryParameter(name) => return self.parameter(name, out),
            Input::RawQueryParameter(name) => match self.raw_parameter(name) {
                Some(value) => value,
                None => return false,
            },
            Input::Status => return self.status(out),
            Input::ResponseHeader(name) => return self.response_field(name, out),
            Input::ResponseHeaderPresent(name) => {
                let response = self.response.map(|(response, _)| response);
                return mark(
                    response.is_some_and(|head| head.fields.get(name.as_bytes()).is_some()),
                    out,
                );
            }
            Input::AnsweredBy => match self.response {
                Some((_, by)) => by.word().as_bytes(),
                None => return false,
            },
            Input::Now => return number(self.unix_ms / 1000, out),
            Input::TlsVersion
            | Input::TlsServerName
            | Input::TlsClientSubject
            | Input::TlsClientFingerprint => match self.tls(input) {
                Some(value) => value.as_bytes(),
                None => return false,
            },
            // Policies that read the body are refused when they are configured.
            Input::BodyText(_) | Input::BodyBase64(_) => return false,
        };
        out.extend_from_slice(value);
        true
    }

    fn client(&self) -> ClientKey {
        self.origin.client.unwrap_or(self.peer.address).into()
    }
}

impl View<'_> {
    /// What TLS established; none without TLS. A certificate of a client comes from the
    /// handshake alone, and never from a field of the request.
    fn tls(&self, input: &Input) -> Option<&str> {
        let tls = self.peer.tls.as_ref()?;
        match input {
            Input::TlsVersion => Some(tls.version),
            Input::TlsServerName => tls.server_name.as_deref(),
            Input::TlsClientSubject => Some(&tls.certificate.as_ref()?.subject),
            Input::TlsClientFingerprint => Some(&tls.certificate.as_ref()?.fingerprint),
            _ => None,
        }
    }

    fn client_ip(&self, out: &mut Vec<u8>) -> bool {
        match self.origin.client {
            Some(client) => out.extend_from_slice(client.to_string().as_bytes()),
            None => out.extend_from_slice(self.peer.text.as_bytes()),
        }
        true
    }

    /// The host of the `Host` field, which a policy may have edited.
    fn host(&self, out: &mut Vec<u8>) -> bool {
        let Some(field) = self.request.fields.known(Known::Host).next() else {
            return false;
        };
        let mut authority = janua_http::Authority::default();
        if authority.read(field) {
            out.extend_from_slice(authority.host().as_bytes());
        } else {
            out.extend_from_slice(field);
        }
        true
    }

    /// True if the request has several cookies of this name.
    pub(crate) fn repeats_cookie(&self, name: &str) -> bool {
        let lines = self.request.fields.get_all(b"cookie");
        lines
            .flat_map(|line| query::cookies(line, name))
            .nth(1)
            .is_some()
    }

    fn cookie(&self, name: &str) -> Option<&[u8]> {
        let mut lines = self.request.fields.get_all(b"cookie");
        lines.find_map(|line| query::cookie(line, name))
    }

    fn raw_parameter(&self, name: &str) -> Option<&[u8]> {
        query::parameter(self.request.query.as_deref()?, name)
    }

    fn parameter(&self, name: &str, out: &mut Vec<u8>) -> bool {
        let value = self.raw_parameter(name);
        value.map(|value| query::decode(value, out)).is_some()
    }

    fn status(&self, out: &mut Vec<u8>) -> bool {
        let Some((response, _)) = self.response else {
            return false;
        };
        number(u64::from(response.status), out)
    }

    /// The field lines joined by commas; of `Set-Cookie`, which cannot be joined (RFC 6265
    /// §3), the first line.
    fn response_field(&self, name: &str, out: &mut Vec<u8>) -> bool {
        let Some((response, _)) = self.response else {
            return false;
        };
        if name != "set-cookie" {
            return response.fields.joined(name.as_bytes(), b", ", out);
        }
        let first = response.fields.get(b"set-cookie");
        first.map(|value| out.extend_from_slice(value)).is_some()
    }
}

fn number(value: u64, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    true
}

fn mark(is_present: bool, out: &mut Vec<u8>) -> bool {
    if is_present {
        out.push(b'1');
    }
    is_present
}

fn extension(path: &[u8], out: &mut Vec<u8>) -> bool {
    let segment = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let Some(dot) = memchr::memrchr(b'.', segment) else {
        return false;
    };
    let extension = segment.get(dot + 1..).unwrap_or_default();
    out.extend(extension.iter().map(u8::to_ascii_lowercase));
    !extension.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use janua_http::head::Limits;

    fn ask(text: &str, input: &Input) -> Option<String> {
        let mut request = RequestHead::default();
        let limits = Limits {
            bytes: 4096,
            fields: 32,
        };
        request.parse(text.as_bytes(), limits).unwrap().unwrap();
        let peer = Peer::new("192.0.2.9:1".parse().unwrap());
        let origin = Origin {
            client: None,
            is_trusted: false,
            is_https: false,
        };
        let view = View {
            request: &request,
            response: None,
            peer: &peer,
            origin: &origin,
            original: None,
            request_id: b"id",
            unix_ms: 1_700_000_000_999,
            site: "site",
            route: "/api/",
        };
        let mut out = Vec::new();
        view.input(input, &mut out)
            .then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn inputs() {
        let text = "GET //a/./B.Tar.GZ?x=%41+b&x=2&y HTTP/1.1\r\nHost: A.example:8\r\nX-A: 1\r\nx-a: 2\r\n\
                    Cookie: a=1; b=2\r\nCookie: c=3\r\nX-Empty:\r\n\r\n";
        let name = |name: &str| -> Box<str> { name.into() };
        for (input, expected) in [
            (Input::Method, Some("GET")),
            (Input::Scheme, Some("http")),
            (Input::HttpVersion, Some("1.1")),
            (Input::ClientIp, Some("192.0.2.9")),
            (Input::Host, Some("a.example")),
            (Input::OriginalHost, Some("a.example")),
            (Input::Path, Some("/a/B.Tar.GZ")),
            (Input::RawPath, Some("//a/./B.Tar.GZ")),
            (Input::Extension, Some("gz")),
            (Input::Query, Some("x=%41+b&x=2&y")),
            (Input::Header(name("x-a")), Some("1, 2")),
            (Input::Header(name("x-empty")), Some("")),
            (Input::Header(name("x-none")), None),
            (Input::Header(name("cookie")), Some("a=1; b=2; c=3")),
            (Input::HeaderPresent(name("x-empty")), Some("1")),
            (Input::HeaderPresent(name("x-none")), None),
            (Input::Cookie(name("c")), Some("3")),
            (Input::CookiePresent(name("d")), None),
            (Input::QueryParameter(name("x")), Some("A b")),
            (Input::RawQueryParameter(name("x")), Some("%41+b")),
            (Input::QueryParameter(name("y")), Some("")),
            (Input::QueryParameter(name("z")), None),
            (Input::Now, Some("1700000000")),
            (Input::Site, Some("site")),
            (Input::Status, None),
            (Input::AnsweredBy, None),
        ] {
            assert_eq!(ask(text, &input).as_deref(), expected, "{input}");
        }
        assert_eq!(
            ask("GET /a. HTTP/1.1\r\nHost: a\r\n\r\n", &Input::Extension),
            None
        );
        assert_eq!(
            ask("GET /a.b/c HTTP/1.1\r\nHost: a\r\n\r\n", &Input::Extension),
            None
        );
    }
}
