//! A client of HTTP/2 that is spoken to in HTTP/1.1, so that tests written for that also test
//! HTTP/2: a [`Wire`] ends in memory at a task, which translates each request, sends it to the
//! gateway, and writes the response back as HTTP/1.1.
//!
//! | HTTP/1.1, at the wire | HTTP/2, at the gateway |
//! |---|---|
//! | pipelined requests | one after the other, on one connection |
//! | the client closes its sending side | the stream in progress is completed, then the connection ends |
//! | the wire is dropped | streams are reset with CANCEL, and the connection ends |
//! | the wire is dropped with a reset | the TCP connection is reset |
//! | a reset of the connection | the stream is reset, or the connection is lost |
//! | the connection ends after a response | GOAWAY, or a response that stops the upload |
//!
//! Nothing is read from the gateway that the wire does not take, except for what fits one window
//! of HTTP/2 and the memory between the two, and the same applies to the other direction.
//!
//! HTTP/1.0, upgrades and malformed messages have no counterpart: the connection ends with a
//! reset that says so. The letter case of names and the reason phrase are lost.

mod exchange;
mod near;

use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Ping, PingPong, Reason};
use http::uri::Scheme;
use tokio::io::{DuplexStream, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::ANY_FRAMES;
use super::head::Outgoing;
use super::intake::{Fault, Intake};
use crate::background;
use crate::wire::{Stream, Wire};
use exchange::exchange;
use near::Far;
pub(crate) use near::Near;

/// The memory between wire and adapter, in each direction, in bytes.
const BETWEEN: usize = 16 * 1024;
/// The time limit for a connection to end in good order.
const FAREWELL: Duration = Duration::from_secs(1);

/// What an adapter works with.
struct Adapter {
    client: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
    pings: Option<PingPong>,
    intake: Intake<ReadHalf<DuplexStream>>,
    outlet: WriteHalf<DuplexStream>,
    far: Far,
    scheme: Scheme,
}

/// How the connection ends at the wire.
#[derive(Debug)]
enum Ending {
    /// It is closed.
    Closed,
    /// The test has dropped the wire.
    Gone,
    /// It is reset.
    Reset(String),
}

/// Puts an adapter between a test and a connection on which nothing has been sent yet.
pub(crate) fn adapt(wire: Wire) -> Wire {
    let handshake = wire.optional_handshake().cloned();
    let scheme = match handshake {
        Some(_) => Scheme::HTTPS,
        None => Scheme::HTTP,
    };
    let stream = wire.into_stream();
    let (near, duplex, far) = near::pair(&stream, BETWEEN);
    // A test that blocks, as while it waits for the end of the gateway, must not keep it open.
    background::runtime().spawn(run(stream, duplex, far, scheme));
    Wire::adapted(near, handshake)
}

async fn run(stream: Stream, duplex: DuplexStream, far: Far, scheme: Scheme) {
    let mut builder = h2::client::Builder::new();
    builder.enable_push(false).data_frame_budget(ANY_FRAMES);
    let (client, mut connection) = match builder.handshake(stream).await {
        Ok(opened) => opened,
        Err(error) => return far.end(&Ending::of(&error)),
    };
    let (reading, outlet) = tokio::io::split(duplex);
    let mut adapter = Adapter {
        client,
        pings: connection.ping_pong(),
        connection: tokio::spawn(connection),
        intake: Intake::new(reading),
        outlet,
        far,
        scheme,
    };
    let ending = adapter.serve().await;
    adapter.finish(ending).await;
}

impl Adapter {
    /// Translates until the connection ends on one of its sides.
    async fn serve(&mut self) -> Ending {
        loop {
            let head = tokio::select! {
                biased;
                ended = &mut self.connection => return match ended {
                    Ok(Err(error)) => Ending::of(&error),
                    Ok(Ok(())) | Err(_) => Ending::Closed,
                },
                head = self.intake.head() => head,
            };
            let outgoing = match head {
                Ok(Some(head)) => Outgoing::of(&head, &self.scheme),
                Ok(None) | Err(Fault::Ended) => return Ending::Closed,
                Err(Fault::Untranslatable(what)) => Err(what),
            };
            let outgoing = match outgoing {
                Ok(outgoing) => outgoing,
                Err(what) => return Ending::untranslatable(&what),
            };
            match exchange(self, outgoing).await {
                Ok(true) => {}
                Ok(false) => return Ending::Closed,
                Err(ending) => return ending,
            }
        }
    }

    /// Waits until the gateway has received what was sent to it. What a test sent before it
    /// went away must arrive, as over HTTP/1.1.
    async fn settle(&mut self) {
        if let Some(pings) = &mut self.pings {
            let _ = timeout(FAREWELL, pings.ping(Ping::opaque())).await;
        }
    }

    async fn finish(self, ending: Ending) {
        let Self {
            client,
            mut connection,
            intake,
            outlet,
            far,
            ..
        } = self;
        if far.is_aborted() {
            connection.abort();
        }
        drop(client);
        far.end(&ending);
        // The wire sees the end at once. What the gateway sees follows.
        drop((intake, outlet));
        if !connection.is_finished() && timeout(FAREWELL, &mut connection).await.is_err() {
            connection.abort();
        }
    }
}

impl Ending {
    fn of(error: &h2::Error) -> Self {
        if error.is_go_away() && error.reason() == Some(Reason::NO_ERROR) {
            Self::Closed
        } else {
            Self::Reset(error.to_string())
        }
    }

    fn untranslatable(what: &str) -> Self {
        Self::Reset(format!("HTTP/2 has nothing like this: {what}"))
    }
}

impl From<Fault> for Ending {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Ended => Self::Gone,
            Fault::Untranslatable(what) => Self::untranslatable(&what),
        }
    }
}
