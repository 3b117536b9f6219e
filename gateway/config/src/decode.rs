//! The decoder: walks the parsed document, notes every fault, and goes on.
//!
//! A type says by [`Decode`] how it is read; [`table!`](crate::table) writes
//! that for a table out of one definition of its fields, together with the
//! defaults and the reference. A fault in a field never ends the walk: the
//! field falls back on its default, so that what depends on it is looked at
//! too, and the configuration as a whole is refused at the end.

use std::path::{Path, PathBuf};

use toml::Spanned as At;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::Diagnostic;
use crate::names::Reference;
use crate::policy_config::PolicyConfig;
use crate::reference::FieldDoc;
use crate::span::{Source, SourceId, Span, Spanned};
use crate::suggest;

/// A value of the document and its place in the file.
pub(crate) type Node<'i> = At<DeValue<'i>>;

/// How a type is read from the document.
pub(crate) trait Decode: Sized {
    /// Reads it, or notes what is wrong and gives nothing.
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self>;

    /// What to call it in a message and in the reference: "a duration".
    fn kind() -> String;

    /// Adds the fields below `path` to the reference.
    fn describe(_path: &str, _fields: &mut Vec<FieldDoc>) {}
}

/// The state of one walk through one file.
pub(crate) struct Decoder<'s> {
    /// The file that is walked.
    pub(crate) source: SourceId,
    /// The directory that relative paths start from.
    pub(crate) directory: &'s Path,
    /// What was found wrong so far.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Names that were used.
    pub(crate) references: Vec<Reference>,
    /// Names that were defined, also those whose tables are faulty.
    pub(crate) definitions: Vec<Reference>,
    /// What policies are told, also those whose tables are faulty.
    pub(crate) policy_configs: Vec<PolicyConfig>,
    /// The files that policies run.
    pub(crate) component_files: Vec<Spanned<PathBuf>>,
    /// While a default is read: the table it is left out of.
    left_out_of: Option<Span>,
    /// The content of the file.
    text: &'s str,
    /// The keys of the tables that lead to the value which is read.
    keys: Vec<String>,
}

impl<'s> Decoder<'s> {
    pub(crate) fn new(id: SourceId, source: &'s Source) -> Self {
        Self {
            source: id,
            directory: source.directory(),
            diagnostics: Vec::new(),
            references: Vec::new(),
            definitions: Vec::new(),
            policy_configs: Vec::new(),
            component_files: Vec::new(),
            left_out_of: None,
            text: &source.text,
            keys: Vec::new(),
        }
    }

    /// A node as it stands in the file; of a table with a header, that header.
    pub(crate) fn written<T>(&self, node: &At<T>) -> &'s str {
        self.text.get(node.span()).unwrap_or_default()
    }

    /// The value that is read, as a header of a table would name it: `sites.routes`.
    pub(crate) fn path(&self) -> String {
        self.keys.join(".")
    }

    /// Reads the value of a key.
    pub(crate) fn value<T: Decode>(&mut self, key: &str, node: &Node<'_>) -> Option<T> {
        let is_bare = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        self.keys
            .push(match !key.is_empty() && key.bytes().all(is_bare) {
                true => key.to_owned(),
                false => format!("{key:?}"),
            });
        let value = T::decode(node, self);
        self.keys.pop();
        value
    }

    /// The place of a node or key.
    pub(crate) fn span<T>(&self, node: &At<T>) -> Span {
        self.left_out_of
            .unwrap_or_else(|| Span::new(self.source, node.span()))
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Notes an error and gives nothing, so that a decoder can end with it.
    pub(crate) fn refuse<T>(&mut self, diagnostic: Diagnostic) -> Option<T> {
        self.push(diagnostic);
        None
    }

    /// Notes that a value is of another type than it should be.
    pub(crate) fn mismatch<T>(&mut self, node: &Node<'_>, expected: &str) -> Option<T> {
        let found = found(node.get_ref());
        let span = self.span(node);
        self.refuse(Diagnostic::error(
            span,
            format!("expected {expected}, found {found}"),
        ))
    }

    /// The text of a node that must be a string.
    pub(crate) fn text<'n>(&mut self, node: &'n Node<'_>, expected: &str) -> Option<&'n str> {
        match node.get_ref().as_str() {
            Some(text) => Some(text),
            None => self.mismatch(node, expected),
        }
    }

    /// Reads a default, written as TOML, for a field that `table` left out.
    pub(crate) fn default<T: Decode>(&mut self, toml: &str, table: Span) -> Option<T> {
        let node = DeValue::parse(toml).ok()?;
        let outer = self.left_out_of.replace(table);
        let value = T::decode(&node, self);
        self.left_out_of = outer;
        value
    }
}

