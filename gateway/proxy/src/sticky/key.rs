//! The key by which session cookies are signed. It is made at its first use, and kept in a file, so
//! that sessions survive a restart.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::{hmac, rand};

/// The file in the directory of what must last.
const FILE: &str = "sticky.key";
const LENGTH: usize = 32;

/// The key.
#[derive(Clone)]
pub(crate) struct StickyKey(Arc<hmac::Key>);

/// Why there is no key.
#[derive(Debug)]
pub(crate) enum KeyError {
    /// The file cannot be read or written.
    Io(PathBuf, io::Error),
    /// It is not what the gateway has written.
    Damaged(PathBuf),
    /// Others may read it.
    Readable(PathBuf),
    /// The system gives no random numbers.
    Random,
}

impl StickyKey {
    /// A key of these bytes.
    pub(crate) fn new(bytes: &[u8; LENGTH]) -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// The key in this directory, made if there is none.
    ///
    /// # Errors
    /// It can be neither read nor made, or is not a secret.
    pub(crate) fn load(directory: &Path) -> Result<Self, KeyError> {
        let path = directory.join(FILE);
        match read(&path) {
            Err(KeyError::Io(_, error)) if error.kind() == io::ErrorKind::NotFound => {
                make(directory, &path)?;
                // Perhaps another process was faster: what counts is what the file has now.
                read(&path)
            }
            key => key,
        }
    }

    pub(super) fn get(&self) -> &hmac::Key {
        &self.0
    }
}

fn read(path: &Path) -> Result<StickyKey, KeyError> {
    let failed = |error| KeyError::Io(path.to_owned(), error);
    // A pipe in its place would be waited for.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() || metadata.len() != LENGTH as u64 {
        return Err(KeyError::Damaged(path.to_owned()));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(KeyError::Readable(path.to_owned()));
    }
    let mut bytes = [0; LENGTH];
    (&file).read_exact(&mut bytes).map_err(failed)?;
    Ok(StickyKey::new(&bytes))
}

/// Makes the file as a whole or not at all, and leaves one alone that is there already.
fn make(directory: &Path, path: &Path) -> Result<(), KeyError> {
    let mut bytes = [0; LENGTH];
    rand::fill(&mut bytes).map_err(|_| KeyError::Random)?;
    let failed = |error| KeyError::Io(path.to_owned(), error);
    fs::create_dir_all(directory).map_err(failed)?;
    let new = directory.join(format!("{FILE}.{}", std::process::id()));
    // Left over from a process of the same number.
    let _ = fs::remove_file(&new);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        });
    let linked = written.and_then(|()| match fs::hard_link(&new, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let _ = fs::remove_file(&new);
    linked.map_err(failed)?;
    fs::File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed)
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(path, error) => write!(
                f,
                "the key of session cookies, {}, can be neither read nor made: {error}",
                path.display()
            ),
            Self::Damaged(path) => write!(
                f,
                "{} is not a key of session cookies; without it a new one is made, and clients \
                 lose their sessions",
                path.display()
            ),
            Self::Readable(path) => write!(
                f,
                "{} is the key of session cookies, and others may read it; `chmod 600` it",
                path.display()
            ),
            Self::Random => f.write_str("the system gives no random numbers"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn tag(key: &StickyKey) -> Vec<u8> {
        hmac::sign(key.get(), b"x").as_ref().to_vec()
    }

    #[test]
    fn it_is_made_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("state/janua");
        let first = StickyKey::load(&directory).unwrap();
        let mode = fs::metadata(directory.join(FILE)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        let names: Vec<_> = fs::read_dir(&directory).unwrap().collect();
        assert_eq!(names.len(), 1, "nothing else is left");
        let second = StickyKey::load(&directory).unwrap();
        assert_eq!(tag(&first), tag(&second));
        fs::remove_file(directory.join(FILE)).unwrap();
        assert_ne!(tag(&StickyKey::load(&directory).unwrap()), tag(&first));
    }

    #[test]
    fn all_who_make_it_at_once_get_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let all: Vec<Vec<u8>> = std::thread::scope(|scope| {
            // The first one makes it, since all have the same process number.
            tag(&StickyKey::load(folder.path()).unwrap());
            let loading: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| tag(&StickyKey::load(folder.path()).unwrap())))
                .collect();
            loading.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert!(all.iter().all(|tag| *tag == all[0]));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        for (content, mode, words) in [
            (&[1; 31][..], 0o600, "is not a key"),
            (&[1; 33], 0o600, "is not a key"),
            (&[1; 32], 0o640, "chmod 600"),
        ] {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = StickyKey::load(folder.path()).err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let error = StickyKey::load(folder.path()).err().unwrap().to_string();
        assert!(error.contains("is not a key"), "{error}");
        let below_file = folder.path().join("file");
        fs::write(&below_file, "").unwrap();
        let error = StickyKey::load(&below_file).err().unwrap().to_string();
        assert!(error.contains("neither read nor made"), "{error}");
    }
}
