//! Ranges of statuses, as a health check expects them.

use std::fmt;

use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::units::integer;

/// Statuses from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (first, last) if first == last => first.fmt(f),
            (first, last) if first % 100 == 0 && last == first + 99 => {
                write!(f, "{}xx", first / 100)
            }
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl Decode for StatusRange {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = match node.get_ref() {
            DeValue::Integer(number) => integer(number).map(|number| number.to_string()),
            DeValue::String(text) => Some(text.to_string()),
            _ => return decoder.mismatch(node, &Self::kind()),
        };
        if let Some(range) = text.as_deref().and_then(range) {
            return Some(range);
        }
        let span = decoder.span(node);
        let text = text.unwrap_or_default();
        decoder.refuse(
            Diagnostic::error(span, format!("`{text}` is not a status of a response"))
                .help("write 200, \"2xx\" or \"200-204\""),
        )
    }

    fn kind() -> String {
        "a status such as 200, \"2xx\" or \"200-204\"".to_owned()
    }
}

/// The final statuses are those from 200 to 599; 101 would begin another protocol.
fn range(text: &str) -> Option<StatusRange> {
    let status = |text: &str| {
        let is_number = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
        let status: u16 = text.parse().ok()?;
        (is_number && (200..=599).contains(&status)).then_some(status)
    };
    let (first, last) = match text.strip_suffix("xx") {
        Some(class) => {
            let first = status(&format!("{class}00"))?;
            (first, first + 99)
        }
        None => match text.split_once('-') {
            Some((first, last)) => (status(first)?, status(last)?),
            None => (status(text)?, status(text)?),
        },
    };
    (first <= last).then_some(StatusRange { first, last })
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_of_statuses() {
        for (text, expected) in [
            ("200", Some("200")),
            ("2xx", Some("2xx")),
            ("200-299", Some("2xx")),
            ("200-204", Some("200-204")),
            ("404-404", Some("404")),
            ("599", Some("599")),
            ("204-200", None),
            ("100", None),
            ("1xx", None),
            ("6xx", None),
            ("600", None),
            ("20", None),
            ("+20", None),
            ("2000", None),
            ("200-", None),
            ("-200", None),
            ("xx", None),
            ("2XX", None),
            ("", None),
        ] {
            let found = range(text).map(|range| range.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
