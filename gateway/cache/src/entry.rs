//! A stored response. It is immutable: an update makes a new entry, and requests that are
//! still being answered from the old one keep it alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use janua_http::Fields;
use janua_http::accept_encoding::Coding;

use crate::key::{Address, Parts, PartsReader, Variance};
use crate::purge::{PurgeState, Purges, Subject};
use crate::rules::Terms;

mod body;
mod purge_memo;

pub use body::{Body, Growing};

use body::Encoded;
use purge_memo::PurgeMemo;

/// A response to be stored, without its body.
#[derive(Debug)]
pub struct NewEntry<'a> {
    /// Status code.
    pub status: u16,
    /// The fields to be sent to clients, without hop-by-hop fields, `Age` and
    /// `Content-Length`.
    pub head: &'a Fields,
    /// The head before policies edited it, if they may have. An update begins with this one,
    /// so that their edits are never made to what they have edited before.
    pub received: Option<Received<'a>>,
    /// What the rules have read from the head: times and directives.
    pub terms: Terms,
    /// Tags for purges, case-sensitive.
    pub tags: &'a [&'a [u8]],
    /// Name of the cache rule that applied.
    pub rule: Option<Arc<str>>,
}

/// The head of a response as the upstream sent it.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Status code.
    pub status: u16,
    /// The fields, without those that are not stored.
    pub fields: &'a Fields,
}

/// A stored response.
#[derive(Debug)]
pub struct Entry {
    /// Primary key, variant key, tags, head and received head one after the other, in one
    /// allocation. The received head is its status, little-endian, and its field lines; it is
    /// empty if it is the same as the head.
    text: Box<[u8]>,
    variant_at: u32,
    tags_at: u32,
    head_at: u32,
    received_at: u32,
    hits: AtomicU32,
    purge_memo: PurgeMemo,
    rule: Option<Arc<str>>,
    encoded: Option<Box<Encoded>>,
    pub(crate) body: Body,
    terms: Terms,
    status: u16,
}

/// Memory that an entry takes besides its text and body, in bytes: the struct, its slot in
/// the index and the rounding of the allocator. Measured by `examples/measure.rs`.
pub(crate) const OVERHEAD: u64 = 300;

impl Entry {
    /// `level` is the number of the newest purge when the request was sent to the
    /// upstream.
    pub(crate) fn new(
        primary: &[u8],
        variant: &[u8],
        new: NewEntry<'_>,
        body: Body,
        level: u64,
    ) -> Self {
        let mut tags = Parts::default();
        for tag in new.tags {
            tags.push(Some(tag));
        }
        let mut head = Vec::with_capacity(512);
        new.head.write_to(&mut head);
        let received = new.received.map(|received| {
            let mut bytes = received.status.to_le_bytes().to_vec();
            received.fields.write_to(&mut bytes);
            bytes
        });
        let received = received.filter(|received| {
            received.split_first_chunk() != Some((&new.status.to_le_bytes(), &*head))
        });
        Self::assemble(EntryParts {
            primary,
            variant,
            tags: &tags.0,
            head: &head,
            received: received.as_deref().unwrap_or_default(),
            status: new.status,
            terms: new.terms,
            rule: new.rule,
            level,
            purge_state: PurgeState::Live,
            body,
        })
    }

    pub(crate) fn assemble(parts: EntryParts<'_>) -> Self {
        let text = [
            parts.primary,
            parts.variant,
            parts.tags,
            parts.head,
            parts.received,
        ]
        .concat()
        .into_boxed_slice();
        let variant_at = parts.primary.len();
        let tags_at = variant_at + parts.variant.len();
        let head_at = tags_at + parts.tags.len();
        let received_at = head_at + parts.head.len();
        Self {
            text,
            variant_at: offset(variant_at),
            tags_at: offset(tags_at),
            head_at: offset(head_at),
            received_at: offset(received_at),
            hits: AtomicU32::new(0),
            purge_memo: PurgeMemo::new(parts.level, parts.purge_state),
            rule: parts.rule,
            encoded: None,
            body: parts.body,
            terms: parts.terms,
            status: parts.status,
        }
    }

    /// A copy with another body or other encoded forms.
    fn again(&self, body: Body, encoded: Option<Box<Encoded>>) -> Self {
        Self {
            text: self.text.clone(),
            variant_at: self.variant_at,
            tags_at: self.tags_at,
            head_at: self.head_at,
            received_at: self.received_at,
            hits: AtomicU32::new(self.hits()),
            purge_memo: self.purge_memo.clone(),
            rule: self.rule.clone(),
            encoded,
            body,
            terms: self.terms,
            status: self.status,
        }
    }

    pub(crate) fn with_body(&self, body: Body) -> Self {
        self.again(body, self.encoded.clone())
    }

    pub(crate) fn with_encoded(&self, coding: Coding, bytes: Bytes) -> Self {
        let mut encoded = self.encoded.clone().unwrap_or_default();
        *encoded.slot(coding) = Some(bytes);
        self.again(self.body.clone(), Some(encoded))
    }

    /// The entry after a 304: the same body with a new head, for this variant.
    pub(crate) fn revalidated(&self, variant: &[u8], new: NewEntry<'_>, level: u64) -> Self {
        let body = match &self.body {
            Body::Growing(growing) => match growing.0.whole() {
                Some(whole) => Body::Bytes(whole),
                None => self.body.clone(),
            },
            other => other.clone(),
        };
        let mut entry = Self::new(self.primary(), variant, new, body, level);
        entry.hits = AtomicU32::new(self.hits());
        entry.encoded.clone_from(&self.encoded);
        entry
    }

