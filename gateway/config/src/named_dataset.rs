//! `[datasets.<name>]`: lists and databases of the operator, in which policies look keys up.

use std::path::PathBuf;

use crate::decode::TableReader;
use crate::diagnostic::Diagnostic;
use crate::macros::table;
use crate::names::{Definition, Kind};
use crate::reference::{FieldDoc, Presence};
use crate::span::Spanned;

table! {
    /// A dataset, under a name that policies use.
    pub struct NamedDataset("a table with the file of a dataset") {
        /// Where it comes from.
        source: DatasetSource = flatten;
    }
}

impl Definition for NamedDataset {
    const KIND: Kind = Kind::Dataset;
}

/// A file with a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetSource {
    /// What is in it.
    pub kind: DatasetKind,
    /// The file, relative to the working directory.
    pub file: Spanned<PathBuf>,
}

/// What a dataset consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatasetKind {
    /// Networks and addresses.
    Networks,
    /// Texts.
    Strings,
    /// Regular expressions.
    Regexes,
    /// Records in the MaxMind format.
    Mmdb,
}

const KINDS: [DatasetKind; 4] = [
    DatasetKind::Networks,
    DatasetKind::Strings,
    DatasetKind::Regexes,
    DatasetKind::Mmdb,
];

impl DatasetKind {
    /// The field that names the file.
    pub fn field(self) -> &'static str {
        match self {
            Self::Networks => "networks",
            Self::Strings => "strings",
            Self::Regexes => "regexes",
            Self::Mmdb => "mmdb",
        }
    }
}

impl DatasetSource {
    /// Reads the one source of a table.
    pub(crate) fn take(table: &mut TableReader<'_, '_, '_, '_>) -> Option<Self> {
        let mut given = Vec::new();
        for kind in KINDS {
            let file: Option<Spanned<PathBuf>> = table.optional(kind.field())?;
            given.extend(file.map(|file| Self { kind, file }));
        }
        let how = "a dataset has one file: `networks`, `strings`, `regexes` or `mmdb`";
        let mut written = KINDS
            .iter()
            .filter_map(|kind| Some((kind.field(), table.key_span(kind.field())?)));
        match (written.next(), written.next()) {
            (Some((name, first)), Some((other, second))) => table.decoder.refuse(
                Diagnostic::error(
                    second,
                    format!("there are two files: `{name}` and `{other}`"),
                )
                .note(first, "the other one")
                .help(how),
            ),
            (None, _) => table
                .decoder
                .refuse(Diagnostic::error(table.span, "the dataset has no file").help(how)),
            (Some(_), None) => given.pop(),
        }
    }

    /// The fields for the reference.
    pub(crate) fn describe_fields(path: &str, fields: &mut Vec<FieldDoc>) {
        for (kind, doc) in [
            (
                DatasetKind::Networks,
                "A file with an IP address or network in each line, relative to this file, and \
                 perhaps a value behind it. Keys are addresses; the longest prefix wins.",
            ),
            (
                DatasetKind::Strings,
                "A file with a text in each line, and perhaps a value behind a tab, or behind \
                 spaces if there is no tab. Keys are equal to a text.",
            ),
            (
                DatasetKind::Regexes,
                "A file with a regular expression in each line, and perhaps a value behind a \
                 tab. The first line that matches some part of the key answers.",
            ),
            (
                DatasetKind::Mmdb,
                "A database in the MaxMind format, such as those of countries. Keys are \
                 addresses; policies name a member of the record.",
            ),
        ] {
            let presence = Presence::optional("one of these files");
            FieldDoc::add::<PathBuf>(fields, path, kind.field(), presence, doc);
        }
    }
}
