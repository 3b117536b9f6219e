//! `request_headers` and `response_headers`: edits of the header fields of a message.

use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::header::{FieldName, fields, refuse_of_gateway, set_name};
use crate::input::Input;
use crate::list::OneOrMany;
use crate::macros::table;
use crate::span::Spanned;
use crate::template::Template;
use crate::tree::{ToTree, Tree};

table! {
    /// Edits of the header fields of a message, made in the order `remove`, `set`, `add`.
    pub struct HeaderEdits("a table such as `{ set = { x-a = \"1\" }, remove = [\"x-b\"] }`") {
        /// Fields that are removed.
        remove: Vec<Spanned<FieldName>> = default("[]");
        /// Fields that get one line with this value, in place of all lines that they had. A
        /// value may contain inputs: `{ x-client = "{client_ip}" }`. If none of them is
        /// there, the field is removed.
        set: FieldValues = default("{}");
        /// Lines that are added to those that are there: a value, or a list of them. If none
        /// of the inputs of a value is there, it adds nothing.
        add: FieldLines = default("{}");
    }
    refused {
        "append": "write `add`",
    }
    check whole
}

/// The most lines that are set and added. A head that was received has at most 256, so that those of
/// a route and of one upstream of a split always fit beside them into the 512 of an edited head.
const MOST_LINES: usize = 128;

/// The most bytes of the text of their values, so that it fits as well.
const MOST_TEXT: usize = 32 * 1024;

/// Fields and the one value of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldValues(pub Vec<(Spanned<FieldName>, Spanned<Template>)>);

/// Fields and lines of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldLines(pub Vec<(Spanned<FieldName>, Vec<Spanned<Template>>)>);

impl HeaderEdits {
    /// Whether it edits nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.0.is_empty() && self.add.0.is_empty()
    }

    /// The names of the fields that it gives a value.
    pub fn given(&self) -> impl Iterator<Item = &Spanned<FieldName>> {
        let set = self.set.0.iter().map(|(name, _)| name);
        set.chain(self.add.0.iter().map(|(name, _)| name))
    }

    /// The values, in their order.
    pub fn templates(&self) -> impl Iterator<Item = &Spanned<Template>> {
        let set = self.set.0.iter().map(|(_, value)| value);
        set.chain(self.add.0.iter().flat_map(|(_, lines)| lines))
    }

    /// Checks edits of a request: there is no response yet whose properties could be told, and
    /// its host is changed elsewhere.
    pub(crate) fn check_request(&self, decoder: &mut Decoder<'_>) {
        for value in self.templates() {
            if let Some(input) = value.inputs().find(|input| Input::is_of_response(input)) {
                decoder.push(
                    Diagnostic::error(
                        value.span,
                        format!("`{{{input}}}` is not known before there is a response"),
                    )
                    .help("leave it out, or set the field in `response_headers`"),
                );
            }
        }
        for name in self.given().chain(&self.remove) {
            if name.as_str() == "host" {
                decoder.push(
                    Diagnostic::error(name.span, "`host` is not an ordinary field of a request")
                        .help("write `rewrite = { host = \"app.example.com\" }`"),
                );
            }
        }
    }
}

fn whole(edits: &HeaderEdits, decoder: &mut Decoder<'_>) {
    refuse_of_gateway(edits.given().chain(&edits.remove), decoder);
    bounded(edits, decoder);
}

/// Refuses more than fits into a head.
fn bounded(edits: &HeaderEdits, decoder: &mut Decoder<'_>) {
    let mut text = 0;
    for (before, value) in edits.templates().enumerate() {
        text += value.as_str().len();
        let fault = if before >= MOST_LINES {
            format!("a route sets and adds at most {MOST_LINES} header fields")
        } else if text > MOST_TEXT {
            let kib = MOST_TEXT / 1024;
            format!("the values of the header fields of a route have at most {kib} KiB of text")
        } else {
            continue;
        };
        let help = "heads of this size are refused by many servers and clients";
        decoder.push(Diagnostic::error(value.span, fault).help(help));
        return;
    }
}

impl Decode for FieldValues {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let value = Spanned::<Template>::decode;
        fields(node, decoder, &Self::kind(), set_name, value).map(Self)
    }

    fn kind() -> String {
        "a table of header fields such as `{ x-frame-options = \"DENY\" }`".to_owned()
    }
}

impl Decode for FieldLines {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let lines = |node: &Node<'_>, decoder: &mut Decoder<'_>| match node.get_ref() {
            DeValue::Array(_) => OneOrMany::decode(node, decoder).map(|lines| lines.0),
            _ => Spanned::<Template>::decode(node, decoder).map(|line| vec![line]),
        };
        fields(node, decoder, &Self::kind(), set_name, lines).map(Self)
    }

    fn kind() -> String {
        "a table of header fields such as `{ link = [\"</a.css>; rel=preload\"] }`".to_owned()
    }
}

/// The value of a field may be a credential for the upstream.
impl ToTree for FieldValues {
    fn to_tree(&self) -> Tree {
        let field = |(name, value): &(Spanned<FieldName>, Spanned<Template>)| {
            let value = Tree::Secret(value.as_str().to_owned());
            (name.as_str().to_owned(), value)
        };
        Tree::Table(self.0.iter().map(field).collect())
    }
}

impl ToTree for FieldLines {
    fn to_tree(&self) -> Tree {
        let field = |(name, lines): &(Spanned<FieldName>, Vec<Spanned<Template>>)| {
            let lines: Vec<&str> = lines.iter().map(|line| line.as_str()).collect();
            let value = Tree::Secret(lines.join("\n"));
            (name.as_str().to_owned(), value)
        };
        Tree::Table(self.0.iter().map(field).collect())
    }
}
