//! A file that was looked up, with the metadata for its response's head.

use std::fs::{File, Metadata};
use std::hash::Hasher;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use janua_http::accept_encoding::Coding;
use siphasher::sip::SipHasher13;

use crate::directory::Identity;

/// Files up to this length are held in memory, in bytes.
pub(crate) const SMALL: u64 = 64 * 1024;

/// How long after a change the times of a file cannot be trusted, in seconds:
/// another change could leave them the same, because file systems record times
/// in steps between milliseconds and two seconds.
const SETTLING: i64 = 2;

/// A file that was looked up. It is immutable; a new lookup creates a new one if
/// the file has changed.
#[derive(Debug)]
pub struct Opened {
    /// The body to send.
    pub body: Body,
    /// The length of the body, in bytes.
    pub length: u64,
    /// When it was last modified, in seconds since 1970; never in the future.
    pub modified: u64,
    /// The value of `Last-Modified`, from the same time.
    pub last_modified: Bytes,
    /// The value of `ETag`, with its quotes.
    ///
    /// For a small file it is a hash of the content: equal on every machine that
    /// has the content, and different if the content differs, even if length and
    /// time are the same as in a reproducible build. For a large file it
    /// consists of the modification time (in nanoseconds) and the length, as in
    /// nginx. It is weak while the last change is so recent that another change
    /// could have the same time (RFC 9110, section 8.8.1).
    pub etag: Bytes,
    /// The value of `Content-Type`; a compressed sibling has that of its
    /// original.
    pub content_type: Bytes,
    /// The value of `Content-Encoding`, if this is a compressed sibling.
    pub coding: Option<Coding>,
    /// True if the response depends on `Accept-Encoding` (`Vary`): the root has
    /// precompressed siblings, even if this file has none.
    pub varies: bool,
    /// True if the file was removed from the root and is served from the
    /// retained files.
    pub retained: bool,
    id: u64,
    stamp: Stamp,
}

/// Where the body is read from.
#[derive(Clone, Debug)]
pub enum Body {
    /// The whole content of a small file.
    Memory(Bytes),
    /// A larger file, from its start. If it is truncated while it is being sent,
    /// the body is shorter than announced, and the connection must be closed.
    File(Arc<File>),
}

/// Identifies the version of a file, to detect changes between lookups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    identity: Identity,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    /// False if a further change could leave all other fields the same.
    is_settled: bool,
}

/// How the file was selected as the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) coding: Option<Coding>,
    pub(crate) varies: bool,
    pub(crate) retained: bool,
}

impl Opened {
    /// Reads the metadata, and the content of a small file.
    pub(crate) fn read(
        file: File,
        facts: &Metadata,
        content_type: Bytes,
        selection: Selection,
    ) -> io::Result<Self> {
        let now = unix_now();
        let stamp = Stamp::of(facts, now);
        let content = if stamp.length <= SMALL {
            read_small(&file, &stamp, now)?
        } else {
            None
        };
        let etag = match &content {
            Some(content) => etag_of_content(content, selection.coding),
            None => etag_of_time(&stamp, selection.coding, now),
        };
        let modified = u64::try_from(stamp.modified.0.min(now)).unwrap_or(0);
        let mut last_modified = Vec::with_capacity(29);
        janua_http::date::write(modified, &mut last_modified);
        Ok(Self {
            body: match content {
                Some(content) => Body::Memory(content),
                None => Body::File(Arc::new(file)),
            },
            length: stamp.length,
            modified,
            last_modified: last_modified.into(),
            etag,
            content_type,
            coding: selection.coding,
            varies: selection.varies,
            retained: selection.retained,
            id: next_id(),
            stamp,
        })
    }

    /// True if a new lookup found the same version, so that this one can be
    /// kept.
    pub(crate) fn is_still(&self, facts: &Metadata, selection: Selection) -> bool {
        self.stamp.is_settled
            && self.stamp == Stamp::of(facts, unix_now())
            && self.selection() == selection
    }

    /// A number that identifies this version of the file in this process.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The whole content. Blocks if the file is large.
    ///
    /// # Errors
    /// The system's error; `UnexpectedEof` if the file has become shorter.
    pub fn content(&self) -> io::Result<Bytes> {
        match &self.body {
            Body::Memory(content) => Ok(content.clone()),
            Body::File(file) => {
                let length = usize::try_from(self.length)
                    .map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
                let mut content = Vec::new();
                content.try_reserve_exact(length)?;
                content.resize(length, 0);
                file.read_exact_at(&mut content, 0)?;
                Ok(content.into())
            }
        }
    }

    fn selection(&self) -> Selection {
        Selection {
            coding: self.coding,
            varies: self.varies,
            retained: self.retained,
        }
    }
}

impl Stamp {
    fn of(facts: &Metadata, now: i64) -> Self {
        let modified = (facts.mtime(), facts.mtime_nsec());
        let changed = (facts.ctime(), facts.ctime_nsec());
        Self {
            identity: Identity::of(facts),
            length: facts.len(),
            modified,
            changed,
            is_settled: now.saturating_sub(changed.0.max(modified.0)) > SETTLING,
        }
    }
}

/// The content; none if the file keeps changing while it is read.
fn read_small(file: &File, stamp: &Stamp, now: i64) -> io::Result<Option<Bytes>> {
    const ATTEMPTS: usize = 3;
    let length = usize::try_from(stamp.length).unwrap_or(0);
    let mut content = vec![0; length];
    for _ in 0..ATTEMPTS {
        match file.read_exact_at(&mut content, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let after = Stamp::of(&file.metadata()?, now);
        if after == *stamp {
            return Ok(Some(content.into()));
        }
        // An additional hard link changes only `changed`. If the length differs,
        // the content cannot be sent, because the head announces the old length.
        if after.length != stamp.length {
            return Ok(None);
        }
        if after.modified == stamp.modified {
            return Ok(Some(content.into()));
        }
    }
    Ok(None)
}

/// 64 bits of hash and the length. It need not resist forgery: whoever can write
/// the files gains nothing by a collision.
fn etag_of_content(content: &[u8], coding: Option<Coding>) -> Bytes {
    // Without a key, so that all machines compute the same tag.
    let mut hasher = SipHasher13::new();
    hasher.write(content);
    let (hash, length) = (hasher.finish(), content.len());
    format!("\"{hash:016x}-{length:x}{}\"", ending(coding)).into()
}

fn etag_of_time(stamp: &Stamp, coding: Option<Coding>, now: i64) -> Bytes {
    let (seconds, nanoseconds) = stamp.modified;
    let is_settled = now.saturating_sub(seconds) > SETTLING;
    let weak = if is_settled { "" } else { "W/" };
    let (length, ending) = (stamp.length, ending(coding));
    format!("{weak}\"{seconds:x}.{nanoseconds:x}-{length:x}{ending}\"").into()
}

/// Two codings of one file must have different tags.
fn ending(coding: Option<Coding>) -> &'static str {
    match coding {
        None => "",
        Some(Coding::Brotli) => "-br",
        Some(Coding::Gzip) => "-gzip",
        Some(Coding::Zstd) => "-zstd",
    }
}

pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
