//! The configured globs of the files to retain.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::OpenError;
use crate::tree::Branch;

/// The globs of `retain_files`.
pub(super) struct Globs {
    set: GlobSet,
    /// The directories in which matching files can be.
    pub(super) branches: Vec<Branch>,
}

impl Globs {
    pub(super) fn of(globs: &[String]) -> Result<Self, OpenError> {
        if globs.is_empty() {
            return Err(OpenError::NothingToRetain);
        }
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            let built = GlobBuilder::new(glob.trim_start_matches('/'))
                .literal_separator(true)
                .build();
            set.add(built.map_err(|error| OpenError::Glob {
                glob: glob.clone(),
                why: error.kind().to_string(),
            })?);
        }
        let set = set.build().map_err(|error| OpenError::Glob {
            glob: globs.join(", "),
            why: error.kind().to_string(),
        })?;
        Ok(Self {
            set,
            branches: globs.iter().map(|glob| Branch::of(glob)).collect(),
        })
    }

    /// Whether a path below the root matches one of the globs.
    pub(super) fn name(&self, path: &[u8]) -> bool {
        self.set.is_match(Path::new(OsStr::from_bytes(path)))
    }
}
