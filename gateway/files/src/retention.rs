//! Keeps serving files for a while after a deploy has removed them.
//!
//! A page that was opened before a deploy requests the assets of the old build,
//! whose names contain hashes of their content. Files that match the globs of
//! `retain_files` are copied or linked into a [`Store`] while they exist, and
//! served from there for some time after their removal.
//!
//! The root is scanned when it is opened, every two seconds, and before and
//! after a deploy that announces itself. A scan (a pass) of an unchanged root
//! costs one `stat` per directory: only directories whose time has changed are
//! read. A file that is served before a pass has found it is retained at once,
//! so that the files of a page already delivered are retained whatever the
//! timing. Symbolic links to directories are not followed, because they may form
//! cycles; files behind them are retained when they are first served.

mod globs;
mod ledger;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::globs::Globs;
use self::ledger::{Ledger, Presence, is_over};
use crate::directory::{Directory, Identity};
use crate::error::OpenError;
use crate::keeper::Bell;
use crate::options::{Options, Retain};
use crate::store::Store;
use crate::store_path;
use crate::tree::Tree;

pub(crate) use self::ledger::Stamp;

/// More than any build has; a glob that matches more is probably a mistake.
const MAX_FILES: usize = 100_000;

/// The number of passes after which all retained files are compared with the
/// root, even if no directory has changed, because files behind links may have.
const THOROUGH: u64 = 30;

pub(crate) struct Retention {
    globs: Globs,
    /// In seconds.
    period: i64,
    hidden: bool,
    store: Store,
    state: Mutex<State>,
    /// Locked for a whole pass, including its disk access; `state` never is.
    pass: Mutex<Pass>,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    /// Paths that were served or missing, to be compared with the root.
    asked: HashSet<Box<[u8]>>,
    /// Directories that were the root before and were replaced.
    replaced: Vec<Arc<Directory>>,
}

#[derive(Default)]
struct Pass {
    tree: Tree,
    of: Option<Identity>,
    count: u64,
    /// A file could not be retained; the next pass tries again.
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
        let path = store_path::of(retain, &options.root)?;
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

    /// The directory that has a file missing from the root; none unless the file
    /// matches, is retained, and its period is not over.
    pub(crate) fn find(&self, path: &[u8], now: i64) -> Option<&Directory> {
        if !self.globs.name(path) {
            return None;
        }
        let mut state = self.lock();
        match state.ledger.presence(path)? {
            Presence::Gone(since) if is_over(since, self.period, now) => return None,
            Presence::Gone(_) => {}
            Presence::There => {
                // No pass has noticed yet that the file is gone.
                state.asked.insert(path.into());
                drop(state);
                self.bell.ring();
            }
        }
        Some(self.store.directory())
    }

    /// Retains a file that was served, if no pass has found it yet.
    pub(crate) fn was_served(&self, path: &[u8]) {
        if !self.globs.name(path) {
            return;
        }
        let mut state = self.lock();
        if state.ledger.presence(path).is_some() || state.ledger.len() >= MAX_FILES {
            return;
        }
        state.asked.insert(path.into());
        drop(state);
        self.bell.ring();
    }

    /// Retains the files of a directory that is no longer the root.
    pub(crate) fn was_replaced(&self, directory: Arc<Directory>) {
        self.lock().replaced.push(directory);
        self.bell.ring();
    }

    /// Updates the store to the current state of the root; `now` is in seconds
    /// since
    /// 1970. Blocks.
    pub(crate) fn pass(&self, root: Option<&Directory>, now: i64) {
        let mut pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, replaced) = {
            let mut state = self.lock();
            let asked = std::mem::take(&mut state.asked);
            (asked, std::mem::take(&mut state.replaced))
        };
        for old in replaced {
            // Replaced directories come first, so that the current root's files
            // win.
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

    /// The number of retained files.
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
            // Locked only for the check, not for the disk access.
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
            if state.ledger.presence(path).is_none() && state.ledger.len() >= MAX_FILES {
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

    /// Records which of the given retained files are missing from the root and
    /// which are back; true if any state changed.
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
            // Checked before the lock is taken, because it may wait for the
            // disk.
            let is_there = is_there(&path);
            is_other |= self.lock().ledger.note(&path, is_there, now);
        }
        is_other
    }

    /// Removes files whose period is over; true if there were any.
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
