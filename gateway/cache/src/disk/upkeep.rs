//! The work of the background thread for the disk store, in small steps: it carries out
//! queued jobs, scans the folder after a start, and deletes files beyond the budget.

use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::format::{self, Meta};
use super::write::{Dirty, Done};
use super::{Disk, folder, lock};
use crate::entry::Entry;
use crate::purge::{PurgeState, Subject};

/// The state of that work.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    /// The next of the 256 folders to scan.
    scan: u16,
    dirty: Dirty,
    /// When a failed write was last logged.
    warned: Option<Instant>,
}

/// The least time between two log lines about failed writes.
const SILENCE: Duration = Duration::from_secs(60);

/// How many jobs or files are handled in one step, before other work gets its turn.
const BATCH: usize = 64;

impl Upkeep {
    /// Does some of the queued work; true if there is more. Calls `written` for each
    /// entry whose file has been written.
    pub(crate) fn step(&mut self, disk: &Disk, mut written: impl FnMut(&Arc<Entry>)) -> bool {
        let mut more = self.write(disk, &mut written);
        if let Ok(number) = u8::try_from(self.scan) {
            self.scan += 1;
            scan(disk, number);
            more = true;
        } else if !lock(&disk.known).is_complete() {
            lock(&disk.known).complete();
        }
        self.evict(disk) || more
    }

    /// Writes all that is queued: before the process ends, and before a sweep forgets
    /// the purges that it has carried out.
    pub(crate) fn drain(&mut self, disk: &Disk, mut written: impl FnMut(&Arc<Entry>)) {
        while self.write(disk, &mut written) {}
    }

    fn write(&mut self, disk: &Disk, written: &mut dyn FnMut(&Arc<Entry>)) -> bool {
        if disk.journal_waits.swap(false, Ordering::AcqRel)
            && let Err(error) = disk.journal.flush()
        {
            disk.counts.failed.fetch_add(1, Ordering::Relaxed);
            self.warn(
                disk,
                &error,
                "purges are not written to the cache's disk: a restart may forget them",
            );
        }
        for _ in 0..BATCH {
            let Some(job) = disk.next_job() else {
                return false;
            };
            match disk.carry_out(job, &mut self.dirty) {
                Done::Written(entry) => written(&entry),
                Done::Failed(error) => {
                    self.warn(
                        disk,
                        &error,
                        "responses are not written to the cache's disk",
                    );
                }
                Done::Other => {}
            }
        }
        true
    }

    /// Logs that writing fails (a full disk, a removed folder), since no request notices
    /// it. At most one line a minute.
    fn warn(&mut self, disk: &Disk, error: &std::io::Error, what: &str) {
        if self.warned.is_none_or(|at| at.elapsed() >= SILENCE) {
            self.warned = Some(Instant::now());
            let path = disk.path().display();
            tracing::warn!(%path, %error, "{what}");
        }
    }

    /// True once the folder has been scanned.
    pub(crate) fn has_scanned(&self) -> bool {
        self.scan > u16::from(u8::MAX)
    }

    /// Deletes files that were not used for long while all files exceed the budget; true
    /// if they still do.
    fn evict(&mut self, disk: &Disk) -> bool {
        let budget = disk.budget.load(Ordering::Relaxed);
        for _ in 0..BATCH {
            let victim = {
                let known = lock(&disk.known);
                (known.bytes() > budget).then(|| known.victim()).flatten()
            };
            let Some(victim) = victim else {
                return false;
            };
            disk.remove(victim, &mut self.dirty);
            disk.counts.evictions.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    /// Compares some files before the place `end` with the purges and removes the purged
    /// ones. Returns the place to continue from; `None` at the end.
    pub(crate) fn sweep(&mut self, disk: &Disk, end: usize) -> Option<usize> {
        let (start, names) = lock(&disk.known).names_before(end, BATCH);
        for name in names {
            self.sweep_file(disk, name);
        }
        (start > 0).then_some(start)
    }

    fn sweep_file(&mut self, disk: &Disk, name: u128) {
        // A file that cannot be compared must go, since the purges are forgotten afterwards.
        let Ok(Some(head)) = disk.head(name) else {
            return disk.remove(name, &mut self.dirty);
        };
        let Some(meta) = head.header.meta(&head.meta) else {
            return disk.remove(name, &mut self.dirty);
        };
        let Meta::Entry { primary, tags, .. } = meta else {
            return;
        };
        match disk
            .purges
            .compare(head.level, &Subject { primary, tags })
            .0
        {
            PurgeState::Live => {}
            PurgeState::Dead => disk.remove(name, &mut self.dirty),
            PurgeState::Stale { at_ms } => {
                if head.header.purge_state != PurgeState::Live {
                    return;
                }
                let marked = disk.folder.update(name).and_then(|file| {
                    file.write_all_at(&format::stale_since(at_ms), format::PURGE_STATE_AT)?;
                    // The mark must survive a crash, as the journal forgets the purge.
                    file.sync_data()
                });
                if marked.is_err() {
                    disk.remove(name, &mut self.dirty);
                }
            }
        }
    }

    /// Called when a sweep has carried out all purges up to `number`: flushes the folders,
    /// and then removes these purges from the journal. False if that failed; the purges
    /// must then stay recorded.
    pub(crate) fn swept(&mut self, disk: &Disk, number: u64) -> bool {
        let mut flushed = true;
        for folder in self.dirty.take() {
            let synced = std::fs::File::open(disk.folder.folder(folder))
                .and_then(|folder| folder.sync_all());
            flushed &= match synced {
                Err(error) => error.kind() == std::io::ErrorKind::NotFound,
                Ok(()) => true,
            };
        }
        flushed && disk.journal.clear(number).is_ok()
    }
}

/// Adds the files of one of the 256 folders to the known ones.
fn scan(disk: &Disk, number: u8) {
    let Ok(files) = std::fs::read_dir(disk.folder.folder(number)) else {
        return;
    };
    for file in files.flatten() {
        let Some(name) = folder::name_of(&file.file_name()) else {
            continue;
        };
        let [first, ..] = name.to_be_bytes();
        // `metadata` does not follow a symbolic link, which is no regular file.
        if let Ok(metadata) = file.metadata()
            && metadata.is_file()
            && first == number
        {
            let changed = u64::try_from(metadata.mtime()).unwrap_or(0);
            lock(&disk.known).found(name, metadata.size(), changed);
        }
    }
}
