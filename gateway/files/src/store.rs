//! The directory of retained files, which holds hard links or copies of them.
//!
//! ```text
//! <store>/README     says that the directory is the gateway's
//! <store>/gone       when each file went missing; survives a restart
//! <store>/files/…    the files, at their paths below the root
//! <store>/new-…      a file being stored
//! ```
//!
//! A hard link costs no space and no time. It shares the file's content, so a
//! write into the file in place also changes what is retained. Deploy tools do not
//! write in place (they write a new file and rename it), and files with a hash in
//! their name have no reason to change. If linking is not possible (another file
//! system; files of another user under `fs.protected_hardlinks`), the file is
//! copied.

use std::collections::HashMap;
use std::fs::{self, File, FileTimes, Metadata};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, CWD};

use crate::directory::Directory;
use crate::error::OpenError;
use crate::name::escape;
use crate::options::Symlinks;

const README: &str = "README";
const GONE: &str = "gone";
const FILES: &str = "files";
const NEW: &str = "new-";

const WORDS: &str = "Janua keeps files here that a deploy has removed, so that pages that are \
still open find them.\nIt removes them itself, after the time that `retain` says.\n";

pub(crate) struct Store {
    /// Distinguishes this store from others of the same process.
    id: u64,
    path: PathBuf,
    files: Directory,
}

