//! One client connection of HTTP/2, which carries several requests at the same time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::connection::Step;
use super::outcome::Failure;
use crate::http2::{Conversation, Finished, Payload};
use crate::tls::Session;

/// A connection with several requests under way.
pub(super) struct Multiplexed {
    pub(super) stream: TcpStream,
    tls: Option<Session>,
    /// The TLS handshake is not complete.
    pub(super) handshaking: bool,
    conversation: Conversation,
}

impl Multiplexed {
    /// Takes over a connection whose TLS handshake may be under way.
    pub(super) fn new(stream: TcpStream, tls: Option<Session>, payload: Payload) -> Self {
        Self {
            handshaking: tls.is_some(),
            stream,
            tls,
            conversation: Conversation::new(payload),
        }
    }

    /// The number of requests under way.
    pub(super) fn busy(&self) -> usize {
        self.conversation.busy()
    }

    /// Adds a request to those that [`flush`](Self::flush) sends.
    pub(super) fn ask(&mut self, block: &[u8], due: Instant) {
        self.conversation.ask(block, due);
    }

    /// Sends all frames that wait, together.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.handshaking || self.conversation.out.is_empty() {
            return Ok(());
        }
        match &mut self.tls {
            Some(tls) => tls.send(&mut self.stream, &self.conversation.out)?,
            // More than the socket's buffer holds is an error here too.
            None => self.stream.write_all(&self.conversation.out)?,
        }
        self.conversation.out.clear();
        Ok(())
    }

    /// Reads until no bytes are available, and appends the requests that have finished. If the
    /// connection is of no further use, these are all that were under way.
    pub(super) fn receive(&mut self, scratch: &mut [u8], finished: &mut Vec<Finished>) -> Step {
        if let (true, Some(tls)) = (self.handshaking, &mut self.tls) {
            return match tls.shake_hands(&mut self.stream) {
                Ok(false) => Step::Waits,
                Ok(true) if tls.speaks_http2() => {
                    self.handshaking = false;
                    Step::Ready
                }
                _ => Step::Broken(Failure::Connect),
            };
        }
        loop {
            let read = match &mut self.tls {
                Some(tls) => tls.receive(&mut self.stream, scratch),
                None => self.stream.read(scratch),
            };
            let read = match read {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) | Ok(0) => return self.end(Failure::Reset, finished),
                Ok(read) => read,
            };
            let bytes = scratch.get(..read).unwrap_or_default();
            if let Err(failure) = self.conversation.take(bytes, finished) {
                return self.end(failure, finished);
            }
            // Less than asked for is all there is. TLS returns one record at a time.
            if self.tls.is_none() && read < scratch.len() {
                break;
            }
        }
        match (self.conversation.is_ending(), self.busy()) {
            (false, _) => Step::Waits,
            (true, 0) => Step::ClosedIdle,
            (true, _) => Step::Ending,
        }
    }

    /// Gives up the requests under way.
    pub(super) fn end(&mut self, reason: Failure, finished: &mut Vec<Finished>) -> Step {
        if self.busy() == 0 {
            return Step::ClosedIdle;
        }
        self.conversation.give_up(reason, finished);
        Step::Gone
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use super::super::{Ask, Generator, Outcome, Pace, Target};
    use crate::tls::Over;

    use super::*;

    // Frames of a server: length, type, flags, stream.
    const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    const GOAWAY: &[u8] = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";

    fn answer(stream: u8) -> Vec<u8> {
        let head = b"\0\0\x01\x01\x04\0\0\0\0\x88";
        let body = b"\0\0\x02\0\x01\0\0\0\0ok";
        let mut both = [&head[..], body].concat();
        for at in [8, 18] {
            both[at] = stream;
        }
        both
    }

    /// A server for one connection after the other. It answers requests as soon as there are
    /// sixteen, a number of times, and then does something else.
    fn serve(listener: &TcpListener, times: u8, then: impl Fn(&mut TcpStream)) {
        loop {
            let (mut peer, _) = listener.accept().unwrap();
            peer.write_all(SETTINGS).unwrap();
            let mut came = Vec::new();
            let mut answered = 0;
            let mut chunk = [0; 4096];
            while answered < times {
                let Ok(read @ 1..) = peer.read(&mut chunk) else {
                    break;
                };
                came.extend_from_slice(&chunk[..read]);
                // Every request has this field.
                let seen = came.windows(9).filter(|at| at == b"x-api-key").count();
                if seen == 16 * (usize::from(answered) + 1) {
                    let first = answered * 16;
                    let answers = (first..first + 16).map(|number| answer(2 * number + 1));
                    peer.write_all(&answers.flatten().collect::<Vec<u8>>())
                        .unwrap();
                    answered += 1;
                }
            }
            then(&mut peer);
        }
    }

    /// Asks until a connection has been replaced; each window may end in the middle of one.
    fn outcome(then: impl Fn(&mut TcpStream) + Send + 'static) -> Outcome {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target {
            address: listener.local_addr().unwrap(),
            ask: Ask::plain("/", 2).over(Over::Http2),
            connections: 1,
            pace: Pace::Closed,
        };
        std::thread::spawn(move || serve(&listener, 3, then));
        let mut generator = Generator::connect(&[target]).unwrap();
        loop {
            let mut outcomes = generator.run(Duration::from_millis(200)).unwrap();
            let outcome = outcomes.pop().unwrap();
            assert_eq!(outcome.answered % 16, 0, "{outcome:?}");
            assert_eq!(outcome.failed() % 16, 0, "{outcome:?}");
            if outcome.answered >= 96 {
                return outcome;
            }
        }
    }

    #[test]
    fn a_connection_carries_sixteen_requests_and_is_replaced() {
        // Three times sixteen answers on each connection, then the end for the next sixteen.
        let closed = outcome(|_| {});
        assert!(closed.failed() >= 16, "{closed:?}");
        // The same, but the server says that it has not taken those requests.
        outcome(|peer| peer.write_all(GOAWAY).unwrap());
    }
}
