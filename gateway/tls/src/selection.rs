//! Chooses a site by the name in the ClientHello (SNI).
//!
//! The rule is the router's: an exact name before a wildcard, the longest
//! wildcard first, one or more labels for its asterisk, and the default site for
//! all other names and for clients that send none. Unlike the router it is asked
//! before anything is known of the request, and some sites may have no TLS.
//!
//! The choice is by whole sites: what a wildcard's site demands of clients never
//! applies to an exact host's, nor the other way round. A request for another
//! site than the chosen one may still be answered on the connection if
//! [`Site::same_settings`] and [`Site::covers`] allow it; otherwise it was
//! misdirected (421, RFC 9110, section 15.5.20).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::ServerConfig;

use crate::error::{Error, Warning};
use crate::names::HostPattern;
use crate::server::{Server, SiteCertificates};
use crate::sessions::{SessionSettings, Sessions};
use crate::settings::ServerSettings;

/// A site, before its files are read.
#[derive(Debug)]
pub struct Entry {
    /// By which the caller knows the site.
    pub id: usize,
    /// The hosts that it serves. With [`HostPattern::Default`] it is the default
    /// site.
    pub hosts: Vec<HostPattern>,
    /// What it proves its name with.
    pub certificates: SiteCertificates,
    /// Its settings.
    pub settings: ServerSettings,
}

/// The sites of a listener, by name. It is immutable; a reload makes another.
#[derive(Debug)]
pub struct Selection {
    sites: Vec<Arc<Site>>,
    ids: HashMap<usize, Arc<Site>>,
    exact: HashMap<String, Arc<Site>>,
    /// By what follows the asterisk and the dot.
    wildcards: HashMap<String, Arc<Site>>,
    default: Option<Arc<Site>>,
}

/// A site that has been chosen. A connection keeps it, also beyond reloads.
#[derive(Debug)]
pub struct Site {
    id: usize,
    server: Server,
    certificates: SiteCertificates,
}

impl Selection {
    /// Builds all sites. An error if two serve the same host, or if one cannot
    /// be built.
    pub fn new(
        entries: Vec<Entry>,
        sessions: &Sessions,
        session_settings: &SessionSettings,
    ) -> Result<Self, Error> {
        let mut selection = Self {
            sites: Vec::with_capacity(entries.len()),
            ids: HashMap::new(),
            exact: HashMap::new(),
            wildcards: HashMap::new(),
            default: None,
        };
        for entry in entries {
            let server = Server::new(
                &entry.settings,
                &entry.certificates,
                &entry.hosts,
                sessions,
                session_settings,
            )?;
            let site = Arc::new(Site {
                id: entry.id,
                server,
                certificates: entry.certificates,
            });
            for host in entry.hosts {
                selection.insert(host, &site)?;
            }
            selection.ids.insert(entry.id, Arc::clone(&site));
            selection.sites.push(site);
        }
        Ok(selection)
    }

    fn insert(&mut self, host: HostPattern, site: &Arc<Site>) -> Result<(), Error> {
        let name = host.to_string();
        let other = match host {
            HostPattern::Exact(host) => self.exact.insert(host, Arc::clone(site)),
            HostPattern::Wildcard(parent) => self.wildcards.insert(parent, Arc::clone(site)),
            HostPattern::Default => self.default.replace(Arc::clone(site)),
        };
        match other.filter(|other| other.id != site.id) {
            None => Ok(()),
            Some(_) => Err(Error::new(format!(
                "Two sites of one listener serve `{name}`. Remove it from one of them."
            ))),
        }
    }

    /// The site for the name that a client sent, or for none. None if no site
    /// serves it and there is no default: the handshake then ends with the alert
    /// `unrecognized_name`.
    pub fn choose(&self, server_name: Option<&str>) -> Option<&Arc<Site>> {
        let named = server_name.and_then(|name| {
            let name = name.strip_suffix('.').unwrap_or(name);
            if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                self.named(&name.to_ascii_lowercase())
            } else {
                self.named(name)
            }
        });
        named.or(self.default.as_ref())
    }

    /// The site that has this address as a host, for clients that send no name.
    pub fn at_address(&self, address: IpAddr) -> Option<&Arc<Site>> {
        let host = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        self.exact.get(&host)
    }

    /// One look-up, and one more for each dot of the name.
    fn named(&self, name: &str) -> Option<&Arc<Site>> {
        if let Some(site) = self.exact.get(name) {
            return Some(site);
        }
        if self.wildcards.is_empty() {
            return None;
        }
        let mut rest = name;
        while let Some((_, parent)) = rest.split_once('.') {
            // A wildcard needs at least one byte and a dot before the rest.
            if name.len() - parent.len() >= 2
                && let Some(site) = self.wildcards.get(parent)
            {
                return Some(site);
            }
            rest = parent;
        }
        None
    }

    /// The site with this id, if it has TLS here.
    pub fn site(&self, id: usize) -> Option<&Arc<Site>> {
        self.ids.get(&id)
    }

    /// All sites, in the order of the entries.
    pub fn sites(&self) -> &[Arc<Site>] {
        &self.sites
    }
}

impl Site {
    /// By which the caller knows the site.
    pub fn id(&self) -> usize {
        self.id
    }

    /// What handshakes are performed with.
    pub fn config(&self) -> &Arc<ServerConfig> {
        self.server.config()
    }

    /// The same for a client that has connected to this address and sends no name.
    pub fn config_for(&self, address: IpAddr) -> &Arc<ServerConfig> {
        self.server.config_for(address)
    }

    /// What it proves its name with.
    pub fn certificates(&self) -> &SiteCertificates {
        &self.certificates
    }

    /// Settings that go together badly.
    pub fn warnings(&self) -> &[Warning] {
        self.server.warnings()
    }

    /// Whether the certificate that was served to a client that sent this name, or
    /// none, covers this host. Of several, all have to, because it is not known which
    /// one the client got. One that was issued since then counts as that one.
    pub fn covers(&self, server_name: Option<&str>, host: &str) -> bool {
        match &self.certificates {
            SiteCertificates::Fixed(fixed) => {
                fixed.iter().all(|certificate| certificate.covers(host))
            }
            SiteCertificates::Issued(issued) => issued.choose(server_name).covers(host),
        }
    }

    /// Whether all TLS settings of the two sites are the same, with client
    /// authentication. The other may be of a later snapshot.
    pub fn same_settings(&self, other: &Self) -> bool {
        self.server.same_settings(&other.server)
    }
}

#[cfg(test)]
mod tests;
