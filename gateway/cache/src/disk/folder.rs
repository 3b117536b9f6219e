//! The folder of the disk store. It is private to its user, and used by one process at a
//! time.
//!
//! ```text
//! cache/            mode 0700
//!   identity        random number of the folder, and how often it was opened
//!   lock            locked while a process uses the folder
//!   journal         purges that no sweep has carried out yet
//!   tmp-N           a file that is being written
//!   3f/3fa0…        a stored response, named by half of the SHA-256 of its key
//! ```

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, OFlags};
use sha2::{Digest as _, Sha256};

use super::format;
use super::open_error::OpenError;

const MAGIC: &[u8; 8] = b"janua\0i1";

/// The opened folder.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// A random number that all files contain. Files with another one are not used.
    pub(crate) identity: u64,
    /// How often the folder was opened: the upper half of the numbers of purges.
    pub(crate) opened: u32,
    temporary: AtomicU64,
    _lock: File,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let at = |error| OpenError::Folder(path.into(), error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(at)?;
        let metadata = std::fs::symlink_metadata(path).map_err(at)?;
        if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(OpenError::Unsafe(path.into()));
        }
        if metadata.mode() & 0o077 != 0 {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(at)?;
        }
        let lock = options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("lock"))
            .map_err(at)?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| OpenError::InUse(path.into()))?;
        let (identity, opened) = next_identity(path).map_err(at)?;
        Ok(Self {
            path: path.into(),
            identity,
            opened,
            temporary: AtomicU64::new(0),
            _lock: lock,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the file with this name.
    pub(crate) fn file(&self, name: u128) -> PathBuf {
        let name = format!("{name:032x}");
        let mut path = self.path.join(name.get(..2).unwrap_or_default());
        path.push(name);
        path
    }

    pub(crate) fn folder(&self, number: u8) -> PathBuf {
        self.path.join(format!("{number:02x}"))
    }

    pub(crate) fn temporary(&self) -> PathBuf {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        self.path.join(format!("tmp-{number}"))
    }

    /// Opens a file for reading. Symbolic links are not followed.
    pub(crate) fn read(&self, name: u128) -> io::Result<File> {
        options().read(true).open(self.file(name))
    }

    /// Opens a file for writing, to mark it as stale.
    pub(crate) fn update(&self, name: u128) -> io::Result<File> {
        options().write(true).open(self.file(name))
    }

    /// Renames a completely written file to its final name.
    pub(crate) fn place(&self, temporary: &Path, name: u128) -> io::Result<()> {
        let path = self.file(name);
        match std::fs::rename(temporary, &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(folder) = path.parent() {
                    DirBuilder::new()
                        .recursive(true)
                        .mode(0o700)
                        .create(folder)?;
                }
                std::fs::rename(temporary, &path)
            }
            other => other,
        }
    }

    /// The number after which the purges of this process are numbered.
    pub(crate) fn first_number(&self) -> u64 {
        u64::from(self.opened) << 32
    }

    /// Writes a small file atomically: after a crash it has either the old or the new
    /// content. Returns it, open at its end.
    pub(crate) fn write_durably(&self, name: &str, content: &[u8]) -> io::Result<File> {
        write_durably(&self.path, name, content)
    }

    /// Removes unfinished files of a process that has crashed.
    pub(crate) fn remove_temporaries(&self) {
        let Ok(folder) = std::fs::read_dir(&self.path) else {
            return;
        };
        for item in folder.flatten() {
            if item.file_name().as_encoded_bytes().starts_with(b"tmp-") {
                let _ = std::fs::remove_file(item.path());
            }
        }
    }
}

/// The name of the file of a key, the same after a restart.
pub(crate) fn name(primary: &[u8], variant: &[u8]) -> u128 {
    let digest = Sha256::new()
        .chain_update((primary.len() as u64).to_le_bytes())
        .chain_update(primary)
        .chain_update(variant)
        .finalize();
    digest
        .first_chunk::<16>()
        .map_or(0, |half| u128::from_be_bytes(*half))
}

/// Parses the name of a file; `None` if the disk store does not write such names.
pub(crate) fn name_of(file: &std::ffi::OsStr) -> Option<u128> {
    let text = file.to_str()?;
    let hex = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (hex && text.len() == 32).then(|| u128::from_str_radix(text, 16).ok())?
}

/// Options that follow no symbolic link, and create files that only their user can access.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    options.mode(0o600).custom_flags(flags.bits().cast_signed());
    options
}

/// Reads the identity and counts the opening, or generates a new identity. Files of another
/// identity are not used, because it is unknown which purges they have missed.
fn next_identity(path: &Path) -> io::Result<(u64, u32)> {
    let known = read_small(&path.join("identity")).and_then(|bytes| {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (identity, rest) = rest.split_first_chunk::<8>()?;
        let (opened, rest) = rest.split_first_chunk::<4>()?;
        let sealed = bytes
            .len()
            .checked_sub(rest.len())
            .and_then(|end| bytes.get(..end))?;
        (magic == MAGIC && rest == format::sum(sealed).to_le_bytes())
            .then(|| (u64::from_le_bytes(*identity), u32::from_le_bytes(*opened)))
    });
    let (identity, opened) = match known {
        Some((identity, opened)) if opened < 1 << 29 => (identity, opened + 1),
        _ => (random(), 1),
    };
    let mut content = MAGIC.to_vec();
    content.extend_from_slice(&identity.to_le_bytes());
    content.extend_from_slice(&opened.to_le_bytes());
    let sum = format::sum(&content);
    content.extend_from_slice(&sum.to_le_bytes());
    write_durably(path, "identity", &content)?;
    Ok((identity, opened))
}

fn random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::process::id())
}

/// The first 4096 bytes of a file; `None` if it cannot be read.
fn read_small(path: &Path) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let file = options().read(true).open(path).ok()?;
    file.take(4096).read_to_end(&mut content).ok()?;
    Some(content)
}

fn write_durably(folder: &Path, name: &str, content: &[u8]) -> io::Result<File> {
    let temporary = folder.join(format!("tmp-{name}"));
    let mut file = options()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&temporary, folder.join(name))?;
    File::open(folder)?.sync_all()?;
    Ok(file)
}
