//! One look at the disk for one name: file, index, sibling, listing.
//!
//! Runs in the pool. Each name is opened by its whole path below the root's open
//! directory, so that what is found is below that one whatever is renamed
//! meanwhile.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use bytes::Bytes;

use crate::coding::{Wanted, suffix};
use crate::directory::{Directory, Object, Trouble};
use crate::listing;
use crate::lookup::Lookup;
use crate::mime;
use crate::name::Name;
use crate::opened::{Manner, Opened};
use crate::options::Options;

/// One look: below which directory, by which rules, and what was known before.
pub(crate) struct Search<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) options: &'a Options,
    pub(crate) wanted: Wanted,
    pub(crate) retained: bool,
    /// What an earlier look found, kept if it is still that.
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

    /// A regular file by its path, alone: no index and no listing. For what is
    /// retained.
    pub(crate) fn file_alone(&self, path: &[u8]) -> Result<Lookup, Trouble> {
        let (file, facts) = self.directory.find_file(path)?;
        self.serve(path, file, facts)
    }

    fn file(&self, path: &[u8]) -> Result<Lookup, Trouble> {
        match self.directory.find(path) {
            Ok(Object::File(file, facts)) => self.serve(path, file, facts),
            Ok(Object::Directory(_)) => Ok(Lookup::Redirect),
            // What is in it may be asked for, also where it may not be listed.
            Err(Trouble::Denied) if self.directory.facts(path)?.is_dir() => Ok(Lookup::Redirect),
            Err(trouble) => Err(trouble),
        }
    }

    fn index(&self, name: &Name) -> Result<Lookup, Trouble> {
        for index in &self.options.index {
            let path = name.child(index.as_bytes());
            match self.directory.find_file(&path) {
                Ok((file, facts)) => return self.serve(&path, file, facts),
                Err(Trouble::Missing) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        if !self.options.listing {
            return Ok(Lookup::Missing);
        }
        match self.directory.find(&name.path)? {
            Object::Directory(opened) => {
                let page = listing::page(self.directory, self.options, name, &opened);
                page.map(Lookup::Listing).map_err(Trouble::from)
            }
            Object::File(..) => Ok(Lookup::Missing),
        }
    }

    /// The most wanted sibling that is there and no older, else the file itself.
    ///
    /// nginx does not look at the times. Then a file that is edited without its
    /// sibling is served as it was to those who take the coding, and as it is to
    /// the rest.
    fn serve(&self, path: &[u8], file: File, facts: Metadata) -> Result<Lookup, Trouble> {
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
    ) -> Result<Lookup, Trouble> {
        let manner = Manner {
            coding,
            varies: !self.options.precompressed.is_empty(),
            retained: self.retained,
        };
        if let Some(before) = self.before.filter(|before| before.is_still(facts, manner)) {
            return Ok(Lookup::File(Arc::clone(before)));
        }
        let opened = Opened::read(file, facts, content_type(), manner).map_err(Trouble::Failed)?;
        Ok(Lookup::File(Arc::new(opened)))
    }
}

fn time(facts: &Metadata) -> (i64, i64) {
    (facts.mtime(), facts.mtime_nsec())
}
