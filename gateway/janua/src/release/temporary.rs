//! A temporary directory for a release.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::claim::{Claim, hidden};

/// A directory that is removed when this is dropped, unless `keep` was called.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    is_removed: bool,
    _claim: Claim,
}

impl Temporary {
    /// Creates a directory next to `path`, with the first free name.
    pub(super) fn make(path: &Path) -> Result<Self, String> {
        let name = path.file_name().unwrap_or_default();
        let mut attempt = 0;
        loop {
            let new = path.with_file_name(hidden(name, attempt));
            match DirBuilder::new().mode(0o700).create(&new) {
                Ok(()) => {
                    return Ok(Self {
                        _claim: Claim::on(&new),
                        path: new,
                        is_removed: true,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => {
                    attempt += 1;
                }
                Err(error) => return Err(format!("cannot make {}: {error}", new.display())),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Prevents the removal on drop.
    pub(super) fn keep(&mut self) {
        self.is_removed = false;
    }

    /// Moves it to a permanent name next to `path`, because it will be the
    /// target of a link for long.
    pub(super) fn settle(mut self, path: &Path) -> Result<Self, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = now.unwrap_or_default().as_secs();
        let mut attempt = 0;
        loop {
            let name = match attempt {
                0 => format!("release-{seconds}"),
                attempt => format!("release-{seconds}-{attempt}"),
            };
            let settled = path.with_file_name(name);
            match renameat_with(CWD, &self.path, CWD, &settled, RenameFlags::NOREPLACE) {
                Ok(()) => {
                    self.path = settled;
                    return Ok(self);
                }
                Err(rustix::io::Errno::EXIST) if attempt < 100 => attempt += 1,
                Err(error) => return Err(format!("cannot make {}: {error}", settled.display())),
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.is_removed {
            // A directory that cannot be removed does no harm.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
