//! The names of tables, and the references to them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Deref;

use toml::Spanned as At;
use toml::de::DeValue;

use crate::acme_directory::Directory;
use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::reference::FieldDoc;
use crate::span::Spanned;
use crate::{endpoint_address, suggest};

/// A table with a name: `[upstreams.sales]`.
#[derive(Debug, Clone)]
pub struct Named<T> {
    /// The name and its position.
    pub name: Spanned<String>,
    /// The content of the table.
    pub table: T,
}

impl<T> Deref for Named<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.table
    }
}

/// Tables by name.
pub type Names<T> = BTreeMap<String, Named<T>>;

/// A table that is referred to by its name.
pub(crate) trait Definition: Decode {
    /// The kind of object that it defines.
    const KIND: Kind;
    /// The characters that its names cannot have.
    const REFUSED: &[char] = &[];
    /// Why not.
    const REFUSED_BECAUSE: &str = "";

    /// Records the name of a table, and checks it.
    fn define(key: &At<Cow<'_, str>>, decoder: &mut Decoder<'_>) -> Spanned<String> {
        let name = Spanned::new(key.get_ref().to_string(), decoder.span(key));
        decoder
            .definitions
            .push(Reference::new(Self::KIND, name.clone()));
        if name.is_empty() || name.len() > 128 || name.chars().any(|c| c.is_control()) {
            decoder.push(Diagnostic::error(
                name.span,
                "a name has 1 to 128 characters, and no control characters",
            ));
        }
        let mut refused = Self::REFUSED.iter();
        if let Some(refused) = refused.find(|refused| name.contains(**refused)) {
            let words = format!("the name of a {} has no `{refused}`", Self::KIND);
            decoder.push(Diagnostic::error(name.span, words).help(Self::REFUSED_BECAUSE));
        }
        name
    }
}

impl<T: Definition> Decode for Names<T> {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Table(table) = node.get_ref() else {
            return decoder.mismatch(node, &Self::kind());
        };
        let mut names = BTreeMap::new();
        for (key, node) in table.iter() {
            let name = T::define(key, decoder);
            if let Some(table) = decoder.value(&name, node) {
                names.insert(name.value.clone(), Named { name, table });
            }
        }
        Some(names)
    }

    fn kind() -> String {
        format!("tables by name, each {}", T::kind())
    }

    fn describe(path: &str, fields: &mut Vec<FieldDoc>) {
        T::describe(&format!("{path}.<name>"), fields);
    }
}

/// The kind of object that a name refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Listener,
    Upstream,
    Policy,
    Authority,
    Secret,
    Dataset,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listener => "listener",
            Self::Upstream => "upstream",
            Self::Policy => "policy",
            Self::Authority => "authority",
            Self::Secret => "secret",
            Self::Dataset => "dataset",
        })
    }
}

/// A name in the file, in a definition or a use.
#[derive(Debug)]
pub(crate) struct Reference {
    kind: Kind,
    name: Spanned<String>,
}

impl Reference {
    pub(crate) fn new(kind: Kind, name: Spanned<String>) -> Self {
        Self { kind, name }
    }

    pub(crate) fn is_listener(&self) -> bool {
        self.kind == Kind::Listener
    }
}

