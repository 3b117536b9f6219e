//! One client connection: sends a request, and checks the response while receiving it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{self, AddressFamily, RecvFlags, SocketType, recv};
use rustls::ClientConfig;

use super::ask::Body;
use super::chunks::Chunks;
use super::outcome::Failure;
use crate::tls::Session;

const CONNECT_LIMIT: Duration = Duration::from_millis(500);
/// Requests of up to this length fit into the buffer of any socket.
const SMALL_REQUEST: usize = 8 * 1024;
/// The longest head of a response, in bytes.
pub(super) const HEAD_LIMIT: usize = 16 * 1024;

/// A connection with at most one request under way.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    tls: Option<Session>,
    /// The TLS handshake is not complete.
    handshaking: bool,
    pending: Option<Pending>,
}

/// The request under way, and the received part of its response.
struct Pending {
    due: Instant,
    head: Vec<u8>,
    body: Option<Expected>,
}

/// What a parsed response head announced.
struct Expected {
    framing: Framing,
    /// Bytes of body received.
    came: usize,
    body: Body,
    closes: bool,
    wrong: Option<Failure>,
}

/// How the end of the body is determined.
enum Framing {
    /// This many bytes are left.
    Length(usize),
    Chunked(Chunks),
}

/// The state of a connection after reading the available bytes.
pub(super) enum Step {
    /// The TLS handshake is complete, and a request can be sent.
    Ready,
    /// The response is not complete yet.
    Waits,
    /// The response is complete; `closes` is true if the connection ends with it.
    Whole {
        due: Instant,
        wrong: Option<Failure>,
        closes: bool,
    },
    /// The connection and its request have failed.
    Broken(Failure),
    /// The contender accepts no further requests on the connection.
    Ending,
    /// The connection has failed; its requests are reported on their own.
    Gone,
    /// The contender closed the connection while no request was under way.
    ClosedIdle,
}

/// Connects within half a second. On loopback, it only takes longer if the backlog is full. With
/// TLS, this sends the ClientHello; the receiving function of a connection tells when the
/// handshake is complete.
pub(super) fn open(
    address: SocketAddr,
    source: Option<Ipv4Addr>,
    tls: Option<&Arc<ClientConfig>>,
) -> io::Result<(TcpStream, Option<Session>)> {
    let mut stream = match source {
        Some(source) => connect_from(source, address)?,
        None => TcpStream::connect_timeout(&address, CONNECT_LIMIT)?,
    };
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let mut tls = tls.map(Session::new).transpose()?;
    if let Some(tls) = &mut tls {
        tls.shake_hands(&mut stream)?;
    }
    Ok((stream, tls))
}

/// Connects from an address of this machine. On loopback, without a limit of time.
fn connect_from(source: Ipv4Addr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    net::bind(&socket, &SocketAddr::from((source, 0)))?;
    net::connect(&socket, &address)?;
    Ok(socket.into())
}

impl Connection {
    /// Takes over a connection whose TLS handshake may be under way.
    pub(super) fn new(stream: TcpStream, tls: Option<Session>) -> Self {
        Self {
            handshaking: tls.is_some(),
            stream,
            tls,
            pending: None,
        }
    }

    /// True while no request can be sent yet.
    pub(super) fn is_handshaking(&self) -> bool {
        self.handshaking
    }

    pub(super) fn busy(&self) -> bool {
        self.pending.is_some()
    }

    /// Sends a request; its latency counts from `due`. The buffer of the socket is enlarged
    /// for an upload, so that a request which does not fit into it is a failure.
    pub(super) fn send(&mut self, request: &[u8], due: Instant) -> Result<(), Failure> {
        if request.len() > SMALL_REQUEST {
            // Twice the length, because of the kernel's overhead; the kernel may grant less.
            let _ = set_socket_send_buffer_size(&self.stream, 2 * request.len());
        }
        let sent = match &mut self.tls {
            Some(tls) => tls.send(&mut self.stream, request),
            // More than the socket's buffer holds is an error here too.
            None => self.stream.write_all(request),
        };
        if sent.is_err() {
            return Err(Failure::Reset);
        }
        self.pending = Some(Pending {
            due,
            head: Vec::new(),
            body: None,
        });
        Ok(())
    }