impl Store {
    /// Opens or creates the store, and checks that it can be written.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Store {
            store: path.to_owned(),
            error,
        };
        let make = |path: &Path| {
            let mut builder = fs::DirBuilder::new();
            // Other users of the machine may have no right to read the retained
            // files.
            builder.recursive(true).mode(0o700).create(path)
        };
        make(path).map_err(failed)?;
        let is_ours = path.join(README).exists();
        if !is_ours && fs::read_dir(path).map_err(failed)?.next().is_some() {
            return Err(OpenError::StoreTaken(path.to_owned()));
        }
        fs::write(path.join(README), WORDS).map_err(failed)?;
        make(&path.join(FILES)).map_err(failed)?;
        let files = Directory::open(&path.join(FILES), Symlinks::Refuse).map_err(failed)?;
        remove_stale(path).map_err(failed)?;
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Ok(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            path: path.to_owned(),
            files,
        })
    }

    /// The directory that holds the retained files.
    pub(crate) fn directory(&self) -> &Directory {
        &self.files
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// All retained files, by path below the root; at most `most`.
    pub(crate) fn list(&self, most: usize) -> io::Result<Vec<(Vec<u8>, Metadata)>> {
        let base = self.path.join(FILES);
        let mut found = Vec::new();
        let mut left = vec![base.clone()];
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(&directory)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    left.push(entry.path());
                } else if kind.is_file() && found.len() < most {
                    let path = entry.path();
                    if let Ok(below) = path.strip_prefix(&base) {
                        let below = below.as_os_str().to_owned().into_vec();
                        found.push((below, entry.metadata()?));
                    }
                }
            }
        }
        Ok(found)
    }

    /// Stores an open file under a path, replacing what was stored there.
    pub(crate) fn keep(&self, path: &[u8], source: &File, facts: &Metadata) -> io::Result<()> {
        // A previous run that is just ending may still use the same store.
        let new = self
            .path
            .join(format!("{NEW}{}-{}", std::process::id(), self.id));
        remove(&new)?;
        // Linked through its descriptor: this is the file that was opened below
        // the root, whatever file has its name now.
        let opened = format!("/proc/self/fd/{}", source.as_raw_fd());
        let linked = rustix::fs::linkat(CWD, opened, CWD, &new, AtFlags::SYMLINK_FOLLOW);
        if linked.is_err() {
            copy(source, facts, &new)?;
        }
        let place = self.place(path);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(&new, &place)?;
        // A rename between two links to one file does nothing, so the link
        // remains.
        remove(&new)
    }

    /// Removes a file, and the directories that this leaves empty.
    pub(crate) fn remove(&self, path: &[u8]) -> io::Result<()> {
        let place = self.place(path);
        remove(&place)?;
        let base = self.path.join(FILES);
        for parent in place.ancestors().skip(1) {
            if parent == base || fs::remove_dir(parent).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Since when each file is missing, in seconds since 1970. Unreadable entries
    /// are skipped, and those files count as missing from now on.
    pub(crate) fn read_gone(&self) -> HashMap<Vec<u8>, i64> {
        let text = fs::read(self.path.join(GONE)).unwrap_or_default();
        let line = |line: &[u8]| {
            let (time, path) = std::str::from_utf8(line).ok()?.split_once(' ')?;
            Some((unescape(path.as_bytes())?, time.parse().ok()?))
        };
        text.split(|&byte| byte == b'\n').filter_map(line).collect()
    }

    /// Writes the times, replacing the file atomically.
    pub(crate) fn write_gone<'a>(
        &self,
        gone: impl Iterator<Item = (&'a [u8], i64)>,
    ) -> io::Result<()> {
        let mut text = String::new();
        for (path, time) in gone {
            text.push_str(&time.to_string());
            text.push(' ');
            escape(path, &mut text);
            text.push('\n');
        }
        let new = self.path.join("gone.new");
        fs::write(&new, text)?;
        fs::rename(new, self.path.join(GONE))
    }

    fn place(&self, path: &[u8]) -> PathBuf {
        self.path
            .join(FILES)
            .join(std::ffi::OsStr::from_bytes(path))
    }
}

/// Copies the file with its modification time, which is part of the entity tag of
/// a large file.
fn copy(source: &File, facts: &Metadata, to: &Path) -> io::Result<()> {
    let opened = format!("/proc/self/fd/{}", source.as_raw_fd());
    // A new descriptor has a file position of its own.
    let source = File::open(opened)?;
    let mut target = File::create_new(to)?;
    let copied = io::copy(&mut (&source).take(facts.len()), &mut target)?;
    if copied != facts.len() || source.metadata()?.modified()? != facts.modified()? {
        return Err(io::Error::other("it changed while it was copied"));
    }
    target.flush()?;
    target.set_times(FileTimes::new().set_modified(facts.modified()?))
}

/// Removes temporary files of runs that were killed. A run that is still alive
/// tries again with its next pass.
fn remove_stale(store: &Path) -> io::Result<()> {
    for entry in fs::read_dir(store)? {
        let entry = entry?;
        if entry.file_name().as_bytes().starts_with(NEW.as_bytes()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn unescape(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.iter().copied();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = janua_http::path::hex(rest.next()?)?;
            let low = janua_http::path::hex(rest.next()?)?;
            out.push(high << 4 | low);
        } else {
            out.push(byte);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_copy_has_content_and_time_of_its_original() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::write(&from, "content").unwrap();
        let file = File::open(&from).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000, 123);
        file.set_modified(time).unwrap();
        let facts = file.metadata().unwrap();
        copy(&file, &facts, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "content");
        let copied = fs::metadata(&to).unwrap();
        assert_ne!(copied.ino(), facts.ino());
        assert_eq!(copied.modified().unwrap(), time);
        // The file was changed meanwhile: nothing is stored rather than a mixture.
        fs::write(&from, "con").unwrap();
        remove(&to).unwrap();
        assert!(copy(&file, &facts, &to).is_err());
    }

    /// A new run may begin before the previous one has ended.
    #[test]
    fn two_runs_sharing_a_store_do_not_mix_files_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let [one, other] = [(); 2].map(|()| Store::open(&path).unwrap());
        let source = |name: &str| {
            let path = directory.path().join(name);
            fs::write(&path, name).unwrap();
            let file = File::open(path).unwrap();
            let facts = file.metadata().unwrap();
            (file, facts)
        };
        let (sources, others) = (source("one"), source("other"));
        std::thread::scope(|scope| {
            let keep = |store: &Store, name: &str, (file, facts): &(File, Metadata)| {
                for round in 0..500 {
                    let kept = format!("{name}/{round}");
                    store.keep(kept.as_bytes(), file, facts).unwrap();
                }
            };
            scope.spawn(move || keep(&one, "one", &sources));
            scope.spawn(move || keep(&other, "other", &others));
        });
        for name in ["one", "other"] {
            for round in 0..500 {
                let kept = path.join(FILES).join(name).join(round.to_string());
                assert_eq!(fs::read_to_string(&kept).unwrap(), name, "{round}");
            }
        }
        fs::write(path.join("new-0-0"), "left behind").unwrap();
        Store::open(&path).unwrap();
        assert!(!path.join("new-0-0").exists());
    }

    #[test]
    fn times_of_any_path_are_read_as_written() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store")).unwrap();
        let paths: [&[u8]; 3] = [b"a/b c", b"x\ny%", b"\xff"];
        store
            .write_gone(paths.iter().map(|path| (*path, 12)))
            .unwrap();
        let read = store.read_gone();
        assert_eq!(read.len(), 3);
        assert!(paths.iter().all(|path| read.get(*path) == Some(&12)));
    }
}
