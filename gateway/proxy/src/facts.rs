//! The inputs of policies, read from the heads of the exchange.

use std::io::Write as _;
use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use ipnet::IpNet;
use janua_datasets::{Datasets, Found};
use janua_http::fields::Known;
use janua_http::query;
use janua_http::{RequestHead, ResponseHead};
use janua_wasm::{ClientKey, Facts, Input, Lookup, PrefixLengths, Single};

use crate::caching::prefixed;
use crate::client::{Origin, Peer};
use crate::variables::Variables;
use crate::worker::Worker;

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

/// How an exchange ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// None if the client left before the response.
    pub(crate) status: Option<u16>,
    pub(crate) request_body: u64,
    pub(crate) response_body: u64,
    pub(crate) duration_ms: u64,
    pub(crate) first_byte_ms: Option<u64>,
    pub(crate) attempts: u64,
    /// The upstream that was asked last.
    pub(crate) upstream: Option<Box<str>>,
    /// The word of the failure.
    pub(crate) failure: Option<&'static str>,
}

impl Ended {
    fn input(&self, input: &Input, out: &mut Vec<u8>) -> bool {
        let value = match input {
            Input::Status => self.status.map(u64::from),
            Input::RequestBodySize => Some(self.request_body),
            Input::ResponseBodySize => Some(self.response_body),
            Input::DurationMs => Some(self.duration_ms),
            Input::FirstByteMs => self.first_byte_ms,
            Input::Attempts => Some(self.attempts),
            Input::Upstream => return text(self.upstream.as_deref(), out),
            Input::Failure => return text(self.failure, out),
            _ => None,
        };
        value.is_some_and(|value| number(value, out))
    }
}

