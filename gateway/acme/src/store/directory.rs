//! A store in a directory, for the gateway's user alone.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::lock::{FileLock, Observed};
use super::{Lock, Store};

/// Keys are paths of files below the directory.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    /// The locks of others, since when they have not changed.
    observed: Arc<Mutex<HashMap<PathBuf, Observed>>>,
}

impl Directory {
    /// The store in this directory, which is made when the first value is written.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            observed: Arc::default(),
        }
    }

    fn path(&self, key: &str) -> io::Result<PathBuf> {
        let is_part =
            |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\0', '\\']);
        match key.split('/').all(is_part) {
            true => Ok(self.root.join(key)),
            false => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{key}` is not a key"),
            )),
        }
    }

    /// Makes the directory of a file, and those above it up to the root.
    fn make_parent<'a>(&self, file: &'a Path) -> io::Result<&'a Path> {
        let parent = file.parent().unwrap_or(file);
        if !parent.is_dir() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(parent)?;
        }
        // One that was made by hand, or copied, may be open to others.
        if fs::metadata(&self.root)?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(&self.root, Permissions::from_mode(0o700))?;
        }
        Ok(parent)
    }
}

impl Store for Directory {
    fn get(&self, key: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(key)?) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn put(&self, key: &str, value: &[u8]) -> io::Result<()> {
        let path = self.path(key)?;
        let parent = self.make_parent(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let new = parent.join(format!(".{name}.{}", fastrand::u64(..)));
        let written = write(&new, value).and_then(|()| fs::rename(&new, &path));
        if written.is_err() {
            // It may not exist, and there is nothing more to be done about it.
            let _ = fs::remove_file(&new);
        }
        written?;
        File::open(parent)?.sync_all()
    }

    fn remove(&self, key: &str) -> io::Result<()> {
        match fs::remove_file(self.path(key)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(prefix)?) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn lock(&self, key: &str, lease: Duration) -> io::Result<Option<Box<dyn Lock>>> {
        let path = self.path(key)?;
        self.make_parent(&path)?;
        let taken = FileLock::take(path, lease, &self.observed)?;
        Ok(taken.map(|lock| Box::new(lock) as Box<dyn Lock>))
    }

    fn place(&self, key: &str) -> String {
        self.root.join(key).display().to_string()
    }
}

fn write(path: &Path, value: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(value)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(3600);

    fn fixture() -> (tempfile::TempDir, Directory) {
        let scratch = tempfile::tempdir().unwrap();
        let store = Directory::new(scratch.path().join("state/acme"));
        (scratch, store)
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn values_are_there_and_for_the_owner_alone() {
        let (_scratch, store) = fixture();
        assert_eq!(store.get("a/b").unwrap(), None);
        assert_eq!(store.list("a").unwrap(), [""; 0]);
        store.put("a/b", b"1").unwrap();
        store.put("a/b", b"2").unwrap();
        store.put("a/c", b"3").unwrap();
        assert_eq!(store.get("a/b").unwrap().as_deref(), Some(&b"2"[..]));
        assert_eq!(store.list("a").unwrap(), ["b", "c"]);
        assert_eq!(mode(&store.root), 0o700);
        assert_eq!(mode(&store.root.join("a")), 0o700);
        assert_eq!(mode(&store.root.join("a/b")), 0o600);
        // Nothing else is left.
        assert_eq!(fs::read_dir(store.root.join("a")).unwrap().count(), 2);
        store.remove("a/b").unwrap();
        store.remove("a/b").unwrap();
        assert_eq!(store.get("a/b").unwrap(), None);
    }

    #[test]
    fn a_root_that_others_can_read_is_closed_to_them() {
        let (_scratch, store) = fixture();
        fs::create_dir_all(&store.root).unwrap();
        fs::set_permissions(&store.root, Permissions::from_mode(0o755)).unwrap();
        store.put("a", b"1").unwrap();
        assert_eq!(mode(&store.root), 0o700);
    }

    #[test]
    fn keys_stay_below_the_root() {
        let (_scratch, store) = fixture();
        for key in ["", "/a", "a//b", "../a", "a/..", "a/.b", "a\0"] {
            assert!(store.put(key, b"").is_err(), "{key:?}");
            assert!(store.get(key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_value_and_no_rest() {
        let (_scratch, store) = fixture();
        store.put("a/b", b"1").unwrap();
        fs::create_dir(store.root.join("a/directory")).unwrap();
        assert!(store.put("a/directory", b"2").is_err());
        assert!(store.put("a/b/c", b"2").is_err());
        assert_eq!(store.get("a/b").unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(fs::read_dir(store.root.join("a")).unwrap().count(), 2);
    }

    #[test]
    fn a_lock_is_held_by_one() {
        let (_scratch, store) = fixture();
        let other = Directory::new(store.root.clone());
        let mut lock = store.lock("locks/a", LEASE).unwrap().unwrap();
        assert!(store.lock("locks/a", LEASE).unwrap().is_none());
        assert!(other.lock("locks/a", LEASE).unwrap().is_none());
        assert!(other.lock("locks/b", LEASE).unwrap().is_some());
        lock.renew().unwrap();
        drop(lock);
        let lock = other.lock("locks/a", LEASE).unwrap();
        assert!(lock.is_some());
        assert!(store.lock("locks/a", LEASE).unwrap().is_none());
    }
}
