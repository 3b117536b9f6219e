//! Compiles TLS: reads the certificates of sites and the settings of listeners and upstreams.
//!
//! What is wrong with a certificate today, but was right yesterday (it has expired), is a
//! warning: the other sites must not go down with it. What cannot work at all is an error.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use janua_config::{self as config, Diagnostic, Diagnostics, Span};
use janua_tls::{
    CacheSettings, Certificate, CertificateFiles, Client, ClientAuth, ClientAuthority,
    ClientSettings, Entry, HostPattern, IssuedFor, Roots, Selection, ServerSettings,
    SessionSettings, SiteCertificates, SystemRoots, Version, groups, self_signed, suites,
};

use super::limit;
use crate::acme::OnDemand;
use crate::certificates::{CertificateSource, ServedCertificate};
use crate::estate::Estate;
use crate::handshake::ListenerTls;
use crate::upstream_tls::UpstreamTls;

/// A session of a client without a certificate takes about this many bytes.
const SESSION_BYTES: usize = 512;
/// The key of tickets is replaced at least this often.
const LONGEST_ROTATION: Duration = Duration::from_secs(84 * 3600);

/// The certificates and the settings of a site.
pub(super) struct SiteTls {
    certificates: SiteCertificates,
    settings: ServerSettings,
}

impl SiteTls {
    /// Its certificates that do not change before the next reload.
    fn fixed(&self) -> &[Arc<Certificate>] {
        match &self.certificates {
            SiteCertificates::Fixed(fixed) => fixed,
            SiteCertificates::Issued(_) => &[],
        }
    }
}

/// Reads the certificates of a site. None if it has none, or if they cannot be used.
pub(super) fn site(
    site: &config::Site,
    estate: &Estate,
    found: &mut Diagnostics,
) -> Option<SiteTls> {
    let certificate = site.certificate.as_ref()?;
    let settings = settings(&site.tls, found);
    let files = match &certificate.value {
        config::Certificate::Files(files) => files
            .iter()
            .map(|files| (files.cert.span, certificate_files(files)))
            .collect(),
        config::Certificate::Acme(acme) => {
            let issued = issued_for(site, acme, estate);
            let certificates = found_in(issued, certificate.span, found)?;
            return Some(SiteTls {
                certificates: SiteCertificates::Issued(certificates),
                settings: settings?,
            });
        }
        config::Certificate::SelfSigned => match self_signed_files(site, &estate.state_dir) {
            Ok(files) => vec![(certificate.span, files)],
            Err(error) => {
                found.push(Diagnostic::error(certificate.span, error.to_string()));
                return None;
            }
        },
    };
    let hosts = hosts(site);
    let mut certificates = Vec::new();
    for (span, files) in files {
        match Certificate::load(&files) {
            Ok(certificate) => {
                warn(&certificate, &hosts, span, found);
                certificates.push(Arc::new(certificate));
            }
            Err(error) => found.push(Diagnostic::error(span, error.to_string())),
        }
    }
    (!certificates.is_empty()).then_some(SiteTls {
        certificates: SiteCertificates::Fixed(certificates),
        settings: settings?,
    })
}

/// What a site shows whose certificates are issued while it is served.
fn issued_for(
    site: &config::Site,
    acme: &config::AcmeCertificate,
    estate: &Estate,
) -> Result<IssuedFor, janua_tls::Error> {
    let names = named_hosts(site);
    let placeholder = self_signed::in_memory(&names, unix_now())?;
    Ok(IssuedFor {
        issued: estate.acme.issued(authority_name(acme)),
        first: names.into_iter().next(),
        placeholder: Arc::new(placeholder),
    })
}

/// The name of the authority that a site asks.
fn authority_name(acme: &config::AcmeCertificate) -> &str {
    let named = acme.authority();
    named.unwrap_or(config::Acme::DEFAULT)
}

/// How a site orders certificates for the names that clients ask for.
fn on_demand(site: &config::Site, estate: &Estate) -> Option<OnDemand> {
    let config::Certificate::Acme(acme) = &site.certificate.as_ref()?.value else {
        return None;
    };
    let ask = acme.on_demand.as_ref()?.ask.as_str();
    Some(OnDemand {
        authority: authority_name(acme).into(),
        ask: ask.into(),
        issued: estate.acme.issued(authority_name(acme)),
    })
}

fn found_in<T>(
    made: Result<T, janua_tls::Error>,
    span: Span,
    found: &mut Diagnostics,
) -> Option<T> {
    made.map_err(|error| found.push(Diagnostic::error(span, error.to_string())))
        .ok()
}

/// The hosts of a site that have a name, wildcards included.
fn named_hosts(site: &config::Site) -> Vec<String> {
    let hosts = site.hosts.iter().map(|host| &host.value);
    let named = hosts.filter(|host| !matches!(host, config::HostPattern::Any));
    named.map(ToString::to_string).collect()
}

