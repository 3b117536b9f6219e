//! The journal: the purges that have not been carried out on all files yet.
//!
//! A purge is written and flushed before it is reported as done, so that purged responses
//! do not come back after a crash. A sweep that has carried out purges rewrites the journal
//! without them, as a second file that is renamed.
//!
//! If a part of the journal cannot be read, any purge may be lost. Then everything is
//! purged.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::folder::{Folder, options};
use super::format;
use crate::key::{Parts, PartsReader};
use crate::purge::{Purge, Scope};

const MAGIC: [u8; 8] = *b"janua\0j1";
const HEADER: usize = 32;

/// The most lines. Instead of a further one, everything is purged.
const MAX_LINES: usize = 1 << 17;

/// The journal of a folder.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: Arc<Folder>,
    /// Open at its end; `None` if the file may be torn or outdated. Locked during disk
    /// access.
    file: Mutex<Option<File>>,
    /// Locked only briefly, because workers add lines.
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    /// The number up to which all purges have been carried out.
    cleared: u64,
    /// The number of the newest purge for each encoded scope and kind.
    all: HashMap<Box<[u8]>, u64, ahash::RandomState>,
    /// Records that are not in the file yet.
    pending: Vec<u8>,
}

/// Is called with each purge that was read, and its number.
pub(crate) type Replay<'a> = dyn FnMut(&Scope<'_>, Purge, u64) + 'a;

