//! `endpoints` of an upstream: servers that the configuration names, and files that list
//! further ones.

use std::ops::Deref;
use std::path::PathBuf;

use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node};
use crate::endpoint::Endpoint;
use crate::list::OneOrMany;
use crate::macros::{table, words};
use crate::reference::FieldDoc;
use crate::span::Spanned;
use crate::tree::{self, ToTree, Tree};

/// The endpoints of an upstream; at least one, or a file with a list of them.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// Those that the configuration names, in the order of the file.
    named: Vec<Endpoint>,
    files: Vec<EndpointFile>,
}

impl Endpoints {
    /// The files with further endpoints, in the order of the file.
    pub fn files(&self) -> &[EndpointFile] {
        &self.files
    }
}

impl Deref for Endpoints {
    type Target = [Endpoint];

    fn deref(&self) -> &[Endpoint] {
        &self.named
    }
}

table! {
    /// A file with endpoints, which is followed while the gateway runs.
    pub struct EndpointFile("a table such as `{ file = \"endpoints/app.toml\" }`") {
        /// In place of an endpoint: a file with a list of endpoints, in TOML or, if its name
        /// ends in `.json`, in JSON. Its changes take effect by themselves.
        file: Spanned<PathBuf> = required;
    }
    called "endpoint file" by label
}

impl EndpointFile {
    fn label(&self) -> String {
        self.file.value.display().to_string()
    }
}

words! {
    /// What the name of an endpoint stands for.
    pub enum Resolve {
        /// For one endpoint, whose addresses are tried in turn.
        One = "one",
        /// For as many endpoints as it has addresses.
        All = "all",
    }
    refused {
        "srv": "write the address as \"srv:_http._tcp.app.internal\"",
    }
}

words! {
    /// Which of a name's addresses are endpoints.
    pub enum Family {
        /// Those of both families.
        Any = "any",
        /// Only those of IPv4.
        Ipv4 = "ipv4",
        /// Only those of IPv6.
        Ipv6 = "ipv6",
    }
}

/// One element of the list.
enum Entry<Named, File> {
    Named(Named),
    File(File),
}

type Owned = Entry<Endpoint, EndpointFile>;

impl Decode for Endpoints {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let entries = OneOrMany::<Owned>::decode(node, decoder)?;
        let (mut named, mut files) = (Vec::new(), Vec::new());
        for entry in entries.0 {
            match entry {
                Entry::Named(endpoint) => named.push(endpoint),
                Entry::File(file) => files.push(file),
            }
        }
        Some(Self { named, files })
    }

    fn kind() -> String {
        OneOrMany::<Owned>::kind()
    }

    fn describe(path: &str, fields: &mut Vec<FieldDoc>) {
        OneOrMany::<Owned>::describe(path, fields);
    }
}

impl Decode for Owned {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let names_a_file = match node.get_ref() {
            DeValue::Table(table) => table.contains_key("file"),
            _ => false,
        };
        match names_a_file {
            true => EndpointFile::decode(node, decoder).map(Self::File),
            false => Endpoint::decode(node, decoder).map(Self::Named),
        }
    }

    fn kind() -> String {
        Endpoint::kind()
    }

    fn describe(path: &str, fields: &mut Vec<FieldDoc>) {
        Endpoint::describe(path, fields);
        EndpointFile::describe(path, fields);
    }
}

impl ToTree for Endpoints {
    fn to_tree(&self) -> Tree {
        let named = self.named.iter().map(Entry::Named);
        let files = self.files.iter().map(Entry::File);
        let all: Vec<Entry<&Endpoint, &EndpointFile>> = named.chain(files).collect();
        tree::list(&all)
    }
}

impl ToTree for Entry<&Endpoint, &EndpointFile> {
    fn to_tree(&self) -> Tree {
        match self {
            Self::Named(endpoint) => endpoint.to_tree(),
            Self::File(file) => file.to_tree(),
        }
    }

    fn object_name(&self) -> Option<String> {
        match self {
            Self::Named(endpoint) => endpoint.object_name(),
            Self::File(file) => file.object_name(),
        }
    }
}
