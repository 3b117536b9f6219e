//! Tells webhooks of endpoints that go down or come back, on a thread of its own: neither a
//! request nor a check waits for a receiver.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use janua_config::EventKind;
use janua_proxy::Estate;
use janua_upstream::{Shown, Transition};
use janua_webhook::{Caller, Event, RetryPolicy};
use serde_json::{Value, json};

use super::events::Events;
use super::notices::{Notice, Notices};

/// The most endpoints that a summary names.
const MOST_NAMED: usize = 20;

/// The changes that webhooks are to be told of.
struct Changes {
    events: Arc<Events>,
    origin: Instant,
    waiting: Mutex<Waiting>,
    /// There is a change more.
    more: Condvar,
}

#[derive(Default)]
struct Waiting {
    notices: Notices,
    /// The thread runs, or could not be started.
    is_started: bool,
}

/// Tells the webhooks of `events` of all changes from now on. Costs nothing, not even a thread,
/// before there is a change and a webhook that is to be told.
pub(super) fn observe(estate: &Estate, events: &Arc<Events>) {
    let changes = Arc::new(Changes {
        events: Arc::clone(events),
        origin: Instant::now(),
        waiting: Mutex::default(),
        more: Condvar::new(),
    });
    let observer = move |transition: &Transition| changes.take_in(transition);
    estate.endpoints.observe(Box::new(observer));
}

impl Changes {
    fn take_in(self: &Arc<Self>, transition: &Transition) {
        if !self.events.is_told_of(EventKind::Endpoint) {
            return;
        }
        let mut waiting = self.waiting();
        waiting.notices.offer(transition, self.now_ms());
        if !waiting.is_started {
            waiting.is_started = true;
            let changes = Arc::clone(self);
            let started = std::thread::Builder::new()
                .name("janua-notices".into())
                .spawn(move || changes.run());
            if let Err(error) = started {
                tracing::error!("webhooks cannot be told of endpoints: {error}");
            }
        }
        drop(waiting);
        self.more.notify_one();
    }

    /// Tells webhooks for ever.
    fn run(&self) {
        let caller = Caller::new(RetryPolicy::default());
        loop {
            let notices = self.next();
            let now_ms = self.now_ms();
            let events = notices.iter().map(|notice| {
                let past_ms = now_ms.saturating_sub(notice.at_ms());
                event(notice, unix_before(Duration::from_millis(past_ms)))
            });
            let events: Vec<Event> = events.collect();
            self.events.call(&caller, &events);
        }
    }