/// The datasets in which keys are looked up.
pub(crate) enum Held<'a> {
    /// Those of the snapshot with which the request is processed.
    Of(&'a Datasets),
    /// Those of the newest one: the exchange has no snapshot any more.
    Latest(&'a Worker),
}

/// An exchange as policies see it.
pub(crate) struct View<'a> {
    pub(crate) request: &'a RequestHead,
    /// The response, in the phases that have one.
    pub(crate) response: Option<(&'a ResponseHead, AnsweredBy)>,
    /// How the exchange ended, in the phase `finished`.
    pub(crate) ended: Option<&'a Ended>,
    pub(crate) peer: &'a Peer,
    pub(crate) origin: &'a Origin,
    pub(crate) original: Option<&'a Original>,
    pub(crate) variables: &'a Variables,
    pub(crate) datasets: Held<'a>,
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
            Input::ClientNetwork(lengths) => return self.client_network(*lengths, out),
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
            Input::HeaderBase64(name) => {
                let plain = Input::Header(name.clone());
                return base64(out, true, |bytes| self.input(&plain, bytes));
            }
            Input::HeaderPresent(name) => {
                return mark(head.fields.get(name.as_bytes()).is_some(), out);
            }
            Input::Cookie(name) => match self.cookie(name) {
                Some(cookie) => cookie,
                None => return false,
            },
            Input::CookiePresent(name) => {
                return mark(self.cookies(name).next().is_some(), out);
            }
            Input::QueryParameter(name) => return self.parameter(name, out),
            Input::QueryParameterBase64(name) => {
                let plain = Input::QueryParameter(name.clone());
                return base64(out, true, |bytes| self.input(&plain, bytes));
            }
            Input::QueryParameterPresent(name) => {
                return mark(self.raw_parameter(name).is_some(), out);
            }
            Input::RawQueryParameter(name) => match self.raw_parameter(name) {
                Some(value) => value,
                None => return false,
            },
            Input::Status if self.ended.is_none() => return self.status(out),
            Input::Status
            | Input::RequestBodySize
            | Input::ResponseBodySize
            | Input::DurationMs
            | Input::FirstByteMs
            | Input::Attempts
            | Input::Upstream
            | Input::Failure => return self.ended.is_some_and(|ended| ended.input(input, out)),
            Input::ResponseHeader(name) => return self.response_field(name, out),
            Input::ResponseHeaderBase64(name) => {
                let plain = Input::ResponseHeader(name.clone());
                return base64(out, true, |bytes| self.input(&plain, bytes));
            }
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
            Input::Variable(name) => match self.variables.get(name) {
                Some(value) => value,
                None => return false,
            },
            Input::Lookup(lookup) => return self.lookup(lookup, out),
            Input::TlsVersion | Input::TlsCipher | Input::TlsServerName => match self.tls(input) {
                Some(value) => value.as_bytes(),
                None => return false,
            },
            Input::TlsClientSubject
            | Input::TlsClientIssuer
            | Input::TlsClientSerial
            | Input::TlsClientFingerprint
            | Input::TlsClientNotBefore
            | Input::TlsClientNotAfter
            | Input::TlsClientDnsNames
            | Input::TlsClientUris
            | Input::TlsClientEmails
            | Input::TlsClientCertificate => return self.client_certificate(input, out),
            // Policies that ask for these are refused when they are configured.
            _ => return false,
        };
        out.extend_from_slice(value);
        true
    }

    /// A field of a response is the upstream's, and lines of `Cookie` make up one value (RFC
    /// 9113 §8.2.3): neither is conflicting.
    fn single(&self, input: &Input, out: &mut Vec<u8>) -> Single {
        let sole = match input {
            Input::Header(name) if &**name != "cookie" => {
                sole(self.request.fields.get_all(name.as_bytes()))
            }
            Input::RawQueryParameter(name) => sole(self.raw_parameters(name)),
            Input::QueryParameter(name) => return self.single_parameter(name, out),
            Input::HeaderBase64(name) => {
                let plain = Input::Header(name.clone());
                return base64(out, Single::Present, |bytes| self.single(&plain, bytes));
            }
            Input::QueryParameterBase64(name) => {
                let plain = Input::QueryParameter(name.clone());
                return base64(out, Single::Present, |bytes| self.single(&plain, bytes));
            }
            Input::Lookup(lookup) => return self.single_lookup(lookup, out),
            _ => {
                return match self.input(input, out) {
                    true => Single::Present,
                    false => Single::Absent,
                };
            }
        };
        if let Ok(Some(value)) = sole {
            out.extend_from_slice(value);
        }
        match sole {
            Ok(None) => Single::Absent,
            Ok(Some(_)) => Single::Present,
            Err(Conflict) => Single::Conflicting,
        }
    }

    fn is_secret(&self, input: &Input) -> bool {
        match input {
            Input::Variable(name) => self.variables.is_secret(name),
            Input::Lookup(lookup) => self.is_secret(&lookup.key),
            _ => false,
        }
    }

    fn client(&self) -> ClientKey {
        self.origin.client.unwrap_or(self.peer.address).into()
    }
}

/// Values of which there should be one differ.
struct Conflict;

/// The one value of these; none if there is none.
fn sole<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Result<Option<&'a [u8]>, Conflict> {
    let Some(first) = values.next() else {
        return Ok(None);
    };
    match values.all(|other| other == first) {
        true => Ok(Some(first)),
        false => Err(Conflict),
    }
}

