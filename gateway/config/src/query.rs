//! `query` of a route: conditions on the parameters of a request's query.

use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::header::ValueTest;
use crate::span::Spanned;
use crate::tree::{ToTree, Tree};

/// Conditions on the parameters of a query, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryMatches(pub Vec<QueryMatch>);

/// A condition on one parameter. Of several with one name the first counts, as the Gateway API
/// recommends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryMatch {
    /// Its name, decoded. Names are case-sensitive.
    pub name: Spanned<String>,
    /// The condition on its value, decoded.
    pub test: Spanned<ValueTest>,
}

impl Decode for QueryMatches {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Table(table) = node.get_ref() else {
            return decoder.mismatch(node, &Self::kind());
        };
        let mut matches = Vec::new();
        for (key, node) in table.iter() {
            let name = Spanned::new(key.get_ref().to_string(), decoder.span(key));
            if name.is_empty() {
                decoder.push(
                    Diagnostic::error(name.span, "a query parameter has a name")
                        .help("write its name as it is once decoded: `{ page = \"2\" }`"),
                );
                continue;
            }
            matches.extend(Spanned::decode(node, decoder).map(|test| QueryMatch { name, test }));
        }
        Some(Self(matches))
    }

    fn kind() -> String {
        "a table of query parameters such as `{ v = \"2\" }`".to_owned()
    }
}

/// A required parameter may be a secret that two services share.
impl ToTree for QueryMatches {
    fn to_tree(&self) -> Tree {
        let field = |it: &QueryMatch| {
            let test = Tree::Secret(it.test.to_string());
            (it.name.value.clone(), test)
        };
        Tree::Table(self.0.iter().map(field).collect())
    }
}
