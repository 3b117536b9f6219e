//! The format of a file: a fixed header, metadata of the response, the body.
//!
//! ```text
//!  0  magic and version                 8 bytes
//!  8  LIVE, or time of a soft purge     8
//! 16  identity of the folder            8
//! 24  newest purge compared with        8
//! 32  length of the metadata            4
//! 36  kind: entry or variance           4
//! 40  length of the body                8
//! 48  checksum of the body              8
//! 56  checksum of the head              8
//! 64  metadata, then the body
//! ```
//!
//! Numbers are little-endian; times are milliseconds since the Unix epoch. Checksums are
//! 64-bit XXH3. They detect torn writes and faulty disks, not manipulation: only the user
//! of the gateway can write to the folder. The checksum of the head covers bytes 0 to 56
//! and the metadata, except bytes 8 to 16, which a sweep changes in place. Damage there
//! makes the response stale, since only one of 2^64 values means live.

use std::sync::Arc;

use twox_hash::XxHash3_64;

use crate::entry::{Body, Entry, EntryParts};
use crate::key::{Parts, PartsReader, Variance};
use crate::purge::PurgeState;
use crate::rules::Terms;

const MAGIC: [u8; 8] = *b"janua\0c2";
const LIVE: u64 = 0x6c69_7665_6a61_6e75;
pub(crate) const HEADER: usize = 64;
/// Offset of the purge state, in bytes.
pub(crate) const PURGE_STATE_AT: u64 = 8;
/// The most bytes of metadata; a header that states more is invalid.
pub(crate) const MAX_META: u32 = 1 << 20;

const ENTRY: u32 = 0;
const VARIANCE: u32 = 1;

/// The fixed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) purge_state: PurgeState,
    pub(crate) identity: u64,
    pub(crate) level: u64,
    pub(crate) meta_length: u32,
    pub(crate) body_length: u64,
    pub(crate) body_sum: u64,
    kind: u32,
    sum: u64,
}

impl Header {
    /// Parses a header; `None` if it is invalid.
    pub(crate) fn read(bytes: &[u8; HEADER]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (purge_state, rest) = take(rest)?;
        let (identity, rest) = take(rest)?;
        let (level, rest) = take(rest)?;
        let (lengths, rest) = take(rest)?;
        let (body_length, rest) = take(rest)?;
        let (body_sum, rest) = take(rest)?;
        let (sum, _) = take(rest)?;
        let header = Self {
            purge_state: match purge_state {
                LIVE => PurgeState::Live,
                at_ms => PurgeState::Stale { at_ms },
            },
            identity,
            level,
            meta_length: u32::try_from(lengths & u64::from(u32::MAX)).ok()?,
            kind: u32::try_from(lengths >> 32).ok()?,
            body_length,
            body_sum,
            sum,
        };
        (*magic == MAGIC && header.meta_length <= MAX_META && header.level < 1 << 62)
            .then_some(header)
    }

    fn write(&self) -> [u8; HEADER] {
        let purge_state = match self.purge_state {
            PurgeState::Live => LIVE,
            PurgeState::Stale { at_ms } => at_ms,
            PurgeState::Dead => 0,
        };
        let lengths = u64::from(self.meta_length) | u64::from(self.kind) << 32;
        let mut bytes = [0; HEADER];
        let words = [
            u64::from_le_bytes(MAGIC),
            purge_state,
            self.identity,
            self.level,
            lengths,
            self.body_length,
            self.body_sum,
            self.sum,
        ];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Computes the checksum of the head.
    fn head_sum(&self, meta: &[u8]) -> u64 {
        let unsealed = Self {
            purge_state: PurgeState::Live,
            sum: 0,
            ..*self
        };
        let mut hash = XxHash3_64::new();
        std::hash::Hasher::write(&mut hash, &unsealed.write());
        std::hash::Hasher::write(&mut hash, meta);
        std::hash::Hasher::finish(&hash)
    }

    /// Parses the metadata; `None` if its checksum is wrong.
    pub(crate) fn meta<'m>(&self, meta: &'m [u8]) -> Option<Meta<'m>> {
        if self.head_sum(meta) != self.sum {
            return None;
        }
        let mut parts = PartsReader(meta);
        match self.kind {
            ENTRY => Some(Meta::Entry {
                primary: parts.next()??,
                variant: parts.next()??,
                tags: parts.next()??,
                head: parts.next()??,
                received: parts.next()??,
                rule: parts.next()?,
                status: u16::from_le_bytes(parts.next()??.try_into().ok()?),
                terms: Terms::read(parts.next()??.try_into().ok()?)?,
            }),
            VARIANCE => Some(Meta::Variance {
                primary: parts.next()??,
                variance: Variance::of(parts.next()??)?.0,
            }),
            _ => None,
        }
    }
}

