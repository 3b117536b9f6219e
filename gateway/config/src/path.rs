//! Patterns for the paths that a route matches.

use std::fmt::{self, Write as _};

use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node, TableReader};
use crate::diagnostic::Diagnostic;

/// The paths that a route matches. Compared with the normalised path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPattern {
    /// Exactly this path.
    Exact(String),
    /// Every path that begins with this text: `/api` also matches `/apifoo`.
    Prefix(String),
    /// This path and all paths below it: `/api` matches `/api` and `/api/x`, not
    /// `/apifoo`. Has no trailing slash.
    Segment(String),
    /// Every path that ends in one of these, ignoring case. In lower case.
    Suffix(Vec<String>),
    /// Every path that contains a match of this expression, which is compiled
    /// later.
    Regex(String),
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => write!(f, "= {path}"),
            Self::Prefix(path) if path.ends_with('/') => f.write_str(path),
            Self::Prefix(path) => write!(f, "{path}*"),
            Self::Segment(path) => f.write_str(path),
            Self::Suffix(ends) => write!(f, "*{}", ends.join(" *")),
            Self::Regex(expression) => write!(f, "~ {expression}"),
        }
    }
}

/// The fields of a path that is written as a table.
const FORMS: [&str; 5] = ["exact", "prefix", "segment", "suffix", "regex"];

impl Decode for PathPattern {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Table(_) = node.get_ref() else {
            let path = literal(node, decoder)?;
            return Some(match path.ends_with('/') {
                true => Self::Prefix(path),
                false => Self::Segment(path),
            });
        };
        let mut table = TableReader::new(node, decoder, "a path")?;
        let given: Vec<_> = FORMS
            .into_iter()
            .filter_map(|form| table.node(form).map(|value| (form, value)))
            .collect();
        let before = table.decoder.diagnostics.len();
        let (span, decoder) = table.finish(&[]);
        let &[(form, value)] = given.as_slice() else {
            // A misspelt field has already been reported.
            if given.is_empty() && decoder.diagnostics.len() > before {
                return None;
            }
            return decoder.refuse(
                Diagnostic::error(span, "a path is matched in one way").help(format!(
                    "write one of `{}`: `path = {{ exact = \"/x\" }}`",
                    FORMS.join("`, `")
                )),
            );
        };
        match form {
            "exact" => literal(value, decoder).map(Self::Exact),
            "prefix" => literal(value, decoder).map(Self::Prefix),
            "segment" => {
                let path = literal(value, decoder)?;
                Some(match path.strip_suffix('/') {
                    // The root is above all paths.
                    Some("") => Self::Prefix("/".to_owned()),
                    Some(path) => Self::Segment(path.to_owned()),
                    None => Self::Segment(path),
                })
            }
            "suffix" => suffixes(value, decoder),
            _ => expression(value, decoder),
        }
    }

    fn kind() -> String {
        "a path, or a table such as `{ exact = \"/x\" }`".to_owned()
    }
}

/// A literal path. A path that cannot result from normalisation is refused.
pub(crate) fn literal(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<String> {
    let text = decoder.text(node, &PathPattern::kind())?;
    let span = decoder.span(node);
    let fault = |message: &str, help: String| {
        Diagnostic::error(span, format!("`{text}`: {message}")).help(help)
    };
    let fault = if let Some(help) = nginx(text) {
        Some(fault("a path begins with `/`", help))
    } else if text.contains('*') {
        let plain = text.split('*').next().unwrap_or_default();
        Some(fault(
            "`*` is not a wildcard here",
            format!("a path takes all below it: write \"{plain}\", or use `regex` or `suffix`"),
        ))
    } else if !text.starts_with('/') {
        Some(fault(
            "a path begins with `/`",
            format!("write \"/{text}\""),
        ))
    } else if let Some(at) = text.find(['?', '#']) {
        let plain = text.get(..at).unwrap_or_default();
        Some(fault(
            "a path has no query and no fragment",
            format!("write \"{plain}\""),
        ))
    } else if text.contains(['{', '}']) {
        Some(fault(
            "a path has no parameters",
            "write the part in front of them: a path takes all below it; or use `regex`: \
             `path = { regex = '^/users/[^/]+$' }`"
                .to_owned(),
        ))
    } else if text.contains("//") || text.split('/').any(|segment| matches!(segment, "." | "..")) {
        Some(fault(
            "no request matches: paths are matched with `//`, `.` and `..` resolved",
            "write the path as it is once resolved".to_owned(),
        ))
    } else if text.chars().any(char::is_control) {
        Some(fault(
            "a path has no control characters",
            "write the path without them".to_owned(),
        ))
    } else {
        match normal(text) {
            None => Some(fault(
                "`%` stands before two hexadecimal digits, and not before `00`",
                "write `%25` for a `%`".to_owned(),
            )),
            Some(normal) if normal != text => Some(fault(
                "this is not the normal form of a path, in which paths are matched",
                format!("write \"{normal}\""),
            )),
            Some(_) => None,
        }
    };
    match fault {
        Some(fault) => decoder.refuse(fault),
        None => Some(text.to_owned()),
    }
}

/// The text in the normal form of paths, as `janua_http::path` makes it, but for slashes and dots:
/// what may stand in a path is written as it is, everything else percent-encoded. None if it has a
/// malformed escape, or that of a NUL.
pub(crate) fn normal(text: &str) -> Option<String> {
    let mut normal = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let (byte, stands_for_itself) = if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let byte = u8::try_from(digit()? << 4 | digit()?).ok()?;
            (byte, is_unreserved(byte))
        } else {
            (
                byte,
                is_unreserved(byte) || b"!$&'()*+,;=:@/".contains(&byte),
            )
        };
        match (byte, stands_for_itself) {
            (0, _) => return None,
            (byte, true) => normal.push(char::from(byte)),
            (byte, false) => {
                let _ = write!(normal, "%{byte:02X}");
            }
        }
    }
    Some(normal)
}

