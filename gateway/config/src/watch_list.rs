//! The files whose contents shape what runs: those of the configuration itself, and those
//! that it refers to. When one of them changes, the configuration must be loaded again.
//!
//! Not among them: files that are read whenever they are needed (those that routes serve, the
//! hosts file), and the certificates that the gateway makes for itself, or orders.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::acme_authority::Authority;
use crate::acme_dns_provider::DnsProvider;
use crate::acme_eab::{Eab, EabKey};
use crate::certificate::Certificate;
use crate::document::{Config, Loaded};
use crate::include::{self, Pattern};
use crate::policy::Component;
use crate::secret::Token;
use crate::site::Site;
use crate::span::{Sources, Spanned};
use crate::upstream::Upstream;

/// The files to watch. A path is as the configuration has it: relative to the working
/// directory, possibly a symbolic link, possibly of a file that does not exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchList {
    /// Each file once.
    pub files: BTreeMap<PathBuf, FileKind>,
    /// A file that begins to match one of these is included.
    pub patterns: Vec<Pattern>,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// The configuration, or a file that it includes.
    Configuration,
    /// A certificate, a key, an OCSP response, trusted authorities or their revocation list.
    /// Those that belong together are replaced one after the other.
    Certificate,
    /// A policy's component.
    Component,
    /// A file that the configuration of a policy, of a webhook or of an authority refers to
    /// (`…_file`), a secret, or a dataset.
    Reference,
    /// A list of endpoints. It is followed apart from the others: its changes are no changes of
    /// the configuration.
    EndpointList,
}

impl WatchList {
    /// The files of a configuration and their patterns, even if it is refused: what it refers
    /// to is not known then.
    pub fn of_sources(sources: &Sources) -> Self {
        let mut list = Self::default();
        for path in sources.paths() {
            list.add(path, FileKind::Configuration);
        }
        for Spanned { value: pattern, .. } in include::patterns(sources) {
            // A pattern without `*` names a file, which may be missing.
            if pattern.name.contains('*') {
                list.patterns.push(pattern);
            } else {
                list.add(
                    pattern.directory.join(&pattern.name),
                    FileKind::Configuration,
                );
            }
        }
        list
    }

    /// Adds a file. One that is there already keeps its kind.
    pub fn add(&mut self, path: impl Into<PathBuf>, kind: FileKind) {
        self.files.entry(path.into()).or_insert(kind);
    }

    /// Adds the files of another list.
    pub fn merge(&mut self, other: Self) {
        for (path, kind) in other.files {
            self.add(path, kind);
        }
        for pattern in other.patterns {
            if !self.patterns.contains(&pattern) {
                self.patterns.push(pattern);
            }
        }
    }

    /// How many files of a kind there are.
    pub fn count(&self, kind: FileKind) -> usize {
        self.files.values().filter(|known| **known == kind).count()
    }

    fn config(&mut self, config: &Config) {
        for site in &config.sites {
            self.site(site);
        }
        for upstream in config.upstreams.values() {
            self.upstream(upstream);
        }
        for policy in config.policies.values() {
            if let Component::File(path) = &policy.component.value {
                self.add(path, FileKind::Component);
            }
            for path in policy.config.referenced_files() {
                self.add(path, FileKind::Reference);
            }
            for path in policy.config.inline_files() {
                self.add(path, FileKind::Reference);
            }
        }
        for secret in config.secrets.values() {
            for path in secret.source.files() {
                self.add(path, FileKind::Reference);
            }
        }
        for dataset in config.datasets.values() {
            self.add(&dataset.source.file.value, FileKind::Reference);
        }
        for webhook in &config.cache.webhooks {
            self.token(&webhook.token);
        }
        for webhook in &config.webhooks {
            self.token(&webhook.token);
        }
        for (_, authority) in config.acme.iter() {
            self.authority(authority);
        }
    }

    fn authority(&mut self, authority: &Authority) {
        self.certificate([authority.roots.as_ref()]);
        if let Some(Eab {
            key: EabKey::File(path),
            ..
        }) = &authority.eab
        {
            self.add(&path.value, FileKind::Reference);
        }
        if let Some(dns) = &authority.dns
            && let DnsProvider::Webhook { token, .. } = &dns.provider
        {
            self.token(token);
        }
    }

    fn token(&mut self, token: &Token) {
        if let Token::File(path) = token {
            self.add(&path.value, FileKind::Reference);
        }
    }

    fn site(&mut self, site: &Site) {
        let certificate = site.certificate.as_ref();
        if let Some(Certificate::Files(files)) = certificate.map(|it| &it.value) {
            for files in files.iter() {
                self.certificate([Some(&files.cert), Some(&files.key), files.ocsp.as_ref()]);
            }
        }
        if let Some(auth) = &site.tls.client_auth {
            self.certificate([Some(&auth.ca), auth.crl.as_ref()]);
        }
    }

    fn upstream(&mut self, upstream: &Upstream) {
        let Some(tls) = upstream.tls.on() else {
            return;
        };
        self.certificate([tls.ca.as_ref()]);
        if let Some(files) = &tls.certificate {
            self.certificate([Some(&files.cert), Some(&files.key)]);
        }
    }

    fn certificate<const N: usize>(&mut self, paths: [Option<&Spanned<PathBuf>>; N]) {
        for path in paths.into_iter().flatten() {
            self.add(&path.value, FileKind::Certificate);
        }
    }
}

impl Config {
    /// The lists of endpoints, which are followed also if nothing else is watched.
    pub fn endpoint_lists(&self) -> WatchList {
        let mut list = WatchList::default();
        let files = self.upstreams.values();
        for file in files.flat_map(|upstream| upstream.endpoints.files()) {
            list.add(&file.file.value, FileKind::EndpointList);
        }
        list
    }
}

impl Loaded {
    /// The files to watch.
    pub fn watch_list(&self) -> WatchList {
        let mut list = WatchList::of_sources(&self.sources);
        list.config(&self.config);
        list
    }
}