    /// Reads until no bytes are available, the handshake or the response is complete.
    pub(super) fn receive(&mut self, scratch: &mut [u8], body: Body) -> Step {
        if let (true, Some(tls)) = (self.handshaking, &mut self.tls) {
            return match tls.shake_hands(&mut self.stream) {
                Ok(false) => Step::Waits,
                Ok(true) => {
                    self.handshaking = false;
                    Step::Ready
                }
                Err(_) => Step::Broken(Failure::Connect),
            };
        }
        let Some(pending) = &mut self.pending else {
            return self.receive_idle(scratch);
        };
        loop {
            let read = match (&mut self.tls, &pending.body) {
                (Some(tls), _) => tls.receive(&mut self.stream, scratch),
                // The rest of a body is counted and dropped inside the kernel, because
                // copying it would make the generator more expensive than the proxies.
                // Chunks must be parsed.
                (
                    None,
                    Some(Expected {
                        framing: Framing::Length(_),
                        ..
                    }),
                ) => recv(&self.stream, &mut *scratch, RecvFlags::TRUNC)
                    .map(|(_, length)| length)
                    .map_err(io::Error::from),
                _ => self.stream.read(scratch),
            };
            match read {
                Ok(0) => return pending.broken(),
                Ok(read) => pending.take(scratch.get(..read).unwrap_or_default(), read, body),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Step::Waits,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return pending.broken(),
            }
            if let Some(step) = pending.whole() {
                self.pending = None;
                return step;
            }
        }
    }
}

impl Connection {
    /// Between requests, a server may send session tickets. Anything else is its close.
    fn receive_idle(&mut self, scratch: &mut [u8]) -> Step {
        let read = self
            .tls
            .as_mut()
            .map(|tls| tls.receive(&mut self.stream, scratch));
        match read {
            Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => Step::Waits,
            _ => Step::ClosedIdle,
        }
    }
}

impl Pending {
    fn broken(&self) -> Step {
        Step::Broken(if self.head.is_empty() && self.body.is_none() {
            Failure::Reset
        } else {
            Failure::Truncated
        })
    }

    fn take(&mut self, bytes: &[u8], read: usize, body: Body) {
        if let Some(expected) = &mut self.body {
            expected.take(bytes, read);
            return;
        }
        self.head.extend_from_slice(bytes);
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut fields);
        match response.parse(&self.head) {
            Ok(httparse::Status::Complete(end)) => {
                let mut expected = Expected::announced_by(&response, body);
                let rest = self.head.get(end..).unwrap_or_default();
                expected.take(rest, rest.len());
                self.body = Some(expected);
            }
            Ok(httparse::Status::Partial) if self.head.len() < HEAD_LIMIT => {}
            _ => self.body = Some(Expected::unusable()),
        }
    }

    fn whole(&self) -> Option<Step> {
        let expected = self.body.as_ref().filter(|body| body.whole())?;
        Some(Step::Whole {
            due: self.due,
            wrong: expected.wrong.or_else(|| expected.misfit()),
            closes: expected.closes,
        })
    }
}

impl Expected {
    fn announced_by(response: &httparse::Response<'_, '_>, body: Body) -> Self {
        let field = |name: &str| {
            let mut lines = response.headers.iter();
            let line = lines.find(|line| line.name.eq_ignore_ascii_case(name))?;
            str::from_utf8(line.value).ok().map(str::trim)
        };
        let chunked =
            field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let length = field("content-length").and_then(|value| value.parse::<usize>().ok());
        let framing = match length {
            _ if chunked => Framing::Chunked(Chunks::new()),
            Some(length) => Framing::Length(length),
            None => return Self::unusable(),
        };
        let wrong = if response.code != Some(200) {
            Some(Failure::Status)
        } else if field("content-encoding") != body.coding() {
            Some(Failure::Coding)
        } else {
            None
        };
        Self {
            framing,
            came: 0,
            body,
            closes: field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
            wrong,
        }
    }

    fn unusable() -> Self {
        Self {
            framing: Framing::Length(0),
            came: 0,
            body: Body::Plain(0),
            closes: true,
            wrong: Some(Failure::Malformed),
        }
    }

    /// Counts received bytes of the body; more than announced is an error.
    fn take(&mut self, bytes: &[u8], read: usize) {
        let came = match &mut self.framing {
            Framing::Length(left) => left.checked_sub(read).map(|less| {
                *left = less;
                read
            }),
            Framing::Chunked(chunks) => chunks.take(bytes),
        };
        match came {
            Some(came) => self.came += came,
            None => *self = Self::unusable(),
        }
    }

