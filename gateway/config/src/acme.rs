//! `[acme]`: the authorities that certificates are ordered from automatically,
//! by ACME (RFC 8555).
//!
//! The fields of the table itself are those of the default authority. A table in
//! it that is none of these fields is a further authority, with the table's name.
//! A site refers to the one by `"auto"` and to the others by their names.

use std::collections::BTreeMap;

use toml::de::DeValue;

use crate::acme_authority::Authority;
use crate::decode::{Decode, Decoder, Node, TableReader};
use crate::diagnostic::Diagnostic;
use crate::names::{Definition, Kind, Named, Names};
use crate::reference::FieldDoc;
use crate::suggest;
use crate::tree::{ToTree, Tree};

/// All authorities that a site may use.
#[derive(Debug, Clone, Default)]
pub struct Acme {
    /// The authority of `certificate = "auto"`.
    pub default: Option<Authority>,
    /// Those that sites and fallbacks name.
    pub named: Names<Authority>,
}

impl Acme {
    /// The name by which the default authority is reported.
    pub const DEFAULT: &str = "default";

    /// The authority with a name, or the default one.
    pub fn authority(&self, name: Option<&str>) -> Option<&Authority> {
        match name {
            Some(name) => self.named.get(name).map(|named| &named.table),
            None => self.default.as_ref(),
        }
    }

    /// All authorities with their names; the default one comes first and is
    /// called `default`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Authority)> {
        let named = self.named.iter();
        let named = named.map(|(name, named)| (name.as_str(), &named.table));
        self.default
            .iter()
            .map(|authority| (Self::DEFAULT, authority))
            .chain(named)
    }
}

impl Definition for Authority {
    const KIND: Kind = Kind::Authority;
}

impl Decode for Acme {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Table(table) = node.get_ref() else {
            return decoder.mismatch(node, &Self::kind());
        };
        let fields = own_fields();
        let (named, own): (Vec<_>, Vec<_>) = table
            .iter()
            .partition(|(key, node)| is_authority(key.get_ref(), node, &fields));
        let mut names = BTreeMap::new();
        for (key, node) in &named {
            let name = Authority::define(key, decoder);
            if *name == Acme::DEFAULT {
                decoder.push(
                    Diagnostic::error(name.span, "an authority cannot be called `default`")
                        .help("the default authority is `[acme]` itself; leave the name out"),
                );
            }
            if let Some(table) = decoder.value(&name, node) {
                names.insert(name.value.clone(), Named { name, table });
            }
        }
        let mut default = None;
        // An empty table is that of a default authority which lacks everything.
        if !own.is_empty() || named.is_empty() {
            let mut reader = TableReader::new(node, decoder, &Self::kind())?;
            reader.pass_over(named.iter().map(|(key, _)| &**key.get_ref()));
            default = Authority::read(reader);
        }
        Some(Self {
            default,
            named: names,
        })
    }

    fn kind() -> String {
        "a table of an authority, and of further ones by name".to_owned()
    }

    fn describe(path: &str, fields: &mut Vec<FieldDoc>) {
        Authority::describe(path, fields);
        fields.push(FieldDoc {
            path: format!("{path}.<name>"),
            kind: "a table with the fields of `[acme]`".to_owned(),
            default: Some("none".to_owned()),
            doc: "A further authority, which sites and `fallback` refer to by its name. \
                  Nothing is inherited from `[acme]`, whose own fields may then be left out."
                .to_owned(),
        });
    }
}

impl ToTree for Acme {
    fn to_tree(&self) -> Tree {
        Tree::Table(vec![
            ("default".to_owned(), self.default.to_tree()),
            ("named".to_owned(), self.named.to_tree()),
        ])
    }
}

/// The names of the fields of an authority.
fn own_fields() -> Vec<String> {
    let mut fields = Vec::new();
    Authority::describe("", &mut fields);
    let paths = fields.into_iter().map(|field| field.path);
    paths.filter(|path| !path.contains('.')).collect()
}

/// Whether a field of `[acme]` is an authority with this name. A misspelt field
/// that is a table is recognised by what it lacks.
fn is_authority(key: &str, node: &Node<'_>, fields: &[String]) -> bool {
    let fields = || fields.iter().map(String::as_str);
    let Some(table) = node.get_ref().as_table() else {
        return false;
    };
    let is_misspelt =
        !table.contains_key("accept_terms") && suggest::nearest(key, fields()).is_some();
    fields().all(|field| field != key) && !is_misspelt
}
