//! The fields of a head, in the order and letter case in which they were received.
//!
//! All lines are stored in one arena that is cleared, but not freed, between messages, so
//! that a persistent connection allocates nothing for its heads. A received section is
//! copied there as a whole, and each field is a range of it. An edit appends to the arena;
//! the line that it replaces stays there, unused, until `clear`.

mod constant;
mod known;
mod name;

use std::ops::Range;

pub use constant::ConstantEdits;
pub use known::Known;
pub use name::is_same as is_same_name;

/// True for the unregistered fields by which a proxy tells an application the requested
/// address. An application that trusts them responds for another address than the one that
/// was routed, that policies checked, and that is in the cache key.
#[must_use]
pub fn is_proxy_address_field(name: &[u8]) -> bool {
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

/// A line in the arena. It is always stored as `name: value CRLF`, so that adjacent lines
/// are written with one copy.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// The offset of the line.
    start: u32,
    /// The length of the name.
    name: u32,
    /// The length of the value.
    value: u32,
    tag: Tag,
    known: Known,
}

/// One of 64 tags, the same for names that differ in letter case only. A search for a name
/// compares tags first, and hardly any other name as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tag(u8);

impl Tag {
    #[inline]
    const fn of(name: &[u8]) -> Self {
        let (Some(first), Some(last)) = (name.first(), name.last()) else {
            return Self(0);
        };
        // Any mixture of length, first and last letter does. This bit makes upper-case letters
        // lower-case; that it also changes some other characters does no harm.
        let mixed = (name.len() as u8)
            .wrapping_add((*first | 0x20).wrapping_mul(7))
            .wrapping_add((*last | 0x20).wrapping_mul(29));
        Self(mixed & 63)
    }

    /// A set with this tag alone.
    #[inline]
    const fn bit(self) -> u64 {
        1 << self.0
    }
}

/// A name that is searched for.
#[derive(Clone, Copy)]
struct Name<'a> {
    bytes: &'a [u8],
    tag: Tag,
}

impl<'a> From<&'a [u8]> for Name<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        let tag = Tag::of(bytes);
        Self { bytes, tag }
    }
}

/// The bytes of a line besides name and value: `: ` and CRLF.
const PUNCTUATION: usize = 4;

impl Line {
    fn name(self, arena: &[u8]) -> &[u8] {
        let start = self.start as usize;
        arena
            .get(start..start + self.name as usize)
            .unwrap_or_default()
    }

    fn value(self, arena: &[u8]) -> &[u8] {
        let start = self.start as usize + self.name as usize + 2;
        arena
            .get(start..start + self.value as usize)
            .unwrap_or_default()
    }

    fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.name as usize + self.value as usize + PUNCTUATION
    }

    #[inline]
    fn is_named(&self, arena: &[u8], name: Name<'_>) -> bool {
        self.tag == name.tag && name::is_same(self.name(arena), name.bytes)
    }
}

/// The fields of a head.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    arena: Vec<u8>,
    lines: Vec<Line>,
    /// The set of the tags of all lines, and of some that were removed.
    tags: u64,
}

