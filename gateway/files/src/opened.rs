//! A file that was looked up, with all that its response's head says of it.

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

/// How long after a change a file may change again without its times telling,
/// in seconds: clocks of file systems tick between milliseconds and two seconds.
const SETTLING: i64 = 2;

/// A file that was looked up. It stays as it is, whatever becomes of the name;
/// a new look makes a new one if the file has changed.
#[derive(Debug)]
pub struct Opened {
    /// What to send.
    pub body: Body,
    /// The length of the body, in bytes.
    pub length: u64,
    /// When it was last modified, in seconds since 1970; never in the future.
    pub modified: u64,
    /// `Last-Modified`: the same, as the field has it.
    pub last_modified: Bytes,
    /// `ETag`, with its quotes.
    ///
    /// Of a small file it is a hash of the content: the same on each machine
    /// that has it, and another when the content is another, though length and
    /// time be the same, as they are for files out of a reproducible build. Of
    /// a large one it is the time (in nanoseconds) and the length, as nginx has
    /// them; weak while the last change is so young that another could have the
    /// same time (RFC 9110 §8.8.1).
    pub etag: Bytes,
    /// `Content-Type`; a compressed sibling has that of its original.
    pub content_type: Bytes,
    /// `Content-Encoding`, if this is a compressed sibling.
    pub coding: Option<Coding>,
    /// True if the answer depends on `Accept-Encoding` (`Vary`): the root has
    /// siblings, also where this file has none.
    pub varies: bool,
    /// True if it is gone from the root and comes out of what is retained.
    pub retained: bool,
    id: u64,
    stamp: Stamp,
}

/// What to send.
#[derive(Clone, Debug)]
pub enum Body {
    /// The whole content of a small file.
    Memory(Bytes),
    /// A larger file, from its start. If somebody truncates it while it is sent,
    /// there is less than the length says, and the connection has to be closed.
    File(Arc<File>),
}

/// What tells a look at a file from an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    identity: Identity,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    /// False if a further change could leave all of the above as they are.
    is_settled: bool,
}

/// How a file came to be the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) coding: Option<Coding>,
    pub(crate) varies: bool,
    pub(crate) retained: bool,
}

impl Opened {
    /// Reads what there is to know; a small file whole.
    pub(crate) fn read(
        file: File,
        facts: &Metadata,
        content_type: Bytes,
        manner: Manner,
    ) -> io::Result<Self> {
        let now = unix_now();
        let stamp = Stamp::of(facts, now);
        let content = if stamp.length <= SMALL {
            read_small(&file, &stamp, now)?
        } else {
            None
        };
        let etag = match &content {
            Some(content) => etag_of_content(content, manner.coding),
            None => etag_of_time(&stamp, manner.coding, now),
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
            coding: manner.coding,
            varies: manner.varies,
            retained: manner.retained,
            id: next_id(),
            stamp,
        })
    }

    /// True if a new look found the same, so that this one can be kept.
    pub(crate) fn is_still(&self, facts: &Metadata, manner: Manner) -> bool {
        self.stamp.is_settled
            && self.stamp == Stamp::of(facts, unix_now())
            && self.manner() == manner
    }

    /// Another number for each look that found something else.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The whole content; reads a large file, which blocks.
    ///
    /// # Errors
    /// What the system says; `UnexpectedEof` if it has become shorter.
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

    fn manner(&self) -> Manner {
        Manner {
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

/// The content, or nothing if the file changes so busily that none can be told.
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
        // A link more changes nothing but `changed`; another length cannot be
        // sent under this one.
        if after.length != stamp.length {
            return Ok(None);
        }
        if after.modified == stamp.modified {
            return Ok(Some(content.into()));
        }
    }
    Ok(None)
}

/// 64 bits of hash and the length: not against forgery, which nobody gains from
/// who can write the files.
fn etag_of_content(content: &[u8], coding: Option<Coding>) -> Bytes {
    // No key: all machines come to the same.
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

/// Two codings of one file are never the same bytes.
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