impl View<'_> {
    /// What TLS established; none without TLS.
    fn tls(&self, input: &Input) -> Option<&str> {
        let tls = self.peer.tls.as_ref()?;
        match input {
            Input::TlsVersion => Some(tls.version),
            Input::TlsCipher => Some(tls.cipher_suite),
            Input::TlsServerName => tls.server_name.as_deref(),
            _ => None,
        }
    }

    /// A fact of the client's certificate, which comes from the handshake alone, and never
    /// from a field of the request.
    fn client_certificate(&self, input: &Input, out: &mut Vec<u8>) -> bool {
        let tls = self.peer.tls.as_ref();
        let Some(certificate) = tls.and_then(|tls| tls.certificate.as_ref()) else {
            return false;
        };
        let fact = match input {
            Input::TlsClientSubject => Some(&*certificate.subject),
            Input::TlsClientIssuer => Some(&*certificate.issuer),
            Input::TlsClientSerial => Some(&*certificate.serial),
            Input::TlsClientFingerprint => Some(&*certificate.fingerprint),
            Input::TlsClientDnsNames => certificate.dns_names.as_deref(),
            Input::TlsClientUris => certificate.uris.as_deref(),
            Input::TlsClientEmails => certificate.emails.as_deref(),
            Input::TlsClientNotBefore => return moment(certificate.not_before, out),
            Input::TlsClientNotAfter => return moment(certificate.not_after, out),
            Input::TlsClientCertificate => {
                let encoded = BASE64.encode(&certificate.certificate);
                return text(Some(&encoded), out);
            }
            _ => None,
        };
        text(fact, out)
    }

    fn client_ip(&self, out: &mut Vec<u8>) -> bool {
        match self.origin.client {
            Some(client) => out.extend_from_slice(client.to_string().as_bytes()),
            None => out.extend_from_slice(self.peer.text.as_bytes()),
        }
        true
    }

    /// The network of the client, as `address/length`.
    fn client_network(&self, lengths: PrefixLengths, out: &mut Vec<u8>) -> bool {
        let client = self.origin.client.unwrap_or(self.peer.address);
        let length = match client {
            IpAddr::V4(_) => lengths.ipv4,
            IpAddr::V6(_) => lengths.ipv6,
        };
        let network = IpNet::new(client, length).map(|network| network.trunc());
        network.is_ok_and(|network| write!(out, "{network}").is_ok())
    }

    /// The value of a look-up.
    fn lookup(&self, lookup: &Lookup, out: &mut Vec<u8>) -> bool {
        let mut key = Vec::new();
        self.input(&lookup.key, &mut key) && self.found(lookup, &key, out)
    }

    /// The same if the key must have one value.
    fn single_lookup(&self, lookup: &Lookup, out: &mut Vec<u8>) -> Single {
        let mut key = Vec::new();
        match self.single(&lookup.key, &mut key) {
            Single::Present if self.found(lookup, &key, out) => Single::Present,
            Single::Present | Single::Absent => Single::Absent,
            Single::Conflicting => Single::Conflicting,
        }
    }

    /// Appends the value of a key. What is no address is in no dataset of addresses.
    fn found(&self, lookup: &Lookup, key: &[u8], out: &mut Vec<u8>) -> bool {
        let find = |datasets: &Datasets, out: &mut Vec<u8>| {
            let dataset = datasets.get(&lookup.dataset);
            dataset.is_some_and(|it| it.find(key, &lookup.member, out) == Found::Value)
        };
        match self.datasets {
            Held::Of(datasets) => find(datasets, out),
            Held::Latest(worker) => find(worker.snapshot().datasets(), out),
        }
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

    /// Adds all cookies to a part of the cache key if the input is a cookie that was sent more
    /// than once: policies may see none, and upstreams differ in which one they read.
    pub(crate) fn repeated_cookies(&self, input: &Input, key: &mut Vec<u8>) {
        if let Input::Lookup(lookup) = input {
            return self.repeated_cookies(&lookup.key, key);
        }
        if let Input::Cookie(name) = input
            && self.cookies(name).nth(1).is_some()
        {
            for line in self.request.fields.get_all(b"cookie") {
                prefixed(key, Some(line));
            }
        }
    }

    fn cookies<'n>(&self, name: &'n str) -> impl Iterator<Item = &[u8]> + use<'_, 'n> {
        let lines = self.request.fields.get_all(b"cookie");
        lines.flat_map(move |line| query::cookies(line, name))
    }

    /// None if there are several that differ. Any host of the same domain can set a cookie
    /// for all of them, and the browser sends both (RFC 6265 §8.6): neither may such a host
    /// choose which one a policy reads, nor have the request refused.
    fn cookie(&self, name: &str) -> Option<&[u8]> {
        sole(self.cookies(name)).ok().flatten()
    }

    fn raw_parameters<'n>(&self, name: &'n str) -> impl Iterator<Item = &[u8]> + use<'_, 'n> {
        let query = self.request.query.as_deref();
        query
            .into_iter()
            .flat_map(move |query| query::parameters(query, name))
    }

    fn raw_parameter(&self, name: &str) -> Option<&[u8]> {
        self.raw_parameters(name).next()
    }

    fn parameter(&self, name: &str, out: &mut Vec<u8>) -> bool {
        let value = self.raw_parameter(name);
        value.map(|value| query::decode(value, out)).is_some()
    }

    /// Values that differ only in how they are encoded are the same.
    fn single_parameter(&self, name: &str, out: &mut Vec<u8>) -> Single {
        let mut values = self.raw_parameters(name);
        let Some(first) = values.next() else {
            return Single::Absent;
        };
        let start = out.len();
        query::decode(first, out);
        let mut other = Vec::new();
        for value in values {
            other.clear();
            query::decode(value, &mut other);
            if out.get(start..) != Some(&*other) {
                return Single::Conflicting;
            }
        }
        Single::Present
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

/// Appends what `read` reads in base64 (RFC 4648 §4), if it is `present`.
fn base64<R: PartialEq>(out: &mut Vec<u8>, present: R, read: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut bytes = Vec::new();
    let read = read(&mut bytes);
    if read == present {
        out.extend_from_slice(BASE64.encode(&bytes).as_bytes());
    }
    read
}

fn number(value: u64, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    true
}

/// Seconds since 1970, before which no certificate begins.
fn moment(seconds: i64, out: &mut Vec<u8>) -> bool {
    number(u64::try_from(seconds).unwrap_or_default(), out)
}

fn text(value: Option<&str>, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(value.unwrap_or_default().as_bytes());
    value.is_some()
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
    use crate::render::Rendered;
    use janua_datasets::{Kind, Source};
    use janua_http::head::Limits;
    use janua_wasm::{Edit, Value, Verdict};

    fn datasets() -> Datasets {
        let folder = tempfile::tempdir().unwrap();
        let load = |name: &str, kind, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            let dataset = Source { kind, file }.load(None).unwrap();
            (name.to_owned(), dataset)
        };
        [
            load("offices", Kind::Networks, "192.0.2.0/24 berlin\n"),
            load("tenants", Kind::Strings, "a.example gold\n1\tone\n"),
        ]
        .into_iter()
        .collect()
    }

    fn ask(text: &str, input: &Input) -> Option<String> {
        let mut out = Vec::new();
        with_view(text, |view| view.input(input, &mut out)).then(|| String::from_utf8(out).unwrap())
    }

    fn with_view<R>(text: &str, then: impl FnOnce(&View<'_>) -> R) -> R {
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
        let mut variables = Variables::default();
        let verdict = Verdict {
            edits: [Edit::SetVariable {
                name: "sub".into(),
                value: Value::Literal(b"7"[..].into()),
                is_secret: false,
            }]
            .into(),
            ..Verdict::proceed()
        };
        variables
            .edit("jwt", &verdict, &Rendered::default())
            .unwrap();
        let datasets = datasets();
        let view = View {
            datasets: Held::Of(&datasets),
            variables: &variables,
            ended: None,
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
        then(&view)
    }

    #[test]
    fn one_value_of_what_comes_several_times() {
        let text = "GET /?k=%61&k=a&l=1&l=2&m=3&m=%33 HTTP/1.1\r\nHost: a\r\nX-One: 1\r\n\
                    X-Same: 1\r\nX-Same: 1\r\nX-Two: 1\r\nX-Two: 2\r\nCookie: a=1; b=1; b=2\r\n\
                    Cookie: a=1; c=1\r\nCookie: c=2\r\n\r\n";
        let name = |name: &str| -> Box<str> { name.into() };
        let (absent, conflict) = (Ok(None), Err(()));
        let one = |value: &str| Ok(Some(value.to_owned()));
        for (input, expected) in [
            (Input::Header(name("x-one")), one("1")),
            (Input::Header(name("x-same")), one("1")),
            (Input::Header(name("x-two")), conflict.clone()),
            (Input::Header(name("x-none")), absent.clone()),
            (
                Input::Header(name("cookie")),
                one("a=1; b=1; b=2; a=1; c=1; c=2"),
            ),
            (Input::QueryParameter(name("k")), one("a")),
            (Input::QueryParameter(name("l")), conflict.clone()),
            (Input::QueryParameter(name("n")), absent.clone()),
            (Input::RawQueryParameter(name("m")), conflict.clone()),
            (Input::HeaderBase64(name("x-same")), one("MQ==")),
            (Input::HeaderBase64(name("x-two")), conflict.clone()),
            (Input::HeaderBase64(name("x-none")), absent.clone()),
            (Input::QueryParameterBase64(name("k")), one("YQ==")),
            (Input::QueryParameterBase64(name("l")), conflict),
            (Input::QueryParameterBase64(name("n")), absent.clone()),
            (Input::Cookie(name("a")), one("1")),
            (Input::Cookie(name("b")), absent.clone()),
            (Input::Cookie(name("c")), absent),
            (Input::CookiePresent(name("b")), one("1")),
            (Input::Path, one("/")),
        ] {
            let mut out = Vec::new();
            let single = with_view(text, |view| view.single(&input, &mut out));
            let got = match single {
                Single::Absent => Ok(None),
                Single::Present => Ok(Some(String::from_utf8(out).unwrap())),
                Single::Conflicting => Err(()),
            };
            assert_eq!(got, expected, "{input}");
        }
        // What is not sensitive is read as before.
        assert_eq!(
            ask(text, &Input::Header(name("x-two"))).as_deref(),
            Some("1, 2")
        );
        assert_eq!(
            ask(text, &Input::QueryParameter(name("l"))).as_deref(),
            Some("1")
        );
        // A cookie is always sensitive.
        assert_eq!(ask(text, &Input::Cookie(name("b"))), None);
    }

    #[test]
    fn look_ups() {
        let text = "GET / HTTP/1.1\r\nHost: A.example:8\r\nX-One: 1\r\nX-Two: 1\r\nX-Two: 2\r\n\
                    Cookie: k=a.example\r\n\r\n";
        let lookup = |dataset: &str, key, member: &str| {
            Input::Lookup(Box::new(Lookup {
                dataset: dataset.into(),
                key,
                member: member.into(),
            }))
        };
        let field = |name: &str| Input::Header(name.into());
        for (input, expected) in [
            (lookup("offices", Input::ClientIp, ""), Some("berlin")),
            (lookup("offices", Input::ClientIp, "city"), None),
            (lookup("offices", Input::Host, ""), None),
            (lookup("tenants", Input::Host, ""), Some("gold")),
            (
                lookup("tenants", Input::Cookie("k".into()), ""),
                Some("gold"),
            ),
            (lookup("tenants", field("x-none"), ""), None),
            (lookup("none", Input::Host, ""), None),
        ] {
            assert_eq!(ask(text, &input).as_deref(), expected, "{input}");
        }
        // Of a sensitive one, the key has one value.
        for (name, expected) in [
            ("x-one", Single::Present),
            ("x-two", Single::Conflicting),
            ("x-none", Single::Absent),
            ("host", Single::Absent),
        ] {
            let input = lookup("tenants", field(name), "");
            let single = with_view(text, |view| view.single(&input, &mut Vec::new()));
            assert_eq!(single, expected, "{name}");
        }
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
            (Input::Variable(name("jwt.sub")), Some("7")),
            (Input::Variable(name("sub")), None),
            (Input::HeaderBase64(name("x-a")), Some("MSwgMg==")),
            (Input::HeaderBase64(name("x-empty")), Some("")),
            (Input::HeaderBase64(name("x-none")), None),
            (Input::QueryParameterBase64(name("x")), Some("QSBi")),
            (Input::QueryParameterPresent(name("y")), Some("1")),
            (Input::QueryParameterPresent(name("z")), None),
            (
                Input::ClientNetwork(PrefixLengths { ipv4: 24, ipv6: 48 }),
                Some("192.0.2.0/24"),
            ),
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