    fn whole(&self) -> bool {
        match &self.framing {
            Framing::Length(left) => *left == 0,
            Framing::Chunked(chunks) => chunks.done(),
        }
    }

    /// The error in the length of a complete body, if there is one.
    fn misfit(&self) -> Option<Failure> {
        let right = match self.body {
            Body::Plain(length) => self.came == length,
            Body::Encoded(_, limit) => (1..=limit).contains(&self.came),
            // These are not sent by this type of connection.
            Body::Call(_) | Body::Message(_) => false,
        };
        (!right).then_some(Failure::Length)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn after(response: &[u8], body: Body) -> Step {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (stream, tls) = open(listener.local_addr().unwrap(), None, None).unwrap();
        let mut connection = Connection::new(stream, tls);
        let (mut peer, _) = listener.accept().unwrap();
        connection
            .send(b"GET / HTTP/1.1\r\n\r\n", Instant::now())
            .unwrap();
        peer.read_exact(&mut [0; 18]).unwrap();
        peer.write_all(response).unwrap();
        drop(peer);
        connection.stream.set_nonblocking(false).unwrap();
        connection.receive(&mut [0; 64], body)
    }

    fn verdict(response: &[u8], body: Body) -> Result<(), Failure> {
        match after(response, body) {
            Step::Whole { wrong: None, .. } => Ok(()),
            Step::Whole {
                wrong: Some(failure),
                ..
            }
            | Step::Broken(failure) => Err(failure),
            Step::Ready | Step::Waits | Step::Ending | Step::Gone | Step::ClosedIdle => {
                panic!("neither whole nor broken")
            }
        }
    }

    #[test]
    fn a_response_is_judged() {
        let long = [
            b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n".as_slice(),
            &[0; 500],
        ]
        .concat();
        let cut = long.get(..400).unwrap();
        for (response, length, expected) in [
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".as_slice(),
                2,
                Ok(()),
            ),
            (&long, 500, Ok(())),
            (cut, 500, Err(Failure::Truncated)),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                3,
                Err(Failure::Length),
            ),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok",
                1,
                Err(Failure::Malformed),
            ),
            (
                b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nok",
                2,
                Err(Failure::Status),
            ),
            (b"HTTP/1.1 200 OK\r\n\r\nok", 2, Err(Failure::Malformed)),
            (b"nonsense\r\n\r\n", 2, Err(Failure::Malformed)),
            (b"", 2, Err(Failure::Reset)),
        ] {
            let text = String::from_utf8_lossy(response);
            assert_eq!(verdict(response, Body::Plain(length)), expected, "{text}");
        }
    }

    #[test]
    fn a_coding_is_looked_for() {
        let response = |fields: &str, body: &str| {
            format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}").into_bytes()
        };
        let gzip = Body::Encoded("gzip", 5);
        let chunked = "Content-Encoding: gzip\r\nTransfer-Encoding: chunked";
        for (response, body, expected) in [
            (response(chunked, "3\r\nabc\r\n0\r\n\r\n"), gzip, Ok(())),
            (
                response("Content-Encoding: gzip\r\nContent-Length: 2", "ab"),
                gzip,
                Ok(()),
            ),
            (
                response(chunked, "6\r\nabcdef\r\n0\r\n\r\n"),
                gzip,
                Err(Failure::Length),
            ),
            (
                response("Content-Length: 2", "ab"),
                gzip,
                Err(Failure::Coding),
            ),
            (
                response("Content-Encoding: gzip\r\nContent-Length: 2", "ab"),
                Body::Plain(2),
                Err(Failure::Coding),
            ),
            (
                response("Transfer-Encoding: chunked", "2\r\nab\r\n0\r\n\r\n"),
                Body::Plain(2),
                Ok(()),
            ),
            (response(chunked, "3\r\nab"), gzip, Err(Failure::Truncated)),
            (
                response(chunked, "3\r\nabcd"),
                gzip,
                Err(Failure::Malformed),
            ),
        ] {
            let text = String::from_utf8_lossy(&response);
            assert_eq!(verdict(&response, body), expected, "{text}");
        }
    }
}
