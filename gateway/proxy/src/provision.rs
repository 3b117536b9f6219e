//! Loads and configures each policy of a configuration once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use janua_config::{self as config, Diagnostic, Diagnostics, Loaded, Named, PolicyUse, Spanned};
use janua_datasets::Datasets;
use janua_secrets::Secrets;
use janua_wasm::{
    BreakerOptions, Component, ConfigureError, FileError, GrantName, Guarded, Isolation, OnError,
    Policy, PolicySpec, ThrottleOptions,
};

use crate::datasets::Lists;
use crate::estate::Estate;
use crate::secrets::Reading;
use crate::snapshot::{Snapshot, Use};

/// The components that come with the gateway.
pub struct Bundled<'a> {
    /// All names, for the error message about an unknown one.
    pub names: &'a [&'a str],
    /// Finds a component by its name.
    pub component: &'a dyn Fn(&str) -> Option<&'static [u8]>,
}

/// The policies of a configuration that is being compiled.
pub(crate) struct Provision<'a> {
    loaded: &'a Loaded,
    estate: &'a Estate,
    bundled: &'a Bundled<'a>,
    /// The policies of the previous snapshot, by identity.
    previous: HashMap<&'a [u8; 32], &'a Arc<Policy>>,
    components: HashMap<config::Component, Option<Arc<Component>>>,
    /// Policies configured so far, by name and deadline: a route may set its own deadline.
    known: HashMap<(String, Duration), Option<usize>>,
    policies: Vec<Arc<Policy>>,
    secrets: Reading,
    datasets: Lists,
    found: Diagnostics,
}

/// What the policies of a configuration come to.
pub(crate) struct Provisioned {
    /// Those that routes use.
    pub(crate) policies: Vec<Arc<Policy>>,
    pub(crate) secrets: Secrets,
    pub(crate) datasets: Datasets,
    /// All errors, also those of policies that no route uses, and warnings.
    pub(crate) found: Diagnostics,
}

impl<'a> Provision<'a> {
    pub(crate) fn new(
        loaded: &'a Loaded,
        estate: &'a Estate,
        bundled: &'a Bundled<'a>,
        previous: Option<&'a Snapshot>,
    ) -> Self {
        let previous = previous.map_or(&[][..], |previous| &previous.policies);
        let by_identity = |policy: &'a Arc<Policy>| (policy.identity(), policy);
        let mut found = Diagnostics::new(loaded.sources.clone());
        Self {
            secrets: Reading::named(&loaded.config, &mut found),
            datasets: Lists::read(&loaded.config, &estate.runtime.datasets(), &mut found),
            loaded,
            estate,
            bundled,
            previous: previous.iter().map(by_identity).collect(),
            components: HashMap::new(),
            known: HashMap::new(),
            policies: Vec::new(),
            found,
        }
    }

    /// The policy for a use; none after an error, which has been recorded.
    pub(crate) fn policy(&mut self, policy_use: &PolicyUse) -> Option<Use> {
        let named = self.loaded.config.policies.get(policy_use.name.as_str())?;
        let deadline = policy_use
            .deadline
            .as_ref()
            .map_or(named.deadline.value, |deadline| deadline.value);
        let policy = self.provide(named, deadline)?;
        Some(Use {
            policy,
            on_error: policy_use.on_error.or(named.on_error).map(on_error),
        })
    }

    /// The policy of a use; none after an error, which has been recorded.
    pub(crate) fn configured(&mut self, policy_use: &PolicyUse) -> Option<&Policy> {
        let place = self.policy(policy_use)?.policy;
        self.policies.get(place).map(|policy| &**policy)
    }

