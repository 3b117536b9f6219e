//! Where a redirect leads.

use janua_http::Authority;
use janua_http::url::{UrlError, UrlWriter};
use janua_wasm::{Facts, Input};

use crate::prefix::PrefixEdit;
use crate::template::{Template, Unusable};

/// The `Location` of a redirect, which is made of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// None for an address without scheme and host: a proxy in front of the gateway may use
    /// others.
    pub(crate) origin: Option<Origin>,
    /// The path of the request with another prefix, in front of what follows.
    pub(crate) prefix: Option<PrefixEdit>,
    /// The path and query.
    pub(crate) rest: Template,
}

/// The scheme, host and port of a `Location`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    pub(crate) host: Template,
    pub(crate) port: Port,
}

/// The scheme of a `Location`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
    OfRequest,
    /// None is written: `//host/path`.
    Unwritten,
}

/// The port of a `Location`. One that the scheme implies is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// As the scheme implies.
    Implied,
    Number(u16),
    /// The one that the client has named.
    OfRequest,
}

/// There is no `Location` for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unwritten {
    Url(UrlError),
    Value(Unusable),
}

impl Location {
    /// Fills the address in.
    ///
    /// # Errors
    /// A value of the request does not fit into it.
    pub(crate) fn write(
        &self,
        facts: &dyn Facts,
        path: &[u8],
        asked: &Authority,
    ) -> Result<Vec<u8>, Unwritten> {
        let mut url = match &self.origin {
            Some(origin) => origin.write(facts, asked)?,
            None => UrlWriter::of_path(),
        };
        if let Some(prefix) = &self.prefix {
            match prefix.apply(path) {
                Some(path) => url.path(&path),
                None => url.path(path),
            }
        }
        self.rest
            .write_to(&mut url, facts)
            .map_err(Unwritten::Value)?;
        url.finish().map_err(Unwritten::Url)
    }
}

impl Origin {
    fn write(&self, facts: &dyn Facts, asked: &Authority) -> Result<UrlWriter, Unwritten> {
        let is_https = match self.scheme {
            Scheme::Http => false,
            Scheme::Https => true,
            Scheme::OfRequest | Scheme::Unwritten => {
                let mut scheme = Vec::new();
                facts.input(&Input::Scheme, &mut scheme) && scheme == b"https"
            }
        };
        let scheme: &[u8] = match (self.scheme, is_https) {
            (Scheme::Unwritten, _) => b"",
            (_, true) => b"https:",
            (_, false) => b"http:",
        };
        let mut url = UrlWriter::of_host(scheme);
        self.host
            .write_to(&mut url, facts)
            .map_err(Unwritten::Value)?;
        let implied = if is_https { 443 } else { 80 };
        let port = match self.port {
            Port::Implied => None,
            Port::Number(port) => Some(port),
            Port::OfRequest => asked.port(),
        };
        match port.filter(|port| *port != implied) {
            Some(port) => url.port(port),
            None => url.end_host(),
        }
        Ok(url)
    }
}

impl Unwritten {
    /// A description for the client and the log, without any value.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Url(UrlError::NoHost) => {
                "the request names no host, and the redirect is to the host of the request"
                    .to_owned()
            }
            Self::Url(error) => error.words().to_owned(),
            Self::Value(unusable) => unusable.words(),
        }
    }
}
