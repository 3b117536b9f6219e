//! Checks of names and values in a configuration, so that a mistake is an error of the
//! configuration and not an invalid verdict on each request.

/// Fields that only the gateway sets: a policy may neither set nor remove them.
const OWNED: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Checks the name of a field to be edited and returns it in lower case.
///
/// # Errors
/// A name that is not a token (RFC 9110 §5.6.2), or that of a field that only the gateway
/// sets.
pub fn field_name(name: &str) -> Result<String, String> {
    if !is_token(name) {
        return Err(format!("{name:?} is not a field name"));
    }
    let name = name.to_ascii_lowercase();
    if OWNED.contains(&name.as_str()) {
        return Err(format!(
            "`{name}` belongs to the gateway and cannot be edited"
        ));
    }
    Ok(name)
}

/// Whether a name is a token (RFC 9110 §5.6.2).
#[must_use]
pub fn is_token(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(token)
}

/// Checks text that becomes part of a field value.
///
/// # Errors
/// Text with a control character other than the tab (RFC 9110 §5.5).
pub fn field_text(text: &str) -> Result<(), String> {
    match text.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
        true => Err("a field value holds no line break or other control character".to_owned()),
        false => Ok(()),
    }
}

/// Checks the status of a response.
///
/// # Errors
/// A status outside of 200 to 599.
pub fn status(status: u16) -> Result<u16, String> {
    match status {
        200..=599 => Ok(status),
        _ => Err(format!("{status} is not a status between 200 and 599")),
    }
}

/// The known name most similar to a misspelt one: at most three edits away, and with more
/// than half of its letters unchanged.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    let distances = known.iter().map(|known| (distance(&name, known), *known));
    let (distance, nearest) = distances.min()?;
    (distance <= 3 && distance * 2 < nearest.len().max(3)).then_some(nearest)
}

/// The Levenshtein distance of two names.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.bytes().enumerate() {
        let mut left = line + 1;
        let mut diagonal = line;
        for (cell, b) in row.iter_mut().skip(1).zip(to.bytes()) {
            let above = *cell;
            left = (left + 1)
                .min(above + 1)
                .min(diagonal + usize::from(a != b));
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(field_name("X-Tenant").unwrap(), "x-tenant");
        for bad in ["", "x tenant", "x:y", "ä", "x\r\n", "Content-Length", "te"] {
            assert!(field_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn texts() {
        assert!(field_text("max-age=1; ü").is_ok());
        for bad in ["a\r", "a\nb", "\0", "\u{1b}[0m", "\u{7f}"] {
            assert!(field_text(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nearest_names() {
        let known = ["rate", "burst", "key", "status"];
        for (name, meant) in [
            ("rates", Some("rate")),
            ("Burst", Some("burst")),
            ("brust", Some("burst")),
            ("cost", None),
            ("x", None),
        ] {
            assert_eq!(nearest(name, &known), meant, "{name}");
        }
        assert_eq!(nearest("a", &[]), None);
    }

    #[test]
    fn distances() {
        for (a, b, edits) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }
}
