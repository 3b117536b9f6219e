//! One configuration file, and the configuration that all files together form.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use toml::Spanned as At;
use toml::de::DeTable;

use crate::acme::Acme;
use crate::admin::Admin;
use crate::authorities;
use crate::cache::Cache;
use crate::certified;
use crate::compression::Compression;
use crate::decode::{Decoder, TableReader};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::event_webhook::EventWebhook;
use crate::grpc_web;
use crate::include::Pattern;
use crate::listener::{ListenAddress, Listener};
use crate::log::Log;
use crate::macros::table;
use crate::named_dataset::NamedDataset;
use crate::named_secret::NamedSecret;
use crate::names::{self, Names};
use crate::policy::Policy;
use crate::policy_config::PolicyConfig;
use crate::secret;
use crate::secured;
use crate::server::Server;
use crate::site::{self, HostPattern, Site};
use crate::span::{Source, SourceId, Sources, Span, Spanned};
use crate::syntax;
use crate::upstream::Upstream;
use crate::zones;

table! {
    /// One configuration file.
    pub(crate) struct Document("a file") {
        /// Further files, relative to this one: `["sites/*.toml"]`. Their
        /// tables are added to those of this file, and their sites follow its
        /// sites, in the order of the file names. An included file cannot
        /// include others. A pattern with `*` never includes the main file.
        include: Vec<Spanned<Pattern>> = default("[]");
        /// Settings of the whole process.
        server: Option<Server> = optional("all defaults");
        /// The socket that the commands use.
        admin: Option<Admin> = optional("all defaults");
        /// Logging.
        log: Option<Log> = optional("all defaults");
        /// The shared cache of the process.
        cache: Option<Cache> = optional("all defaults");
        /// How responses are compressed.
        compression: Option<Compression> = optional("all defaults");
        /// The addresses that clients connect to.
        listeners: Names<Listener> = default("{}");
        /// The servers that requests are forwarded to.
        upstreams: Names<Upstream> = default("{}");
        /// Components with their configuration, under names that sites and
        /// routes use.
        policies: Names<Policy> = default("{}");
        /// Keys, passwords and the like that policies use by their names, without
        /// seeing them.
        secrets: Names<NamedSecret> = default("{}");
        /// Lists and databases in which policies look keys up.
        datasets: Names<NamedDataset> = default("{}");
        /// The authority of `certificate = "auto"`, and further ones by name.
        acme: Option<Acme> = optional("no certificates are ordered");
        /// HTTP calls that tell of events of the gateway. Those of a purge are in
        /// `cache.webhooks`.
        webhooks: Vec<EventWebhook> = default("[]");
        /// Hosts and their routes.
        sites: Vec<Site> = default("[]");
    }
}

/// A whole configuration as it was written. It is plain data, and its values
/// and names have been checked; nothing has been opened, resolved or compiled.
#[derive(Debug, Clone)]
pub struct Config {
    /// The patterns of included files.
    pub include: Vec<Spanned<Pattern>>,
    /// Settings of the whole process.
    pub server: Server,
    /// The socket that the commands use.
    pub admin: Admin,
    /// Logging.
    pub log: Log,
    /// The shared cache of the process.
    pub cache: Cache,
    /// How responses are compressed.
    pub compression: Compression,
    /// The addresses that clients connect to; at least one.
    pub listeners: Names<Listener>,
    /// The servers that requests are forwarded to.
    pub upstreams: Names<Upstream>,
    /// Components with their configuration.
    pub policies: Names<Policy>,
    /// Secrets that policies use by their names.
    pub secrets: Names<NamedSecret>,
    /// Lists and databases in which policies look keys up.
    pub datasets: Names<NamedDataset>,
    /// The authorities that certificates are ordered from by ACME.
    pub acme: Acme,
    /// HTTP calls that tell of events, in the order of the files.
    pub webhooks: Vec<EventWebhook>,
    /// Hosts and their routes, in the order of the files.
    pub sites: Vec<Site>,
}

/// A configuration that was accepted.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The files that it was read from.
    pub sources: Sources,
    /// Warnings.
    pub warnings: Diagnostics,
}

/// Decodes and checks a set of files whose text is already read, the main file
/// first. Does not read the files that includes name.
///
/// # Errors
/// All errors at once.
pub fn parse(sources: Sources) -> Result<Loaded, Diagnostics> {
    Reading::of(&sources).finish(sources)
}

