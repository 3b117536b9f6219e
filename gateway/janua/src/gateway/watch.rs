//! Changed files take effect by themselves: the configuration, and all that it refers to.
//!
//! The watcher calls back on its own thread; what follows is a reload like that of the
//! command, on the thread of reloads. It differs in two things. A change that drops most
//! routes is refused, because a file that was cut off can be valid TOML. And a change that
//! may be incomplete is not reported at once if it is refused: a certificate arrives before
//! its key, and a file may be removed before its successor is there.

use std::sync::{Arc, Weak};

use janua_admin::{Asker, ReloadError};
use janua_config::{FileKind, Loaded, Sources, WatchList};
use janua_proxy::Snapshot;
use janua_watch::{Change, Reaction, Seen, Watcher};

use super::Gateway;
use super::reload::Trigger;

/// Starts the thread, which watches nothing yet.
pub(super) fn start(gateway: &Arc<Gateway>) -> std::io::Result<Watcher> {
    let gateway: Weak<Gateway> = Arc::downgrade(gateway);
    Watcher::start(move |change| match gateway.upgrade() {
        Some(gateway) => gateway.files_have_changed(change),
        None => Reaction::default(),
    })
}

/// The files of a configuration that is about to be compiled, and of the live one: if the new
/// one is refused, both matter.
pub(super) fn seen(loaded: &Loaded, live: Option<&Loaded>) -> Seen {
    let mut list = loaded.watch_list();
    if let Some(live) = live {
        list.merge(live.watch_list());
    }
    Seen::of(list, &loaded.sources)
}

/// The files of a configuration that cannot be decoded, and of the live one.
pub(super) fn seen_refused(refused: &Sources, live: &Loaded) -> Seen {
    let mut list = WatchList::of_sources(refused);
    list.merge(live.watch_list());
    Seen::of(list, refused)
}

/// What is watched while this configuration is live.
pub(super) fn watched(seen: Seen, live: &Loaded) -> Seen {
    match live.config.server.watch {
        true => seen,
        false => Seen::default(),
    }
}

/// Refuses a change that drops more than half of the routes.
pub(super) fn guard(previous: &Snapshot, new: &Snapshot) -> Result<(), ReloadError> {
    let ((_, before), (_, after)) = (previous.size(), new.size());
    if after * 2 >= before {
        return Ok(());
    }
    Err(ReloadError::plain(format!(
        "the changed configuration has {after} of {before} routes. A change that drops more than \
         half of them does not take effect by itself, because a file may have been cut off. If \
         it is intended, run `janua reload`"
    )))
}

impl Gateway {
    /// Watches these files from now on.
    pub(super) fn watch(&self, seen: Seen) {
        if let Some(watcher) = self.watcher.get() {
            watcher.watch(seen);
        }
    }

    fn files_have_changed(&self, change: &Change) -> Reaction {
        for file in &change.files {
            let path = file.path.display();
            match file.is_missing {
                true => tracing::info!(file = %path, "a watched file is gone"),
                false => tracing::info!(file = %path, "a watched file has changed"),
            }
        }
        let is_patient = !change.again && may_be_incomplete(change);
        let reloaded = self
            .reloader
            .reload(Trigger::Change { is_patient }, &Asker::default());
        Reaction {
            incomplete: is_patient && reloaded.result.is_err(),
            seen: reloaded.seen,
        }
    }
}

/// Whether more changes are to be expected.
fn may_be_incomplete(change: &Change) -> bool {
    let is_one_of_several = |kind| kind == Some(FileKind::Certificate);
    let mut files = change.files.iter();
    files.all(|file| file.is_missing || is_one_of_several(file.kind))
}
