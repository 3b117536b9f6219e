//! The disk store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::entry::Entry;
use crate::figures::DiskFigures;
use crate::key::Variance;
use crate::purge::{Purge, Purges, Scope};

/// Why the cache could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The folder cannot be used.
    Folder(PathBuf, std::io::Error),
    /// The folder is another user's, or others may write to it.
    Unsafe(PathBuf),
    /// Another process uses the folder.
    InUse(PathBuf),
    /// The thread could not be started.
    Thread(std::io::Error),
}

/// The disk store.
#[derive(Debug)]
pub(crate) struct Disk {
    path: PathBuf,
}

impl Disk {
    pub(crate) fn open(path: &Path, _bytes: u64, _purges: &Arc<Purges>) -> Result<Self, OpenError> {
        Ok(Self { path: path.into() })
    }
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
    pub(crate) fn set_budget(&self, _bytes: u64) {}
    pub(crate) fn probe(&self, _primary: &[u8], _variant: &[u8]) -> Option<u128> {
        None
    }
    pub(crate) fn write(&self, _entry: &Arc<Entry>) {}
    pub(crate) fn write_variance(&self, _primary: &[u8], _variance: &Variance) {}
    pub(crate) fn journal(&self, _: &Scope<'_>, _: Purge, _: u64) -> std::io::Result<()> {
        Ok(())
    }
    pub(crate) fn journal_later(&self, _: &Scope<'_>, _: Purge, _: u64) {}
    pub(crate) fn figures(&self) -> DiskFigures {
        DiskFigures::default()
    }
    pub(crate) fn each(&self, _: impl FnMut(Entry)) {}
}
