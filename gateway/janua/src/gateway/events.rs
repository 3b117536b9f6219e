//! Tells webhooks of events, on threads of their own: a receiver that is slow holds up nothing but
//! later calls.

use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};

use janua_config::{EventKind, EventWebhook};
use janua_webhook::{Caller, Event, RetryPolicy};

/// How many events wait for their calls. More are dropped: somebody who has heard of a
/// hundred knows that something is wrong.
const MOST_WAITING: usize = 100;

/// The events that webhooks are told of.
pub(super) struct Events {
    webhooks: Mutex<Arc<[EventWebhook]>>,
    /// None until there is an event for a webhook.
    waiting: Mutex<Option<SyncSender<Task>>>,
}

/// An event, and the webhooks that are told of it.
type Task = (Arc<[EventWebhook]>, Event);

impl Events {
    /// No webhook is known yet.
    pub(super) fn new() -> Self {
        Self {
            webhooks: Mutex::new(Arc::new([])),
            waiting: Mutex::new(None),
        }
    }

    /// Tells these webhooks from now on.
    pub(super) fn configure(&self, webhooks: &[EventWebhook]) {
        *self.webhooks.lock().unwrap_or_else(PoisonError::into_inner) = webhooks.into();
    }

    /// Whether some webhook is told of events of this kind.
    pub(super) fn is_told_of(&self, kind: EventKind) -> bool {
        self.webhooks().iter().any(|webhook| webhook.is_on(kind))
    }

    /// Tells the webhooks of events. Blocks until the slowest has been told.
    pub(super) fn call(&self, caller: &Caller, events: &[Event]) {
        call(caller, &self.webhooks(), events);
    }

    fn webhooks(&self) -> Arc<[EventWebhook]> {
        Arc::clone(&self.webhooks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has the webhooks told of an event. Returns at once.
    pub(super) fn tell(&self, event: Event) {
        let webhooks = self.webhooks();
        if !webhooks.iter().any(|webhook| webhook.is_on(event.kind)) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_none() {
            match start() {
                Ok(started) => *waiting = Some(started),
                Err(error) => tracing::error!("webhooks cannot be told of events: {error}"),
            }
        }
        if let Some(sender) = &*waiting
            && let Err(TrySendError::Full((_, event))) = sender.try_send((webhooks, event))
        {
            tracing::error!(
                name = event.name,
                state = event.state,
                "no webhook is told of this event: {MOST_WAITING} others are waiting"
            );
        }
    }
}

fn start() -> std::io::Result<SyncSender<Task>> {
    let (sender, receiver) = mpsc::sync_channel(MOST_WAITING);
    std::thread::Builder::new()
        .name("janua-events".into())
        .spawn(move || run(&receiver))?;
    Ok(sender)
}

fn run(tasks: &Receiver<Task>) {
    let caller = Caller::new(RetryPolicy::default());
    while let Ok((webhooks, event)) = tasks.recv() {
        call(&caller, &webhooks, &[event]);
    }
}

/// Tells each webhook of the events, in their order. A receiver that hangs takes half a minute for each
/// of them, which the others do not wait for.
fn call(caller: &Caller, webhooks: &[EventWebhook], events: &[Event]) {
    std::thread::scope(|scope| {
        for webhook in webhooks {
            let tell = move || {
                let events = events.iter();
                for event in events.filter(|event| webhook.is_on(event.kind)) {
                    call_one(caller, webhook, event);
                }
            };
            let thread = std::thread::Builder::new().name("janua-webhook".into());
            if thread.spawn_scoped(scope, tell).is_err() {
                tell();
            }
        }
    });
}

fn call_one(caller: &Caller, webhook: &EventWebhook, event: &Event) {
    let environment = |name: &str| std::env::var(name).ok();
    match webhook.token.resolve(&environment) {
        // The result is logged by the caller.
        Ok(token) => drop(caller.notify(webhook, token.as_deref(), event)),
        Err(fault) => tracing::error!(
            host = webhook.url.host(),
            "the token of a webhook cannot be read: {}",
            fault.message()
        ),
    }
}
