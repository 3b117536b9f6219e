//! Header fields and methods, validated by the rules of RFC 9110.

use std::fmt;

use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node, TableReader};
use crate::diagnostic::Diagnostic;
use crate::span::Spanned;

/// The name of a header field, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldName(String);

impl FieldName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for FieldName {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        let span = decoder.span(node);
        field_name(text, span, decoder)
    }

    fn kind() -> String {
        "the name of a header field".to_owned()
    }
}

fn field_name(text: &str, span: crate::Span, decoder: &mut Decoder<'_>) -> Option<FieldName> {
    if is_token(text) {
        return Some(FieldName(text.to_ascii_lowercase()));
    }
    decoder.refuse(
        Diagnostic::error(span, format!("`{text}` is not the name of a header field"))
            .help("a name has letters, digits and `-`: \"x-request-id\""),
    )
}

/// The name of a field that is sent. Names that look like a reference to a file
/// or an environment variable are refused: they work only in a policy's
/// configuration. Here the name would become a header field, and the path of a
/// secret its value. In conditions on fields such a name is allowed.
pub(crate) fn set_name(
    text: &str,
    span: crate::Span,
    decoder: &mut Decoder<'_>,
) -> Option<FieldName> {
    let Some(name) = text
        .strip_suffix("_file")
        .or_else(|| text.strip_suffix("_env"))
    else {
        return field_name(text, span, decoder);
    };
    decoder.refuse(
        Diagnostic::error(
            span,
            format!("`{text}` would be the name of a header field: no reference is followed here"),
        )
        .help(format!(
            "write `{name}` and its value; the policy `headers` sets fields from files and \
             environment variables"
        )),
    )
}

/// Fields that only the gateway sets, because they describe the connection or the length of the
/// body. With another value in them, the two ends would disagree about where a message ends.
const OF_THE_GATEWAY: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether only the gateway sets this field.
pub(crate) fn is_of_gateway(name: &FieldName) -> bool {
    OF_THE_GATEWAY.contains(&name.as_str())
}

/// Refuses the gateway's own fields.
pub(crate) fn refuse_of_gateway<'n>(
    names: impl Iterator<Item = &'n Spanned<FieldName>>,
    decoder: &mut Decoder<'_>,
) {
    for name in names.filter(|name| is_of_gateway(&name.value)) {
        let message = format!("the field `{}` belongs to the gateway", name.as_str());
        decoder.push(
            Diagnostic::error(name.span, message)
                .help("leave it out: it follows from the connection and the body"),
        );
    }
}

/// Whether the text is a token (RFC 9110, section 5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(fits)
}

/// A request method: a token, in its exact spelling, because methods are
/// case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Method(String);

impl Method {
    /// The method.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Decode for Method {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        let span = decoder.span(node);
        if !is_token(text) {
            return decoder.refuse(
                Diagnostic::error(span, format!("`{text}` is not a method"))
                    .help("write a method: \"GET\""),
            );
        }
        // Methods are case-sensitive: "get" would never match, and is a mistake.
        if text.bytes().any(|b| b.is_ascii_lowercase()) {
            return decoder.refuse(
                Diagnostic::error(
                    span,
                    format!("`{text}` is not a method: methods are in capitals"),
                )
                .help(format!("write \"{}\"", text.to_ascii_uppercase())),
            );
        }
        Some(Self(text.to_owned()))
    }

    fn kind() -> String {
        "a method such as \"GET\"".to_owned()
    }
}

/// Header fields to send, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderList(pub Vec<Header>);

/// A header field to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: Spanned<FieldName>,
    /// Its value: visible characters, spaces and tabs.
    pub value: Spanned<String>,
}

impl Decode for HeaderList {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let fields = fields(node, decoder, &Self::kind(), set_name, |node, decoder| {
            let text = decoder.text(node, "the value of a header field")?;
            // RFC 9110, section 5.5: no CR, LF, NUL or other control characters.
            if !text.chars().any(|c| c.is_control() && c != '\t') && text.trim() == text {
                return Some(Spanned::new(text.to_owned(), decoder.span(node)));
            }
            let span = decoder.span(node);
            decoder.refuse(
                Diagnostic::error(span, "the value of a header field is one line")
                    .help("leave out control characters, and spaces at its ends"),
            )
        })?;
        refuse_of_gateway(fields.iter().map(|(name, _)| name), decoder);
        let fields = fields.into_iter();
        Some(Self(
            fields.map(|(name, value)| Header { name, value }).collect(),
        ))
    }

    fn kind() -> String {
        "a table of header fields such as `{ x-frame-options = \"DENY\" }`".to_owned()
    }
}