/// Like [`parse`]; if there is an error, it also checks whether the files that
/// policies refer to can be read: their components, and the files and
/// environment variables in their configuration. If there is no error, these
/// are checked later, when the policies are configured, together with the
/// errors that the policies report.
///
/// # Errors
/// All errors at once.
pub(crate) fn parse_with_references(
    sources: Sources,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, Diagnostics> {
    let mut reading = Reading::of(&sources);
    let component_files = std::mem::take(&mut reading.component_files);
    let policy_configs = std::mem::take(&mut reading.policy_configs);
    reading.finish(sources).map_err(|mut errors| {
        errors.extend(component_files.iter().filter_map(unreadable));
        for config in &policy_configs {
            let resolved = secret::resolve_references(config, &errors.sources().clone(), env);
            if let Err(unresolved) = resolved {
                errors.extend(unresolved.iter().cloned());
            }
        }
        errors
    })
}

fn unreadable(component: &Spanned<PathBuf>) -> Option<Diagnostic> {
    let error = File::open(&component.value).err()?;
    let path = component.value.display();
    let fault = Diagnostic::error(
        component.span,
        format!("the component {path} cannot be read: {error}"),
    );
    Some(fault.help("a path is relative to the file that contains it"))
}

/// The state of reading a configuration.
struct Reading {
    found: Vec<Diagnostic>,
    documents: Vec<Document>,
    definitions: Vec<names::Reference>,
    references: Vec<names::Reference>,
    policy_configs: Vec<PolicyConfig>,
    component_files: Vec<Spanned<PathBuf>>,
    /// Whether all files could be read; only then is a missing name an error.
    complete: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            found: Vec::new(),
            documents: Vec::new(),
            definitions: Vec::new(),
            references: Vec::new(),
            policy_configs: Vec::new(),
            component_files: Vec::new(),
            complete: true,
        }
    }
}

impl Reading {
    fn of(sources: &Sources) -> Self {
        let mut reading = Self::default();
        for (id, source) in sources.iter() {
            let (document, faults) = syntax::parse(id, &source.text);
            // A document with syntax errors would only be misinterpreted.
            let readable = faults.iter().all(syntax::Fault::is_duplicate);
            reading.complete &= readable;
            reading
                .found
                .extend(faults.into_iter().map(syntax::Fault::into_diagnostic));
            if readable {
                reading.document(id, source, &document);
            }
        }
        reading
    }

    fn document(&mut self, id: SourceId, source: &Source, document: &At<DeTable<'_>>) {
        let mut decoder = Decoder::new(id, source);
        let read = Document::read(TableReader::document(document, &mut decoder));
        self.found.append(&mut decoder.diagnostics);
        self.definitions.append(&mut decoder.definitions);
        self.references.append(&mut decoder.references);
        self.policy_configs.append(&mut decoder.policy_configs);
        self.component_files.append(&mut decoder.component_files);
        self.documents.extend(read);
    }

    fn finish(mut self, sources: Sources) -> Result<Loaded, Diagnostics> {
        if self.complete {
            self.found
                .extend(names::check(&self.definitions, &self.references));
        }
        let config = merge(self.documents, &sources, &mut self.found);
        if let Some(config) = &config {
            hosts(config, &mut self.found);
            addresses(config, &mut self.found);
            without(config, &mut self.found);
            grpc_web::check(config, &mut self.found);
            zones::check(config, &mut self.found);
            let is_error = |found: &Diagnostic| found.severity == Severity::Error;
            if self.complete && !self.found.iter().any(is_error) {
                secured::check(config, &mut self.found);
                authorities::check(config, &mut self.found);
                certified::check(config, &mut self.found);
            }
        }
        let no_listener =
            self.complete && !self.definitions.iter().any(names::Reference::is_listener);
        if no_listener && let Some(main) = sources.paths().next() {
            self.found.push(
                Diagnostic::file(main, "no listener is defined")
                    .help("add `[listeners.public]` with `address = \"*:80\"`"),
            );
        }

        let mut errors = Diagnostics::new(sources.clone());
        let mut warnings = Diagnostics::new(sources.clone());
        let (wrong, odd): (Vec<_>, Vec<_>) = self
            .found
            .into_iter()
            .partition(|found| found.severity == Severity::Error);
        errors.extend(wrong);
        warnings.extend(odd);
        match config {
            Some(config) if errors.is_empty() => Ok(Loaded {
                config,
                sources,
                warnings,
            }),
            _ => Err(errors),
        }
    }
}

