//! `files = …`: a route that serves files from a directory.

use std::path::PathBuf;
use std::time::Duration;

use globset::GlobBuilder;

use crate::compression::{Encoding, distinct};
use crate::decode::{Decode, Decoder, Node, TableReader};
use crate::diagnostic::Diagnostic;
use crate::macros::{table, words};
use crate::reference::{FieldDoc, Presence};
use crate::span::Spanned;

table! {
    /// Serves files from a directory.
    pub struct Files("a directory, or a table with one") {
        /// The directory.
        root: FilesRoot = flatten;
        /// The names of index files for a directory; the first that exists is served.
        index: Vec<Spanned<IndexName>> = default("[\"index.html\"]");
        /// Whether a directory without an index file is answered with a list of its
        /// entries.
        listing: bool = default("false");
        /// Which precompressed siblings of a file are served: `x.br`, `x.zst`, `x.gz`
        /// for `x`. In order of preference among the codings that the client prefers
        /// equally.
        precompressed: Vec<Spanned<Encoding>> = default("[]");
        /// Which symbolic links are followed.
        symlinks: Symlinks = default("\"inside\"");
        /// Whether names that begin with a dot are served. `/.well-known/` always is.
        hidden: bool = default("false");
        /// How long files are still served after a deploy has removed them. Needs
        /// `retain_files`.
        retain: Option<Spanned<Duration>> = optional("not at all");
        /// Which files are retained, as patterns of paths below the directory:
        /// `["assets/**"]`. Use it for files whose names change with their content.
        retain_files: Vec<Spanned<Glob>> = default("[]");
        /// The directory for retained files: one used for nothing else, on the same
        /// file system.
        retain_in: Option<Spanned<PathBuf>> = optional("`<root>.retained`, beside it or the link that it is behind");
    }
    short root
    check whole
}

fn whole(files: &Files, decoder: &mut Decoder<'_>) {
    distinct(&files.precompressed, decoder);
    let Some(retain) = &files.retain else {
        let given = files.retain_files.first().map(|glob| glob.span);
        let given = given.or_else(|| files.retain_in.as_ref().map(|path| path.span));
        if let Some(span) = given {
            decoder.push(
                Diagnostic::error(span, "nothing is retained: `retain` is missing")
                    .help("write how long: `retain = \"24h\"`"),
            );
        }
        return;
    };
    if retain.is_zero() {
        decoder.push(
            Diagnostic::error(retain.span, "`retain` must not be 0")
                .help("leave it out to retain nothing"),
        );
    }
    if files.retain_files.is_empty() {
        decoder.push(
            Diagnostic::error(retain.span, "`retain` needs `retain_files`").help(
                "name the files that are never changed, only removed: \
                 `retain_files = [\"assets/**\"]`",
            ),
        );
    }
    let root = files.root.path();
    match &files.retain_in {
        // `/` and `..` have no file name, so no sibling can be named after them.
        None if root.value.file_name().is_none() => decoder.push(
            Diagnostic::error(root.span, "there is nothing beside this directory")
                .help("write where removed files are kept: `retain_in = \"/var/lib/janua/app\"`"),
        ),
        Some(given) if given.starts_with(&root.value) => decoder.push(
            Diagnostic::error(
                given.span,
                "`retain_in` is inside the directory it keeps for",
            )
            .note(root.span, "the directory")
            .help("name a directory beside it, on the same file system"),
        ),
        _ => {}
    }
}

/// A directory, and the part of the request's path that is looked up in it. The
/// directory is relative to the working directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilesRoot {
    /// The whole path is looked up.
    Root(Spanned<PathBuf>),
    /// The rest of the path after the route's path is looked up.
    Alias(Spanned<PathBuf>),
}

impl FilesRoot {
    /// The directory.
    pub fn path(&self) -> &Spanned<PathBuf> {
        match self {
            Self::Root(path) | Self::Alias(path) => path,
        }
    }

