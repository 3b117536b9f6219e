//! The fields of one head, in the order and the letter case they came in.
//!
//! All bytes live in one arena that is cleared, not freed, between messages,
//! so that a keep-alive connection allocates nothing for its heads. An edit
//! appends to the arena; what it replaced stays behind until `clear`.

mod known;

pub use known::Known;

/// True for what a proxy before an application may say of the address that was
/// asked for. Applications that believe it answer for another address than the
/// one that was routed, checked by policies, and is the cache's key.
#[must_use]
pub fn is_of_a_proxy(name: &[u8]) -> bool {
    [
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-forwarded-scheme",
        "x-forwarded-server",
        "x-forwarded-ssl",
        "x-original-host",
        "x-original-url",
        "x-rewrite-url",
    ]
    .iter()
    .any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    name: Span,
    value: Span,
    known: Known,
}

/// The fields of a head.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    arena: Vec<u8>,
    entries: Vec<Entry>,
}

impl Fields {
    /// Forgets all fields and keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.entries.clear();
    }

    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes held for reuse.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.arena.capacity()
    }

    /// Adds a line at the end.
    pub fn append(&mut self, name: &[u8], value: &[u8]) {
        self.append_known(name, value);
    }

    /// Adds a line at the end and says which field it is.
    pub fn append_known(&mut self, name: &[u8], value: &[u8]) -> Known {
        let known = Known::of(name);
        let name = self.store(name);
        let value = self.store(value);
        self.entries.push(Entry { name, value, known });
        known
    }

    /// Replaces all lines of this name by one, which stands where the first stood.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let Some(first) = self.position(name) else {
            return self.append(name, value);
        };
        let value = self.store(value);
        if let Some(entry) = self.entries.get_mut(first) {
            entry.value = value;
        }
        let Self { arena, entries } = self;
        let mut index = 0;
        entries.retain(|entry| {
            let keep = index <= first || !bytes(arena, entry.name).eq_ignore_ascii_case(name);
            index += 1;
            keep
        });
    }

    /// Removes all lines of this name; true if there were any.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let Self { arena, entries } = self;
        let before = entries.len();
        entries.retain(|entry| !bytes(arena, entry.name).eq_ignore_ascii_case(name));
        entries.len() < before
    }

    /// Keeps the lines for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(Known, &[u8], &[u8]) -> bool) {
        let Self { arena, entries } = self;
        entries.retain(|entry| {
            keep(
                entry.known,
                bytes(arena, entry.name),
                bytes(arena, entry.value),
            )
        });
    }

    /// The value of the first line of this name.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// The values of all lines of this name.
    pub fn get_all<'a, 'n>(
        &'a self,
        name: &'n [u8],
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.entries
            .iter()
            .filter(move |entry| {
                (entry.name.end - entry.name.start) as usize == name.len()
                    && bytes(&self.arena, entry.name).eq_ignore_ascii_case(name)
            })
            .map(|entry| bytes(&self.arena, entry.value))
    }

    /// The values of all lines of a known field.
    pub fn known(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        self.entries
            .iter()
            .filter(move |entry| entry.known == known)
            .map(|entry| bytes(&self.arena, entry.value))
    }

    /// Appends the values of all lines of this name, joined with `separator`
    /// (RFC 9110 §5.3); false if there is none.
    pub fn joined(&self, name: &[u8], separator: &[u8], out: &mut Vec<u8>) -> bool {
        let mut found = false;
        for value in self.get_all(name) {
            if found {
                out.extend_from_slice(separator);
            }
            out.extend_from_slice(value);
            found = true;
        }
        found
    }

    /// Known field, name and value of each line, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Known, &[u8], &[u8])> {
        self.entries.iter().map(|entry| {
            (
                entry.known,
                bytes(&self.arena, entry.name),
                bytes(&self.arena, entry.value),
            )
        })
    }

    /// Appends all lines as `Name: value CRLF`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        for (_, name, value) in self.iter() {
            write_field(out, name, value);
        }
    }

    fn position(&self, name: &[u8]) -> Option<usize> {
        self.entries
            .iter()
            .position(|entry| bytes(&self.arena, entry.name).eq_ignore_ascii_case(name))
    }

    fn store(&mut self, text: &[u8]) -> Span {
        let start = offset(self.arena.len());
        self.arena.extend_from_slice(text);
        Span {
            start,
            end: offset(self.arena.len()),
        }
    }
}

/// Appends one line of a field section.
pub fn write_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// True if the bytes may stand in a field value (RFC 9110 §5.5): no control
/// character but the tab.
#[must_use]
pub fn is_field_value(value: &[u8]) -> bool {
    value
        .iter()
        .all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}

/// True if the bytes are a token (RFC 9110 §5.6.2).
#[must_use]
pub fn is_token(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// The members of a comma-separated list, trimmed, without empty ones (RFC 9110 §5.6.1).
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

fn bytes(arena: &[u8], span: Span) -> &[u8] {
    arena
        .get(span.start as usize..span.end as usize)
        .unwrap_or_default()
}

/// Heads are limited to far less than 4 GiB long before they come here.
fn offset(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
