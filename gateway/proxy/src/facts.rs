//! The inputs of policies, read from the heads of the exchange.

mod client;
mod ended;
mod lookup;
mod repeated;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use janua_http::fields::Known;
use janua_http::{RequestHead, ResponseHead};
use janua_wasm::{ClientKey, Facts, Input, Single};

use crate::client::{Origin, Peer};
use crate::variables::Variables;

pub(crate) use ended::Ended;
pub(crate) use lookup::Held;
use repeated::{Conflict, sole};

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

impl View<'_> {
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
mod tests;