fn certificate_files(files: &config::CertificateFiles) -> CertificateFiles {
    CertificateFiles {
        cert: files.cert.value.clone(),
        key: files.key.value.clone(),
        ocsp: files.ocsp.as_ref().map(|path| path.value.clone()),
    }
}

fn self_signed_files(
    site: &config::Site,
    state_dir: &Path,
) -> Result<CertificateFiles, janua_tls::Error> {
    let names = named_hosts(site);
    // A label is made of hosts, of which `*` alone is not a good name for a directory.
    let label = site.label().replace('*', "_");
    let directory = state_dir.join("self-signed").join(label);
    self_signed::ensure(&directory, &names, unix_now())
}

fn hosts(site: &config::Site) -> Vec<HostPattern> {
    let pattern = |host: &config::HostPattern| match host {
        config::HostPattern::Exact(host) => HostPattern::Exact(host.clone()),
        config::HostPattern::Below(parent) => HostPattern::Wildcard(parent.clone()),
        config::HostPattern::Any => HostPattern::Default,
    };
    site.hosts.iter().map(|host| pattern(&host.value)).collect()
}

fn warn(certificate: &Certificate, hosts: &[HostPattern], span: Span, found: &mut Diagnostics) {
    let warnings = certificate.warnings().iter().cloned();
    for warning in warnings
        .chain(certificate.check_staple(unix_now()))
        .chain(certificate.check_hosts(hosts))
    {
        found.push(Diagnostic::warning(span, warning.to_string()));
    }
    if let Err(error) = certificate.check_time(unix_now()) {
        found.push(Diagnostic::warning(span, error.to_string()));
    }
}

fn settings(tls: &config::SiteTls, found: &mut Diagnostics) -> Option<ServerSettings> {
    let version = |version: config::TlsVersion| match version {
        config::TlsVersion::V12 => Version::Tls12,
        config::TlsVersion::V13 => Version::Tls13,
    };
    let mut settings = ServerSettings {
        min_version: version(tls.min_version.value),
        max_version: version(tls.max_version.value),
        ..ServerSettings::default()
    };
    if let Some(ciphers) = &tls.ciphers
        && let Some(first) = ciphers.iter().next()
    {
        let names: Vec<&str> = ciphers.iter().map(|name| name.value.as_str()).collect();
        match suites::select(&names) {
            Ok(selected) => {
                settings.suites = selected.suites;
                for note in &selected.notes {
                    found.push(Diagnostic::warning(first.span, note.to_string()));
                }
            }
            Err(error) => {
                found.push(Diagnostic::error(first.span, error.to_string()));
                return None;
            }
        }
    }
    if let Some(auth) = &tls.client_auth {
        let authority = ClientAuthority {
            ca: auth.ca.value.clone(),
            crl: auth.crl.as_ref().map(|path| path.value.clone()),
        };
        settings.client_auth = match auth.mode {
            config::ClientAuthMode::Required => ClientAuth::Required(authority),
            config::ClientAuthMode::Optional => ClientAuth::Optional(authority),
        };
    }
    Some(settings)
}

/// The certificates of all sites, each once although several sites may use it.
pub(super) fn certificates(
    config: &config::Config,
    site_tls: &[Option<SiteTls>],
) -> Vec<ServedCertificate> {
    let mut all: Vec<ServedCertificate> = Vec::new();
    for (site, tls) in config.sites.iter().zip(site_tls) {
        let source = match site.certificate.as_ref().map(|it| &it.value) {
            Some(config::Certificate::SelfSigned) => CertificateSource::SelfSigned,
            _ => CertificateSource::Files,
        };
        for certificate in tls.iter().flat_map(SiteTls::fixed) {
            let served = (Arc::<str>::from(site.label()), hosts(site));
            let is_same =
                |known: &&mut ServedCertificate| known.certificate.files() == certificate.files();
            match all.iter_mut().find(is_same) {
                Some(known) => known.sites.push(served),
                None => all.push(ServedCertificate {
                    certificate: Arc::clone(certificate),
                    source,
                    sites: vec![served],
                    upstreams: Vec::new(),
                }),
            }
        }
    }
    all
}

/// Adds the certificate that an upstream is shown to those of the sites.
pub(super) fn add_shown(name: &str, tls: &UpstreamTls, all: &mut Vec<ServedCertificate>) {
    let Some(certificate) = tls.certificate() else {
        return;
    };
    let is_same = |known: &&mut ServedCertificate| known.certificate.files() == certificate.files();
    match all.iter_mut().find(is_same) {
        Some(known) => known.upstreams.push(name.into()),
        None => all.push(ServedCertificate {
            certificate: Arc::clone(certificate),
            source: CertificateSource::Files,
            sites: Vec::new(),
            upstreams: vec![name.into()],
        }),
    }
}

