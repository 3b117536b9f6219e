//! A parser for Dictionaries (RFC 9651 §4.2.2). It checks the whole grammar, but decodes
//! only what cache directives need: integers and booleans.

/// The value of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    Integer(i64),
    Boolean(bool),
    /// A value of any other type; not decoded.
    Other(&'a [u8]),
}

/// Calls `take` for each member, in order. `None` if the text is no valid Dictionary; the
/// members taken until then must be discarded.
pub(super) fn members<'a>(text: &'a [u8], mut take: impl FnMut(&[u8], Item<'a>)) -> Option<()> {
    let mut rest = trim_spaces(text);
    while !rest.is_empty() {
        let (key, after) = key(rest)?;
        let (item, after) = match after.strip_prefix(b"=") {
            Some(value) if value.first() == Some(&b'(') => inner_list(value)?,
            Some(value) => bare_item(value)?,
            None => (Item::Boolean(true), after),
        };
        take(key, item);
        rest = trim_blanks(parameters(after)?);
        if let Some(after) = rest.strip_prefix(b",") {
            rest = trim_blanks(after);
            // A trailing comma is invalid.
            if rest.is_empty() {
                return None;
            }
        } else if !rest.is_empty() {
            return None;
        }
    }
    Some(())
}

fn trim_spaces(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_prefix(b" ") {
        text = rest;
    }
    while let Some(rest) = text.strip_suffix(b" ") {
        text = rest;
    }
    text
}

fn trim_blanks(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// Splits after the leading bytes for which `keep` is true.
fn run(text: &[u8], keep: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|&byte| !keep(byte));
    text.split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or((text, b""))
}

fn key(text: &[u8]) -> Option<(&[u8], &[u8])> {
    matches!(text.first(), Some(b'a'..=b'z' | b'*')).then(|| {
        run(text, |byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte)
        })
    })
}

/// Skips all parameters (`;key=item`).
fn parameters(mut text: &[u8]) -> Option<&[u8]> {
    while let Some(rest) = text.strip_prefix(b";") {
        let (_, rest) = key(run(rest, |byte| byte == b' ').1)?;
        text = match rest.strip_prefix(b"=") {
            Some(value) => bare_item(value)?.1,
            None => rest,
        };
    }
    Some(text)
}

fn inner_list(text: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let mut rest = text.strip_prefix(b"(")?;
    loop {
        rest = run(rest, |byte| byte == b' ').1;
        if let Some(rest) = rest.strip_prefix(b")") {
            return Some((Item::Other(text), rest));
        }
        rest = parameters(bare_item(rest)?.1)?;
        if !matches!(rest.first(), Some(b' ' | b')')) {
            return None;
        }
    }
}

fn bare_item(text: &[u8]) -> Option<(Item<'_>, &[u8])> {
    match text.first()? {
        b'-' | b'0'..=b'9' => number(text),
        b'"' => string(text).map(|rest| (Item::Other(text), rest)),
        b'?' => match text {
            [b'?', b'0', rest @ ..] => Some((Item::Boolean(false), rest)),
            [b'?', b'1', rest @ ..] => Some((Item::Boolean(true), rest)),
            _ => None,
        },
        b':' => {
            let (_, rest) = run(text.get(1..)?, |byte| {
                byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)
            });
            Some((Item::Other(text), rest.strip_prefix(b":")?))
        }
        b'@' => match number(text.get(1..)?)? {
            (Item::Integer(_), rest) => Some((Item::Other(text), rest)),
            _ => None,
        },
        b'%' => {
            let inner = text.strip_prefix(b"%\"")?;
            let (_, rest) = run(inner, |byte| byte != b'"' && (b' '..=b'~').contains(&byte));
            Some((Item::Other(text), rest.strip_prefix(b"\"")?))
        }
        b'*' | b'a'..=b'z' | b'A'..=b'Z' => {
            let (_, rest) = run(text, |byte| {
                byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte)
            });
            Some((Item::Other(text), rest))
        }
        _ => None,
    }
}

/// An Integer of up to 15 digits, or a Decimal of up to 12 digits before the point and 3
/// after it.
fn number(text: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, rest) = run(unsigned, |byte| byte.is_ascii_digit());
    if let Some(rest) = rest.strip_prefix(b".") {
        let (fraction, rest) = run(rest, |byte| byte.is_ascii_digit());
        let fits = (1..=12).contains(&whole.len()) && (1..=3).contains(&fraction.len());
        return fits.then_some((Item::Other(text), rest));
    }
    if !(1..=15).contains(&whole.len()) {
        return None;
    }
    let value = whole
        .iter()
        .fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
    let is_negative = unsigned.len() < text.len();
    Some((
        Item::Integer(if is_negative { -value } else { value }),
        rest,
    ))
}

/// The text after a String; `None` if it is invalid.
fn string(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"\"")?;
    loop {
        rest = match rest {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', b'"' | b'\\', rest @ ..] | [b' '..=b'[' | b']'..=b'~', rest @ ..] => rest,
            _ => return None,
        };
    }
}
