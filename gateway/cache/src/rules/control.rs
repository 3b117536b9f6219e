//! `Cache-Control` in responses (RFC 9111 §5.2.2), and the grammar that requests and
//! responses share.

use janua_http::Fields;

/// The largest number of seconds (RFC 9111 §1.2.2); larger ones are reduced to it.
pub const MOST_SECONDS: u32 = 1 << 31;

/// The directives of a response that a shared cache obeys.
///
/// If a directive with a number is repeated, the first one counts, and an invalid
/// number is zero, so that the response is stale (RFC 9111 §4.2.1). `no-cache` and
/// `private` with field names apply only to these fields, which are not stored (see
/// [`retain_storable`](super::stored::retain_storable)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// `max-age`, in seconds.
    pub max_age: Option<u32>,
    /// `s-maxage`, in seconds.
    pub s_maxage: Option<u32>,
    /// `stale-while-revalidate`, in seconds (RFC 5861 §3).
    pub stale_while_revalidate: Option<u32>,
    /// `stale-if-error`, in seconds (RFC 5861 §4).
    pub stale_if_error: Option<u32>,
    /// `no-store`.
    pub no_store: bool,
    /// `no-cache` without field names.
    pub no_cache: bool,
    /// `private` without field names.
    pub private: bool,
    /// `public`.
    pub public: bool,
    /// `must-revalidate`.
    pub must_revalidate: bool,
    /// `proxy-revalidate`.
    pub proxy_revalidate: bool,
    /// `must-understand`.
    pub must_understand: bool,
}

impl CacheControl {
    /// Reads all field lines of `Cache-Control`.
    #[must_use]
    pub fn of(fields: &Fields) -> Self {
        let mut control = Self::default();
        for value in fields.get_all(b"cache-control") {
            for directive in directives(value) {
                control.take(directive);
            }
        }
        control
    }

    pub(super) fn take(&mut self, directive: Directive<'_>) {
        let number = |slot: &mut Option<u32>| {
            slot.get_or_insert(directive.seconds().unwrap_or(0));
        };
        match () {
            () if directive.is("max-age") => number(&mut self.max_age),
            () if directive.is("s-maxage") => number(&mut self.s_maxage),
            () if directive.is("stale-while-revalidate") => {
                number(&mut self.stale_while_revalidate);
            }
            () if directive.is("stale-if-error") => number(&mut self.stale_if_error),
            () if directive.is("no-store") => self.no_store = true,
            () if directive.is("no-cache") => self.no_cache |= directive.names().is_none(),
            () if directive.is("private") => self.private |= directive.names().is_none(),
            () if directive.is("public") => self.public = true,
            () if directive.is("must-revalidate") => self.must_revalidate = true,
            () if directive.is("proxy-revalidate") => self.proxy_revalidate = true,
            () if directive.is("must-understand") => self.must_understand = true,
            () => {}
        }
    }
}

/// A cache directive: its name, and the argument without quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Directive<'a> {
    name: &'a [u8],
    argument: Option<&'a [u8]>,
}

impl<'a> Directive<'a> {
    /// Reads one member of the list; `None` if it is empty or blank.
    pub(super) fn parse(member: &'a [u8]) -> Option<Self> {
        let member = member.trim_ascii();
        if member.is_empty() {
            return None;
        }
        let Some(equals) = memchr::memchr(b'=', member) else {
            return Some(Self {
                name: member,
                argument: None,
            });
        };
        let name = member.get(..equals).unwrap_or_default();
        let argument = member.get(equals + 1..).unwrap_or_default();
        Some(Self {
            // `max-age =1` is invalid. It is read as a `max-age` with an invalid number,
            // so that the response counts as stale.
            name: name.trim_ascii_end(),
            argument: Some(if name.last().is_some_and(u8::is_ascii_whitespace) {
                b""
            } else {
                unquoted(argument)
            }),
        })
    }

    pub(super) fn without_argument(self) -> Self {
        Self {
            argument: None,
            ..self
        }
    }

    pub(super) fn argument(&self) -> Option<&'a [u8]> {
        self.argument
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    pub(crate) fn has_argument(&self) -> bool {
        self.argument.is_some()
    }

    /// The argument in seconds; `None` if it is missing or invalid.
    pub(crate) fn seconds(&self) -> Option<u32> {
        self.argument.and_then(seconds)
    }

    /// The field names in the argument; `None` if it names no field.
    pub(crate) fn names(&self) -> Option<impl Iterator<Item = &'a [u8]> + use<'a>> {
        let mut names = janua_http::fields::list(self.argument?).peekable();
        names.peek()?;
        Some(names)
    }
}

/// Reads `delta-seconds`: digits only (RFC 9111 §1.2.2). `None` for anything else.
pub(crate) fn seconds(text: &[u8]) -> Option<u32> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = text.iter().fold(0_u64, |number, digit| {
        (number * 10 + u64::from(digit - b'0')).min(u64::from(MOST_SECONDS))
    });
    u32::try_from(number).ok()
}

/// The directives of one field line. An argument may be quoted or not (RFC 9111 §5.2);
/// a comma within quotes does not end a directive.
pub(crate) fn directives(value: &[u8]) -> impl Iterator<Item = Directive<'_>> {
    let mut rest = value;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (member, tail) = split_member(rest);
            rest = tail;
            if let Some(directive) = Directive::parse(member) {
                return Some(directive);
            }
        }
        None
    })
}

/// Splits at the first comma outside quotes.
pub(super) fn split_member(text: &[u8]) -> (&[u8], &[u8]) {
    let mut quoted = false;
    let mut escaped = false;
    let end = text.iter().position(|&byte| {
        if escaped {
            escaped = false;
        } else if quoted && byte == b'\\' {
            escaped = true;
        } else if byte == b'"' {
            quoted = !quoted;
        }
        byte == b',' && !quoted
    });
    match end {
        Some(end) => (
            text.get(..end).unwrap_or_default(),
            text.get(end + 1..).unwrap_or_default(),
        ),
        None => (text, b""),
    }
}

fn unquoted(argument: &[u8]) -> &[u8] {
    argument
        .strip_prefix(b"\"")
        .and_then(|argument| argument.strip_suffix(b"\""))
        .unwrap_or(argument)
}

#[cfg(test)]
mod tests;