/// Names are recorded while they are decoded, not collected from the finished
/// model, so that a use is checked even if another field of its table has an
/// error.
macro_rules! name {
    ($(#[doc = $about:literal])* $Name:ident, $kind:expr, $words:literal) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $Name(String);

        impl $Name {
            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Decode for $Name {
            fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
                let text = decoder.text(node, $words)?.to_owned();
                let name = Spanned::new(text.clone(), decoder.span(node));
                decoder.references.push(Reference::new($kind, name));
                Some(Self(text))
            }

            fn kind() -> String {
                $words.to_owned()
            }
        }
    };
}

name!(
    /// The name of a defined listener.
    ListenerName,
    Kind::Listener,
    "the name of a listener"
);
name!(
    /// The name of a defined upstream.
    UpstreamName,
    Kind::Upstream,
    "the name of an upstream"
);
name!(
    /// The name of a defined policy.
    PolicyName,
    Kind::Policy,
    "the name of a policy"
);
name!(
    /// The name of a defined authority.
    AuthorityName,
    Kind::Authority,
    "the name of an authority"
);

/// Finds names that are used but not defined, defined twice, or defined but not
/// used.
pub(crate) fn check(definitions: &[Reference], references: &[Reference]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut defined: BTreeMap<Kind, BTreeMap<&str, &Spanned<String>>> = BTreeMap::new();
    for Reference { kind, name } in definitions {
        let names = defined.entry(*kind).or_default();
        match names.get(name.as_str()) {
            Some(first) => found.push(
                Diagnostic::error(name.span, format!("{kind} `{name}` is defined twice"))
                    .note(first.span, "first here")
                    .help("give one of them another name"),
            ),
            None => drop(names.insert(name, name)),
        }
    }
    let none = BTreeMap::new();
    let mut used = BTreeSet::new();
    for Reference { kind, name } in references {
        let names = defined.get(kind).unwrap_or(&none);
        used.insert((*kind, name.as_str()));
        if !names.contains_key(name.as_str()) {
            found.push(unknown(*kind, name, names.keys().copied()));
        }
    }
    for (kind, names) in &defined {
        // A listener is used by every site that does not list its listeners. What policies use
        // is known when their components are loaded.
        if matches!(kind, Kind::Listener | Kind::Secret | Kind::Dataset) {
            continue;
        }
        for name in names.values() {
            if !used.contains(&(*kind, name.as_str())) {
                found.push(Diagnostic::warning(
                    name.span,
                    format!("{kind} `{name}` is not used"),
                ));
            }
        }
    }
    found
}

fn unknown<'a>(
    kind: Kind,
    name: &Spanned<String>,
    known: impl Iterator<Item = &'a str>,
) -> Diagnostic {
    let section = match kind {
        Kind::Listener => "listeners",
        Kind::Upstream => "upstreams",
        Kind::Policy => "policies",
        Kind::Authority => "acme",
        Kind::Secret => "secrets",
        Kind::Dataset => "datasets",
    };
    let mut known: Vec<_> = known.collect();
    known.truncate(20);
    let is_address = kind == Kind::Upstream && name.contains([':', '/']);
    let is_near = suggest::nearest(name, known.iter().copied()).is_some();
    let is_word = !is_near && (Directory::known(name).is_some() || name.value == "default");
    let help = match known.is_empty() {
        _ if is_address => {
            let endpoints = match endpoint_address::host_and_port(name) {
                Some(address) => format!("the `endpoints = [\"{address}\"]`"),
                None => "its `endpoints`".to_owned(),
            };
            format!(
                "an upstream is named here: give `[upstreams.app]` {endpoints}, and write \"app\""
            )
        }
        _ if kind == Kind::Authority && (known.is_empty() || is_word) => authority(name),
        true => format!("define it: `[{section}.{name}]`"),
        false => suggest::one_of(name, known, "defined are"),
    };
    Diagnostic::error(name.span, format!("unknown {kind} `{name}`")).help(help)
}

/// What to write for an authority that is not defined: perhaps one that is known by
/// this word.
fn authority(name: &str) -> String {
    let define = format!("define it: `[acme.{name}]` with");
    match Directory::known(name) {
        _ if name == "default" => {
            "the default authority has no name, and only `certificate = \"auto\"` means it; give \
             it a table `[acme.<name>]` to name it"
                .to_owned()
        }
        Some(Directory::ZeroSsl) => format!(
            "{define} `directory = \"{name}\"`, `accept_terms = true`, and the `eab` of your account"
        ),
        Some(_) => format!("{define} `directory = \"{name}\"` and `accept_terms = true`"),
        None => format!("{define} its `directory` and `accept_terms = true`"),
    }
}
