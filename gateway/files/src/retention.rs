//! What still answers after a deploy has removed it.
//!
//! A page that was open before a deploy asks for the chunks of the old build,
//! whose names hold hashes of their content. Those that match the globs of
//! `retain_files` are kept in a [`Store`] while they are there, and answer from
//! it for a time after they have gone.
//!
//! The root is looked through when it is opened, every two seconds, and before
//! and after a deploy that says so. A pass over a root in which nothing changed
//! costs one `stat` a directory: only directories whose time has changed are
//! read. A file that is served before a pass has seen it is kept at once, so that
//! what somebody holds a page of is kept whatever the timing. Symbolic links to
//! directories are not walked into (they may lead in circles); what lies behind
//! them is kept when it is first served.

mod globs;
mod ledger;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::globs::Globs;
use self::ledger::{Ledger, Standing, is_over};
use crate::directory::{Directory, Identity};
use crate::error::OpenError;
use crate::keeper::Bell;
use crate::options::{Options, Retain};
use crate::place;
use crate::store::Store;
use crate::tree::Tree;

pub(crate) use self::ledger::Stamp;

/// More than any build has; a glob that matches more was meant otherwise.
const MAX_FILES: usize = 100_000;

/// Each so many passes all that is kept is compared with the root, also if no
/// directory has changed: for what lies behind links.
const THOROUGH: u64 = 30;

pub(crate) struct Retention {
    globs: Globs,
    /// In seconds.
    period: i64,
    hidden: bool,
    store: Store,
    state: Mutex<State>,
    /// Held for a whole pass, over the disk; `state` never is.
    pass: Mutex<Pass>,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    /// Served or missed, and to be compared with the root.
    asked: HashSet<Box<[u8]>>,
    /// Directories that the root was until now.
    replaced: Vec<Arc<Directory>>,
}

#[derive(Default)]
struct Pass {
    tree: Tree,
    of: Option<Identity>,
    count: u64,
    /// Something could not be kept, and is tried again.
    failed: bool,
    warned_full: bool,
}

impl Retention {
    pub(crate) fn open(
        options: &Options,
        retain: &Retain,
        bell: Arc<Bell>,
    ) -> Result<Self, OpenError> {
        let globs = Globs::of(&retain.files)?;
        let path = place::of(retain, &options.root)?;
        let store = Store::open(&path)?;
        let list = store
            .list(MAX_FILES)
            .map_err(|error| OpenError::Store { store: path, error })?;
        let ledger = Ledger::inherit(list, store.read_gone());
        Ok(Self {
            globs,
            period: i64::try_from(retain.period.as_secs()).unwrap_or(i64::MAX),
            hidden: options.hidden,
            store,
            state: Mutex::new(State {
                ledger,
                ..State::default()
            }),
            pass: Mutex::default(),
            bell,
        })
    }

    /// Where to find a file that is missing in the root: nowhere unless it
    /// matches, is kept, and its time is not over.
    pub(crate) fn find(&self, path: &[u8], now: i64) -> Option<&Directory> {
        if !self.globs.name(path) {
            return None;
        }
        let mut state = self.lock();
        match state.ledger.standing(path)? {
            Standing::Gone(since) if is_over(since, self.period, now) => return None,
            Standing::Gone(_) => {}
            Standing::There => {
                // The pass has not seen yet that it is gone.
                state.asked.insert(path.into());
                drop(state);
                self.bell.ring();
            }
        }
        Some(self.store.directory())
    }

    /// Keeps a file that was served, if no pass has met it yet.
    pub(crate) fn was_served(&self, path: &[u8]) {
        if !self.globs.name(path) {
            return;
        }
        let mut state = self.lock();
        if state.ledger.standing(path).is_some() || state.ledger.len() >= MAX_FILES {
            return;
        }
        state.asked.insert(path.into());
        drop(state);
        self.bell.ring();
    }

    /// Keeps what a directory has that is no longer the root.
    pub(crate) fn was_replaced(&self, directory: Arc<Directory>) {
        self.lock().replaced.push(directory);
        self.bell.ring();
    }

