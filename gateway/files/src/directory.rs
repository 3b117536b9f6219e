//! Opening what lies below a directory, and nothing else.
//!
//! `openat2` resolves a whole path in the kernel, below a directory that is held
//! open, in one step: nothing can be exchanged between a check and its use.
//! Where it is missing (before Linux 5.6, or a container's filter from before it)
//! the path is walked name by name without following any link, which is as safe
//! and refuses more.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Once;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use crate::options::Symlinks;

/// How often a resolution is tried that a rename elsewhere has disturbed.
const ATTEMPTS: usize = 16;

/// A directory that is held open, and how links below it are taken.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    identity: Identity,
    means: Means,
}

/// Which file it is, whatever its name. Nothing else has the same while one
/// holds it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// Why there is nothing to serve.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It is not there, leads out of the root, or is neither file nor directory.
    Missing,
    /// The process may not read it.
    Denied,
    /// Anything else.
    Failed(io::Error),
}

/// What a path led to.
#[derive(Debug)]
pub(crate) enum Object {
    File(File, std::fs::Metadata),
    Directory(File),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    /// `openat2` with these.
    Kernel(ResolveFlags),
    /// `openat`, which follows what there is.
    Plain,
    /// Name by name, following nothing.
    Walk,
}

impl Directory {
    /// Opens a root by its path, following links in it.
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

    /// As on a kernel without `openat2`.
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

    /// Opens a path below (empty: the directory itself) for reading, if it is a
    /// regular file or a directory. A pipe or a terminal does not hold it up.
    pub(crate) fn find(&self, path: &[u8]) -> Result<Object, Trouble> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(self.open_below(path, flags)?);
        let facts = file.metadata().map_err(Trouble::Failed)?;
        if facts.is_file() {
            Ok(Object::File(file, facts))
        } else if facts.is_dir() {
            Ok(Object::Directory(file))
        } else {
            Err(Trouble::Missing)
        }
    }

    /// Opens a regular file below.
    pub(crate) fn find_file(&self, path: &[u8]) -> Result<(File, std::fs::Metadata), Trouble> {
        match self.find(path)? {
            Object::File(file, facts) => Ok((file, facts)),
            Object::Directory(_) => Err(Trouble::Missing),
        }
    }

    /// What a path below is, without opening it.
    pub(crate) fn facts(&self, path: &[u8]) -> Result<std::fs::Metadata, Trouble> {
        let fd = self.open_below(path, OFlags::PATH | OFlags::CLOEXEC)?;
        File::from(fd).metadata().map_err(Trouble::Failed)
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

impl From<Errno> for Trouble {
    fn from(error: Errno) -> Self {
        match error {
            // XDEV: out of the root. LOOP: a link where none may be. NXIO, NODEV:
            // a socket, or a device that is not there.
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

/// ENOSYS from an old kernel, EPERM from a filter that does not know it.
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
