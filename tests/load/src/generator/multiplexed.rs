//! One client connection of HTTP/2, which carries several requests at the same time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::connection::Step;
use super::outcome::Failure;
use crate::http2::{Conversation, Finished};
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
    /// Takes over a connection whose TLS handshake may be under way. Each response must have
    /// `length` bytes of body.
    pub(super) fn new(stream: TcpStream, tls: Option<Session>, length: usize) -> Self {
        Self {
            handshaking: tls.is_some(),
            stream,
            tls,
            conversation: Conversation::new(length),
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