    /// Waits until there is something to be told.
    fn next(&self) -> Vec<Notice> {
        let mut waiting = self.waiting();
        loop {
            let notices = waiting.notices.take(self.now_ms());
            if !notices.is_empty() {
                return notices;
            }
            waiting = match waiting.notices.due_ms() {
                None => {
                    let woken = self.more.wait(waiting);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
                Some(due_ms) => {
                    let time = Duration::from_millis(due_ms.saturating_sub(self.now_ms()).max(1));
                    let woken = self.more.wait_timeout(waiting, time);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The time that is so long ago, in seconds since 1970.
fn unix_before(past: Duration) -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.unwrap_or_default().saturating_sub(past);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The event that a notice is.
fn event(notice: &Notice, time_unix: i64) -> Event {
    match notice {
        Notice::One {
            transition,
            left_out,
            ..
        } => Event {
            kind: EventKind::Endpoint,
            name: name(transition),
            state: transition.to().word(),
            text: sentence(transition, *left_out),
            details: details(transition, *left_out),
            time_unix,
        },
        Notice::Several { transitions, .. } => several(transitions, time_unix),
    }
}

fn name(transition: &Transition) -> String {
    format!("{} {}", transition.upstream, transition.endpoint)
}

fn sentence(transition: &Transition, left_out: u32) -> String {
    let (upstream, endpoint) = (&transition.upstream, &transition.endpoint);
    let mut text = format!("endpoint {endpoint} of upstream {upstream} is ");
    match &transition.ill {
        None => text.push_str(&format!("up, after {} s", transition.lasted_ms / 1000)),
        Some(ill) => {
            text.push_str(&format!("down: {ill}"));
            if !ill.detail().is_empty() {
                text.push_str(&format!(" ({})", ill.detail()));
            }
            if ill.count() > 1 {
                text.push_str(&format!(", {} times in a row", ill.count()));
            }
            if ill.is_tried() {
                text.push_str("; requests are still sent to it");
            }
        }
    }
    match left_out {
        0 => {}
        1 => text.push_str("; one change before is left out"),
        count => text.push_str(&format!("; {count} changes before are left out")),
    }
    text
}

fn details(transition: &Transition, left_out: u32) -> Value {
    let ill = transition.ill.as_ref();
    json!({
        "upstream": transition.upstream,
        "endpoint": transition.endpoint.to_string(),
        "from": transition.from.word(),
        "to": transition.to().word(),
        "reason": ill.map(|ill| json!({
            "failed": ill.source(),
            "failure": ill.word(),
            "status": ill.status(),
            "detail": ill.detail(),
            "count": ill.count(),
            "failing_seconds": transition.failing_ms / 1000,
        })),
        "left_out": left_out,
    })
}

fn several(transitions: &[Transition], time_unix: i64) -> Event {
    let is_down = |transition: &&Transition| transition.to() == Shown::Down;
    let down = transitions.iter().filter(is_down).count();
    let up = transitions.len() - down;
    let named = transitions.iter().take(MOST_NAMED);
    let names: Vec<String> = named.clone().map(name).collect();
    let mut text = format!("{} more endpoints changed: ", transitions.len());
    text.push_str(&format!(
        "{down} are down, {up} are up: {}",
        names.join(", ")
    ));
    if transitions.len() > MOST_NAMED {
        text.push_str(&format!(" and {} others", transitions.len() - MOST_NAMED));
    }
    let endpoints: Vec<Value> = named.map(|one| details(one, 0)).collect();
    Event {
        kind: EventKind::Endpoint,
        name: format!("{} endpoints", transitions.len()),
        state: if down > 0 { "down" } else { "up" },
        text,
        details: json!({ "down": down, "up": up, "endpoints": endpoints }),
        time_unix,
    }
}

#[cfg(test)]
mod tests {
    use janua_upstream::{Address, FailingRequests, Ill};

    use super::*;

    fn change(port: u16, is_up: bool) -> Transition {
        Transition {
            upstream: "app".into(),
            endpoint: Address::Ip(([127, 0, 0, 1], port).into()),
            from: if is_up { Shown::Down } else { Shown::Up },
            ill: (!is_up).then_some(Ill::Requests(FailingRequests {
                word: "refused",
                count: 3,
                since_ms: Some(0),
                is_ejected: false,
            })),
            lasted_ms: 65_000,
            failing_ms: 2_500,
            is_draining: false,
        }
    }

    #[test]
    fn an_event_says_all_that_is_known() {
        let down = event(
            &Notice::One {
                transition: change(1, false),
                at_ms: 0,
                left_out: 2,
            },
            7,
        );
        assert_eq!(
            (down.name.as_str(), down.state),
            ("app 127.0.0.1:1", "down")
        );
        assert_eq!(
            down.text,
            "endpoint 127.0.0.1:1 of upstream app is down: requests refused, 3 times in a row; \
             requests are still sent to it; 2 changes before are left out"
        );
        assert_eq!(
            down.details,
            json!({
                "upstream": "app", "endpoint": "127.0.0.1:1", "from": "up", "to": "down",
                "reason": {
                    "failed": "requests", "failure": "refused", "status": null, "detail": "",
                    "count": 3, "failing_seconds": 2,
                },
                "left_out": 2,
            })
        );
        let up = event(
            &Notice::One {
                transition: change(1, true),
                at_ms: 0,
                left_out: 0,
            },
            7,
        );
        assert_eq!(
            up.text,
            "endpoint 127.0.0.1:1 of upstream app is up, after 65 s"
        );
        assert_eq!(up.details["reason"], Value::Null);
    }

    #[test]
    fn a_summary_counts_all_and_names_some() {
        let transitions: Vec<Transition> = (1..=30).map(|port| change(port, port > 25)).collect();
        let at_ms = 0;
        let summary = event(&Notice::Several { transitions, at_ms }, 7);
        assert!(
            summary
                .text
                .starts_with("30 more endpoints changed: 25 are down, 5 are up: app 127.0.0.1:1, "),
            "{}",
            summary.text
        );
        assert!(summary.text.ends_with(" and 10 others"), "{}", summary.text);
        assert_eq!(summary.details["endpoints"].as_array().unwrap().len(), 20);
    }
}