    /// Status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The field lines of the head, each `Name: value CRLF`.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        self.part(self.head_at, Some(self.received_at))
    }

    /// Appends the field lines of the head to `fields`.
    pub fn write_into(&self, fields: &mut Fields) {
        write_lines(self.head(), fields);
    }

    /// Appends the field lines of the head as the upstream sent it to `fields`, and returns its
    /// status code.
    pub fn write_received_into(&self, fields: &mut Fields) -> u16 {
        match self.received_bytes().split_first_chunk() {
            Some((status, lines)) => {
                write_lines(lines, fields);
                u16::from_le_bytes(*status)
            }
            None => {
                self.write_into(fields);
                self.status
            }
        }
    }

    /// The received head as it is stored.
    pub(crate) fn received_bytes(&self) -> &[u8] {
        self.part(self.received_at, None)
    }

    /// The terms that the rules apply: those that were stored, or expired ones if a soft
    /// purge has reached the entry.
    #[must_use]
    pub fn terms(&self) -> Terms {
        match self.purge_memo.get() {
            (_, PurgeState::Stale { at_ms }) => self.terms.expired(at_ms),
            (_, PurgeState::Live | PurgeState::Dead) => self.terms,
        }
    }

    /// The terms as they were stored, without the effect of soft purges.
    #[must_use]
    pub fn stored_terms(&self) -> &Terms {
        &self.terms
    }

    /// Name of the cache rule that applied when it was stored.
    #[must_use]
    pub fn rule(&self) -> Option<&Arc<str>> {
        self.rule.as_ref()
    }

    /// Its tags for purges.
    pub fn tags(&self) -> impl Iterator<Item = &[u8]> {
        PartsReader(self.tag_bytes()).flatten()
    }

    /// The address that it is stored for.
    #[must_use]
    pub fn address(&self) -> Option<Address<'_>> {
        Address::of(self.primary())
    }

    /// What it varies on; `None` if it answers every request with its primary key.
    #[must_use]
    pub fn variance(&self) -> Option<Variance> {
        Variance::of(self.variant()).map(|(variance, _)| variance)
    }

    /// The values of the request that it was stored for, in the order of its
    /// [`Variance`].
    pub fn variant_values(&self) -> impl Iterator<Item = Option<&[u8]>> {
        Variance::of(self.variant())
            .map(|(_, values)| values)
            .into_iter()
            .flatten()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Length of the body in bytes, if it is known already.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.body.length()
    }

    /// The body in a content coding, if [`Cache::encoded`](crate::Cache::encoded) has
    /// stored it.
    #[must_use]
    pub fn encoded(&self, coding: Coding) -> Option<&Bytes> {
        self.encoded.as_deref()?.get(coding)
    }

    /// How often lookups have found it.
    #[must_use]
    pub fn hits(&self) -> u32 {
        self.hits.load(Ordering::Relaxed)
    }

    /// True if a soft purge has made it stale.
    #[must_use]
    pub fn is_purged_softly(&self) -> bool {
        matches!(self.purge_memo.get().1, PurgeState::Stale { .. })
    }

    pub(crate) fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// The effect of all purges so far. The result is remembered.
    pub(crate) fn purge_state(&self, purges: &Purges) -> PurgeState {
        self.purge_memo.after(purges, &self.subject())
    }

    /// The number of the newest purge that it has been compared with.
    pub(crate) fn level(&self) -> u64 {
        self.purge_memo.get().0
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            primary: self.primary(),
            tags: self.tag_bytes(),
        }
    }

    /// Bytes that it takes of the memory store's budget.
    pub(crate) fn weight(&self) -> u64 {
        let encoded = self.encoded.as_deref().map_or(0, Encoded::weight);
        OVERHEAD + self.text.len() as u64 + self.body.weight() + encoded
    }

    pub(crate) fn text_len(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn is(&self, primary: &[u8], variant: &[u8]) -> bool {
        self.primary() == primary && self.variant() == variant
    }

    pub(crate) fn primary(&self) -> &[u8] {
        self.part(0, Some(self.variant_at))
    }

    pub(crate) fn variant(&self) -> &[u8] {
        self.part(self.variant_at, Some(self.tags_at))
    }

    pub(crate) fn tag_bytes(&self) -> &[u8] {
        self.part(self.tags_at, Some(self.head_at))
    }

    fn part(&self, from: u32, to: Option<u32>) -> &[u8] {
        let to = to.map_or(self.text.len(), |to| to as usize);
        self.text.get(from as usize..to).unwrap_or_default()
    }
}

/// The parts of an entry, already encoded.
pub(crate) struct EntryParts<'a> {
    pub(crate) primary: &'a [u8],
    pub(crate) variant: &'a [u8],
    pub(crate) tags: &'a [u8],
    pub(crate) head: &'a [u8],
    pub(crate) received: &'a [u8],
    pub(crate) status: u16,
    pub(crate) terms: Terms,
    pub(crate) rule: Option<Arc<str>>,
    pub(crate) level: u64,
    pub(crate) purge_state: PurgeState,
    pub(crate) body: Body,
}

/// Appends field lines, each `Name: value CRLF`, to `fields`.
fn write_lines(mut rest: &[u8], fields: &mut Fields) {
    while let Some(colon) = memchr::memchr(b':', rest) {
        let (name, after) = rest.split_at(colon);
        let end = memchr::memchr(b'\r', after).unwrap_or(after.len());
        let (value, next) = after.split_at(end);
        fields.append(name, value.strip_prefix(b": ").unwrap_or_default());
        rest = next.strip_prefix(b"\r\n").unwrap_or_default();
    }
}

/// An offset in the text. Keys and heads are limited to far less than 4 GiB before.
fn offset(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