/// Merges the files. A table that may exist only once must not be in two of
/// them.
fn merge(
    documents: Vec<Document>,
    sources: &Sources,
    found: &mut Vec<Diagnostic>,
) -> Option<Config> {
    let start = Span {
        source: SourceId::MAIN,
        start: 0,
        end: 0,
    };
    let mut include = Vec::new();
    let (mut server, mut admin, mut log) = (None, None, None);
    let (mut cache, mut compression) = (None, None);
    let mut listeners = BTreeMap::new();
    let mut upstreams = BTreeMap::new();
    let mut policies = BTreeMap::new();
    let mut secrets = BTreeMap::new();
    let mut datasets = BTreeMap::new();
    let mut acme = Acme::default();
    let mut webhooks = Vec::new();
    let mut sites = Vec::new();
    for document in documents {
        if document.span.source == SourceId::MAIN {
            include = document.include;
        } else {
            found.extend(nested_include(&document, sources));
        }
        once("server", &mut server, document.server, |it| it.span, found);
        once("admin", &mut admin, document.admin, |it| it.span, found);
        once("log", &mut log, document.log, |it| it.span, found);
        once("cache", &mut cache, document.cache, |it| it.span, found);
        once(
            "compression",
            &mut compression,
            document.compression,
            |it| it.span,
            found,
        );
        if let Some(given) = document.acme {
            once(
                "acme",
                &mut acme.default,
                given.default,
                |it| it.span,
                found,
            );
            acme.named.extend(given.named);
        }
        // Names that are defined twice are reported by `names::check`.
        listeners.extend(document.listeners);
        upstreams.extend(document.upstreams);
        policies.extend(document.policies);
        secrets.extend(document.secrets);
        datasets.extend(document.datasets);
        webhooks.extend(document.webhooks);
        sites.extend(document.sites);
    }
    let no_file = Source {
        path: PathBuf::new(),
        text: String::new(),
    };
    let mut defaults = Decoder::new(SourceId::MAIN, &no_file);
    Some(Config {
        include,
        server: server.or_else(|| defaults.default("{}", start))?,
        admin: admin.or_else(|| defaults.default("{}", start))?,
        log: log.or_else(|| defaults.default("{}", start))?,
        cache: cache.or_else(|| defaults.default("{}", start))?,
        compression: compression.or_else(|| defaults.default("{}", start))?,
        listeners,
        upstreams,
        policies,
        secrets,
        datasets,
        acme,
        webhooks,
        sites,
    })
}

/// Refuses an `include` in an included file. For a circular include, the
/// message lists the files in the circle.
fn nested_include(document: &Document, sources: &Sources) -> Option<Diagnostic> {
    let own = sources.path(document.span.source)?;
    let main = sources.path(SourceId::MAIN)?;
    let back = document.include.iter().find_map(|pattern| {
        let target = normal(&pattern.directory.join(&pattern.name));
        let leads_back = target == normal(main) || target == normal(own);
        leads_back.then(|| {
            let (main, own, target) = (main.display(), own.display(), target.display());
            Diagnostic::error(
                pattern.span,
                format!(
                    "the files include each other in a circle: `{main}` → `{own}` → `{target}`"
                ),
            )
            .help("leave it out: an included file includes no others")
        })
    });
    back.or_else(|| {
        let first = document.include.first()?;
        Some(
            Diagnostic::error(first.span, "an included file cannot include others")
                .help("name the files in the `include` of the main file"),
        )
    })
}

/// The path without `.` segments, and without `..` where the segment before it
/// can be removed. Symbolic links are not followed, because nothing is opened
/// here.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        let up = part == Component::ParentDir;
        let takes_away =
            up && matches!(normal.components().next_back(), Some(Component::Normal(_)));
        if takes_away {
            normal.pop();
        } else if part != Component::CurDir {
            normal.push(part);
        }
    }
    normal
}

/// Keeps the first of two tables of which only one may exist.
fn once<T>(
    name: &str,
    kept: &mut Option<T>,
    given: Option<T>,
    span: fn(&T) -> Span,
    found: &mut Vec<Diagnostic>,
) {
    match (kept.as_ref(), given) {
        (_, None) => {}
        (None, given) => *kept = given,
        (Some(first), Some(second)) => found.push(
            Diagnostic::error(span(&second), format!("`[{name}]` is given twice"))
                .note(span(first), "first here")
                .help("put all of it in one file"),
        ),
    }
}

/// Finds hosts that belong to two sites on the same listener.
fn hosts(config: &Config, found: &mut Vec<Diagnostic>) {
    let mut claims: BTreeMap<&HostPattern, Vec<(&Spanned<HostPattern>, &Site)>> = BTreeMap::new();
    for site in &config.sites {
        for host in site.hosts.iter() {
            let claimed = claims.entry(&host.value).or_default();
            let rival = claimed
                .iter()
                .find(|(_, other)| other.shares_listener(site));
            if let Some((first, _)) = rival {
                found.push(
                    Diagnostic::error(host.span, format!("the host `{host}` is given twice"))
                        .note(first.span, "first here")
                        .help(
                            "a host belongs to one site on each listener: put the routes together",
                        ),
                );
            }
            claimed.push((host, site));
        }
    }
}

/// Finds addresses that belong to two listeners.
fn addresses(config: &Config, found: &mut Vec<Diagnostic>) {
    let mut claimed: Vec<&Spanned<ListenAddress>> = Vec::new();
    for listener in config.listeners.values() {
        for address in listener.address.iter() {
            if let Some(first) = claimed.iter().find(|first| first.clashes(address)) {
                found.push(
                    Diagnostic::error(address.span, "the address is taken by another listener")
                        .note(first.span, "first here")
                        .help("an address belongs to one listener; sites may name the listener"),
                );
            }
            claimed.push(address);
        }
    }
}

/// Finds names in `without` that have no effect.
fn without(config: &Config, found: &mut Vec<Diagnostic>) {
    for name in config.sites.iter().flat_map(site::without_effect) {
        found.push(
            Diagnostic::warning(name.span, format!("the site does not use `{name}`"))
                .help("`without` takes away policies of the site; leave it out"),
        );
    }
}