impl Journal {
    /// Opens the journal, calls `replay` for each purge in it, and returns the number up
    /// to which all purges have been carried out.
    pub(crate) fn open(folder: &Arc<Folder>, replay: &mut Replay<'_>) -> io::Result<(Self, u64)> {
        let mut content = Vec::new();
        match options().read(true).open(folder.path().join("journal")) {
            Ok(mut file) => drop(file.read_to_end(&mut content)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let header = read_header(&content, folder.identity);
        let (cleared, records) = header.unwrap_or((0, &[]));
        let mut lines = Lines {
            cleared,
            ..Lines::default()
        };
        let mut records = Records(records);
        let mut is_whole = header.is_some();
        for (number, line) in records.by_ref() {
            let Some((scope, purge)) = read_line(line) else {
                is_whole = false;
                continue;
            };
            replay(&scope, purge, number);
            lines.all.insert(line.into(), number);
        }
        // A new folder has no files to purge.
        if folder.opened > 1 && !(is_whole && records.0.is_empty()) {
            let number = folder.first_number();
            replay(&Scope::All, Purge::Hard, number);
            let line = write_line(&Scope::All, Purge::Hard);
            lines.all.insert(line.into(), number);
        }
        // Rewritten without a torn end, and without lines of another identity.
        let file = write_anew(folder, &lines.content(folder.identity))?;
        let journal = Self {
            folder: Arc::clone(folder),
            file: Mutex::new(Some(file)),
            lines: Mutex::new(lines),
        };
        Ok((journal, cleared))
    }

    /// Adds a line, to be written by [`flush`](Self::flush).
    pub(crate) fn add(&self, scope: &Scope<'_>, purge: Purge, number: u64) {
        let mut lines = lock(&self.lines);
        let line = if lines.all.len() < MAX_LINES {
            write_line(scope, purge)
        } else {
            lines.all.clear();
            write_line(&Scope::All, Purge::Hard)
        };
        lines.pending.extend_from_slice(&record(number, &line));
        lines.all.insert(line.into(), number);
    }

    /// Writes the added lines, and returns once they are on the disk. Does nothing if there
    /// are none.
    pub(crate) fn flush(&self) -> io::Result<()> {
        let mut file = lock(&self.file);
        let pending = std::mem::take(&mut lock(&self.lines).pending);
        if let Some(open) = &mut *file {
            let done = match pending.is_empty() {
                true => Ok(()),
                false => open.write_all(&pending).and_then(|()| open.sync_data()),
            };
            if done.is_ok() {
                return Ok(());
            }
        }
        // A torn record would hide those after it, so the whole file is rewritten.
        *file = None;
        let content = lock(&self.lines).content(self.folder.identity);
        *file = Some(write_anew(&self.folder, &content)?);
        Ok(())
    }

    /// Drops the lines up to `number`, which have been carried out.
    pub(crate) fn clear(&self, number: u64) -> io::Result<()> {
        let mut file = lock(&self.file);
        let content = {
            let mut lines = lock(&self.lines);
            lines.cleared = lines.cleared.max(number);
            lines.all.retain(|_, own| *own > number);
            lines.pending.clear();
            lines.content(self.folder.identity)
        };
        *file = None;
        *file = Some(write_anew(&self.folder, &content)?);
        Ok(())
    }
}

impl Lines {
    /// The content of the whole file.
    fn content(&self, identity: u64) -> Vec<u8> {
        let mut content = MAGIC.to_vec();
        content.extend_from_slice(&identity.to_le_bytes());
        content.extend_from_slice(&self.cleared.to_le_bytes());
        let sum = format::sum(&content);
        content.extend_from_slice(&sum.to_le_bytes());
        for (line, number) in &self.all {
            content.extend_from_slice(&record(*number, line));
        }
        content
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_anew(folder: &Folder, content: &[u8]) -> io::Result<File> {
    folder.write_durably("journal", content)
}

fn read_header(content: &[u8], identity: u64) -> Option<(u64, &[u8])> {
    let (header, records) = content.split_first_chunk::<HEADER>()?;
    let (sealed, sum) = header.split_first_chunk::<24>()?;
    let (magic, rest) = sealed.split_first_chunk::<8>()?;
    let (own, cleared) = rest.split_first_chunk::<8>()?;
    let right = *magic == MAGIC
        && *own == identity.to_le_bytes()
        && sum == format::sum(sealed).to_le_bytes();
    right.then(|| Some((u64::from_le_bytes(cleared.try_into().ok()?), records)))?
}

/// Encodes a record: length, checksum, number, line.
fn record(number: u64, line: &[u8]) -> Vec<u8> {
    let body = [&number.to_le_bytes()[..], line].concat();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [
        &length.to_le_bytes()[..],
        &format::sum(&body).to_le_bytes(),
        &body,
    ]
    .concat()
}

/// Reads records up to the first one that is incomplete or damaged.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let (sum, rest) = rest.split_first_chunk::<8>()?;
        let (body, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        if format::sum(body).to_le_bytes() != *sum {
            return None;
        }
        self.0 = rest;
        let (number, line) = body.split_first_chunk::<8>()?;
        Some((u64::from_le_bytes(*number), line))
    }
}

fn write_line(scope: &Scope<'_>, purge: Purge) -> Vec<u8> {
    let mut line = Parts::default();
    let at_ms = match purge {
        Purge::Hard => None,
        Purge::Soft { now_ms } => Some(now_ms.to_le_bytes()),
    };
    line.push(at_ms.as_ref().map(|bytes| &bytes[..]));
    match *scope {
        Scope::Url {
            scheme,
            host,
            path,
            query,
        } => {
            line.push(Some(b"url"));
            line.push(Some(scheme));
            line.push(Some(host));
            line.push(Some(path));
            line.push(query);
        }
        Scope::Prefix { host, path } => {
            line.push(Some(b"prefix"));
            line.push(Some(host));
            line.push(Some(path));
        }
        Scope::Host(host) => {
            line.push(Some(b"host"));
            line.push(Some(host));
        }
        Scope::Tag(tag) => {
            line.push(Some(b"tag"));
            line.push(Some(tag));
        }
        Scope::All => line.push(Some(b"all")),
    }
    line.0
}

fn read_line(line: &[u8]) -> Option<(Scope<'_>, Purge)> {
    let mut parts = PartsReader(line);
    let purge = match parts.next()? {
        None => Purge::Hard,
        Some(at_ms) => Purge::Soft {
            now_ms: u64::from_le_bytes(at_ms.try_into().ok()?),
        },
    };
    let scope = match parts.next()?? {
        b"url" => Scope::Url {
            scheme: parts.next()??,
            host: parts.next()??,
            path: parts.next()??,
            query: parts.next()?,
        },
        b"prefix" => Scope::Prefix {
            host: parts.next()??,
            path: parts.next()??,
        },
        b"host" => Scope::Host(parts.next()??),
        b"tag" => Scope::Tag(parts.next()??),
        b"all" => Scope::All,
        _ => return None,
    };
    Some((scope, purge))
}

#[cfg(test)]
mod tests;