/// The purge state as a sweep writes it at [`PURGE_STATE_AT`].
pub(crate) fn stale_since(at_ms: u64) -> [u8; 8] {
    at_ms.to_le_bytes()
}

/// The metadata of a file.
#[derive(Debug)]
pub(crate) enum Meta<'m> {
    Entry {
        primary: &'m [u8],
        variant: &'m [u8],
        tags: &'m [u8],
        head: &'m [u8],
        received: &'m [u8],
        rule: Option<&'m [u8]>,
        status: u16,
        terms: Terms,
    },
    Variance {
        primary: &'m [u8],
        variance: Variance,
    },
}

impl Meta<'_> {
    /// Builds the entry; `None` if the file is not of that kind.
    pub(crate) fn entry(&self, level: u64, purge_state: PurgeState, body: Body) -> Option<Entry> {
        let &Self::Entry {
            primary,
            variant,
            tags,
            head,
            received,
            rule,
            status,
            terms,
        } = self
        else {
            return None;
        };
        Some(Entry::assemble(EntryParts {
            primary,
            variant,
            tags,
            head,
            received,
            status,
            terms,
            rule: rule.map(|rule| Arc::from(String::from_utf8_lossy(rule))),
            level,
            purge_state,
            body,
        }))
    }
}

/// Header and metadata of an entry.
pub(crate) fn of_entry(
    entry: &Entry,
    identity: u64,
    purge_state: PurgeState,
    body_length: u64,
    body_sum: u64,
) -> Vec<u8> {
    let mut meta = Parts::default();
    meta.push(Some(entry.primary()));
    meta.push(Some(entry.variant()));
    meta.push(Some(entry.tag_bytes()));
    meta.push(Some(entry.head()));
    meta.push(Some(entry.received_bytes()));
    meta.push(entry.rule().map(|rule| rule.as_bytes()));
    meta.push(Some(&entry.status().to_le_bytes()));
    let mut terms = Vec::with_capacity(Terms::SIZE);
    entry.stored_terms().write(&mut terms);
    meta.push(Some(&terms));
    let header = Header {
        purge_state,
        identity,
        level: entry.level(),
        meta_length: 0,
        kind: ENTRY,
        body_length,
        body_sum,
        sum: 0,
    };
    seal(header, &meta.0)
}

/// A file that records what the entries of a key vary on.
pub(crate) fn of_variance(
    primary: &[u8],
    variance: &Variance,
    identity: u64,
    level: u64,
) -> Vec<u8> {
    let mut names = Parts::default();
    variance.begin(&mut names);
    let mut meta = Parts::default();
    meta.push(Some(primary));
    meta.push(Some(&names.0));
    let header = Header {
        purge_state: PurgeState::Live,
        identity,
        level,
        meta_length: 0,
        kind: VARIANCE,
        body_length: 0,
        body_sum: sum(&[]),
        sum: 0,
    };
    seal(header, &meta.0)
}

/// The checksum of a body.
pub(crate) fn sum(body: &[u8]) -> u64 {
    XxHash3_64::oneshot(body)
}

fn seal(mut header: Header, meta: &[u8]) -> Vec<u8> {
    // Keys and heads are limited to far less when they are stored.
    header.meta_length = u32::try_from(meta.len()).unwrap_or(u32::MAX);
    header.sum = header.head_sum(meta);
    [&header.write()[..], meta].concat()
}

fn take(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*word), rest))
}
