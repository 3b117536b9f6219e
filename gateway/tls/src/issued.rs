//! Certificates that come and go while the gateway runs: those that an authority
//! issues. A site refers to the table and not to a certificate, so that a new one
//! is served from the next handshake on, without a reload.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::certificate::Certificate;

/// The certificates of one authority, each by the name that it was ordered for: a
/// host, `*.example.com`, or an address (an IPv6 address in brackets).
#[derive(Debug, Default)]
pub struct Issued(ArcSwap<HashMap<Box<str>, Arc<Certificate>>>);

impl Issued {
    /// The certificate for a host in lower case: its own, or that of the wildcard
    /// which covers it.
    pub fn find(&self, host: &str) -> Option<Arc<Certificate>> {
        let table = self.0.load();
        if let Some(certificate) = table.get(host) {
            return Some(Arc::clone(certificate));
        }
        let (_, parent) = host.split_once('.')?;
        // Addresses have dots too, and no wildcards.
        if host.parse::<std::net::IpAddr>().is_ok() {
            return None;
        }
        table.get(format!("*.{parent}").as_str()).map(Arc::clone)
    }

    /// Serves a certificate from now on, instead of the former one for this name.
    pub fn put(&self, name: &str, certificate: &Arc<Certificate>) {
        self.0.rcu(|table| {
            let mut table = HashMap::clone(table);
            table.insert(name.into(), Arc::clone(certificate));
            table
        });
    }

    /// No longer serves the certificate for this name.
    pub fn remove(&self, name: &str) {
        self.0.rcu(|table| {
            let mut table = HashMap::clone(table);
            table.remove(name);
            table
        });
    }
}

/// What a site shows whose certificates are issued while it is served.
#[derive(Debug, Clone)]
pub struct IssuedFor {
    /// Where they are found.
    pub issued: Arc<Issued>,
    /// Which one is shown to clients that send no name, or one without a certificate
    /// of its own; none if such clients get the placeholder.
    pub first: Option<String>,
    /// Shown until the first certificate is there.
    pub placeholder: Arc<Certificate>,
}

impl IssuedFor {
    /// The certificate for the name that a client sent, or none of them.
    pub(crate) fn choose(&self, server_name: Option<&str>) -> Arc<Certificate> {
        let named = server_name.and_then(|name| self.issued.find(name));
        let first = || self.issued.find(self.first.as_deref()?);
        named
            .or_else(first)
            .unwrap_or_else(|| Arc::clone(&self.placeholder))
    }
}

impl ResolvesServerCert for IssuedFor {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // rustls gives the name in lower case.
        let certificate = self.choose(hello.server_name());
        Some(Arc::clone(certificate.key()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::self_signed;
    use crate::testing::NOW;

    fn certificate(name: &str) -> Arc<Certificate> {
        Arc::new(self_signed::in_memory(&[name.to_owned()], NOW).unwrap())
    }

    fn names(certificate: Option<Arc<Certificate>>) -> Option<String> {
        certificate.map(|certificate| certificate.facts().names.join(" "))
    }

    #[test]
    fn a_name_of_its_own_comes_before_a_wildcard() {
        let issued = Issued::default();
        for name in ["*.a.example", "www.a.example", "192.0.2.1"] {
            issued.put(name, &certificate(name));
        }
        for (host, expected) in [
            ("www.a.example", Some("www.a.example")),
            ("other.a.example", Some("*.a.example")),
            ("a.example", None),
            ("x.y.a.example", None),
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.2", None),
        ] {
            assert_eq!(names(issued.find(host)).as_deref(), expected, "{host}");
        }
        issued.remove("www.a.example");
        assert_eq!(
            names(issued.find("www.a.example")).as_deref(),
            Some("*.a.example")
        );
    }

    #[test]
    fn others_get_the_first_and_before_it_the_placeholder() {
        let shown = IssuedFor {
            issued: Arc::default(),
            first: Some("a.example".to_owned()),
            placeholder: certificate("placeholder.example"),
        };
        let chosen = |name| shown.choose(name).facts().names.join(" ");
        assert_eq!(chosen(Some("b.example")), "placeholder.example");
        shown.issued.put("a.example", &certificate("a.example"));
        assert_eq!(chosen(Some("b.example")), "a.example");
        assert_eq!(chosen(None), "a.example");
        shown.issued.put("b.example", &certificate("b.example"));
        assert_eq!(chosen(Some("b.example")), "b.example");
    }
}
