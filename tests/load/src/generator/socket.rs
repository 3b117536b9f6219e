//! One client connection with a WebSocket: a message counts as a request, and the same message
//! that comes back as its response.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::connection::{HEAD_LIMIT, Step};
use super::outcome::Failure;
use crate::tls::HOST;
use crate::websocket::{ACCEPT, UPGRADE};

/// A connection with at most one message under way.
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    /// The received part of the response to the opening handshake, as long as it is under way.
    opening: Option<Vec<u8>>,
    /// The frame that must come back.
    expected: Vec<u8>,
    /// When the message under way was due.
    due: Option<Instant>,
    /// What has come back of it.
    came: Vec<u8>,
}

impl Socket {
    /// Takes over a new connection, and sends the request of the opening handshake.
    pub(super) fn open(mut stream: TcpStream, path: &str, expected: Vec<u8>) -> io::Result<Self> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{UPGRADE}\r\n");
        stream.write_all(request.as_bytes())?;
        Ok(Self {
            stream,
            opening: Some(Vec::new()),
            expected,
            due: None,
            came: Vec::new(),
        })
    }

    /// True while no message can be sent yet.
    pub(super) fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    pub(super) fn busy(&self) -> bool {
        self.due.is_some()
    }

    /// Sends a message; its latency counts from `due`.
    pub(super) fn send(&mut self, message: &[u8], due: Instant) -> Result<(), Failure> {
        self.stream.write_all(message).map_err(|_| Failure::Reset)?;
        self.came.clear();
        self.due = Some(due);
        Ok(())
    }

    /// Reads until no bytes are available, the handshake or the message is complete.
    pub(super) fn receive(&mut self, scratch: &mut [u8]) -> Step {
        loop {
            let read = match self.stream.read(scratch) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Step::Waits,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) | Ok(0) => return self.ended(),
                Ok(read) => read,
            };
            let bytes = scratch.get(..read).unwrap_or_default();
            let step = match &mut self.opening {
                Some(head) => {
                    head.extend_from_slice(bytes);
                    let step = opened_by(head);
                    if matches!(step, Step::Ready) {
                        self.opening = None;
                    }
                    step
                }
                None => self.take(bytes),
            };
            if !matches!(step, Step::Waits) {
                return step;
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Step {
        let Some(due) = self.due else {
            return Step::Broken(Failure::Malformed);
        };
        self.came.extend_from_slice(bytes);
        if !self.expected.starts_with(&self.came) {
            return Step::Broken(Failure::Echo);
        }
        if self.came.len() < self.expected.len() {
            return Step::Waits;
        }
        self.due = None;
        Step::Whole {
            due,
            wrong: None,
            closes: false,
        }
    }

    fn ended(&self) -> Step {
        match (&self.opening, self.due) {
            (Some(_), _) => Step::Broken(Failure::Connect),
            (None, None) => Step::ClosedIdle,
            (None, Some(_)) if self.came.is_empty() => Step::Broken(Failure::Reset),
            (None, Some(_)) => Step::Broken(Failure::Truncated),
        }
    }
}

/// What the received part of the response to the opening handshake means.
fn opened_by(head: &[u8]) -> Step {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut fields);
    match response.parse(head) {
        // The server speaks only after the client, so that nothing may follow.
        Ok(httparse::Status::Complete(end)) if end == head.len() => {
            let proven = response.headers.iter().any(|line| {
                line.name.eq_ignore_ascii_case("sec-websocket-accept")
                    && line.value == ACCEPT.as_bytes()
            });
            match response.code {
                Some(101) if proven => Step::Ready,
                _ => Step::Broken(Failure::Status),
            }
        }
        Ok(httparse::Status::Partial) if head.len() < HEAD_LIMIT => Step::Waits,
        Ok(_) if response.code != Some(101) => Step::Broken(Failure::Status),
        _ => Step::Broken(Failure::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use super::super::{Ask, Generator, Pace, Target};
    use super::*;

    #[test]
    fn the_response_to_the_handshake_is_judged() {
        let accept = format!("Sec-WebSocket-Accept: {ACCEPT}\r\n");
        for (head, expected) in [
            (
                format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n{accept}\r\n"),
                "ready",
            ),
            (
                format!("HTTP/1.1 101 Switching Protocols\r\n{accept}"),
                "waits",
            ),
            (format!("HTTP/1.1 200 OK\r\n{accept}\r\n"), "Status"),
            (
                "HTTP/1.1 502 No\r\nContent-Length: 2\r\n\r\nno".to_owned(),
                "Status",
            ),
            (
                "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n\r\n".to_owned(),
                "Status",
            ),
            (
                format!("HTTP/1.1 101 Yes\r\n{accept}\r\n\u{1}"),
                "Malformed",
            ),
            ("nonsense\r\n\r\n".to_owned(), "Malformed"),
        ] {
            let seen = match opened_by(head.as_bytes()) {
                Step::Ready => "ready".to_owned(),
                Step::Waits => "waits".to_owned(),
                Step::Broken(failure) => format!("{failure:?}"),
                _ => "neither".to_owned(),
            };
            assert_eq!(seen, expected, "{head:?}");
        }
    }

    /// A connection on which a message waits for its echo, and these bytes come in its place.
    fn after(came: &[u8]) -> Result<(), Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let mut socket = Socket {
            stream,
            opening: None,
            expected: b"\x82\x02ok".to_vec(),
            due: Some(Instant::now()),
            came: Vec::new(),
        };
        peer.write_all(came).unwrap();
        drop(peer);
        match socket.receive(&mut [0; 64]) {
            Step::Whole { wrong: None, .. } => Ok(()),
            Step::Broken(failure) => Err(failure),
            _ => panic!("neither whole nor broken"),
        }
    }

    #[test]
    fn an_echo_is_compared() {
        for (came, expected) in [
            (&b"\x82\x02ok"[..], Ok(())),
            (b"\x82\x02oh", Err(Failure::Echo)),
            (b"\x82\x02okk", Err(Failure::Echo)),
            (b"\x82\x02o", Err(Failure::Truncated)),
            (b"", Err(Failure::Reset)),
        ] {
            assert_eq!(after(came), expected, "{came:?}");
        }
    }

    #[test]
    fn messages_are_echoed_by_the_upstream() {
        let address = crate::process::free_address().unwrap();
        std::thread::spawn(move || crate::backend::serve(address, &crate::backend::Fleet::ONE));
        while crate::client::get(address, "/1k").is_err() {
            crate::process::pause(Duration::from_millis(2));
        }
        let target = |path: &str| Target {
            address,
            ask: Ask::message(path, 100),
            connections: 2,
            pace: Pace::Closed,
        };
        let targets = [target("/websocket"), target("/1k")];
        let mut generator = Generator::connect(&targets).unwrap();
        let (mut echoed, mut refused) = (0, 0);
        while echoed < 4 || refused < 4 {
            let outcomes = generator.run(Duration::from_millis(200)).unwrap();
            let contrary = (outcomes[0].failed(), outcomes[1].answered);
            assert_eq!(contrary, (0, 0), "{outcomes:?}");
            echoed += outcomes[0].answered;
            refused += outcomes[1].failed();
        }
    }
}
