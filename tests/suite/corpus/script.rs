//! Upstreams that answer by a script, one for each case, and a client that asks twice.
//!
//! Each case has an upstream and a route of its own, since what an upstream did once
//! decides how its next connection is treated. The client's second request shows
//! that: whether its own connection goes on, whether the upstream's was used again,
//! and what was stored.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use janua_tests::{Gateway, Settings, Upstream, Visit, Wire};
use tokio::sync::Notify;

use super::inbox::{Body, Framing, Head, Inbox};
use super::text::{write, write_line};

/// An answer, and the request that it is an answer to.
pub(crate) struct Case {
    /// Its name in the record.
    pub(crate) name: String,
    /// Further lines of its route.
    pub(crate) route: &'static str,
    /// The method of the request.
    pub(crate) method: &'static str,
    /// The rest of it: version, field lines, body. `{version}` comes first.
    pub(crate) request: &'static str,
    /// Whether the upstream answers before it has read the request's body.
    pub(crate) is_early: bool,
    /// What it does.
    pub(crate) steps: Vec<Step>,
}

/// One thing that an upstream does.
#[derive(Clone)]
pub(crate) enum Step {
    /// It sends bytes at once.
    Send(Vec<u8>),
    /// It waits until the client has the head of a response.
    AwaitClient,
    /// It closes the connection.
    Close,
    /// It resets the connection.
    Reset,
}

/// The gateway, and the upstreams of all cases.
pub(crate) struct Stage {
    gateway: Gateway,
    played: Vec<(Case, Arc<Played>, Upstream)>,
}

/// What happens in a case.
#[derive(Default)]
struct Played {
    steps: Vec<Step>,
    is_early: bool,
    requests: AtomicUsize,
    seen: Mutex<String>,
    client_has_head: Notify,
}

const MARGIN: &str = "    | ";

impl Stage {
    pub(crate) async fn start(cases: Vec<Case>) -> Self {
        let mut config = String::from(
            r#"
[listeners.public]
address = "127.0.0.1:0"

[policies.edit]
component = "headers"
[policies.edit.config.response]
remove = ["Server"]
[policies.edit.config.response.set]
X-Answered = "{status} by {answered_by}"

[[sites]]
hosts = ["*"]
"#,
        );
        let mut played = Vec::new();
        for (number, case) in cases.into_iter().enumerate() {
            let play = Arc::new(Played {
                steps: case.steps.clone(),
                is_early: case.is_early,
                ..Played::default()
            });
            let upstream = {
                let play = Arc::clone(&play);
                Upstream::raw(move |visit| visit_of(visit, Arc::clone(&play))).await
            };
            let (endpoint, route) = (upstream.endpoint(), case.route);
            let _ = write!(
                config,
                "\n[[sites.routes]]\npath = \"/{number}/\"\nupstream = \"u{number}\"\n{route}\n\
                 [upstreams.u{number}]\nendpoints = [\"{endpoint}\"]\nmax_response_head = \"4KiB\"\n"
            );
            played.push((case, play, upstream));
        }
        let gateway = Settings::new().workers(1).start(config).await;
        Self { gateway, played }
    }

    /// How many cases there are.
    pub(crate) fn len(&self) -> usize {
        self.played.len()
    }

    /// Plays a case: its name and its transcript.
    pub(crate) async fn play(&self, number: usize) -> (String, String) {
        let (case, play, _) = &self.played[number];
        let mut text = String::new();
        for step in &case.steps {
            match step {
                Step::Send(bytes) => write_line(&mut text, "> ", bytes),
                Step::AwaitClient => text += "> (the client has a head)\n",
                Step::Close => text += "> (closed)\n",
                Step::Reset => text += "> (reset)\n",
            }
        }
        let mut wire = self.gateway.connect().await;
        let (method, rest) = (case.method, case.request);
        wire.send(format!("{method} /{number}/ {rest}")).await;
        let goes_on = ask(&mut wire, method, play, &mut text).await;
        if !goes_on {
            wire = self.gateway.connect().await;
        }
        text += "again:\n";
        wire.send(format!(
            "GET /{number}/ HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
        ))
        .await;
        ask(&mut wire, "GET", play, &mut text).await;
        text += &play.seen.lock().unwrap();
        // The number of a case is no part of what is recorded.
        let text = text.replace(&format!(" /{number}/ "), " /case/ ");
        (case.name.clone(), text)
    }
}

/// Reads the responses to one request; true if the connection goes on behind them.
async fn ask(wire: &mut Wire, method: &str, play: &Played, text: &mut String) -> bool {
    let mut client = Inbox::new(wire);
    while let Some(head) = client.head().await {
        play.client_has_head.notify_one();
        let framing = head.response_framing(method);
        let body = client.body(framing).await;
        write(text, "< ", &head, framing, &body);
        if head.status() == 101 {
            let _ = client.wire.try_send("from the client").await;
            client.wire.finish().await;
            break;
        }
        if head.status() >= 200 {
            if head.closes() || framing == Framing::UntilClose || body.fault.is_some() {
                break;
            }
            text.push_str("the connection goes on\n");
            return true;
        }
    }
    let rest = client.rest().await;
    if !rest.is_empty() {
        write_line(text, "< besides: ", &rest);
    }
    let end = format!("the connection ends: {:?}", client.end().unwrap());
    write_line(text, "", end.as_bytes());
    false
}

/// One connection to an upstream: the first request is answered by the script, those
/// that follow with 200.
async fn visit_of(mut visit: Visit, play: Arc<Played>) {
    let number = visit.number;
    loop {
        let mut gateway = Inbox::new(&mut visit.wire);
        let Some(head) = gateway.head().await else {
            return;
        };
        let is_first = play.requests.fetch_add(1, SeqCst) == 0;
        let framing = head.request_framing();
        if is_first && play.is_early {
            note(&play, number, &head, Framing::None, &Body::default());
        } else {
            let body = gateway.body(framing).await;
            note(&play, number, &head, framing, &body);
        }
        if !is_first {
            let answer =
                "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 5\r\n\r\nagain";
            let _ = gateway.wire.try_send(answer).await;
            continue;
        }
        for step in &play.steps {
            match step {
                Step::Send(bytes) => {
                    let _ = gateway.wire.try_send(bytes).await;
                }
                Step::AwaitClient => play.client_has_head.notified().await,
                Step::Close => return,
                Step::Reset => {
                    visit.wire.reset_on_drop();
                    return;
                }
            }
        }
        if play.is_early {
            // What is left of the request's body belongs to no request.
            let _ = gateway.rest().await;
            return;
        }
    }
}

/// Writes a request down; one like the first in a word.
fn note(play: &Played, connection: usize, head: &Head, framing: Framing, body: &Body) {
    let mut request = String::new();
    write(&mut request, MARGIN, head, framing, body);
    let mut seen = play.seen.lock().unwrap();
    if seen.contains(&request) {
        request = format!("{MARGIN}the same\n");
    }
    let _ = write!(seen, "{MARGIN}on connection {connection}:\n{request}");
}
