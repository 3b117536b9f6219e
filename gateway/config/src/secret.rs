//! Secrets are not written in a configuration but referred to: files and
//! environment variables.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::decode::TableReader;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::include;
use crate::policy_config::PolicyConfig;
use crate::reference::{FieldDoc, Presence};
use crate::span::{Sources, Span, Spanned};

/// A policy's configuration as the component is handed it. Holds secrets:
/// `Debug` leaves the value out.
#[derive(Clone)]
pub struct Resolved {
    /// The configuration with the content of every reference in its place.
    pub value: Value,
    /// SHA-256 of that: changes whenever a file or variable changes, and
    /// tells nothing of them.
    pub identity: [u8; 32],
    /// The files that were read, to be watched.
    pub files: Vec<PathBuf>,
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved")
            .field("identity", &self.identity)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// Puts the content of files and environment variables in the place of the
/// references to them: a string whose key ends in `_file` is the path of a
/// file, relative to the file of the configuration; one whose key ends in
/// `_env` is the name of a variable, looked up by `env`. At any depth. The
/// key stays, and the content is taken byte for byte.
///
/// # Errors
/// Every reference that leads nowhere, or to what is not UTF-8, at its place
/// in the configuration. Never says any content.
pub fn resolve_references(
    config: &PolicyConfig,
    sources: &Sources,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Resolved, Diagnostics> {
    let mut walk = Walk {
        config,
        env,
        path: Vec::new(),
        files: BTreeSet::new(),
        found: Diagnostics::new(sources.clone()),
    };
    let mut value = config.value.clone();
    walk.value(&mut value);
    if walk.found.has_errors() {
        return Err(walk.found);
    }
    // The keys of an object come in one order, so equal values are equal bytes.
    let identity = Sha256::digest(value.to_string()).into();
    Ok(Resolved {
        value,
        identity,
        files: walk.files.into_iter().collect(),
    })
}

/// The way down through the value.
struct Walk<'a> {
    config: &'a PolicyConfig,
    env: &'a dyn Fn(&str) -> Option<String>,
    path: Vec<String>,
    files: BTreeSet<PathBuf>,
    found: Diagnostics,
}

impl Walk<'_> {
    fn value(&mut self, value: &mut Value) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    self.path.push(key.clone());
                    self.value(value);
                    self.path.pop();
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    self.path.push(at.to_string());
                    self.value(item);
                    self.path.pop();
                }
            }
            Value::String(text) => {
                if let Some(content) = self.content(text) {
                    *text = content;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// What a string leads to, if its key says that it is a reference.
    fn content(&mut self, text: &str) -> Option<String> {
        let key = self.path.last()?;
        let (content, help) = if key.ends_with("_file") {
            let path = self.config.directory.join(text);
            let content = file(&path);
            self.files.insert(path);
            (
                content,
                "a key that ends in `_file` names a file, by a path relative to this one",
            )
        } else if key.ends_with("_env") {
            (
                variable(text, self.env),
                "a key that ends in `_env` names a variable: set it for the gateway's process",
            )
        } else {
            return None;
        };
        match content {
            Ok(content) => Some(content),
            Err(why) => {
                let span = self.config.value_span(&self.path);
                self.found.push(Diagnostic::error(span, why).help(help));
                None
            }
        }
    }
}

fn file(path: &Path) -> Result<String, String> {
    include::read(path).map_err(|why| format!("the file {why}"))
}

fn variable(name: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    env(name).ok_or_else(|| format!("the environment variable `{name}` is not set, or not UTF-8"))
}

/// Where the token of a call is: `token_file` or `token_env`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// There is none.
    None,
    /// In this file, relative to the working directory.
    File(Spanned<PathBuf>),
    /// In the environment variable of this name.
    Env(Spanned<String>),
}

impl Token {
    /// The token without white space at its ends, if there is one. Variables
    /// are looked up by `env`.
    ///
    /// # Errors
    /// The reference leads nowhere, or to what no header field can carry.
    /// Never says any content.
    pub fn resolve(
        &self,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<String>, Diagnostic> {
        let (span, content) = match self {
            Self::None => return Ok(None),
            Self::File(path) => (path.span, file(path)),
            Self::Env(name) => (name.span, variable(name, env)),
        };
        let content = content.map_err(|why| Diagnostic::error(span, why))?;
        let token = content.trim();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Diagnostic::error(
                span,
                "the token is empty, or has other than visible ASCII characters",
            ));
        }
        Ok(Some(token.to_owned()))
    }

    /// Where it is referred to.
    pub(crate) fn span(&self) -> Option<Span> {
        match self {
            Self::None => None,
            Self::File(path) => Some(path.span),
            Self::Env(name) => Some(name.span),
        }
    }

    /// Takes the token out of a table.
    pub(crate) fn take(table: &mut TableReader<'_, '_, '_, '_>) -> Option<Self> {
        let file = table.optional("token_file")?.map(Self::File);
        let env = table.optional("token_env")?.map(Self::Env);
        if let (Some(first), Some(second)) =
            (table.key_span("token_file"), table.key_span("token_env"))
        {
            return table.decoder.refuse(
                Diagnostic::error(second, "there are two tokens: `token_file` and `token_env`")
                    .note(first, "the other one")
                    .help("keep one of them"),
            );
        }
        Some(file.or(env).unwrap_or(Self::None))
    }

    /// The fields that refer to a token, for the reference.
    pub(crate) fn describe_fields(path: &str, fields: &mut Vec<FieldDoc>) {
        FieldDoc::add::<PathBuf>(
            fields,
            path,
            "token_file",
            Presence::optional("no token, or `token_env`"),
            "The file that the token is in, relative to this file. It is sent as \
             `Authorization: Bearer …`.",
        );
        FieldDoc::add::<String>(
            fields,
            path,
            "token_env",
            Presence::optional("no token, or `token_file`"),
            "The environment variable that the token is in.",
        );
    }
}
