//! The thread that watches, and calls back when contents have changed.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use janua_config::{FileKind, Sources, WatchList};

use crate::contents::Contents;
use crate::debouncer::{Debouncer, Sign};
use crate::events::{Events, Receive};
use crate::places::Places;
use crate::poll::Poll;

/// How often files without events are looked at.
const POLL: Duration = Duration::from_secs(10);

/// How long after an incomplete change it is tried once more.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a prompt watcher waits for files that are never quiet.
const PROMPT: Duration = Duration::from_secs(2);

/// How often the ways of paths are followed again if they change at the same time.
const ATTEMPTS: usize = 3;

/// What a subscriber has seen: the files that it has read, and what they contained.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    list: WatchList,
    contents: Contents,
}

/// Some files have other contents than the subscriber has seen.
#[derive(Debug)]
pub struct Change {
    /// The files.
    pub files: Vec<ChangedFile>,
    /// The subscriber could not use them ([`Reaction::incomplete`]), and nothing has happened
    /// since then.
    pub again: bool,
}

/// A file with another content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedFile {
    /// As it is in the list.
    pub path: PathBuf,
    /// None for a pattern.
    pub kind: Option<FileKind>,
    /// It does not exist any more.
    pub is_missing: bool,
}

/// What the subscriber has done.
#[derive(Debug, Default)]
pub struct Reaction {
    /// What it has seen now; none if that is not known.
    pub seen: Option<Seen>,
    /// The change seems to be incomplete: it is tried once more, after the next change or
    /// after a while.
    pub incomplete: bool,
}

/// How much is watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files.
    pub files: usize,
    /// The directories that they are in.
    pub directories: usize,
    /// Files without events, which are looked at in intervals.
    pub polled: usize,
}

/// Watches files. It ends when it is dropped.
#[derive(Debug)]
pub struct Watcher {
    sender: Sender<Message>,
    summary: Arc<Mutex<Summary>>,
}

/// What the thread is told.
#[derive(Debug)]
enum Message {
    /// Something has happened; without a path, anything may have.
    Event(Option<PathBuf>, Sign),
    Watch(Box<Seen>),
    Stop,
}

/// What tests make shorter.
#[derive(Debug, Clone, Copy)]
struct Timing {
    poll: Duration,
    patience: Duration,
    /// How long files are waited for that are never quiet; none for ever.
    most: Option<Duration>,
}

impl Timing {
    const USUAL: Self = Self {
        poll: POLL,
        patience: PATIENCE,
        most: None,
    };
}

impl Seen {
    /// The files of `list`, of which those of `sources` were read already. To be called before
    /// the others are read: a change after that is then noticed.
    pub fn of(list: WatchList, sources: &Sources) -> Self {
        let contents = Contents::read(&list).with_sources(sources);
        Self { list, contents }
    }

    /// Only the files of this list, all of which are among these.
    #[must_use]
    pub fn only(self, list: WatchList) -> Self {
        let contents = self.contents.only(&list);
        Self { list, contents }
    }
}

impl Watcher {
    /// Starts the thread, which watches nothing yet. `react` is called on it when files have
    /// other contents than were seen.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(react: impl FnMut(&Change) -> Reaction + Send + 'static) -> std::io::Result<Self> {
        Self::start_with(react, Timing::USUAL, Events::start)
    }

    /// The same for files that others write again and again: they need not be quiet.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start_prompt(
        react: impl FnMut(&Change) -> Reaction + Send + 'static,
    ) -> std::io::Result<Self> {
        let timing = Timing {
            most: Some(PROMPT),
            ..Timing::USUAL
        };
        Self::start_with(react, timing, Events::start)
    }

    fn start_with(
        react: impl FnMut(&Change) -> Reaction + Send + 'static,
        timing: Timing,
        events: fn(Receive) -> Events,
    ) -> std::io::Result<Self> {
        let (sender, messages) = mpsc::channel();
        let summary: Arc<Mutex<Summary>> = Arc::default();
        let watching = Watching {
            react,
            timing,
            events: None,
            start_events: {
                let sender = sender.clone();
                Box::new(move || {
                    let sender = sender.clone();
                    events(Box::new(move |path, sign| {
                        // After the thread has ended, nobody is interested.
                        let _ = sender.send(Message::Event(path, sign));
                    }))
                })
            },
            seen: Seen::default(),
            places: Arc::default(),
            debouncer: Debouncer::new(timing.most),
            poll: Poll::default(),
            next_poll: None,
            is_unprompted: false,
            retry: None,
            reported: BTreeSet::new(),
            summary: Arc::clone(&summary),
        };
        std::thread::Builder::new()
            .name("janua-watch".into())
            .spawn(move || watching.run(&messages))?;
        Ok(Self { sender, summary })
    }

    /// Watches these files from now on, and no others. Returns at once. If one has changed
    /// since it was seen, the subscriber is called.
    pub fn watch(&self, seen: Seen) {
        // The thread ends only with this object.
        let _ = self.sender.send(Message::Watch(Box::new(seen)));
    }

    /// How much is watched.
    pub fn summary(&self) -> Summary {
        *self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.sender.send(Message::Stop);
    }
}

/// The state of the thread.
struct Watching<R> {
    react: R,
    timing: Timing,
    /// None while nothing is watched.
    events: Option<Events>,
    start_events: Box<dyn Fn() -> Events + Send>,
    seen: Seen,
    places: Arc<Places>,
    debouncer: Debouncer,
    poll: Poll,
    next_poll: Option<Instant>,
    /// Nothing has happened since the subscriber was called the last time. It is called once
    /// more at most: a file whose content differs each time it is read must not keep it busy.
    is_unprompted: bool,
    /// When an incomplete change is tried once more.
    retry: Option<Instant>,
    /// The files without events that were reported.
    reported: BTreeSet<PathBuf>,
    summary: Arc<Mutex<Summary>>,
}

