//! A temporary directory that contains a root, and a secret file next to the
//! root.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use janua_http::Fields;
use janua_http::accept_encoding::Accepted;

use crate::{Files, Limits, Lookup, Opened, Options, Root};

pub(super) const SECRET: &str = "the secret";

pub(super) struct Site {
    pub(super) files: Files,
    pub(super) root: Root,
    /// The time that callers pass, in milliseconds.
    pub(super) now: u64,
    pub(super) directory: Arc<tempfile::TempDir>,
}

pub(super) fn directory() -> Arc<tempfile::TempDir> {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("dist")).unwrap();
    fs::write(directory.path().join("secret"), SECRET).unwrap();
    fs::create_dir(directory.path().join("distant")).unwrap();
    fs::write(directory.path().join("distant/secret"), SECRET).unwrap();
    Arc::new(directory)
}

/// Limits without a background thread: the tests trigger retention themselves.
pub(super) fn limits() -> Limits {
    Limits {
        retention_interval: None,
        ..Limits::default()
    }
}

pub(super) fn options(directory: &tempfile::TempDir) -> Options {
    Options::new(directory.path().join("dist"))
}

impl Site {
    pub(super) fn new(change: impl FnOnce(&mut Options)) -> Self {
        Self::over(directory(), change)
    }

    pub(super) fn over(
        directory: Arc<tempfile::TempDir>,
        change: impl FnOnce(&mut Options),
    ) -> Self {
        let files = Files::new(limits());
        let mut options = options(&directory);
        change(&mut options);
        Self {
            root: files.open(&options).unwrap(),
            files,
            now: 1,
            directory,
        }
    }

    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join("dist").join(below)
    }

    pub(super) fn write(&self, below: &str, content: impl AsRef<[u8]>) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(super) fn find(&self, path: impl AsRef<[u8]>) -> Lookup {
        self.find_for(path, "")
    }

    pub(super) fn find_for(&self, path: impl AsRef<[u8]>, accepts: &str) -> Lookup {
        let mut fields = Fields::default();
        fields.append(b"Accept-Encoding", accepts.as_bytes());
        let accepted = Accepted::of(&fields);
        let found = self
            .files
            .find(&self.root, path.as_ref(), &accepted, self.now);
        block_on(found)
    }

    pub(super) fn open(&self, path: impl AsRef<[u8]>) -> Arc<Opened> {
        match self.find(&path) {
            Lookup::File(opened) => opened,
            other => panic!("{}: {other:?}", String::from_utf8_lossy(path.as_ref())),
        }
    }

    pub(super) fn text(&self, path: impl AsRef<[u8]>) -> String {
        String::from_utf8(self.open(path).content().unwrap().to_vec()).unwrap()
    }

    pub(super) fn is_missing(&self, path: impl AsRef<[u8]>) -> bool {
        matches!(self.find(path), Lookup::Missing)
    }

    /// Advances the time so that cached lookups expire.
    pub(super) fn later(&mut self) {
        self.now += 1000;
    }
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// Sets the modification time of a file to so many seconds ago.
pub(super) fn age(path: &Path, seconds: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    let file = fs::File::open(path).unwrap();
    file.set_modified(time).unwrap();
}
