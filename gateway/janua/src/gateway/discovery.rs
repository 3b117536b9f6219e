//! Endpoints that are found while the gateway runs: when names, records or files say something
//! else than before, a snapshot of the same configuration with other endpoints is published.
//!
//! It is published by the thread of reloads, so that neither takes the place of the other: a
//! reload that is refused changes nothing of this, and one that succeeds begins with what is
//! known. Many changes at once are one publication, and there is at most one in a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use janua_config::Sources;
use janua_proxy::{EndpointsChange, Estate, Snapshot};
use janua_telemetry::metrics::definitions;
use janua_watch::{Reaction, Seen, Watcher};

use super::{FIRST_LOOKUP, Gateway, wait_for_checks, wait_for_names};

/// How long further changes are waited for: names are looked up at the same time.
const GATHER: Duration = Duration::from_millis(20);

/// The shortest time between two publications.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many addresses a log line has.
const SHOWN: usize = 8;

/// When it is time to publish other endpoints. Takes the time as an argument.
#[derive(Debug, Default)]
pub(super) struct Turn {
    last: Option<Instant>,
    due: Option<Instant>,
}

impl Turn {
    /// Something has changed.
    pub(super) fn note(&mut self, now: Instant) {
        let earliest = self.last.map_or(now, |last| last + INTERVAL);
        self.due.get_or_insert_with(|| (now + GATHER).max(earliest));
    }

    /// When it is time; none if nothing has changed.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// It was time. `published` is the end of the publication, if there was one.
    pub(super) fn take(&mut self, published: Option<Instant>) {
        self.due = None;
        self.last = published.or(self.last);
    }
}

/// Waits briefly for names that were never looked up, and gives a snapshot that is not published
/// yet the endpoints that are found. Start and reload continue without a result.
pub(super) fn resolve(estate: &Estate, snapshot: &mut Snapshot) {
    let deadline = Instant::now() + FIRST_LOOKUP;
    loop {
        wait_for_names(estate, deadline);
        // Targets of records have names too.
        let is_same = janua_proxy::refresh(snapshot, estate).is_empty();
        if is_same || Instant::now() >= deadline {
            return;
        }
    }
}

/// Has the gateway told of changes of names, of which there may have been some already.
pub(super) fn follow_names(gateway: &Arc<Gateway>) {
    let told = Arc::downgrade(gateway);
    gateway.estate.endpoints.names().on_change(move || {
        if let Some(gateway) = told.upgrade() {
            gateway.reloader.endpoints_have_changed();
        }
    });
    gateway.reloader.endpoints_have_changed();
}

/// Follows the files of the live configuration that list endpoints. They are followed also if the
/// changes of other files are not to take effect by themselves.
pub(super) fn follow_files(gateway: &Arc<Gateway>) {
    let list = gateway.state().loaded.config.endpoint_lists();
    let watcher = match gateway.lists.get() {
        Some(watcher) => watcher,
        None if list.files.is_empty() => return,
        None => match start(gateway) {
            Ok(watcher) => gateway.lists.get_or_init(|| watcher),
            Err(error) => {
                tracing::error!(%error, "changes of lists of endpoints are not noticed");
                return;
            }
        },
    };
    // In this order: what changes after the first line is noticed, or read by the last.
    let seen = Seen::of(list, &Sources::default());
    watcher.watch(seen);
    gateway.read_lists();
}

fn start(gateway: &Arc<Gateway>) -> std::io::Result<Watcher> {
    let told = Arc::downgrade(gateway);
    Watcher::start_prompt(move |_| {
        if let Some(gateway) = told.upgrade() {
            gateway.read_lists();
        }
        Reaction::default()
    })
}

impl Gateway {
    /// Reads the files that list endpoints. Whether they say something else than before is seen
    /// when it is to be published: a reload that was refused may have read them too.
    fn read_lists(&self) {
        self.estate.endpoint_files.read_again();
        self.reloader.endpoints_have_changed();
    }

    /// Publishes the endpoints that are known now, if they are others than before. Returns when
    /// that was done.
    pub(super) fn publish_endpoints(&self) -> Option<Instant> {
        let begin = Instant::now();
        let mut snapshot = self.estate.snapshot()?.again();
        let changes = janua_proxy::refresh(&mut snapshot, &self.estate);
        if changes.is_empty() {
            return None;
        }
        // Requests would find names of new endpoints unresolved.
        wait_for_names(&self.estate, begin + FIRST_LOOKUP);
        self.estate.begin_checks(&snapshot);
        wait_for_checks(&snapshot);
        {
            let state = self.state();
            // None while the gateway shuts down.
            state.server.as_ref()?.publish_endpoints(snapshot);
        }
        let end = Instant::now();
        for change in &changes {
            let EndpointsChange {
                upstream,
                endpoints,
                added,
                removed,
            } = change;
            let metrics = &self.estate.metrics;
            metrics
                .counter(&definitions::ENDPOINTS_CHANGED, [upstream])
                .increment(0);
            let (added, removed) = (some(added), some(removed));
            tracing::info!(
                upstream,
                endpoints,
                added,
                removed,
                "the endpoints have changed"
            );
        }
        tracing::debug!(took = ?(end - begin), "published other endpoints");
        Some(end)
    }
}

/// Some of these addresses, and how many more there are.
fn some(addresses: &[String]) -> String {
    let mut text = addresses
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ");
    if addresses.len() > SHOWN {
        text.push_str(&format!(" and {} more", addresses.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{GATHER, INTERVAL, Turn, some};

    #[test]
    fn changes_are_gathered_and_published_once_in_a_second() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut turn = Turn::default();
        assert_eq!(turn.due(), None);
        turn.note(at(0));
        turn.note(at(5));
        assert_eq!(turn.due(), Some(begin + GATHER), "the first is not put off");
        turn.take(Some(at(20)));
        assert_eq!(turn.due(), None);
        turn.note(at(100));
        turn.note(at(900));
        assert_eq!(turn.due(), Some(at(20) + INTERVAL));
        turn.take(Some(at(1_020)));
        turn.note(at(9_000));
        assert_eq!(turn.due(), Some(at(9_000) + GATHER));
        // That nothing was to be published puts nothing off.
        turn.take(None);
        turn.note(at(9_100));
        assert_eq!(turn.due(), Some(at(9_100) + GATHER));
    }

    #[test]
    fn a_log_line_names_only_some() {
        let addresses = |count: usize| (0..count).map(|at| format!("a{at}")).collect::<Vec<_>>();
        assert_eq!(some(&addresses(0)), "");
        assert_eq!(some(&addresses(2)), "a0 a1");
        assert_eq!(some(&addresses(10)), "a0 a1 a2 a3 a4 a5 a6 a7 and 2 more");
    }
}