impl<R: FnMut(&Change) -> Reaction> Watching<R> {
    fn run(mut self, messages: &Receiver<Message>) {
        loop {
            match self.next(messages) {
                Ok(Message::Event(path, sign)) => {
                    let path = path.unwrap_or_default();
                    self.is_unprompted = false;
                    self.debouncer.note(path, sign, Instant::now());
                }
                Ok(Message::Watch(seen)) => {
                    self.retry = None;
                    self.is_unprompted = false;
                    self.watch(*seen);
                }
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => self.timers(Instant::now()),
            }
        }
    }

    /// Waits for a message, or until one of the timers is due.
    fn next(&self, messages: &Receiver<Message>) -> Result<Message, RecvTimeoutError> {
        let timers = [self.debouncer.due(), self.next_poll, self.retry];
        match timers.into_iter().flatten().min() {
            Some(due) => messages.recv_timeout(due.saturating_duration_since(Instant::now())),
            None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn timers(&mut self, now: Instant) {
        if self.next_poll.is_some_and(|due| due <= now) {
            self.next_poll = Some(now + self.timing.poll);
            for path in self.poll.changed() {
                self.is_unprompted = false;
                self.debouncer.note(path, Sign::Settled, now);
            }
        }
        if self.debouncer.take(now) {
            // Links may lead elsewhere now.
            self.follow();
            self.compare();
        }
        if self.retry.is_some_and(|due| due <= now) {
            self.retry = None;
            self.react(Vec::new());
        }
    }

    fn watch(&mut self, seen: Seen) {
        let is_same = seen.list == self.seen.list;
        self.seen = seen;
        self.follow();
        if !is_same {
            self.report();
        }
        // What has changed before it was watched.
        if !self.is_unprompted {
            let now = Instant::now();
            self.debouncer.note(PathBuf::new(), Sign::Settled, now);
        }
    }

    /// Watches the places in which something can happen to the files.
    fn follow(&mut self) {
        let mut unwatched = BTreeSet::new();
        for _ in 0..ATTEMPTS {
            self.places = Arc::new(Places::of(&self.seen.list));
            unwatched = match self.places.ways().is_empty() {
                true => {
                    self.events = None;
                    BTreeSet::new()
                }
                false => {
                    let events = self.events.get_or_insert_with(&self.start_events);
                    events.follow(&self.places)
                }
            };
            // A link that was replaced before its directory was watched made no event.
            if Places::of(&self.seen.list) == *self.places {
                break;
            }
        }
        let polled = Poll::needed(&self.places, &unwatched);
        self.say(&polled);
        self.next_poll = match polled.is_empty() {
            true => None,
            false => Some(
                self.next_poll
                    .unwrap_or_else(|| Instant::now() + self.timing.poll),
            ),
        };
        self.poll.follow(polled);
        *self.summary.lock().unwrap_or_else(PoisonError::into_inner) = Summary {
            files: self.seen.list.files.len(),
            directories: self.events.as_ref().map_or(0, Events::directories),
            polled: self.poll.len(),
        };
    }

    /// Says once of each file that there are no events for it.
    fn say(&mut self, polled: &BTreeSet<PathBuf>) {
        let mut new = polled.difference(&self.reported);
        if let Some(first) = new.next() {
            tracing::warn!(
                files = 1 + new.count(),
                first = %first.display(),
                "the system reports no changes of some files: they are looked at every {} s",
                self.timing.poll.as_secs()
            );
            self.reported.extend(polled.iter().cloned());
        }
    }

    fn report(&self) {
        let list = &self.seen.list;
        if list.files.is_empty() {
            return;
        }
        let Summary {
            directories,
            polled,
            ..
        } = *self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        let lists = list.count(FileKind::EndpointList);
        if lists == list.files.len() {
            tracing::info!(lists, directories, polled, "watching lists of endpoints");
            return;
        }
        tracing::info!(
            configuration = list.count(FileKind::Configuration),
            certificates = list.count(FileKind::Certificate),
            components = list.count(FileKind::Component),
            references = list.count(FileKind::Reference),
            directories,
            polled,
            "watching files for changes"
        );
    }

    /// Calls the subscriber if a file has another content than it has seen.
    fn compare(&mut self) {
        let now = Contents::read(&self.seen.list);
        let files: Vec<ChangedFile> = self
            .seen
            .contents
            .changed(&now)
            .into_iter()
            .map(|path| ChangedFile {
                path: path.to_owned(),
                kind: self.seen.list.files.get(path).copied(),
                is_missing: now.is_missing(path),
            })
            .collect();
        if !files.is_empty() {
            // Even if it is refused, it is not tried again before it changes.
            self.seen.contents = now;
            self.retry = None;
            self.react(files);
        }
    }

    fn react(&mut self, files: Vec<ChangedFile>) {
        let change = Change {
            again: files.is_empty(),
            files,
        };
        let react = AssertUnwindSafe(|| (self.react)(&change));
        let reaction = catch_unwind(react).unwrap_or_default();
        if let Some(seen) = reaction.seen {
            self.watch(seen);
            self.is_unprompted = true;
        }
        if reaction.incomplete && !change.again {
            self.retry = Some(Instant::now() + self.timing.patience);
        }
    }
}

#[cfg(test)]
mod tests;
