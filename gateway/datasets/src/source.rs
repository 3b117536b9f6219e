//! Where a dataset comes from.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::networks::Networks;
use crate::records::Records;
use crate::regexes::Regexes;
use crate::strings::Strings;
use crate::table::{Content, Dataset};

/// The longest file that is read, in bytes.
pub const MAX_FILE: usize = 256 * 1024 * 1024;

/// What a dataset consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Networks and addresses, of which the longest prefix wins.
    Networks,
    /// Texts.
    Strings,
    /// Regular expressions, of which the first that matches wins.
    Regexes,
    /// Records by networks, in the MaxMind format.
    Records,
}

/// A file with a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What is there.
    pub kind: Kind,
    /// The file.
    pub file: PathBuf,
}

/// Why a dataset cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// The line, from 1; none if it is about the whole file.
    pub line: Option<usize>,
    /// What is wrong, and what to do.
    pub why: String,
}

impl Kind {
    /// The field of the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Networks => "networks",
            Self::Strings => "strings",
            Self::Regexes => "regexes",
            Self::Records => "mmdb",
        }
    }
}

impl Source {
    /// Reads the dataset. If the file is still that of `before`, that dataset stays. Takes
    /// a second or so for a million entries.
    ///
    /// # Errors
    /// The file cannot be read, or is no dataset of this kind.
    pub fn load(&self, before: Option<&Arc<Dataset>>) -> Result<Arc<Dataset>, LoadError> {
        let bytes = self
            .read()
            .map_err(|error| LoadError::whole(format!("cannot be read: {error}")))?;
        let digest = Sha256::digest(&bytes).into();
        if let Some(kept) = before.filter(|kept| kept.is(self.kind, &digest)) {
            return Ok(Arc::clone(kept));
        }
        let content = match self.kind {
            Kind::Networks => Content::Networks(Networks::parse(&bytes)?),
            Kind::Strings => Content::Strings(Strings::parse(&bytes)?),
            Kind::Regexes => Content::Regexes(Regexes::parse(&bytes)?),
            Kind::Records => Content::Records(Records::parse(bytes)?),
        };
        Ok(Arc::new(Dataset::new(content, digest)))
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.file)?;
        let before = file.metadata()?;
        let expected = usize::try_from(before.len()).unwrap_or(usize::MAX);
        if expected > MAX_FILE {
            return Err(too_long());
        }
        let mut bytes = Vec::with_capacity(expected + 1);
        (&mut file)
            .take(MAX_FILE as u64 + 1)
            .read_to_end(&mut bytes)?;
        if bytes.len() > MAX_FILE {
            return Err(too_long());
        }
        // Half a list is a valid list, too.
        if stamp(&before) != stamp(&file.metadata()?) {
            return Err(io::Error::other(
                "it changed while it was read: write it under another name, and rename it",
            ));
        }
        Ok(bytes)
    }
}

fn stamp(facts: &Metadata) -> (u64, i64, i64) {
    (facts.len(), facts.mtime(), facts.mtime_nsec())
}

fn too_long() -> io::Error {
    io::Error::other(format!("it is longer than {MAX_FILE} bytes: divide it"))
}

impl LoadError {
    pub(crate) fn at(line: impl TryInto<usize>, why: impl Into<String>) -> Self {
        Self {
            line: line.try_into().ok(),
            why: why.into(),
        }
    }

    pub(crate) fn whole(why: impl Into<String>) -> Self {
        Self {
            line: None,
            why: why.into(),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.why)
    }
}

impl std::error::Error for LoadError {}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_that_is_as_before_stays_the_same_dataset() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("list");
        let of_kind = |kind| Source {
            kind,
            file: file.clone(),
        };
        let source = of_kind(Kind::Strings);
        fs::write(&file, "1.2.3.4\n").unwrap();
        let first = source.load(None).unwrap();
        fs::write(&file, "1.2.3.4\n").unwrap();
        let again = source.load(Some(&first)).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let other = of_kind(Kind::Networks).load(Some(&first)).unwrap();
        assert_eq!(other.kind(), Kind::Networks);
        fs::write(&file, "1.2.3.5\n").unwrap();
        let second = source.load(Some(&first)).unwrap();
        assert!(second.generation() > other.generation());
        assert!(other.generation() > first.generation());
        // Back to what it was: a generation of its own.
        fs::write(&file, "1.2.3.4\n").unwrap();
        let third = source.load(Some(&second)).unwrap();
        assert!(third.generation() > second.generation());
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("list");
        let load = |kind| {
            let file = file.clone();
            let loaded = Source { kind, file }.load(None);
            loaded.unwrap_err().to_string()
        };
        assert!(load(Kind::Strings).starts_with("cannot be read: No such file"));
        let mut long = File::create(&file).unwrap();
        long.write_all(b"a").unwrap();
        long.set_len(MAX_FILE as u64 + 1).unwrap();
        assert!(load(Kind::Strings).contains("longer than 268435456 bytes"));
        fs::write(&file, "a\nb\nc d\nc e").unwrap();
        assert!(load(Kind::Networks).starts_with("line 1: "));
        assert!(load(Kind::Strings).starts_with("line 4: "));
        assert!(load(Kind::Records).starts_with("it is not a database in the MaxMind format"));
    }
}
