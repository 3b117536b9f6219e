//! Reads the file of a component, and no more of it than a component may have.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};

use crate::component::LoadError;
use crate::structure::{Fault, MAX_SIZE, check_size};

/// Why the file of a component is not read.
#[derive(Debug)]
pub enum FileError {
    /// The system refuses it, or it is not a file.
    Io(io::Error),
    /// It is larger than a component may be.
    Refused(LoadError),
}

/// Reads the file of a component.
///
/// # Errors
/// If it cannot be read, is not a file, or is larger than a component may be.
pub fn read_component(path: &Path) -> Result<Vec<u8>, FileError> {
    // Without waiting, should it be a pipe.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty()).map_err(io::Error::from)?);
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(FileError::Io(io::Error::other("it is not a file")));
    }
    check_size(found.len()).map_err(Fault::refusal)?;
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0));
    // It may grow meanwhile.
    file.take(MAX_SIZE as u64 + 1).read_to_end(&mut bytes)?;
    check_size(bytes.len() as u64).map_err(Fault::refusal)?;
    Ok(bytes)
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<LoadError> for FileError {
    fn from(error: LoadError) -> Self {
        Self::Refused(error)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "it cannot be read: {error}"),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FileError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.wasm");
        std::fs::write(&path, b"bytes").unwrap();
        assert_eq!(read_component(&path).unwrap(), b"bytes");
        // It has a hole, so that it takes no space.
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(1 << 40).unwrap();
        let refused = read_component(&path).unwrap_err().to_string();
        assert!(refused.contains("1099511627776 bytes"), "{refused}");
        file.set_len(MAX_SIZE as u64 + 1).unwrap();
        assert!(matches!(
            read_component(&path),
            Err(FileError::Refused(LoadError::Structure(_)))
        ));
        file.set_len(MAX_SIZE as u64).unwrap();
        assert_eq!(read_component(&path).unwrap().len(), MAX_SIZE);
    }

    /// A pipe that nobody writes to, and a device that never ends.
    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        for path in [&*pipe, Path::new("/dev/zero"), folder.path()] {
            let refused = read_component(path).unwrap_err().to_string();
            assert!(refused.contains("not a file"), "{refused}");
        }
    }
}
