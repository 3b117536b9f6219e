//! The secrets that a policy's configuration names, at the keys that the component's schema
//! marks with `"format": "secret"`. Where a source stands in place of a name, the gateway
//! makes a secret of it, so that the content never reaches the component.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::named_secret::SecretSource;
use crate::policy_config::PolicyConfig;
use crate::span::{Span, Spanned};
use crate::suggest;

/// How many values are compared with parts of the schema: a component makes the schema, and
/// its references may go round in circles.
const STEPS: usize = 100_000;
const DEPTH: usize = 200;

/// The secrets of a policy's configuration.
#[derive(Debug)]
pub struct PolicySecrets {
    /// The configuration, with a name at each of these keys.
    pub config: PolicyConfig,
    /// The secrets that are named there.
    pub named: Vec<Spanned<String>>,
    /// Those that stand in the configuration itself, with the names that were made for
    /// them.
    pub made: Vec<(String, SecretSource, Span)>,
}

impl PolicyConfig {
    /// Finds the secrets of the policy with this name by the schema of its component.
    /// `known` are the configured secrets.
    ///
    /// # Errors
    /// Names of secrets that do not exist, and what is neither a name nor a source.
    pub fn secrets<'a>(
        &self,
        schema: &Value,
        policy: &str,
        known: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<PolicySecrets, Vec<Diagnostic>> {
        let marked = marked(schema, "secret", &self.value);
        let mut secrets = PolicySecrets {
            config: self.clone(),
            named: Vec::new(),
            made: Vec::new(),
        };
        let mut faults = Vec::new();
        for path in marked {
            let span = self.value_span(&path);
            let Some(place) = at(&mut secrets.config.value, &path) else {
                continue;
            };
            if let Value::String(name) = place {
                match known.clone().any(|known| known == name) {
                    true => secrets.named.push(Spanned::new(name.clone(), span)),
                    false => {
                        let define = "with `file = \"…\"`";
                        let known = known.clone();
                        faults.push(unknown("secret", name, span, known, define));
                    }
                }
                continue;
            }
            match self.inline(place, &path) {
                Some(source) => {
                    let name = format!("{policy}:{}", joined(&path));
                    *place = Value::String(name.clone());
                    secrets.made.push((name, source, span));
                }
                None => faults.push(
                    Diagnostic::error(span, "this is neither the name of a secret nor a source")
                        .help("write the name of a secret, or for example `{ file = \"key\" }` or `{ env = \"KEY\" }`"),
                ),
            }
        }
        match faults.is_empty() {
            true => Ok(secrets),
            false => Err(faults),
        }
    }

    /// Checks the datasets that the configuration names, at the keys that the component's
    /// schema marks with `"format": "dataset"`. `known` are the configured ones.
    ///
    /// # Errors
    /// Names of datasets that do not exist.
    pub fn check_datasets<'a>(
        &self,
        schema: &Value,
        known: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<(), Vec<Diagnostic>> {
        let define = "with `networks`, `strings`, `regexes` or `mmdb`";
        self.check_names(schema, "dataset", known, define)
    }

    /// Checks the upstreams that the configuration names, at the keys that the component's
    /// schema marks with `"format": "upstream"`. `known` are the configured ones.
    ///
    /// # Errors
    /// Names of upstreams that do not exist.
    pub fn check_upstreams<'a>(
        &self,
        schema: &Value,
        known: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<(), Vec<Diagnostic>> {
        self.check_names(schema, "upstream", known, "with its `endpoints`")
    }