/// The word for a value's type.
pub(crate) fn found(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A table whose fields are taken one by one; what is left over is refused.
pub(crate) struct TableReader<'d, 's, 'n, 'i> {
    /// Where faults go.
    pub(crate) decoder: &'d mut Decoder<'s>,
    /// The whole table, or its header.
    pub(crate) span: Span,
    table: Option<&'n DeTable<'i>>,
    /// A field that stands for the whole table.
    short: Option<(&'static str, &'n Node<'i>)>,
    known: Vec<&'static str>,
    /// Fields that must be there and are not.
    missing: Vec<(&'static str, Diagnostic)>,
}

impl<'d, 's, 'n, 'i> TableReader<'d, 's, 'n, 'i> {
    pub(crate) fn new(
        node: &'n Node<'i>,
        decoder: &'d mut Decoder<'s>,
        expected: &str,
    ) -> Option<Self> {
        match node.get_ref() {
            DeValue::Table(table) => Some(Self {
                span: decoder.span(node),
                decoder,
                table: Some(table),
                short: None,
                known: Vec::new(),
                missing: Vec::new(),
            }),
            _ => decoder.mismatch(node, expected),
        }
    }

    /// The whole document as a table.
    pub(crate) fn document(document: &'n At<DeTable<'i>>, decoder: &'d mut Decoder<'s>) -> Self {
        Self {
            span: decoder.span(document),
            decoder,
            table: Some(document.get_ref()),
            short: None,
            known: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// A value that stands for a table with this one field.
    pub(crate) fn short(
        node: &'n Node<'i>,
        decoder: &'d mut Decoder<'s>,
        field: &'static str,
    ) -> Self {
        Self {
            span: decoder.span(node),
            decoder,
            table: None,
            short: Some((field, node)),
            known: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Whether a value stands for the whole table.
    pub(crate) fn is_short(&self) -> bool {
        self.short.is_some()
    }

    /// The value of a field, and from now on its name is known.
    pub(crate) fn node(&mut self, key: &'static str) -> Option<&'n Node<'i>> {
        self.known.push(key);
        match self.short {
            Some((field, node)) if field == key => Some(node),
            _ => self.table?.get(key),
        }
    }

    /// The place of a key that is there.
    pub(crate) fn key_span(&self, key: &str) -> Option<Span> {
        let (key, _) = self.table?.get_key_value(key)?;
        Some(self.decoder.span(key))
    }

    /// A field that must be there.
    pub(crate) fn required<T: Decode>(&mut self, key: &'static str) -> Option<T> {
        match self.node(key) {
            Some(node) => self.decoder.value(key, node),
            None => {
                let help = format!("add `{key}`: {}", T::kind());
                let fault = Diagnostic::error(self.span, format!("`{key}` is missing")).help(help);
                self.missing.push((key, fault));
                None
            }
        }
    }

    /// A field that may be left out and then is `toml`.
    pub(crate) fn default<T: Decode>(&mut self, key: &'static str, toml: &str) -> Option<T> {
        let node = self.node(key);
        node.and_then(|node| self.decoder.value(key, node))
            .or_else(|| self.decoder.default(toml, self.span))
    }

    /// A field that may be left out.
    pub(crate) fn optional<T: Decode>(&mut self, key: &'static str) -> Option<Option<T>> {
        let node = self.node(key);
        Some(node.and_then(|node| self.decoder.value(key, node)))
    }

    /// Refuses what was not asked for. `refused` are fields that are known
    /// of, but not carried out, each with the reason. Then says what is missing,
    /// but for what is only misspelt.
    pub(crate) fn finish(self, refused: &[(&str, &str)]) -> (Span, &'d mut Decoder<'s>) {
        let mut misspelt = Vec::new();
        for (key, _) in self.table.into_iter().flatten() {
            let name: &str = key.get_ref();
            if self.known.contains(&name) {
                continue;
            }
            misspelt.extend(suggest::nearest(name, self.known.iter().copied()));
            let span = self.decoder.span(key);
            let diagnostic = match refused.iter().find(|(refused, _)| *refused == name) {
                Some((_, why)) => Diagnostic::error(span, format!("`{name}`: {why}")),
                None => Diagnostic::error(span, format!("unknown field `{name}`"))
                    .help(suggest::field(name, &self.known)),
            };
            self.decoder.push(diagnostic);
        }
        for (key, fault) in self.missing {
            if !misspelt.contains(&key) {
                self.decoder.push(fault);
            }
        }
        (self.span, self.decoder)
    }
}

impl<T: Decode> Decode for Spanned<T> {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let span = decoder.span(node);
        T::decode(node, decoder).map(|value| Spanned::new(value, span))
    }

    fn kind() -> String {
        T::kind()
    }

    fn describe(path: &str, fields: &mut Vec<FieldDoc>) {
        T::describe(path, fields);
    }
}

impl<T: Decode> Decode for Box<T> {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        T::decode(node, decoder).map(Box::new)
    }

    fn kind() -> String {
        T::kind()
    }

    fn describe(path: &str, fields: &mut Vec<FieldDoc>) {
        T::describe(path, fields);
    }
}

/// Only for the reference: how a field is left out is [`TableReader::optional`].
impl<T: Decode> Decode for Option<T> {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        T::decode(node, decoder).map(Some)
    }

    fn kind() -> String {
        T::kind()
    }

    fn describe(path: &str, fields: &mut Vec<FieldDoc>) {
        T::describe(path, fields);
    }
}
