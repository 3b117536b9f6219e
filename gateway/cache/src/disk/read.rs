//! Reads files. Every byte is verified before it is served.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use twox_hash::XxHash3_64;

use super::format::{self, HEADER, Header, Meta};
use super::{Disk, Job, lock, read_at};
use crate::entry::{Body, Entry};
use crate::key::Variance;
use crate::purge::{PurgeState, Subject};

/// Bodies of up to this many bytes are loaded into memory; larger ones are served from the
/// file.
pub(crate) const MAX_IN_MEMORY: u64 = 64 * 1024;

/// The bytes read at first, which contain most heads completely.
const FIRST_READ: usize = 4096;

/// The content of the file of a key.
#[derive(Debug)]
pub(crate) enum Content {
    Entry(Entry),
    Variance(Variance),
}

/// Header and metadata of a file.
pub(super) struct Head {
    pub(super) header: Header,
    pub(super) meta: Vec<u8>,
    pub(super) file: File,
    /// The number of the newest purge that the file is known to have been compared with.
    pub(super) level: u64,
}

impl Disk {
    /// Reads the file of a key. `None` is a miss, whatever the reason.
    pub(crate) fn load(&self, name: u128, primary: &[u8], variant: &[u8]) -> Option<Content> {
        let head = match self.head(name) {
            Ok(head) => head?,
            Err(error) => {
                if error.kind() == io::ErrorKind::NotFound {
                    lock(&self.known).remove(name);
                }
                return None;
            }
        };
        let Some(meta) = head.header.meta(&head.meta) else {
            self.broken(name);
            return None;
        };
        match &meta {
            Meta::Variance {
                primary: own,
                variance,
            } => {
                (*own == primary && variant.is_empty()).then(|| Content::Variance(variance.clone()))
            }
            Meta::Entry {
                primary: own,
                variant: own_variant,
                tags,
                ..
            } => {
                // The name is only a hash, so the whole key is compared.
                if *own != primary || *own_variant != variant {
                    return None;
                }
                let subject = Subject { primary, tags };
                let (now, level) = self.purges.compare(head.level, &subject);
                let purge_state = head.header.purge_state.and(now);
                if purge_state == PurgeState::Dead {
                    return None;
                }
                let body = self.body(name, &head)?;
                let entry = meta.entry(level, purge_state, body)?;
                lock(&self.known).used(name);
                self.counts.loads.fetch_add(1, Ordering::Relaxed);
                Some(Content::Entry(entry))
            }
        }
    }

    /// Opens a file and reads its head. `None` if it is damaged or of another identity: it is
    /// then removed.
    pub(super) fn head(&self, name: u128) -> io::Result<Option<Head>> {
        // Read before the file is opened: a sweep that ends later may not have seen it.
        let cleared = self.purges.cleared();
        let file = self.folder.read(name)?;
        let head = read_head(&file).map(|read| {
            read.filter(|(header, _)| header.identity == self.folder.identity)
                .map(|(header, meta)| Head {
                    level: header.level.max(cleared),
                    header,
                    meta,
                    file,
                })
        });
        match head {
            Ok(Some(head)) => Ok(Some(head)),
            Ok(None) => {
                self.broken(name);
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.broken(name);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn body(&self, name: u128, head: &Head) -> Option<Body> {
        let offset = HEADER as u64 + u64::from(head.header.meta_length);
        let length = head.header.body_length;
        let whole = head.file.metadata().ok()?.size() == offset.checked_add(length)?;
        let body = if !whole {
            None
        } else if length <= MAX_IN_MEMORY {
            let bytes = read_at(&head.file, offset, usize::try_from(length).ok()?).ok()?;
            (format::sum(&bytes) == head.header.body_sum)
                .then(|| Body::Bytes(Bytes::from(bytes.into_boxed_slice())))
        } else {
            let sum = sum_of(&head.file, offset, length).ok()?;
            let file = Arc::new(head.file.try_clone().ok()?);
            (sum == head.header.body_sum).then_some(Body::File {
                file,
                offset,
                length,
            })
        };
        if body.is_none() {
            self.broken(name);
        }
        body
    }

    /// True if the file with this name is still the given open one, and no newer one has
    /// replaced it.
    pub(crate) fn is_current(&self, name: u128, file: &File) -> bool {
        let current = std::fs::symlink_metadata(self.folder.file(name));
        match (current, file.metadata()) {
            (Ok(current), Ok(own)) => current.ino() == own.ino() && current.dev() == own.dev(),
            _ => false,
        }
    }

    /// Calls `each` for all entries on the disk that can be read. Bodies are not verified.
    pub(crate) fn each(&self, mut each: impl FnMut(Entry)) {
        let mut end = usize::MAX;
        loop {
            let (next, names) = lock(&self.known).names_before(end, 256);
            for name in names {
                if let Ok(Some(head)) = self.head(name)
                    && let Some(meta) = head.header.meta(&head.meta)
                {
                    let body = Body::File {
                        offset: HEADER as u64 + u64::from(head.header.meta_length),
                        length: head.header.body_length,
                        file: Arc::new(head.file),
                    };
                    if let Some(entry) = meta.entry(head.level, head.header.purge_state, body) {
                        each(entry);
                    }
                }
            }
            if next == 0 {
                return;
            }
            end = next;
        }
    }

    /// Counts a damaged file and lets the background thread remove it.
    fn broken(&self, name: u128) {
        self.counts.corrupt.fetch_add(1, Ordering::Relaxed);
        self.queue(Job::Remove(name), 0);
    }
}

fn read_head(file: &File) -> io::Result<Option<(Header, Vec<u8>)>> {
    let mut first = vec![0; FIRST_READ];
    let read = file.read_at(&mut first, 0)?;
    first.truncate(read);
    let Some((header, rest)) = first.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let Some(header) = Header::read(header) else {
        return Ok(None);
    };
    let length = header.meta_length as usize;
    let meta = match rest.get(..length) {
        Some(meta) => meta.to_vec(),
        None => read_at(file, HEADER as u64, length)?,
    };
    Ok(Some((header, meta)))
}

/// The checksum of `length` bytes of a file from `offset` on.
pub(super) fn sum_of(file: &File, offset: u64, length: u64) -> io::Result<u64> {
    let mut hash = XxHash3_64::new();
    each_piece(file, offset, length, |piece| {
        std::hash::Hasher::write(&mut hash, piece);
        Ok(())
    })?;
    Ok(std::hash::Hasher::finish(&hash))
}

/// Reads `length` bytes of a file from `offset` on, in pieces.
///
/// # Errors
/// Reading failed, the file is shorter, or `each` returned an error.
pub(super) fn each_piece(
    file: &File,
    mut offset: u64,
    length: u64,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; 128 * 1024];
    let mut left = length;
    while left > 0 {
        let wanted = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let read = match buffer.get_mut(..wanted) {
            Some(piece) => file.read_at(piece, offset)?,
            None => 0,
        };
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        each(buffer.get(..read).unwrap_or_default())?;
        offset += read as u64;
        left -= read as u64;
    }
    Ok(())
}