    fn check_names<'a>(
        &self,
        schema: &Value,
        kind: &'static str,
        known: impl Iterator<Item = &'a str> + Clone,
        define: &str,
    ) -> Result<(), Vec<Diagnostic>> {
        let mut value = self.value.clone();
        let mut faults = Vec::new();
        for path in marked(schema, kind, &self.value) {
            // What is no text is for the policy to refuse.
            if let Some(Value::String(name)) = at(&mut value, &path)
                && !known.clone().any(|known| known == name)
            {
                let span = self.value_span(&path);
                faults.push(unknown(kind, name, span, known.clone(), define));
            }
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(faults),
        }
    }

    /// The files of what looks like sources of secrets. Which of them are is known once the
    /// schema is; to watch one more does no harm.
    pub(crate) fn inline_files(&self) -> Vec<std::path::PathBuf> {
        let mut files = Vec::new();
        let mut open = vec![(Vec::new(), &self.value)];
        while let Some((path, value)) = open.pop() {
            if let Some(source) = self.inline(value, &path) {
                files.extend(source.files().cloned());
            }
            let below = |key: String| {
                let mut path = path.clone();
                path.push(key);
                path
            };
            match value {
                Value::Object(object) => {
                    open.extend(
                        object
                            .iter()
                            .map(|(key, value)| (below(key.clone()), value)),
                    );
                }
                Value::Array(items) => {
                    let items = items.iter().enumerate();
                    open.extend(items.map(|(at, value)| (below(at.to_string()), value)));
                }
                _ => {}
            }
        }
        files
    }

    /// The source that stands here: a table with one field.
    fn inline(&self, value: &Value, path: &[String]) -> Option<SecretSource> {
        let object = value.as_object().filter(|object| object.len() == 1)?;
        let (key, value) = object.iter().next()?;
        if !SecretSource::is_field(key) {
            return None;
        }
        let spanned = |text: &str, below: Option<usize>| {
            let below = below.map(|at| at.to_string());
            let path = path.iter().chain([key]).cloned().chain(below);
            let path: Vec<String> = path.collect();
            Spanned::new(text.to_owned(), self.value_span(&path))
        };
        let texts: Vec<_> = match value {
            Value::String(text) => vec![spanned(text, None)],
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let items = items.map(|(at, item)| Some(spanned(item.as_str()?, Some(at))));
                items.collect::<Option<_>>()?
            }
            _ => return None,
        };
        let texts = Some(texts).filter(|texts| !texts.is_empty())?;
        SecretSource::inline(key, texts, &self.directory)
    }
}

/// The keys of a path, with dots between them. A dot in a key is escaped, so that no two paths
/// make one name.
fn joined(path: &[String]) -> String {
    let keys = path.iter();
    let keys: Vec<String> = keys
        .map(|key| key.replace('\\', "\\\\").replace('.', "\\."))
        .collect();
    keys.join(".")
}

/// The value at a path.
fn at<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, key| match value {
        Value::Object(object) => object.get_mut(key),
        Value::Array(items) => items.get_mut(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// The message about a name that nothing has. `define` says how something gets it.
fn unknown<'a>(
    kind: &str,
    name: &str,
    span: Span,
    known: impl Iterator<Item = &'a str>,
    define: &str,
) -> Diagnostic {
    let known: Vec<&str> = known.take(20).collect();
    let help = match known.is_empty() {
        true => format!("define it, for example by `[{kind}s.{name}]` {define}"),
        false => suggest::one_of(name, known, "defined are"),
    };
    Diagnostic::error(span, format!("unknown {kind} `{name}`")).help(help)
}

/// The paths of the values that a schema marks with this format.
fn marked(schema: &Value, format: &'static str, value: &Value) -> BTreeSet<Vec<String>> {
    let mut search = Search {
        format,
        root: schema,
        steps: STEPS,
        depth: 0,
        path: Vec::new(),
        found: BTreeSet::new(),
    };
    search.value(schema, value);
    search.found
}

/// Finds the values that a schema marks.
struct Search<'s> {
    format: &'static str,
    root: &'s Value,
    steps: usize,
    /// How deep the schema is nested at this place.
    depth: usize,
    path: Vec<String>,
    found: BTreeSet<Vec<String>>,
}

impl Search<'_> {
    fn value(&mut self, schema: &Value, value: &Value) {
        if self.steps == 0 || self.depth == DEPTH {
            return;
        }
        self.steps -= 1;
        self.depth += 1;
        self.inside(schema, value);
        self.depth -= 1;
    }

    fn inside(&mut self, schema: &Value, value: &Value) {
        if let Some(target) = schema.get("$ref").and_then(Value::as_str)
            && let Some(target) = target.strip_prefix('#')
            && let Some(target) = self.root.pointer(target)
        {
            self.value(target, value);
        }
        for choice in ["allOf", "anyOf", "oneOf"] {
            for schema in schema
                .get(choice)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                self.value(schema, value);
            }
        }
        let is_marked = schema.get("format").and_then(Value::as_str) == Some(self.format);
        if is_marked && (value.is_string() || value.is_object()) {
            self.found.insert(self.path.clone());
            return;
        }
        match value {
            Value::Object(object) => {
                let others = schema.get("additionalProperties");
                for (key, value) in object {
                    let own = schema.get("properties").and_then(|known| known.get(key));
                    if let Some(schema) = own.or(others) {
                        self.path.push(key.clone());
                        self.value(schema, value);
                        self.path.pop();
                    }
                }
            }
            Value::Array(items) => {
                if let Some(schema) = schema.get("items") {
                    for (at, item) in items.iter().enumerate() {
                        self.path.push(at.to_string());
                        self.value(schema, item);
                        self.path.pop();
                    }
                }
            }
            _ => {}
        }
    }
}
