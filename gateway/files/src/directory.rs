//! Opens files below a directory, and nothing outside of it.
//!
//! `openat2` resolves a whole path in the kernel, relative to a directory that is
//! held open, in one step: nothing can be replaced between a check and its use.
//! Where `openat2` is not available (before Linux 5.6, or under a container's
//! seccomp filter that predates it), the path is walked one segment at a time
//! without following any symbolic link, which is as safe but refuses more.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Once;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use crate::options::Symlinks;

/// How often a path resolution is retried after a concurrent rename disturbed it.
const ATTEMPTS: usize = 16;

/// An open directory, and the rule for symbolic links below it.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    identity: Identity,
    means: Means,
}

/// The identity of a file, independent of its name: device and inode. No other
/// file has the same while this one is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// Why a path cannot be served.
#[derive(Debug)]
pub(crate) enum OpenFailure {
    /// It does not exist, leads out of the root, or is neither a file nor a
    /// directory.
    Missing,
    /// The process has no permission to read it.
    Denied,
    /// Any other error.
    Failed(io::Error),
}

/// The result of opening a path.
#[derive(Debug)]
pub(crate) enum Object {
    File(File, std::fs::Metadata),
    Directory(File),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    /// `openat2` with these flags.
    Kernel(ResolveFlags),
    /// `openat`, which follows all symbolic links.
    Plain,
    /// One segment at a time, without following symbolic links.
    Walk,
}

impl Directory {
    /// Opens a root by its path, following symbolic links.
    pub(crate) fn open(path: &Path, symlinks: Symlinks) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        let means = if has_openat2(fd.as_fd()) {
            Means::Kernel(match symlinks {
                Symlinks::Inside => ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
                Symlinks::Refuse => {
                    ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS
                }
                Symlinks::Follow => ResolveFlags::NO_MAGICLINKS,
            })
        } else if symlinks == Symlinks::Follow {
            Means::Plain
        } else {
            warn_of_walking();
            Means::Walk
        };
        Self::of(fd, means)
    }

    /// Behaves as on a kernel without `openat2`.
    #[cfg(test)]
    pub(crate) fn open_walking(path: &Path) -> io::Result<Self> {
        Self::of(File::open(path)?.into(), Means::Walk)
    }

    fn of(fd: OwnedFd, means: Means) -> io::Result<Self> {
        let file = File::from(fd);
        let identity = Identity::of(&file.metadata()?);
        let fd = file.into();
        Ok(Self {
            fd,
            identity,
            means,
        })
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Opens a path below the directory for reading (an empty path is the
    /// directory itself) if it is a regular file or a directory. Never blocks on
    /// a pipe or a terminal.
    pub(crate) fn find(&self, path: &[u8]) -> Result<Object, OpenFailure> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(self.open_below(path, flags)?);
        let facts = file.metadata().map_err(OpenFailure::Failed)?;
        if facts.is_file() {
            Ok(Object::File(file, facts))
        } else if facts.is_dir() {
            Ok(Object::Directory(file))
        } else {
            Err(OpenFailure::Missing)
        }
    }

    /// Opens a regular file below the directory.
    pub(crate) fn find_file(&self, path: &[u8]) -> Result<(File, std::fs::Metadata), OpenFailure> {
        match self.find(path)? {
            Object::File(file, facts) => Ok((file, facts)),
            Object::Directory(_) => Err(OpenFailure::Missing),
        }
    }

    /// The metadata of a path below the directory, without opening it.
    pub(crate) fn facts(&self, path: &[u8]) -> Result<std::fs::Metadata, OpenFailure> {
        let fd = self.open_below(path, OFlags::PATH | OFlags::CLOEXEC)?;
        File::from(fd).metadata().map_err(OpenFailure::Failed)
    }

    fn open_below(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let path: &[u8] = if path.is_empty() { b"." } else { path };
        match self.means {
            Means::Kernel(resolve) => {
                let mut attempt = 1;
                loop {
                    match openat2(&self.fd, path, flags, Mode::empty(), resolve) {
                        Err(Errno::AGAIN | Errno::INTR) if attempt < ATTEMPTS => attempt += 1,
                        result => return result,
                    }
                }
            }
            Means::Plain => openat(&self.fd, path, flags, Mode::empty()),
            Means::Walk => self.walk(path, flags),
        }
    }

    fn walk(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let through = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut at: Option<OwnedFd> = None;
        let mut rest = path;
        while let Some(slash) = rest.iter().position(|&byte| byte == b'/') {
            let (name, behind) = rest.split_at_checked(slash).ok_or(Errno::INVAL)?;
            let from = at.as_ref().map_or_else(|| self.fd.as_fd(), AsFd::as_fd);
            at = Some(openat(from, name, through, Mode::empty())?);
            rest = behind.get(1..).unwrap_or_default();
        }
        let from = at.as_ref().map_or_else(|| self.fd.as_fd(), AsFd::as_fd);
        openat(from, rest, flags | OFlags::NOFOLLOW, Mode::empty())
    }
}

impl Identity {
    pub(crate) fn of(facts: &std::fs::Metadata) -> Self {
        Self {
            device: facts.dev(),
            inode: facts.ino(),
        }
    }
}

impl From<Errno> for OpenFailure {
    fn from(error: Errno) -> Self {
        match error {
            // EXDEV: the path leads out of the root. ELOOP: a symbolic link that
            // may not be followed. ENXIO, ENODEV: a socket, or a device that does
            // not exist.
            Errno::NOENT
            | Errno::NOTDIR
            | Errno::XDEV
            | Errno::LOOP
            | Errno::NXIO
            | Errno::NODEV
            | Errno::NAMETOOLONG
            | Errno::INVAL => Self::Missing,
            Errno::ACCESS | Errno::PERM => Self::Denied,
            error => Self::Failed(error.into()),
        }
    }
}

/// ENOSYS comes from an old kernel, EPERM from a seccomp filter without
/// `openat2`.
fn has_openat2(root: BorrowedFd<'_>) -> bool {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let answer = openat2(root, c".", flags, Mode::empty(), ResolveFlags::BENEATH);
    !matches!(answer, Err(Errno::NOSYS | Errno::PERM))
}

fn warn_of_walking() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::warn!("no openat2 here (Linux 5.6): symbolic links below a root are refused");
    });
}