/// Conditions on the header fields of a request, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderMatches(pub Vec<HeaderMatch>);

/// A condition on one header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderMatch {
    /// Its name.
    pub name: Spanned<FieldName>,
    /// The condition on its value.
    pub test: Spanned<ValueTest>,
}

/// A condition on the value of a header field or a query parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueTest {
    /// The value equals this text.
    Equals(String),
    /// It is present.
    Present,
    /// It is absent.
    Absent,
    /// The value contains a match of this expression, which is compiled later.
    Regex(String),
}

impl Decode for HeaderMatches {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let fields = fields(node, decoder, &Self::kind(), field_name, Spanned::decode)?;
        let fields = fields.into_iter();
        Some(Self(
            fields
                .map(|(name, test)| HeaderMatch { name, test })
                .collect(),
        ))
    }

    fn kind() -> String {
        "a table of header fields such as `{ x-canary = \"1\" }`".to_owned()
    }
}

impl Decode for ValueTest {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Table(_) = node.get_ref() else {
            let text = decoder.text(node, &Self::kind())?;
            return Some(Self::Equals(text.to_owned()));
        };
        let mut table = TableReader::new(node, decoder, "a test")?;
        let present = table.optional::<bool>("present")?;
        let absent = table.optional::<bool>("absent")?;
        let regex = table.optional::<String>("regex")?;
        let before = table.decoder.diagnostics.len();
        let plain = "write the value alone, as in `v = \"2\"`";
        let (span, decoder) =
            table.finish(&[("exact", plain), ("equals", plain), ("value", plain)]);
        match (present, absent, regex) {
            // A misspelt field has already been reported.
            (None, None, None) if decoder.diagnostics.len() > before => None,
            (Some(true), None, None) | (None, Some(false), None) => Some(Self::Present),
            (Some(false), None, None) | (None, Some(true), None) => Some(Self::Absent),
            (None, None, Some(expression)) => Some(Self::Regex(expression)),
            _ => decoder.refuse(
                Diagnostic::error(span, "a value is tested in one way")
                    .help("write `{ present = true }`, `{ absent = true }` or `{ regex = \"…\" }`"),
            ),
        }
    }

    fn kind() -> String {
        "a value, `{ present = true }`, `{ absent = true }` or `{ regex = \"…\" }`".to_owned()
    }
}

impl fmt::Display for ValueTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(value) => write!(f, "= {value}"),
            Self::Present => f.write_str("present"),
            Self::Absent => f.write_str("absent"),
            Self::Regex(expression) => write!(f, "~ {expression}"),
        }
    }
}

/// Reads a table whose keys are names of header fields.
pub(crate) fn fields<T>(
    node: &Node<'_>,
    decoder: &mut Decoder<'_>,
    expected: &str,
    name: fn(&str, crate::Span, &mut Decoder<'_>) -> Option<FieldName>,
    mut value: impl FnMut(&Node<'_>, &mut Decoder<'_>) -> Option<T>,
) -> Option<Vec<(Spanned<FieldName>, T)>> {
    let DeValue::Table(table) = node.get_ref() else {
        return decoder.mismatch(node, expected);
    };
    let mut fields: Vec<(Spanned<FieldName>, T)> = Vec::new();
    for (key, node) in table.iter() {
        let span = decoder.span(key);
        let name = name(key.get_ref(), span, decoder);
        let value = value(node, decoder);
        let (Some(name), Some(value)) = (name, value) else {
            continue;
        };
        // TOML distinguishes `X-A` from `x-a`, but HTTP does not.
        if let Some((first, _)) = fields.iter().find(|(known, _)| known.value == name) {
            let fault = Diagnostic::error(span, format!("`{}` is given twice", name.as_str()))
                .note(first.span, "first here");
            decoder.push(fault);
            continue;
        }
        fields.push((Spanned::new(name, span), value));
    }
    Some(fields)
}