    /// Configures the policies that no route uses as well, so that `check` reports their
    /// errors too.
    pub(crate) fn finish(mut self) -> Provisioned {
        let used = self.policies.len();
        let names: HashSet<&str> = self.known.keys().map(|(name, _)| name.as_str()).collect();
        let policies = self.loaded.config.policies.values();
        let unused: Vec<_> = policies
            .filter(|named| !names.contains(named.name.value.as_str()))
            .collect();
        for named in unused {
            self.provide(named, named.deadline.value);
        }
        self.check_grants_together();
        // What a policy with an error uses is not known.
        if !self.found.has_errors() {
            self.check_use_of_resources();
        }
        self.policies.truncate(used);
        let secrets = self.secrets.finish(&self.estate.runtime.secrets());
        Provisioned {
            policies: self.policies,
            secrets,
            datasets: self.datasets.finish(),
            found: self.found,
        }
    }

    /// Warns of secrets and datasets that no policy uses.
    fn check_use_of_resources(&mut self) {
        let config = &self.loaded.config;
        let secrets = config.secrets.values().map(|named| &named.name);
        let used = self.policies.iter().flat_map(|policy| policy.secrets());
        warn_of_unused("secret", secrets, &used.collect(), &mut self.found);
        let datasets = config.datasets.values().map(|named| &named.name);
        let used = self.policies.iter().flat_map(|policy| policy.datasets());
        warn_of_unused("dataset", datasets, &used.collect(), &mut self.found);
    }

    /// Checks the grants of each policy when the secrets of all of them are known: what one
    /// policy declares to be secret, another must not read without a grant.
    fn check_grants_together(&mut self) {
        let mut guarded = Guarded::default();
        for policy in &self.policies {
            policy.add_guarded(&mut guarded);
        }
        for policy in self.policies.clone() {
            let Some(named) = self.loaded.config.policies.get(&**policy.name()) else {
                continue;
            };
            if let Some(missing) = policy.missing_grants(&guarded) {
                self.found
                    .push(refused(named, &ConfigureError::Grant(missing)));
            }
            self.check_use_of_grants(named, &policy, &guarded);
        }
    }

    fn provide(&mut self, named: &Named<config::Policy>, deadline: Duration) -> Option<usize> {
        let key = (named.name.value.clone(), deadline);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let policy = self.configure(named, deadline);
        let place = policy.map(|policy| {
            self.policies.push(policy);
            self.policies.len() - 1
        });
        self.known.insert(key, place);
        place
    }

    fn configure(
        &mut self,
        named: &Named<config::Policy>,
        deadline: Duration,
    ) -> Option<Arc<Policy>> {
        self.check_grants(named);
        let component = self.component(&named.component);
        let (config, own_secrets) = match &component {
            Some(component) => self.take_secrets(named, component)?,
            None => (named.config.clone(), Vec::new()),
        };
        let environment = |name: &str| std::env::var(name).ok();
        let resolved = match config::resolve_references(&config, &self.loaded.sources, &environment)
        {
            Ok(resolved) => resolved,
            Err(errors) => {
                self.found.extend(errors.iter().cloned());
                return None;
            }
        };
        let component = component?;
        let spec = PolicySpec {
            bundled: matches!(named.component.value, config::Component::Bundled(_)),
            config: resolved.value.to_string(),
            identity_extra: resolved.identity.to_vec(),
            grants: named
                .grants
                .iter()
                .map(|grant| grant.as_str().to_owned())
                .collect(),
            own_secrets,
            on_error: named.on_error.map(on_error),
            deadline,
            configure_deadline: named.configure_deadline.value,
            memory_limit: usize::try_from(named.memory.bytes()).unwrap_or(usize::MAX),
            max_reuse: named.max_reuse,
            memo_bytes: usize::try_from(named.memo.bytes()).unwrap_or(usize::MAX),
            memo: named.memo.bytes() > 0 && named.max_reuse != Some(Duration::ZERO),
            sample: named.memo_sample,
            isolation: match named.isolation {
                config::Isolation::Shared => Isolation::Shared,
                config::Isolation::Policy => Isolation::Policy,
            },
            throttle: ThrottleOptions {
                share_percent: named.throttle.share.get(),
                client_share_percent: named.throttle.client_share.get(),
            },
            breaker: BreakerOptions {
                clients: *named.breaker.clients,
                within: *named.breaker.within,
                pause: *named.breaker.pause,
            },
            ..PolicySpec::new(named.name.value.clone(), component)
        };
        let policy = match self.previous.get(&spec.identity()) {
            Some(kept) => Arc::clone(kept),
            None => match self.estate.runtime.configure(spec) {
                Ok(policy) => policy,
                Err(error) => {
                    self.found.push(refused(named, &error));
                    return None;
                }
            },
        };
        let secret = policy.secrets().find(|name| !self.secrets.has(name));
        let secret = secret.map(|name| unknown(named, "secret", name, ""));
        let dataset = || {
            let of = " with `networks`, `strings`, `regexes` or `mmdb`";
            let mut used = policy.datasets().into_iter();
            let name = used.find(|name| !self.datasets.has(name))?;
            Some(unknown(named, "dataset", name, of))
        };
        let upstream = || {
            let known = &self.loaded.config.upstreams;
            let mut used = policy.upstreams().iter();
            let name = used.find(|name| !known.contains_key(&***name))?;
            Some(unknown(named, "upstream", name, " with its `endpoints`"))
        };
        let wrong = secret.or_else(dataset).or_else(upstream);
        if let Some(wrong) = wrong.or_else(|| self.datasets.wrong_member(named, &policy)) {
            self.found.push(wrong);
            return None;
        }
        Some(policy)
    }

