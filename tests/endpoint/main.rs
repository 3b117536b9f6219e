//! An endpoint as a process of its own, which a test can kill, stop, or make misbehave.
//!
//! `janua-test-endpoint NAME ADDRESS JOURNAL BEHAVIOUR HTTP` says `ready` once it listens. `HTTP` is
//! `1.1`, or `2` with prior knowledge, which knows neither `reset` nor `half`. Every request that it
//! has received completely is written to the journal, a line with the method and the path, before
//! anything else is done with it: what a killed process has received is there all the same.
//! `/health` is not written.
//!
//! Each line on the standard input says how it behaves from now on, and is answered with `ok`:
//!
//! | line | what becomes of a request |
//! |---|---|
//! | `well` | it is answered |
//! | `slow` | it is answered after five minutes |
//! | `reset` | the connection is reset |
//! | `silent` | nothing; the connection stays open |
//! | `half` | nothing, and the sending side of the connection is closed |
//! | `unready` | it is answered, but `/health` with 503 |
//!
//! It ends with its standard input, and with the thread that has started it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a stand-in that cannot go on fails the test that runs it"
)]

use std::fs::File;
use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use janua_tests::{Endpoint, Http2Habits, Http2Upstream, Received, Reply, Upstream, Visit};
use rustix::process::{Signal, set_parent_process_death_signal};

/// How long a slow endpoint takes: longer than any patience.
const SLOW: Duration = Duration::from_secs(300);
/// The path of its health check.
const CHECK: &str = "/health";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    Well,
    Slow,
    Reset,
    Silent,
    Half,
    Unready,
}

impl Behaviour {
    fn named(word: &str) -> Self {
        match word {
            "well" => Self::Well,
            "slow" => Self::Slow,
            "reset" => Self::Reset,
            "silent" => Self::Silent,
            "half" => Self::Half,
            "unready" => Self::Unready,
            other => panic!("no behaviour is called {other:?}"),
        }
    }
}

/// What all connections share.
struct Server {
    name: String,
    journal: File,
    behaviour: Mutex<Behaviour>,
}

fn main() {
    // The kernel does it even while this process is stopped.
    set_parent_process_death_signal(Some(Signal::KILL)).expect("the kernel has this signal");
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| {
        arguments
            .next()
            .unwrap_or_else(|| panic!("{what} is missing"))
    };
    let name = next("the name");
    let address: SocketAddr = next("the address").parse().expect("an address");
    let journal = File::options()
        .create(true)
        .append(true)
        .open(next("the journal"))
        .expect("the journal can be written");
    let behaviour = Behaviour::named(&next("the behaviour"));
    let http = next("the version of HTTP");
    let server = Arc::new(Server {
        name,
        journal,
        behaviour: Mutex::new(behaviour),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _listening = runtime.block_on(server.clone().listen(&http, address));
    say("ready");
    for line in stdin().lock().lines() {
        let Ok(line) = line else {
            break;
        };
        *server.behaviour.lock().unwrap() = Behaviour::named(&line);
        say("ok");
    }
}

fn say(word: &str) {
    let mut out = stdout().lock();
    // If nobody reads it, the standard input ends too.
    let _ = writeln!(out, "{word}").and_then(|()| out.flush());
}

/// What listens, as long as it is there.
enum Listening {
    Http1 { _server: Upstream },
    Http2 { _server: Http2Upstream },
}

impl Server {
    async fn listen(self: Arc<Self>, http: &str, address: SocketAddr) -> Listening {
        match http {
            "1.1" => Listening::Http1 {
                _server: Upstream::at(Endpoint::Tcp(address), move |visit| {
                    let server = Arc::clone(&self);
                    async move { server.serve(visit).await }
                })
                .await,
            },
            "2" => {
                let habits = Http2Habits {
                    address: Some(address),
                    ..Http2Habits::default()
                };
                Listening::Http2 {
                    _server: Http2Upstream::http_with(habits, move |request| {
                        let server = Arc::clone(&self);
                        async move {
                            let behaviour = server.behaviour();
                            server.answer(&request, behaviour).await
                        }
                    })
                    .await,
                }
            }
            other => panic!("no version of HTTP is called {other:?}"),
        }
    }

    /// A connection of HTTP/1.1.
    async fn serve(&self, mut visit: Visit) {
        while let Ok(request) = visit.wire.receive_request().await {
            let behaviour = self.behaviour();
            match behaviour {
                Behaviour::Reset => {
                    self.note(&request);
                    return visit.wire.reset_on_drop();
                }
                Behaviour::Half => {
                    self.note(&request);
                    visit.wire.finish().await;
                    let _ = visit.wire.take_rest().await;
                    return;
                }
                _ => {}
            }
            let reply = self.answer(&request, behaviour).await;
            let bytes = reply.to_bytes(&request.method);
            if visit.wire.try_send(bytes).await.is_err() {
                return;
            }
        }
    }

    /// The reply to a request, if there is one.
    async fn answer(&self, request: &Received, behaviour: Behaviour) -> Reply {
        let is_check = request.target == CHECK;
        if !is_check {
            self.note(request);
        }
        match behaviour {
            Behaviour::Silent => return std::future::pending().await,
            Behaviour::Unready if is_check => return Reply::new(503),
            Behaviour::Slow => tokio::time::sleep(SLOW).await,
            Behaviour::Reset | Behaviour::Half => panic!("HTTP/2 does not do this"),
            Behaviour::Well | Behaviour::Unready => {}
        }
        // Who has answered what, with what body.
        let received = format!("{} {} ", request.target, request.body.len());
        Reply::ok(received.repeat(20)).header("X-Endpoint", &self.name)
    }

    fn behaviour(&self) -> Behaviour {
        *self.behaviour.lock().unwrap()
    }

    /// One write, so that lines of a process that is killed are whole.
    fn note(&self, request: &Received) {
        let line = format!("{} {}\n", request.method, request.target);
        (&self.journal)
            .write_all(line.as_bytes())
            .expect("the journal can be written");
    }
}