/// Never needs an escape (RFC 3986, section 2.3).
pub(crate) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// The equivalent of an nginx `location` with a modifier: `~* \.js$`.
fn nginx(text: &str) -> Option<String> {
    // nginx accepts the modifier with and without a space after it. `~*` is
    // tried before `~`, which is a prefix of it.
    let (modifier, rest) = ["=", "~*", "~", "^~"]
        .into_iter()
        .find_map(|modifier| Some((modifier, text.strip_prefix(modifier)?.trim())))?;
    let plain = |path: &str| path.starts_with('/') && !path.contains(['"', '\\']);
    match modifier {
        "=" if plain(rest) => Some(format!("write `{{ exact = \"{rest}\" }}`")),
        "^~" if plain(rest) => Some(format!(
            "expressions and suffixes come before prefixes, in the file's order: write \
             `{{ regex = {} }}`, in a route above those with `regex` or `suffix`",
            literal_string(&format!("^{}", quoted(rest)))
        )),
        "~*" => Some(match plain_suffixes(rest) {
            Some(ends) => format!("write `{{ suffix = [{}] }}`", ends.join(", ")),
            None => format!(
                "write `{{ regex = {} }}`",
                literal_string(&format!("(?i){rest}"))
            ),
        }),
        "~" => Some(format!("write `{{ regex = {} }}`", literal_string(rest))),
        _ => Some("write the path alone, with `/` in front: \"/x\"".to_owned()),
    }
}

/// A TOML string without escape sequences.
fn literal_string(text: &str) -> String {
    match text.contains('\'') {
        true => format!("\'\'\'{text}\'\'\'"),
        false => format!("'{text}'"),
    }
}

/// A regular expression that matches only this path.
fn quoted(path: &str) -> String {
    let mut expression = String::with_capacity(path.len());
    for c in path.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            expression.push('\\');
        }
        expression.push(c);
    }
    expression
}

/// The suffixes that an expression such as `\.(js|css)$` is equivalent to, in
/// quotes.
fn plain_suffixes(expression: &str) -> Option<Vec<String>> {
    let end = expression.strip_prefix(r"\.")?.strip_suffix('$')?;
    let in_group = end
        .strip_prefix('(')
        .and_then(|group| group.strip_suffix(')'));
    let words = match in_group {
        Some(group) => group.strip_prefix("?:").unwrap_or(group),
        None => end,
    };
    let is_plain = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let words: Vec<&str> = match in_group {
        Some(_) => words.split('|').collect(),
        None => vec![words],
    };
    words
        .iter()
        .all(|word| is_plain(word))
        .then(|| words.iter().map(|word| format!("\".{word}\"")).collect())
}

/// One suffix or a list of them.
fn suffixes(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<PathPattern> {
    let ends = crate::list::OneOrMany::<String>::decode(node, decoder)?;
    if ends.iter().any(|end| end.is_empty() || end.contains('*')) {
        let span = decoder.span(node);
        return decoder.refuse(
            Diagnostic::error(span, "a suffix is the end of a path, without `*`")
                .help("write `suffix = [\".js\", \".css\"]`"),
        );
    }
    let ends = ends.iter().map(|end| end.to_ascii_lowercase()).collect();
    Some(PathPattern::Suffix(ends))
}

/// A regular expression, which is compiled when the snapshot is built.
fn expression(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<PathPattern> {
    let text = decoder.text(node, "a regular expression")?;
    Some(PathPattern::Regex(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn the_normal_form_of_paths() {
        for (text, expected) in [
            ("/a-b/~c;d=1:@", Some("/a-b/~c;d=1:@")),
            ("/caf\u{e9} 1", Some("/caf%C3%A9%201")),
            ("/caf%c3%a9", Some("/caf%C3%A9")),
            ("/%61%2f%2E", Some("/a%2F.")),
            ("/a\"<>^`|\\", Some("/a%22%3C%3E%5E%60%7C%5C")),
            ("/a%", None),
            ("/a%4", None),
            ("/a%zz", None),
            ("/a%+1", None),
            ("/a%00", None),
        ] {
            assert_eq!(normal(text).as_deref(), expected, "{text}");
        }
    }
}