/// Compiles the TLS of a listener for the sites that it serves. None if it has none, or if it
/// cannot be built.
pub(super) fn listener(
    name: &str,
    listener: &config::Listener,
    config: &config::Config,
    sites: &[Option<SiteTls>],
    served: &[usize],
    estate: &Estate,
    found: &mut Diagnostics,
) -> Option<Arc<ListenerTls>> {
    let tls = listener.tls.on()?;
    let groups = groups_of(tls, found)?;
    let sessions = session_settings(tls);
    let speaks_http2 = listener
        .http2
        .as_ref()
        .is_none_or(|http2| http2.on().is_some());
    let protocols: Vec<Vec<u8>> = match speaks_http2 {
        true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        false => vec![b"http/1.1".to_vec()],
    };
    let entries = served.iter().filter_map(|&id| {
        let site = sites.get(id)?.as_ref()?;
        Some(Entry {
            id,
            hosts: hosts(config.sites.get(id)?),
            certificates: site.certificates.clone(),
            settings: ServerSettings {
                groups: groups.clone(),
                prefers_server_order: tls.prefer_server_ciphers,
                alpn: protocols.clone(),
                ..site.settings.clone()
            },
        })
    });
    let selection = estate
        .sessions(name, &sessions)
        .and_then(|kept| Selection::new(entries.collect(), &kept, &sessions));
    match selection {
        Ok(selection) => {
            for site in selection.sites() {
                for warning in site.warnings() {
                    let place = config
                        .sites
                        .get(site.id())
                        .map_or(tls.span, |site| site.tls.span);
                    found.push(Diagnostic::warning(place, warning.to_string()));
                }
            }
            Some(Arc::new(ListenerTls {
                selection,
                timeout: limit(tls.handshake_timeout),
                site_names: config
                    .sites
                    .iter()
                    .map(|site| site.label().into())
                    .collect(),
                on_demand: config
                    .sites
                    .iter()
                    .map(|site| on_demand(site, estate))
                    .collect(),
            }))
        }
        Err(error) => {
            found.push(Diagnostic::error(tls.span, error.to_string()));
            None
        }
    }
}

fn groups_of(
    tls: &config::ListenerTls,
    found: &mut Diagnostics,
) -> Option<Vec<&'static dyn janua_tls::groups::SupportedKxGroup>> {
    let Some(names) = &tls.groups else {
        return Some(groups::default());
    };
    let span = names.iter().next().map_or(tls.span, |name| name.span);
    let names: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
    match groups::select(&names) {
        Ok(selected) => {
            for note in &selected.notes {
                found.push(Diagnostic::warning(span, note.to_string()));
            }
            Some(selected.groups)
        }
        Err(error) => {
            found.push(Diagnostic::error(span, error.to_string()));
            None
        }
    }
}

fn session_settings(tls: &config::ListenerTls) -> SessionSettings {
    let lifetime = tls.session_lifetime.value;
    SessionSettings {
        cache: tls.session_cache.value().map(|sessions| CacheSettings {
            bytes: (sessions.value.get() as usize).saturating_mul(SESSION_BYTES),
            lifetime,
        }),
        // A ticket is accepted for one to two rotations.
        tickets: tls.tickets.then(|| (lifetime / 2).min(LONGEST_ROTATION)),
    }
}

/// Compiles TLS to an upstream. None if it has none, or if it cannot be used.
pub(super) fn upstream(
    upstream: &config::Upstream,
    system_roots: &SystemRoots,
    found: &mut Diagnostics,
) -> Option<UpstreamTls> {
    let tls = upstream.tls.on()?;
    let settings = ClientSettings {
        server_name: tls
            .server_name
            .as_ref()
            .map(|name| name.value.as_str().to_owned()),
        roots: match &tls.ca {
            Some(ca) => Roots::File(ca.value.clone()),
            None => Roots::System,
        },
        certificate: tls.certificate.as_ref().map(|files| CertificateFiles {
            cert: files.cert.value.clone(),
            key: files.key.value.clone(),
            ocsp: None,
        }),
        verify: tls.verify.value,
        alpn: match upstream.http.value {
            config::UpstreamHttp::Http11 => vec![b"http/1.1".to_vec()],
            config::UpstreamHttp::Http2 => vec![b"h2".to_vec()],
            config::UpstreamHttp::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        },
    };
    match Client::new(&settings, system_roots) {
        Ok(client) => {
            if let (Some(certificate), Some(files)) = (client.certificate(), &tls.certificate) {
                warn(certificate, &[], files.cert.span, found);
            }
            Some(UpstreamTls::new(client))
        }
        Err(error) => {
            let place = tls.ca.as_ref().map_or(tls.span, |ca| ca.span);
            found.push(Diagnostic::error(place, error.to_string()));
            None
        }
    }
}

/// Seconds since 1970.
fn unix_now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
}
