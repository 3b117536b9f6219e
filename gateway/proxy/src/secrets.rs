//! Reads the secrets of a configuration, and those that stand in the configurations of its
//! policies.

use std::collections::BTreeMap;

use janua_config::{self as config, Diagnostic, Diagnostics, SecretSource, Span};
use janua_secrets::{Content, Kind, Place, Secrets, Source};

/// The secrets of a configuration that is being compiled.
#[derive(Default)]
pub(crate) struct Reading {
    /// With their sources. None for a secret that could not be read, which has been reported.
    contents: BTreeMap<String, (SecretSource, Option<Content>)>,
}

impl Reading {
    /// Reads the secrets that have names.
    pub(crate) fn named(config: &config::Config, found: &mut Diagnostics) -> Self {
        let mut reading = Self::default();
        for named in config.secrets.values() {
            reading.read(&named.name, &named.source, named.name.span, found);
        }
        reading
    }

    /// Reads one more secret, once. `span` is where it stands.
    pub(crate) fn read(
        &mut self,
        name: &str,
        source: &SecretSource,
        span: Span,
        found: &mut Diagnostics,
    ) {
        if let Some((known, _)) = self.contents.get(name) {
            if known != source {
                let words = format!("two secrets would have the name `{name}`");
                let help = "give one of them a name of its own, in `[secrets.<name>]`";
                found.push(Diagnostic::error(span, words).help(help));
            }
            return;
        }
        let content = content(source, span, found);
        let content = (source.clone(), content);
        self.contents.insert(name.to_owned(), content);
    }

    /// Whether there is a secret with this name, even one that could not be read.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.contents.contains_key(name)
    }

    /// All of them. Those whose content is as before keep their generation.
    pub(crate) fn finish(self, before: &Secrets) -> Secrets {
        let contents = self.contents.into_iter();
        Secrets::new(
            contents.filter_map(|(name, (_, content))| Some((name, content?))),
            before,
        )
    }
}

fn content(source: &SecretSource, span: Span, found: &mut Diagnostics) -> Option<Content> {
    let Some(reading) = reading(source) else {
        let span = source.span(0).unwrap_or(span);
        found.push(
            Diagnostic::error(span, "`jwks_url` is not supported by this version").help(
                "fetch the keys into a file in intervals, and write `jwks_file`: a file that \
                 changes takes effect by itself",
            ),
        );
        return None;
    };
    match reading.load(&|name| std::env::var(name).ok()) {
        Ok(loaded) => {
            for (place, why) in loaded.warnings {
                let span = source.span(place).unwrap_or(span);
                found.push(Diagnostic::warning(span, why));
            }
            Some(loaded.content)
        }
        Err(error) => {
            let span = source.span(error.place).unwrap_or(span);
            found.push(Diagnostic::error(span, error.to_string()));
            None
        }
    }
}

/// How a source is read; none if this version cannot.
fn reading(source: &SecretSource) -> Option<Source> {
    let files = || source.files().cloned().map(Place::File).collect();
    let (kind, places) = match source {
        SecretSource::File(_) => (Kind::Raw, files()),
        SecretSource::Htpasswd(_) => (Kind::Users, files()),
        SecretSource::Pem(_) => (Kind::Pem, files()),
        SecretSource::Jwks(_) => (Kind::KeySet, files()),
        SecretSource::Env(names) => {
            let place = |name: &config::Spanned<String>| Place::Variable(name.value.clone());
            (Kind::Raw, names.iter().map(place).collect())
        }
        SecretSource::Credential(names) => {
            let place = |name: &config::Spanned<config::CredentialName>| {
                Place::Credential(name.as_str().to_owned())
            };
            (Kind::Raw, names.iter().map(place).collect())
        }
        SecretSource::JwksUrl { .. } => return None,
    };
    Some(Source { kind, places })
}
