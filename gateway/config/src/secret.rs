//! Resolves references to secrets. A configuration contains no secrets, but
//! refers to files and environment variables that do.

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

/// A policy's configuration as the component gets it. It contains secrets,
/// which `Debug` omits.
#[derive(Clone)]
pub struct Resolved {
    /// The configuration, with every reference replaced by the content it
    /// refers to.
    pub value: Value,
    /// The SHA-256 of the value: it changes whenever a file or variable
    /// changes, and reveals nothing about the content.
    pub identity: [u8; 32],
    /// The files that were read, which must be watched for changes.
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

/// Replaces references to files and environment variables by their content. A
/// string whose key ends in `_file` is the path of a file, relative to the
/// configuration file; one whose key ends in `_env` is the name of a variable,
/// looked up by `env`. This applies at any depth. The key is kept, and the
/// content is not changed.
///
/// # Errors
/// Every reference that cannot be resolved, or whose content is not UTF-8, with
/// its position. The messages contain no content.
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
    // The keys of an object are in a fixed order, so equal values give equal
    // bytes.
    let identity = Sha256::digest(value.to_string()).into();
    Ok(Resolved {
        value,
        identity,
        files: walk.files.into_iter().collect(),
    })
}

/// A traversal of the value.
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

    /// The content that a string refers to, if its key marks it as a reference.
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

/// The content of a file, or why it cannot be read.
pub(crate) fn file(path: &Path) -> Result<String, String> {
    include::read(path).map_err(|why| format!("the file {why}"))
}

/// The content of an environment variable, or why there is none.
pub(crate) fn variable(name: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    env(name).ok_or_else(|| format!("the environment variable `{name}` is not set, or not UTF-8"))
}

/// The source of a webhook's token: `token_file` or `token_env`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// There is none.
    None,
    /// A file, relative to the working directory.
    File(Spanned<PathBuf>),
    /// The environment variable with this name.
    Env(Spanned<String>),
}

impl Token {
    /// The token without leading and trailing white space, if there is one.
    /// Variables are looked up by `env`.
    ///
    /// # Errors
    /// If the reference cannot be resolved, or the content is not valid in a
    /// header field. The messages contain no content.
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

    /// The position of the reference.
    pub(crate) fn span(&self) -> Option<Span> {
        match self {
            Self::None => None,
            Self::File(path) => Some(path.span),
            Self::Env(name) => Some(name.span),
        }
    }

    /// Reads the token from a table.
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
