//! One lookup on the disk: the file, index, sibling or listing for one name.
//!
//! It runs in the pool. Every name is opened by its whole path below the root's
//! open directory, so that the result lies below that directory even if
//! something is renamed meanwhile.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use bytes::Bytes;

use crate::coding::{Wanted, suffix};
use crate::directory::{Directory, Object, OpenFailure};
use crate::listing;
use crate::lookup::Lookup;
use crate::mime;
use crate::name::Name;
use crate::opened::{Opened, Selection};
use crate::options::Options;

/// One lookup: its directory, its rules, and an earlier result.
pub(crate) struct Search<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) options: &'a Options,
    pub(crate) wanted: Wanted,
    pub(crate) retained: bool,
    /// The result of an earlier lookup, which is reused if the file is
    /// unchanged.
    pub(crate) before: Option<&'a Arc<Opened>>,
}

impl Search<'_> {
    /// Looks a name up.
    pub(crate) fn run(&self, name: &Name) -> Lookup {
        let found = if name.is_directory {
            self.index(name)
        } else {
            self.file(&name.path)
        };
        found.unwrap_or_else(Lookup::from)
    }

    /// Looks up a regular file only, without index and listing. Used for
    /// retained files.
    pub(crate) fn file_alone(&self, path: &[u8]) -> Result<Lookup, OpenFailure> {
        let (file, facts) = self.directory.find_file(path)?;
        self.serve(path, file, facts)
    }

    fn file(&self, path: &[u8]) -> Result<Lookup, OpenFailure> {
        match self.directory.find(path) {
            Ok(Object::File(file, facts)) => self.serve(path, file, facts),
            Ok(Object::Directory(_)) => Ok(Lookup::Redirect),
            // A directory that cannot be read may still contain files that can.
            Err(OpenFailure::Denied) if self.directory.facts(path)?.is_dir() => {
                Ok(Lookup::Redirect)
            }
            Err(failure) => Err(failure),
        }
    }

    fn index(&self, name: &Name) -> Result<Lookup, OpenFailure> {
        for index in &self.options.index {
            let path = name.child(index.as_bytes());
            match self.directory.find_file(&path) {
                Ok((file, facts)) => return self.serve(&path, file, facts),
                Err(OpenFailure::Missing) => {}
                Err(failure) => return Err(failure),
            }
        }
        if !self.options.listing {
            return Ok(Lookup::Missing);
        }
        match self.directory.find(&name.path)? {
            Object::Directory(opened) => {
                let page = listing::page(self.directory, self.options, name, &opened);
                page.map(Lookup::Listing).map_err(OpenFailure::from)
            }
            Object::File(..) => Ok(Lookup::Missing),
        }
    }

    /// The preferred sibling that exists and is not older than the file, else
    /// the file.
    ///
    /// nginx does not compare the times. If a file is then edited without its
    /// sibling, clients that accept the coding get the old content and others
    /// the new.
    fn serve(&self, path: &[u8], file: File, facts: Metadata) -> Result<Lookup, OpenFailure> {
        let content_type = || mime::content_type(path);
        for coding in self.wanted.iter() {
            let sibling = [path, suffix(coding)].concat();
            let Ok((other, others)) = self.directory.find_file(&sibling) else {
                continue;
            };
            if time(&others) < time(&facts) {
                let path = String::from_utf8_lossy(&sibling);
                tracing::debug!(%path, "older than its original, and so not used");
                continue;
            }
            return self.opened(other, &others, content_type, Some(coding));
        }
        self.opened(file, &facts, content_type, None)
    }

    fn opened(
        &self,
        file: File,
        facts: &Metadata,
        content_type: impl FnOnce() -> Bytes,
        coding: Option<janua_http::accept_encoding::Coding>,
    ) -> Result<Lookup, OpenFailure> {
        let selection = Selection {
            coding,
            varies: !self.options.precompressed.is_empty(),
            retained: self.retained,
        };
        if let Some(before) = self
            .before
            .filter(|before| before.is_still(facts, selection))
        {
            return Ok(Lookup::File(Arc::clone(before)));
        }
        let opened =
            Opened::read(file, facts, content_type(), selection).map_err(OpenFailure::Failed)?;
        Ok(Lookup::File(Arc::new(opened)))
    }
}

fn time(facts: &Metadata) -> (i64, i64) {
    (facts.mtime(), facts.mtime_nsec())
}