    /// The configuration of a policy with names in place of the secrets that stand in it, and
    /// these names. None after an error, which has been recorded.
    fn take_secrets(
        &mut self,
        named: &Named<config::Policy>,
        component: &Component,
    ) -> Option<(config::PolicyConfig, Vec<String>)> {
        let schema = component.description().config_schema.as_deref();
        let schema = schema.and_then(|schema| serde_json::from_str(schema).ok());
        let Some(schema) = schema else {
            return Some((named.config.clone(), Vec::new()));
        };
        let datasets = self.loaded.config.datasets.keys().map(String::as_str);
        let upstreams = self.loaded.config.upstreams.keys().map(String::as_str);
        let checked = named.config.check_datasets(&schema, datasets);
        if let Err(faults) = checked.and_then(|()| named.config.check_upstreams(&schema, upstreams))
        {
            self.found.extend(faults);
            return None;
        }
        let known = self.loaded.config.secrets.keys().map(String::as_str);
        match named.config.secrets(&schema, &named.name, known) {
            Ok(secrets) => {
                let mut names = Vec::new();
                for (name, source, span) in secrets.made {
                    self.secrets.read(&name, &source, span, &mut self.found);
                    names.push(name);
                }
                Some((secrets.config, names))
            }
            Err(faults) => {
                self.found.extend(faults);
                None
            }
        }
    }

    /// Checks that each grant of a policy exists and can have an effect.
    fn check_grants(&mut self, named: &Named<config::Policy>) {
        for grant in &named.grants {
            let name = grant.as_str();
            let (message, help) = match janua_wasm::grant_name(name) {
                GrantName::Known => continue,
                GrantName::Unknown => (
                    format!("there is no grant `{name}`"),
                    "grants look like \"input:header:authorization\", \"edit:header:x-user\", \"respond\" or \"effect:take\"",
                ),
                GrantName::NotSupported => (
                    format!("`{name}` is not supported by this version"),
                    "a policy that needs it would fail on every request: leave the policy out",
                ),
            };
            self.refuse_grant(grant, message, help);
        }
    }

    /// Checks that this policy uses each of its grants. An unused grant was meant for
    /// something that the policy does not do, and would silently apply to a component that
    /// replaces it.
    fn check_use_of_grants(
        &mut self,
        named: &Named<config::Policy>,
        policy: &Policy,
        guarded: &Guarded,
    ) {
        for unused in policy.unused_grants(guarded) {
            let is_unused = |grant: &&Spanned<config::Grant>| grant.as_str() == unused;
            for grant in named.grants.iter().filter(is_unused) {
                let message = format!(
                    "policy `{}` has no use for the grant `{unused}`",
                    named.name.value
                );
                let help = "with this configuration it does not ask for it: remove the grant";
                self.refuse_grant(grant, message, help);
            }
        }
    }

