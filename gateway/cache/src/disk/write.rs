//! Writes files: under a temporary name, which is changed once they are complete.

use std::io::{self, Write as _};
use std::sync::atomic::Ordering;

use super::read::{each_piece, sum_of};
use super::{Disk, Job, format, lock, name};
use crate::entry::{Body, Entry};
use crate::purge::PurgeState;

/// The result of a job.
pub(crate) enum Done {
    /// The file of this entry was written.
    Written(std::sync::Arc<Entry>),
    /// A file could not be written.
    Failed(io::Error),
    /// Anything else.
    Other,
}

impl Disk {
    /// Takes the next job from the queue.
    pub(super) fn next_job(&self) -> Option<Job> {
        let mut waiting = lock(&self.waiting);
        let job = waiting.jobs.pop_front()?;
        if let Job::Entry(entry) = &job
            && let Body::Bytes(bytes) = entry.body()
        {
            waiting.bytes = waiting.bytes.saturating_sub(bytes.len() as u64);
        }
        Some(job)
    }

    pub(super) fn carry_out(&self, job: Job, dirty: &mut Dirty) -> Done {
        let (name, written) = match &job {
            Job::Entry(entry) => {
                let name = name(entry.primary(), entry.variant());
                (name, self.write_entry(name, entry))
            }
            Job::Variance {
                primary,
                variance,
                level,
            } => {
                let name = name(primary, b"");
                let content = format::of_variance(primary, variance, self.folder.identity, *level);
                (name, self.write_file(name, &content, |_| Ok(())).map(Some))
            }
            Job::Remove(name) => {
                self.remove(*name, dirty);
                return Done::Other;
            }
        };
        dirty.mark(name);
        match written {
            Ok(Some(size)) => {
                lock(&self.known).insert(name, size);
                self.counts.writes.fetch_add(1, Ordering::Relaxed);
                if let Job::Entry(entry) = job {
                    return Done::Written(entry);
                }
            }
            // The existing file is older than the purged entry, and sweeps do not see it.
            Ok(None) => self.remove(name, dirty),
            Err(error) => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                // The existing file is older than the one that could not be written.
                self.remove(name, dirty);
                return Done::Failed(error);
            }
        }
        Done::Other
    }

    /// Removes a file if it exists.
    pub(super) fn remove(&self, name: u128, dirty: &mut Dirty) {
        dirty.mark(name);
        let _ = std::fs::remove_file(self.folder.file(name));
        lock(&self.known).remove(name);
    }

    /// Returns the size of the file, or `None` if the entry has been purged.
    fn write_entry(&self, name: u128, entry: &Entry) -> io::Result<Option<u64>> {
        let purge_state = entry.purge_state(&self.purges);
        if purge_state == PurgeState::Dead {
            return Ok(None);
        }
        match entry.body() {
            Body::Growing(_) => Ok(None),
            Body::Bytes(bytes) => {
                let sum = format::sum(bytes);
                let length = bytes.len() as u64;
                let head = format::of_entry(entry, self.folder.identity, purge_state, length, sum);
                self.write_file(name, &head, |file| file.write_all(bytes))
                    .map(|size| Some(size + length))
            }
            Body::File {
                file: body,
                offset,
                length,
            } => {
                let sum = sum_of(body, *offset, *length)?;
                let head = format::of_entry(entry, self.folder.identity, purge_state, *length, sum);
                self.write_file(name, &head, |file| {
                    each_piece(body, *offset, *length, |piece| file.write_all(piece))
                })
                .map(|size| Some(size + length))
            }
        }
    }

    fn write_file(
        &self,
        name: u128,
        head: &[u8],
        body: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> io::Result<u64> {
        let temporary = self.folder.temporary();
        let written = (self.create)(&temporary).and_then(|mut file| {
            file.write_all(head)?;
            body(&mut *file)?;
            file.flush()
        });
        let placed = written.and_then(|()| self.folder.place(&temporary, name));
        if placed.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        placed.map(|()| head.len() as u64)
    }
}

/// The folders in which files were added or removed since the folders were last flushed.
#[derive(Debug)]
pub(crate) struct Dirty([bool; 256]);

impl Default for Dirty {
    fn default() -> Self {
        Self([false; 256])
    }
}

impl Dirty {
    fn mark(&mut self, name: u128) {
        let [first, ..] = name.to_be_bytes();
        if let Some(folder) = self.0.get_mut(usize::from(first)) {
            *folder = true;
        }
    }

    /// Returns the marked folders, and removes the marks.
    pub(super) fn take(&mut self) -> impl Iterator<Item = u8> + use<> {
        let marked = std::mem::take(self);
        (0..=u8::MAX)
            .zip(marked.0)
            .filter(|(_, dirty)| *dirty)
            .map(|(number, _)| number)
    }
}