impl Fields {
    /// Removes all fields, and keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.lines.clear();
        self.tags = 0;
    }

    /// False if no line has this name. True says nothing.
    #[inline]
    fn may_have(&self, name: Name<'_>) -> bool {
        self.tags & name.tag.bit() != 0
    }

    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// True if there are more lines than this, or they take more bytes, as they are written.
    #[must_use]
    #[inline]
    pub fn exceed(&self, bytes: usize, lines: usize) -> bool {
        // The arena also has lines that were replaced or removed.
        self.lines.len() > lines || (self.arena.len() > bytes && self.written() > bytes)
    }

    /// The size of all lines as they are written.
    fn written(&self) -> usize {
        self.lines.iter().map(|line| line.range().len()).sum()
    }

    /// The capacity of the arena, in bytes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.arena.capacity()
    }

    /// Adds a line at the end, and returns which field it is.
    pub fn append(&mut self, name: &[u8], value: &[u8]) -> Known {
        let tag = Tag::of(name);
        let known = Known::tagged(name, tag);
        self.append_line(known, tag, name, value);
        known
    }

    /// Adds a line of a known field at the end.
    #[inline]
    pub fn append_known(&mut self, known: Known, value: &[u8]) {
        let name = known.name();
        self.append_line(known, Tag::of(name), name, value);
    }

    fn append_line(&mut self, known: Known, tag: Tag, name: &[u8], value: &[u8]) {
        self.tags |= tag.bit();
        let start = offset(self.arena.len());
        write_field(&mut self.arena, name, value);
        self.lines.push(Line {
            start,
            name: offset(name.len()),
            value: offset(value.len()),
            tag,
            known,
        });
    }

    /// Adds a line of the field `to` at the end, with the value of the first line of `from`.
    /// Adds nothing if there is no such line or its value is empty.
    pub fn append_value_of(&mut self, from: Known, to: Known) {
        let line = self.lines.iter().find(|line| line.known == from).copied();
        let Some(line) = line.filter(|line| line.value > 0) else {
            return;
        };
        let name = to.name();
        let tag = Tag::of(name);
        self.tags |= tag.bit();
        let start = self.arena.len();
        let value = line.range().end - 2 - line.value as usize..line.range().end;
        self.arena
            .reserve(name.len() + line.value as usize + PUNCTUATION);
        self.arena.extend_from_slice(name);
        self.arena.extend_from_slice(b": ");
        self.arena.extend_from_within(value);
        self.lines.push(Line {
            start: offset(start),
            name: offset(name.len()),
            value: line.value,
            tag,
            known: to,
        });
    }

    /// Copies the lines of a received section into the arena at once. Afterwards each must be
    /// added by [`Self::append_copied`], in order and without gaps.
    pub(crate) fn copy_section(&mut self, section: &[u8]) -> CopiedSection {
        let next = offset(self.arena.len());
        self.arena.extend_from_slice(section);
        CopiedSection { next }
    }

    /// Adds the next line of a copied section, and returns which field it is.
    pub(crate) fn append_copied(
        &mut self,
        copied: &mut CopiedSection,
        name: &[u8],
        value: &[u8],
    ) -> Known {
        let tag = Tag::of(name);
        self.tags |= tag.bit();
        let line = Line {
            start: copied.next,
            name: offset(name.len()),
            value: offset(value.len()),
            tag,
            known: Known::tagged(name, tag),
        };
        copied.next = offset(line.range().end);
        self.lines.push(line);
        line.known
    }

    /// Replaces all lines of this name by one, in the place of the first and with its spelling
    /// of the name.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let searched = Name::from(name);
        if !self.may_have(searched) {
            self.append(name, value);
            return;
        }
        let Self { arena, lines, .. } = self;
        let mut same = lines
            .iter_mut()
            .enumerate()
            .filter(|(_, line)| line.is_named(arena, searched));
        let Some((first, line)) = same.next() else {
            self.append(name, value);
            return;
        };
        let is_repeated = same.next().is_some();
        let start = arena.len();
        arena.extend_from_within(line.range().start..line.range().start + name.len());
        write_value(arena, value);
        line.start = offset(start);
        line.value = offset(value.len());
        if is_repeated {
            let mut index = 0;
            lines.retain(|line| {
                let keep = index <= first || !line.is_named(arena, searched);
                index += 1;
                keep
            });
        }
    }

    /// Removes all lines of this name; true if there were any.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let name = Name::from(name);
        if !self.may_have(name) {
            return false;
        }
        let Self { arena, lines, .. } = self;
        let is_named = |line: &Line| line.is_named(arena, name);
        let Some(first) = lines.iter().position(is_named) else {
            return false;
        };
        lines.remove(first);
        // Seldom is there a second one.
        if lines.get(first..).unwrap_or_default().iter().any(is_named) {
            lines.retain(|line| !is_named(line));
        }
        true
    }

    /// Removes the lines for which `keep` is false.
    pub fn retain(&mut self, mut keep: impl FnMut(Known, &[u8], &[u8]) -> bool) {
        let Self { arena, lines, .. } = self;
        lines.retain(|line| keep(line.known, line.name(arena), line.value(arena)));
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
        let name = Name::from(name);
        let lines = match self.may_have(name) {
            true => &*self.lines,
            false => &[],
        };
        lines
            .iter()
            .filter(move |line| line.is_named(&self.arena, name))
            .map(|line| line.value(&self.arena))
    }

    /// The values of all lines of a known field.
    pub fn known(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        self.lines
            .iter()
            .filter(move |line| line.known == known)
            .map(|line| line.value(&self.arena))
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

    /// All lines in order, each as known field, name and value.
    pub fn iter(&self) -> impl Iterator<Item = (Known, &[u8], &[u8])> {
        self.lines
            .iter()
            .map(|line| (line.known, line.name(&self.arena), line.value(&self.arena)))
    }

    /// Appends all lines as `Name: value CRLF`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        self.write_where(|_| true, out);
    }

    /// Appends the lines of the fields for which `is_written` is true, as [`Self::write_to`]
    /// does. Lines that are adjacent in the arena, as most received ones are, take one copy.
    pub fn write_where(&self, is_written: impl Fn(Known) -> bool, out: &mut Vec<u8>) {
        out.reserve(self.arena.len());
        let mut run = 0..0;
        for line in self.lines.iter().filter(|line| is_written(line.known)) {
            let Range { start, end } = line.range();
            if start != run.end {
                out.extend_from_slice(self.arena.get(run).unwrap_or_default());
                run = start..end;
            }
            run.end = end;
        }
        out.extend_from_slice(self.arena.get(run).unwrap_or_default());
    }
}

/// A copied section whose lines are being added.
pub(crate) struct CopiedSection {
    /// The offset of the next line.
    next: u32,
}

/// Appends one line of a field section.
pub fn write_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + PUNCTUATION);
    out.extend_from_slice(name);
    write_value(out, value);
}

fn write_value(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// True if the bytes are a valid field value (RFC 9110 §5.5): no control characters except
/// the tab.
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
/// Quoted strings are not recognised.
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

/// Converts an offset. Heads are limited to far less than 4 GiB before they get here.
fn offset(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