    /// Reports an error once per grant: a policy is configured once for each deadline that
    /// routes set.
    fn refuse_grant(&mut self, grant: &Spanned<config::Grant>, message: String, help: &str) {
        let place = Some(grant.span);
        if !self.found.iter().any(|known| known.span() == place) {
            let error = Diagnostic::error(grant.span, message).help(help);
            self.found.push(error);
        }
    }

    fn component(&mut self, wanted: &Spanned<config::Component>) -> Option<Arc<Component>> {
        if let Some(known) = self.components.get(&wanted.value) {
            return known.clone();
        }
        let loaded = self
            .load(wanted)
            .map_err(|diagnostic| self.found.push(*diagnostic))
            .ok();
        self.components.insert(wanted.value.clone(), loaded.clone());
        loaded
    }

    fn load(&self, wanted: &Spanned<config::Component>) -> Result<Arc<Component>, Box<Diagnostic>> {
        let bytes = match &wanted.value {
            config::Component::Bundled(name) => (self.bundled.component)(name).map(std::borrow::Cow::Borrowed).ok_or_else(|| {
                Diagnostic::error(wanted.span, format!("there is no bundled component `{name}`"))
                    .help(format!("the bundled ones are {}; a component of your own is named by its path, which ends in \".wasm\"", self.bundled.names.join(", ")))
            })?,
            config::Component::File(path) => janua_wasm::read_component(path).map(std::borrow::Cow::Owned).map_err(|error| match error {
                FileError::Io(error) => Diagnostic::error(wanted.span, format!("the component {} cannot be read: {error}", path.display()))
                    .help("a path is relative to the file that it stands in"),
                FileError::Refused(why) => Diagnostic::error(wanted.span, why.to_string()),
            })?,
        };
        self.estate
            .runtime
            .load(&bytes)
            .map_err(|error| Box::new(Diagnostic::error(wanted.span, error.to_string())))
    }
}

fn warn_of_unused<'n>(
    what: &str,
    names: impl Iterator<Item = &'n Spanned<String>>,
    used: &HashSet<&str>,
    found: &mut Diagnostics,
) {
    for name in names.filter(|name| !used.contains(name.as_str())) {
        let message = format!("{what} `{}` is not used", name.value);
        found.push(Diagnostic::warning(name.span, message));
    }
}

/// The error of a policy that uses what does not exist. `of` ends the line that defines it.
fn unknown(named: &Named<config::Policy>, what: &str, name: &str, of: &str) -> Diagnostic {
    let policy = &named.name.value;
    let message = format!("policy `{policy}` uses the {what} `{name}`, which does not exist");
    Diagnostic::error(named.component.span, message)
        .help(format!("define it: `[{what}s.{name}]`{of}"))
}

/// The error of a policy that refuses its configuration, at the place of the key that the
/// message names in backquotes, if any. For "`rules[1]`: unknown field `tag`" that key is
/// `rules[1].tag`.
fn refused(named: &Named<config::Policy>, error: &ConfigureError) -> Diagnostic {
    let message = error.to_string();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let table = quoted.next().unwrap_or_default();
    let inner = message.strip_prefix(&format!("`{table}`: unknown field `"));
    let field = inner.and_then(|rest| rest.split('`').next());
    let key = match field {
        Some(field) => named.config.key_span(&format!("{table}.{field}")),
        None => named.config.key_span(table),
    };
    let key = key.or_else(|| quoted.find_map(|key| named.config.key_span(key)));
    let span = match error {
        ConfigureError::Refused(_) => key.unwrap_or(named.config.span),
        _ => named.component.span,
    };
    Diagnostic::error(span, format!("policy `{}`: {message}", named.name.value))
}

fn on_error(on_error: config::OnError) -> OnError {
    match on_error {
        config::OnError::Deny => OnError::Deny,
        config::OnError::Skip => OnError::Skip,
    }
}
