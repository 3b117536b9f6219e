//! A lock that is a file.
//!
//! On one machine the kernel knows who lives: the file is locked by `flock`, which
//! ends with its process, so that a gateway that was killed leaves nothing behind.
//! Over a network file system that does not pass `flock` on, the file's content
//! counts: it names its owner's boot and changes with each renewal. An observer
//! takes the lock if the content has not changed for a lease by the observer's own
//! monotonic clock, so that wrong clocks do not matter.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::Lock;

/// The content of somebody else's lock, and since when it is the same.
#[derive(Debug)]
pub(super) struct Observed {
    content: String,
    since: Instant,
}

/// A lock that is held.
#[derive(Debug)]
pub(super) struct FileLock {
    file: File,
    owner: String,
    renewals: u64,
}

impl FileLock {
    pub(super) fn take(
        path: PathBuf,
        lease: Duration,
        observed: &Arc<Mutex<HashMap<PathBuf, Observed>>>,
    ) -> io::Result<Option<Self>> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            locked => locked?,
        }
        let mut content = String::new();
        file.read_to_string(&mut content)?;
        let boot = boot();
        let is_of_other_machine = !content.is_empty() && !content.starts_with(&boot);
        let mut observed = observed.lock().unwrap_or_else(PoisonError::into_inner);
        if is_of_other_machine {
            let now = Instant::now();
            let seen = observed.entry(path.clone()).or_insert_with(|| Observed {
                content: content.clone(),
                since: now,
            });
            if seen.content != content {
                *seen = Observed {
                    content,
                    since: now,
                };
            }
            if now.duration_since(seen.since) < lease {
                return Ok(None);
            }
        }
        observed.remove(&path);
        let mut lock = Self {
            file,
            owner: format!("{boot} {:016x}", fastrand::u64(..)),
            renewals: 0,
        };
        lock.write()?;
        Ok(Some(lock))
    }

    fn write(&mut self) -> io::Result<()> {
        let content = format!("{} {}\n", self.owner, self.renewals);
        self.file.rewind()?;
        self.file.set_len(0)?;
        self.file.write_all(content.as_bytes())
    }
}

impl Lock for FileLock {
    fn renew(&mut self) -> io::Result<()> {
        let mut content = String::new();
        self.file.rewind()?;
        self.file.read_to_string(&mut content)?;
        if !content.starts_with(&self.owner) {
            return Err(io::Error::other("somebody else has taken the lock"));
        }
        self.renewals += 1;
        self.write()
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Empty: nobody holds it. If this fails, others take it when the lease ends.
        let _ = self.file.set_len(0);
    }
}

/// What tells this run of this machine from all others. Where `/proc` is closed (`ProcSubset=pid`
/// of systemd) all machines look alike, so that only `flock` counts.
fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map_or_else(|_| "unknown".to_owned(), |id| id.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_of_another_machine_is_taken_when_it_stands_still() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("lock");
        let observed = Arc::default();
        let take = |lease| FileLock::take(path.clone(), lease, &observed).unwrap();
        let hour = Duration::from_secs(3600);
        std::fs::write(&path, "other-boot 1 7\n").unwrap();
        assert!(take(hour).is_none());
        // It lives: the content has changed, so that the lease begins again.
        std::fs::write(&path, "other-boot 1 8\n").unwrap();
        assert!(take(hour).is_none());
        let held = take(Duration::ZERO);
        assert!(held.is_some());
        drop(held);
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_lock_that_was_taken_cannot_be_renewed() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("lock");
        let mut lock = FileLock::take(path.clone(), Duration::ZERO, &Arc::default())
            .unwrap()
            .unwrap();
        lock.renew().unwrap();
        std::fs::write(&path, "other-boot 1 1\n").unwrap();
        assert!(lock.renew().is_err());
    }
}
