//! The decoder: reads the parsed document, collects every error, and continues.
//!
//! A type implements [`Decode`] to define how it is read.
//! [`table!`](crate::table) implements it for a table from one definition of its
//! fields, together with the defaults and the reference. After an error in a
//! field the decoder continues with the field's default, so that later checks
//! can still run, and the configuration as a whole is refused at the end.

use std::path::{Path, PathBuf};

use toml::Spanned as At;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::Diagnostic;
use crate::names::Reference;
use crate::policy_config::PolicyConfig;
use crate::reference::FieldDoc;
use crate::span::{Source, SourceId, Span, Spanned};
use crate::suggest;

/// A value of the document with its position in the file.
pub(crate) type Node<'i> = At<DeValue<'i>>;

/// How a type is read from the document.
pub(crate) trait Decode: Sized {
    /// Reads the value, or records an error and returns none.
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self>;

    /// The description of the value in messages and in the reference: "a
    /// duration".
    fn kind() -> String;

    /// Adds the fields below `path` to the reference.
    fn describe(_path: &str, _fields: &mut Vec<FieldDoc>) {}
}

/// The state of decoding one file.
pub(crate) struct Decoder<'s> {
    /// The file being decoded.
    pub(crate) source: SourceId,
    /// The directory to which relative paths refer.
    pub(crate) directory: &'s Path,
    /// The errors and warnings found so far.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Names that are used.
    pub(crate) references: Vec<Reference>,
    /// Names that are defined, even by a table with errors.
    pub(crate) definitions: Vec<Reference>,
    /// The configurations of policies, even of policies with errors.
    pub(crate) policy_configs: Vec<PolicyConfig>,
    /// The component files of policies.
    pub(crate) component_files: Vec<Spanned<PathBuf>>,
    /// While a default is decoded: the table that lacks the field.
    left_out_of: Option<Span>,
    /// The content of the file.
    text: &'s str,
    /// The keys of the tables that contain the value being read.
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

    /// The text of a node as it is in the file; for a table with a header, the
    /// header.
    pub(crate) fn written<T>(&self, node: &At<T>) -> &'s str {
        self.text.get(node.span()).unwrap_or_default()
    }

    /// The path of the value being read, as in a table's header: `sites.routes`.
    pub(crate) fn path(&self) -> String {
        self.keys.join(".")
    }

    /// Decodes the value of a key.
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

    /// The position of a node or key.
    pub(crate) fn span<T>(&self, node: &At<T>) -> Span {
        self.left_out_of
            .unwrap_or_else(|| Span::new(self.source, node.span()))
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Whether an error was found within a table that is written in braces.
    pub(crate) fn has_fault_in(&self, table: Span) -> bool {
        self.diagnostics.iter().any(|found| found.is_within(table))
    }

    /// Records an error and returns none, for use as the result of a decoder.
    pub(crate) fn refuse<T>(&mut self, diagnostic: Diagnostic) -> Option<T> {
        self.push(diagnostic);
        None
    }

    /// Records that a value has the wrong type.
    pub(crate) fn mismatch<T>(&mut self, node: &Node<'_>, expected: &str) -> Option<T> {
        let found = found(node.get_ref());
        let span = self.span(node);
        self.refuse(Diagnostic::error(
            span,
            format!("expected {expected}, found {found}"),
        ))
    }

    /// The text of a node, which must be a string.
    pub(crate) fn text<'n>(&mut self, node: &'n Node<'_>, expected: &str) -> Option<&'n str> {
        match node.get_ref().as_str() {
            Some(text) => Some(text),
            None => self.mismatch(node, expected),
        }
    }

    /// Decodes a default, written as TOML, for a field that `table` lacks.
    pub(crate) fn default<T: Decode>(&mut self, toml: &str, table: Span) -> Option<T> {
        let node = DeValue::parse(toml).ok()?;
        let outer = self.left_out_of.replace(table);
        let value = T::decode(&node, self);
        self.left_out_of = outer;
        value
    }
}

/// The name of a value's type.
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

/// A table whose fields are read one by one; fields that were not read are refused.
pub(crate) struct TableReader<'d, 's, 'n, 'i> {
    /// Collects the errors.
    pub(crate) decoder: &'d mut Decoder<'s>,
    /// The whole table, or its header.
    pub(crate) span: Span,
    table: Option<&'n DeTable<'i>>,
    /// A field that stands for the whole table.
    short: Option<(&'static str, &'n Node<'i>)>,
    known: Vec<&'static str>,
    /// Fields that are read elsewhere.
    passed_over: Vec<&'n str>,
    /// Required fields that are missing.
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
                passed_over: Vec::new(),
                missing: Vec::new(),
            }),
            _ => decoder.mismatch(node, expected),
        }
    }

    /// The document as a table.
    pub(crate) fn document(document: &'n At<DeTable<'i>>, decoder: &'d mut Decoder<'s>) -> Self {
        Self {
            span: decoder.span(document),
            decoder,
            table: Some(document.get_ref()),
            short: None,
            known: Vec::new(),
            passed_over: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// A value that is short for a table with only this field.
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
            passed_over: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Whether the table was written as a single value.
    pub(crate) fn is_short(&self) -> bool {
        self.short.is_some()
    }

    /// Leaves fields to somebody else. Unlike known fields, they are not suggested.
    pub(crate) fn pass_over(&mut self, keys: impl IntoIterator<Item = &'n str>) {
        self.passed_over.extend(keys);
    }

    /// The value of a field, whose name counts as known from now on.
    pub(crate) fn node(&mut self, key: &'static str) -> Option<&'n Node<'i>> {
        self.known.push(key);
        match self.short {
            Some((field, node)) if field == key => Some(node),
            _ => self.table?.get(key),
        }
    }

    /// The position of a key, if it is present.
    pub(crate) fn key_span(&self, key: &str) -> Option<Span> {
        let (key, _) = self.table?.get_key_value(key)?;
        Some(self.decoder.span(key))
    }

    /// Reads a required field.
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

    /// Reads an optional field whose default is `toml`.
    pub(crate) fn default<T: Decode>(&mut self, key: &'static str, toml: &str) -> Option<T> {
        let node = self.node(key);
        node.and_then(|node| self.decoder.value(key, node))
            .or_else(|| self.decoder.default(toml, self.span))
    }

    /// Reads an optional field without a default.
    pub(crate) fn optional<T: Decode>(&mut self, key: &'static str) -> Option<Option<T>> {
        let node = self.node(key);
        Some(node.and_then(|node| self.decoder.value(key, node)))
    }

    /// Refuses unknown fields. `refused` lists fields that are known but not
    /// supported, each with the reason. Then reports missing fields, except
    /// those that are only misspelt.
    pub(crate) fn finish(self, refused: &[(&str, &str)]) -> (Span, &'d mut Decoder<'s>) {
        let mut misspelt = Vec::new();
        for (key, _) in self.table.into_iter().flatten() {
            let name: &str = key.get_ref();
            if self.known.contains(&name) || self.passed_over.contains(&name) {
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

/// Only for the reference: an absent field is read by [`TableReader::optional`].
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
