//! A directory that nobody but this user can write to, and its files.
//!
//! The way to it is walked from the root, each part relative to the open handle of the one
//! before, so that nothing can be exchanged between a check and its use. Symbolic links are
//! not followed, because who may replace one decides where it leads.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, fstat, mkdirat, open, openat, renameat, unlinkat,
};
use rustix::io::Errno;

/// Who may write: the group and others.
const OTHERS_MAY_WRITE: u32 = 0o022;
/// Only owners of an entry may rename or remove it, as in `/tmp`.
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;

/// A checked directory.
#[derive(Debug)]
pub(super) struct Directory {
    handle: OwnedFd,
    /// For messages.
    path: PathBuf,
    user: u32,
}

impl Directory {
    /// Opens a directory, and creates it and its parents, with mode 0700, if they are missing.
    /// The error says why it cannot be used, and what to do.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let user = rustix::process::geteuid().as_raw();
        let path = std::path::absolute(path).map_err(|error| error.to_string())?;
        let root = open("/", SEARCH, Mode::empty()).map_err(|error| cannot_open("/", error))?;
        check_parent(&root, Path::new("/"), user)?;
        let mut handle = root;
        let mut so_far = PathBuf::from("/");
        let mut parts = path
            .components()
            .filter(|part| *part != Component::RootDir)
            .peekable();
        while let Some(part) = parts.next() {
            so_far.push(part);
            let is_last = parts.peek().is_none();
            handle = enter(&handle, part.as_os_str(), &so_far)?;
            match is_last {
                true => check_own(&handle, &so_far, user)?,
                false => check_parent(&handle, &so_far, user)?,
            }
        }
        Ok(Self { handle, path, user })
    }

    /// For messages.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The content of a file, which has at most this size; none if there is no such file.
    pub(super) fn read(&self, name: &str, most: usize) -> Result<Option<Vec<u8>>, String> {
        // Without waiting, should it be a pipe.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.handle, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err("it is a symbolic link".to_owned()),
            Err(error) => return Err(error.to_string()),
        };
        let found = fstat(&file).map_err(|error| error.to_string())?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err("it is not a file".to_owned());
        }
        if found.st_uid != self.user {
            return Err(belongs_to(&found, self.user));
        }
        if found.st_mode & OTHERS_MAY_WRITE != 0 {
            let mode = found.st_mode & 0o7777;
            return Err(format!("its mode is {mode:04o}: others can write to it"));
        }
        let mut content = Vec::new();
        let read = file.take(most as u64 + 1).read_to_end(&mut content);
        match read {
            Err(error) => Err(error.to_string()),
            Ok(length) if length > most => Err(format!("it has more than {most} bytes")),
            Ok(_) => Ok(Some(content)),
        }
    }

    /// Writes a file under a temporary name, syncs it and renames it.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let temporary = format!("{name}.{}-{number}.new", std::process::id());
        // What an earlier process with this id has left.
        let _ = unlinkat(&self.handle, &temporary, AtFlags::empty());
        let written = self.write_new(&temporary, content).and_then(|()| {
            renameat(&self.handle, &temporary, &self.handle, name).map_err(io::Error::from)
        });
        if written.is_err() {
            let _ = unlinkat(&self.handle, &temporary, AtFlags::empty());
        }
        written
    }

    fn write_new(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all(content)?;
        file.sync_all()
    }
}

/// A handle of a directory for which the right to search is enough.
const SEARCH: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Opens the next part of the way, and creates it if it is missing.
fn enter(parent: &OwnedFd, name: &OsStr, path: &Path) -> Result<OwnedFd, String> {
    let enter = || openat(parent, name, SEARCH, Mode::empty());
    let entered = match enter() {
        Err(Errno::NOENT) => match mkdirat(parent, name, Mode::RWXU) {
            // Somebody else may just have created it; it is checked in any case.
            Ok(()) | Err(Errno::EXIST) => enter(),
            Err(error) => {
                let path = path.display();
                return Err(format!("{path} cannot be created: {error}"));
            }
        },
        entered => entered,
    };
    entered.map_err(|error| match error {
        // For O_DIRECTORY, a symbolic link that is not followed is no directory either.
        Errno::NOTDIR | Errno::LOOP => {
            let path = path.display();
            format!("{path} is a symbolic link or a file: name the directory itself in `cache_dir`")
        }
        error => cannot_open(path, error),
    })
}

fn cannot_open(path: impl AsRef<Path>, error: Errno) -> String {
    format!("{} cannot be opened: {error}", path.as_ref().display())
}

/// Whoever can write to a directory on the way can put another one in the place of the next.
fn check_parent(handle: &OwnedFd, path: &Path, user: u32) -> Result<(), String> {
    let found = fstat(handle).map_err(|error| cannot_open(path, error))?;
    let path = path.display();
    if ![ROOT, user].contains(&found.st_uid) {
        let (owner, advice) = (found.st_uid, "it must belong to root or to that user");
        return Err(format!(
            "{path} belongs to user {owner} and the gateway runs as {user}: {advice}"
        ));
    }
    let mode = found.st_mode & 0o7777;
    if mode & OTHERS_MAY_WRITE != 0 && mode & STICKY == 0 {
        return Err(format!(
            "the mode of {path} is {mode:04o}, so that others can write to it: remove that right (`chmod go-w`), or choose another `cache_dir`"
        ));
    }
    Ok(())
}

fn check_own(handle: &OwnedFd, path: &Path, user: u32) -> Result<(), String> {
    let found = fstat(handle).map_err(|error| cannot_open(path, error))?;
    if found.st_uid != user {
        return Err(belongs_to(&found, user));
    }
    match found.st_mode & 0o7777 {
        0o700 => Ok(()),
        mode => Err(format!("its mode is {mode:04o} and must be 0700")),
    }
}

fn belongs_to(found: &Stat, user: u32) -> String {
    let owner = found.st_uid;
    format!("it belongs to user {owner} and the gateway runs as {user}")
}

#[cfg(test)]
mod tests;
