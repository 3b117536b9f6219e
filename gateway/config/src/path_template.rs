//! A path with inputs: what the path of a request becomes.

use crate::input_advice::Refusal;
use crate::macros::parsed;
use crate::path::normal;
use crate::template::{Template, TemplatePart};

/// A path without a query.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathTemplate(Template);

impl PathTemplate {
    /// The text as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The parts, in order.
    #[must_use]
    pub fn parts(&self) -> &[TemplatePart] {
        self.0.parts()
    }
}

parsed! {
    PathTemplate: path, "a path such as \"/v2{path}\"";
}

/// Parses a path, or returns an error message and advice.
pub(crate) fn path(text: &str) -> Result<PathTemplate, Refusal> {
    no_backslash(text)?;
    if text.chars().any(char::is_control) {
        return Err((
            "a path has no control characters".to_owned(),
            "write the path without them".to_owned(),
        ));
    }
    let template = Template::of_request(text)?;
    if !template
        .parts()
        .first()
        .is_some_and(TemplatePart::begins_path)
    {
        return Err((
            format!("`{text}`: a path begins with `/`"),
            format!("write \"/{text}\""),
        ));
    }
    for part in template.parts() {
        match part {
            TemplatePart::Literal(literal) => {
                if let Some(mark) = literal.chars().find(|c| matches!(c, '?' | '#')) {
                    return Err((
                        format!("`{text}`: a path has no `{mark}`"),
                        "leave it out: the query of the request stays".to_owned(),
                    ));
                }
                let Some(normal) = normal(literal) else {
                    return Err((
                        format!(
                            "`{text}`: `%` stands before two hexadecimal digits, and not before `00`"
                        ),
                        "write `%25` for a `%`".to_owned(),
                    ));
                };
                if normal.contains("//") || has_dots(&normal) {
                    return Err(dots(text));
                }
            }
            TemplatePart::Input(input) if input.is_query() => {
                return Err((
                    format!("`{text}`: a query is not a part of a path"),
                    "leave it out: the query of the request stays".to_owned(),
                ));
            }
            TemplatePart::Input(_) => {}
        }
    }
    Ok(PathTemplate(template))
}

/// Refuses backslashes, which browsers read as slashes.
pub(crate) fn no_backslash(text: &str) -> Result<(), Refusal> {
    match text.contains('\\') {
        true => Err((
            format!("`{text}` has a backslash, which browsers take for a slash"),
            "write `/`, or `%5C` for a backslash that is meant".to_owned(),
        )),
        false => Ok(()),
    }
}

/// Refuses dot segments beside inputs, which make every request one that is refused.
pub(crate) fn no_dots(text: &str, rest: &[TemplatePart]) -> Result<(), Refusal> {
    let mut has_dots_in_text = false;
    let mut has_inputs = false;
    for part in rest {
        match part {
            TemplatePart::Literal(literal) => {
                let end = literal.find(['?', '#']);
                let path = literal.get(..end.unwrap_or(literal.len()));
                let path = normal(path.unwrap_or_default());
                has_dots_in_text |= path.is_some_and(|path| has_dots(&path));
                if end.is_some() {
                    break;
                }
            }
            TemplatePart::Input(input) if input.is_query() => break,
            TemplatePart::Input(_) => has_inputs = true,
        }
    }
    match has_dots_in_text && has_inputs {
        true => Err(dots(text)),
        false => Ok(()),
    }
}

fn dots(text: &str) -> Refusal {
    (
        format!("`{text}`: `//`, `.` and `..` do not remain in a path"),
        "write the path as it is once resolved".to_owned(),
    )
}

/// Whether a whole segment of a literal is `.` or `..`.
fn has_dots(literal: &str) -> bool {
    literal
        .split('/')
        .any(|segment| matches!(segment, "." | ".."))
}