    /// Reads the one directory of a target.
    pub(crate) fn take(files: &mut TableReader<'_, '_, '_, '_>) -> Option<Self> {
        let root = files.optional("root")?;
        let alias = files.optional("alias")?;
        match (files.key_span("root"), files.key_span("alias")) {
            (Some(root), Some(alias)) => files.decoder.refuse(
                Diagnostic::error(alias, "the files have two directories: `root` and `alias`")
                    .note(root, "the other one")
                    .help("keep `root` to look up the whole path, or `alias` to remove the route's path first"),
            ),
            // A string that is short for the table is its `root`, and has no key.
            (None, None) if root.is_none() && !files.is_short() => files.decoder.refuse(
                Diagnostic::error(files.span, "the files have no directory")
                    .help("write `root = \"dist\"`, or `alias = \"static\"` to remove the route's path first"),
            ),
            _ => root.map(Self::Root).or_else(|| alias.map(Self::Alias)),
        }
    }

    /// The fields that name the directory, for the reference.
    pub(crate) fn describe_fields(path: &str, fields: &mut Vec<FieldDoc>) {
        let one_of = || Presence::optional("one of `root`, `alias`");
        FieldDoc::add::<PathBuf>(
            fields,
            path,
            "root",
            one_of(),
            "The directory in which the whole path is looked up, relative to this file. \
             `files = \"dist\"` is short for `files = { root = \"dist\" }`.",
        );
        FieldDoc::add::<PathBuf>(
            fields,
            path,
            "alias",
            one_of(),
            "A directory in which the rest of the path after the path of the route is looked up: \
             for the route `/static/`, `/static/a.js` is the file `a.js`. Instead of `root`.",
        );
    }
}

words! {
    /// Which symbolic links are followed.
    pub enum Symlinks {
        /// Those whose target lies below the directory.
        Inside = "inside",
        /// None.
        Refuse = "refuse",
        /// All: files are served wherever a link leads.
        Follow = "follow",
    }
}

/// The name of an index file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexName(String);

impl IndexName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for IndexName {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        if !matches!(text, "" | "." | "..") && !text.contains(['/', '\\', '\0']) {
            return Some(Self(text.to_owned()));
        }
        let span = decoder.span(node);
        let help = match text
            .rsplit('/')
            .find(|part| !matches!(*part, "" | "." | ".."))
        {
            Some(name) if text.contains('/') => {
                format!("an index is a file in the directory itself: write \"{name}\"")
            }
            _ => "write a name: \"index.html\"".to_owned(),
        };
        decoder.refuse(
            Diagnostic::error(span, format!("`{text}` is not the name of a file")).help(help),
        )
    }

    fn kind() -> String {
        "the name of a file".to_owned()
    }
}

/// A pattern of paths below a directory: `assets/**`. `*` and `?` do not match `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// The pattern.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for Glob {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        let span = decoder.span(node);
        let wrong = |help: String| {
            Diagnostic::error(span, format!("`{text}` names no files below the directory"))
                .help(help)
        };
        if text.starts_with('/') {
            let below = text.trim_start_matches('/');
            return decoder.refuse(wrong(match below {
                "" => "write \"**\" for all files".to_owned(),
                below => format!("write \"{below}\""),
            }));
        }
        if text.is_empty() || text.split('/').any(|part| matches!(part, "." | "..")) {
            return decoder.refuse(wrong("write \"assets/**\"".to_owned()));
        }
        if let Some(directory) = text.strip_suffix('/') {
            return decoder.refuse(wrong(format!(
                "for all files below it write \"{directory}/**\""
            )));
        }
        match GlobBuilder::new(text).literal_separator(true).build() {
            Ok(_) => Some(Self(text.to_owned())),
            Err(why) => decoder.refuse(
                Diagnostic::error(span, format!("`{text}` is not a pattern: {}", why.kind())).help(
                    "`*` and `?` stand for letters, `**` for directories, `{a,b}` for either",
                ),
            ),
        }
    }

    fn kind() -> String {
        "a pattern of files such as \"assets/**\"".to_owned()
    }
}
