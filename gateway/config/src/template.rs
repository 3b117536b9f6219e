//! Text with inputs of the exchange in braces: `"for {client_ip}"`.

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::input::Input;
use crate::input_advice::{Form, Refusal, elsewhere};

/// Text with inputs in braces. `{{` and `}}` stand for braces, and `$$` for a `$`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Template {
    text: String,
    parts: Vec<TemplatePart>,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TemplatePart {
    /// This text, which is not empty.
    Literal(String),
    /// The value of this input.
    Input(Input),
}

impl TemplatePart {
    /// Whether an address that begins with it begins with a path.
    pub(crate) fn begins_path(&self) -> bool {
        match self {
            Self::Literal(text) => text.starts_with('/'),
            Self::Input(input) => input.is_path(),
        }
    }
}

impl Template {
    /// Parses the text.
    ///
    /// # Errors
    /// A brace without its counterpart, an unknown input, or a variable of nginx.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}', '$']) {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = from.strip_prefix('$') {
                rest = dollar(after)?;
                literal.push('$');
            } else if let Some(after) = from.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else if let Some(inside) = from.strip_prefix('{') {
                let Some((word, after)) = inside.split_once('}') else {
                    return Err((
                        "`{` is not closed".to_owned(),
                        "write `}` after the input; a brace itself is written `{{`".to_owned(),
                    ));
                };
                if !literal.is_empty() {
                    parts.push(TemplatePart::Literal(std::mem::take(&mut literal)));
                }
                parts.push(TemplatePart::Input(Input::named(word, Form::InBraces)?));
                rest = after;
            } else {
                return Err((
                    "`}` closes nothing".to_owned(),
                    "a brace itself is written `}}`".to_owned(),
                ));
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(TemplatePart::Literal(literal));
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }

    /// Parses text whose inputs are those of a request.
    ///
    /// # Errors
    /// As of [`Self::parse`], and an input of a response.
    pub(crate) fn of_request(text: &str) -> Result<Self, Refusal> {
        let template = Self::parse(text)?;
        let mut of_response = template.inputs().filter(|input| input.is_of_response());
        if let Some(input) = of_response.next() {
            return Err((
                format!("`{{{input}}}` is not known before there is a response"),
                "leave it out".to_owned(),
            ));
        }
        drop(of_response);
        Ok(template)
    }

    /// The text as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The parts, in order. There are never two literals side by side.
    #[must_use]
    pub fn parts(&self) -> &[TemplatePart] {
        &self.parts
    }

    /// The inputs that it refers to.
    pub fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Literal(_) => None,
            TemplatePart::Input(input) => Some(input),
        })
    }

    /// Gives up the parts.
    pub(crate) fn into_parts(self) -> Vec<TemplatePart> {
        self.parts
    }
}

/// The value of a header field.
impl Decode for Template {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = decoder.text(node, &Self::kind())?;
        let span = decoder.span(node);
        // RFC 9110, section 5.5: no CR, LF, NUL or other control characters.
        if text.chars().any(|c| c.is_control() && c != '\t') || text.trim() != text {
            return decoder.refuse(
                Diagnostic::error(span, "the value of a header field is one line")
                    .help("leave out control characters, and spaces at its ends"),
            );
        }
        match Self::parse(text) {
            Ok(template) => Some(template),
            Err((message, help)) => decoder.refuse(Diagnostic::error(span, message).help(help)),
        }
    }

    fn kind() -> String {
        "text such as \"for {client_ip}\"".to_owned()
    }
}

/// The text after a `$` that stands for itself. A name after it would be a variable of nginx,
/// which would be sent unchanged, so it is an error.
fn dollar(after: &str) -> Result<&str, Refusal> {
    if let Some(rest) = after.strip_prefix('$') {
        return Ok(rest);
    }
    let name = after.trim_start_matches('{');
    let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let name = name.get(..end.unwrap_or(name.len())).unwrap_or_default();
    if name.is_empty() && !after.starts_with('{') {
        return Ok(after);
    }
    let help = elsewhere(name, Form::InBraces).unwrap_or_else(|| {
        "inputs are written `{host}`, `{path}`, `{header:x-a}` and so on; write `$$` for a `$`"
            .to_owned()
    });
    Err((format!("`${name}` is not an input"), help))
}

#[cfg(test)]
mod tests {
    use super::{Template, TemplatePart as Part};
    use crate::input::{Input, PlainInput};

    #[test]
    fn inputs_and_text() {
        let literal = |text: &str| Part::Literal(text.to_owned());
        let plain = |input| Part::Input(Input::Plain(input));
        let header = Part::Input(Input::Header("x-y".to_owned()));
        let table: [(&str, &[Part]); 9] = [
            ("", &[]),
            ("plain", &[literal("plain")]),
            (
                "a{path}b{header:X-Y}",
                &[literal("a"), plain(PlainInput::Path), literal("b"), header],
            ),
            ("{{host}}", &[literal("{host}")]),
            (
                "{{{host}}}",
                &[literal("{"), plain(PlainInput::Host), literal("}")],
            ),
            ("{\"a\":1}", &[]),
            ("/odata?$$filter=x", &[literal("/odata?$filter=x")]),
            ("/a$$$$b$$", &[literal("/a$$b$")]),
            ("/5$?x=$", &[literal("/5$?x=$")]),
        ];
        for (text, parts) in table {
            match Template::parse(text) {
                Ok(template) => assert_eq!(template.parts(), parts, "{text}"),
                Err(_) => assert_eq!(text, "{\"a\":1}"),
            }
        }
    }

    #[test]
    fn what_is_no_input_is_refused_with_what_to_write() {
        for (text, what, help) in [
            ("https://$host/", "`$host` is", "write `{host}`"),
            ("$scheme://a", "`$scheme` is", "write `{scheme}`"),
            (
                "a$request_uri",
                "`$request_uri` is",
                "write `{path}{query}`",
            ),
            ("a${uri}", "`$uri` is", "write `{path}{query}`"),
            (
                "$http_x_user",
                "`$http_x_user` is",
                "write `{header:x-user}`",
            ),
            ("/$filter", "`$filter` is", "write `$$` for a `$`"),
            ("/$1", "`$1` is", "write `$$` for a `$`"),
            ("a{uri}", "`{uri}` is", "write `{path}{query}`"),
            (
                "{http.request.host}",
                "`{http.request.host}` is",
                "`{host}`",
            ),
            ("{hots}", "`{hots}` is", "did you mean `{host}`?"),
            ("{host", "not closed", "write `}`"),
            ("host}", "closes nothing", "`}}`"),
        ] {
            let (said, helped) = Template::parse(text).unwrap_err();
            assert!(
                said.contains(what) && helped.contains(help),
                "{text}: {said}; {helped}"
            );
        }
    }
}
