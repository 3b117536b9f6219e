//! The certificates that clients get, and those that upstreams are shown, for the operator:
//! handshakes use the copies of them that the settings of listeners and upstreams hold.

use std::sync::Arc;

use janua_tls::{Certificate, HostPattern, Warning};

/// A certificate, and the sites and upstreams that use it.
#[derive(Debug)]
pub struct ServedCertificate {
    /// The certificate with its facts.
    pub certificate: Arc<Certificate>,
    /// Who has made it.
    pub source: CertificateSource,
    /// The label and the hosts of each site.
    pub(crate) sites: Vec<(Arc<str>, Vec<HostPattern>)>,
    /// The upstreams that are shown it.
    pub(crate) upstreams: Vec<Arc<str>>,
}

/// Who has made a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateSource {
    /// It comes from files that the configuration names.
    Files,
    /// The gateway, for development.
    SelfSigned,
}

impl ServedCertificate {
    /// The labels of the sites that use it.
    pub fn sites(&self) -> impl Iterator<Item = &str> {
        self.sites.iter().map(|(label, _)| &**label)
    }

    /// The names of the upstreams that are shown it.
    pub fn upstreams(&self) -> impl Iterator<Item = &str> {
        self.upstreams.iter().map(|name| &**name)
    }

    /// What is wrong with it at `now`, in seconds since 1970.
    pub fn warnings(&self, now: i64) -> Vec<String> {
        let certificate = &self.certificate;
        let time = certificate.check_time(now).err();
        let hosts = self.sites.iter().map(|(_, hosts)| hosts);
        let mut warnings: Vec<String> = Vec::new();
        warnings.extend(time.map(|error| error.to_string()));
        warnings.extend(certificate.check_staple(now).map(|it| it.to_string()));
        let found = certificate.warnings().iter().map(Warning::to_string);
        warnings.extend(found);
        for warning in hosts.flat_map(|hosts| certificate.check_hosts(hosts)) {
            warnings.push(warning.to_string());
        }
        warnings
    }
}