    /// Brings the store up to the root as it is now, in seconds since 1970.
    /// Blocks.
    pub(crate) fn pass(&self, root: Option<&Directory>, now: i64) {
        let mut pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, replaced) = {
            let mut state = self.lock();
            let asked = std::mem::take(&mut state.asked);
            (asked, std::mem::take(&mut state.replaced))
        };
        for old in replaced {
            // Before the root itself, whose own files then take their place.
            let mut tree = Tree::default();
            self.read(&mut tree, &old, now);
            self.keep_all(&mut pass, &old, &tree);
        }
        let is_another = pass.of != root.map(Directory::identity);
        if is_another {
            pass.tree = Tree::default();
            pass.of = root.map(Directory::identity);
        }
        let mut is_changed = is_another || pass.failed || pass.count.is_multiple_of(THOROUGH);
        pass.count = pass.count.wrapping_add(1);
        pass.failed = false;
        if let Some(root) = root {
            let mut tree = std::mem::take(&mut pass.tree);
            is_changed |= self.read(&mut tree, root, now);
            if is_changed {
                self.keep_all(&mut pass, root, &tree);
            }
            pass.tree = tree;
            for path in &asked {
                self.keep(&mut pass, root, path);
            }
        }
        let mut is_other = false;
        if is_changed || !asked.is_empty() {
            let only = (!is_changed).then_some(&asked);
            is_other = self.compare(&pass.tree, root, only, now);
        }
        is_other |= self.expire(now);
        if is_other {
            self.save();
        }
    }

    /// How many files are kept.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.lock().ledger.len()
    }

    fn read(&self, tree: &mut Tree, directory: &Directory, now: i64) -> bool {
        let matches = |path: &[u8]| self.globs.name(path);
        tree.read(directory, &self.globs.branches, self.hidden, &matches, now)
    }

    fn keep_all(&self, pass: &mut Pass, directory: &Directory, tree: &Tree) {
        for (path, stamp) in tree.files() {
            // Locked for no longer than to look.
            let is_kept = self.lock().ledger.has(path, stamp);
            if !is_kept {
                self.keep(pass, directory, path);
            }
        }
    }

    fn keep(&self, pass: &mut Pass, directory: &Directory, path: &[u8]) {
        let Ok((file, facts)) = directory.find_file(path) else {
            return;
        };
        let stamp = Stamp::of(&facts);
        {
            let state = self.lock();
            if state.ledger.has(path, &stamp) {
                return;
            }
            if state.ledger.standing(path).is_none() && state.ledger.len() >= MAX_FILES {
                if !pass.warned_full {
                    pass.warned_full = true;
                    let store = self.store.path().display();
                    tracing::warn!(%store, most = MAX_FILES, "no more removed files are kept");
                }
                return;
            }
        }
        match self.store.keep(path, &file, &facts) {
            Ok(()) => self.lock().ledger.insert(path, stamp),
            Err(error) => {
                if !pass.failed {
                    let path = String::from_utf8_lossy(path);
                    let store = self.store.path().display();
                    tracing::warn!(%store, %path, %error, "a file cannot be kept for later");
                }
                pass.failed = true;
            }
        }
    }

    /// Notes what is gone and what is back, of all that is kept or of some; true
    /// if there was any.
    fn compare(
        &self,
        tree: &Tree,
        root: Option<&Directory>,
        only: Option<&HashSet<Box<[u8]>>>,
        now: i64,
    ) -> bool {
        let present: HashSet<&[u8], ahash::RandomState> =
            tree.files().map(|(path, _)| path).collect();
        let is_there = |path: &[u8]| {
            present.contains(path)
                || root.is_some_and(|root| root.facts(path).is_ok_and(|facts| facts.is_file()))
        };
        let paths: Vec<Box<[u8]>> = match only {
            Some(only) => only.iter().cloned().collect(),
            None => self.lock().ledger.paths(),
        };
        let mut is_other = false;
        for path in paths {
            // Asked before the lock is taken: it may wait for the disk.
            let is_there = is_there(&path);
            is_other |= self.lock().ledger.note(&path, is_there, now);
        }
        is_other
    }

    /// Removes what is gone for so long; true if there was any.
    fn expire(&self, now: i64) -> bool {
        let over = self.lock().ledger.take_over(self.period, now);
        for path in &over {
            if let Err(error) = self.store.remove(path) {
                let path = String::from_utf8_lossy(path);
                let store = self.store.path().display();
                tracing::warn!(%store, %path, %error, "a file whose time is over cannot be removed");
            }
        }
        !over.is_empty()
    }

    fn save(&self) {
        let gone = self.lock().ledger.gone();
        let lines = gone.iter().map(|(path, gone)| (&**path, *gone));
        if let Err(error) = self.store.write_gone(lines) {
            let store = self.store.path().display();
            tracing::warn!(%store, %error, "cannot note since when files are gone");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
