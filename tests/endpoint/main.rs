//! An endpoint as a process of its own, which a test can kill, stop, or make misbehave.
//!
//! `janua-test-endpoint NAME ADDRESS JOURNAL` serves HTTP/1.1 and says `ready` once it listens.
//! Every request that it has received completely is written to the journal, a line with the method
//! and the path, before anything else is done with it: what a killed process has received is there
//! all the same. `/health` is not written.
//!
//! Each line on the standard input says how it behaves from now on, and is answered with `ok`:
//!
//! | line | what becomes of a request |
//! |---|---|
//! | `well` | it is answered |
//! | `slow` | it is answered after half a minute |
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

use janua_tests::{Endpoint, Received, Reply, Upstream, Visit};
use rustix::process::{Signal, set_parent_process_death_signal};

/// How long a slow endpoint takes: longer than any patience.
const SLOW: Duration = Duration::from_secs(30);

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
    let behaviour = arguments.next();
    let server = Arc::new(Server {
        name,
        journal,
        behaviour: Mutex::new(Behaviour::named(behaviour.as_deref().unwrap_or("well"))),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _listening = runtime.block_on({
        let server = Arc::clone(&server);
        Upstream::at(Endpoint::Tcp(address), move |visit| {
            let server = Arc::clone(&server);
            async move { server.serve(visit).await }
        })
    });
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

impl Server {
    async fn serve(&self, mut visit: Visit) {
        while let Ok(request) = visit.wire.receive_request().await {
            let is_check = request.target == "/health";
            if !is_check {
                self.note(&request);
            }
            let behaviour = *self.behaviour.lock().unwrap();
            let reply = match behaviour {
                Behaviour::Reset => return visit.wire.reset_on_drop(),
                Behaviour::Silent => return std::future::pending().await,
                Behaviour::Half => {
                    visit.wire.finish().await;
                    let _ = visit.wire.take_rest().await;
                    return;
                }
                Behaviour::Unready if is_check => Reply::new(503),
                Behaviour::Slow => {
                    tokio::time::sleep(SLOW).await;
                    self.reply(&request)
                }
                Behaviour::Well | Behaviour::Unready => self.reply(&request),
            };
            let bytes = reply.to_bytes(&request.method);
            if visit.wire.try_send(bytes).await.is_err() {
                return;
            }
        }
    }

    /// One write, so that lines of a process that is killed are whole.
    fn note(&self, request: &Received) {
        let line = format!("{} {}\n", request.method, request.target);
        (&self.journal)
            .write_all(line.as_bytes())
            .expect("the journal can be written");
    }

    /// It says who has answered what, with what body.
    fn reply(&self, request: &Received) -> Reply {
        let received = format!("{} {} ", request.target, request.body.len());
        Reply::ok(received.repeat(20)).header("X-Endpoint", &self.name)
    }
}
