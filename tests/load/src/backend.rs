//! The upstream that all contenders share. It does as little work as possible: one thread
//! with epoll, and prepared responses.
//!
//! - `GET /1k`, `/100k` and `/1m`: that many zero bytes with a `Content-Length`.
//! - `/json`: a document of 100 KiB.
//! - The same paths below `/cached`: the same with a freshness lifetime of an hour.
//! - `/requests`: the number of requests so far.
//! - `POST /upload`: one byte, after the body, which must have a `Content-Length`.
//! - `/tunnel`: 101, and then everything that is sent, as an echo.
//! - `/websocket`: a WebSocket that sends each message back.
//! - Any other path: 404. Queries are ignored.
//!
//! A connection that begins with HTTP/2 carries gRPC calls, whatever the method: each message is
//! sent back.
//!
//! It may listen on many addresses of the loopback network, as a [`Fleet`] of endpoints, the last
//! ones of which are slow.

mod answers;
mod fleet;
mod held;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::epoll;

use crate::http2::{self, Service};
use crate::websocket;
use answers::{Answer, Answers};
pub(crate) use fleet::{Fleet, member};
use held::Held;

/// Longest head accepted, in bytes; a connection that sends more is closed.
const HEAD_LIMIT: usize = 16 * 1024;
/// The events of listeners have this number and those above; connections have their slots.
const LISTENERS: u64 = 1 << 32;
const ENDING: epoll::EventFlags = epoll::EventFlags::RDHUP
    .union(epoll::EventFlags::HUP)
    .union(epoll::EventFlags::ERR);

/// Serves until the process ends.
///
/// # Errors
/// An address cannot be bound, or epoll fails.
pub(crate) fn serve(address: SocketAddr, fleet: &Fleet) -> anyhow::Result<()> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut listeners = Vec::new();
    for (number, (address, delay)) in fleet.members(address).enumerate() {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let token = epoll::EventData::new_u64(LISTENERS + number as u64);
        epoll::add(&epoll, &listener, token, epoll::EventFlags::IN)?;
        listeners.push((listener, delay));
    }

    let mut answers = Answers::new();
    let mut peers: Vec<Option<Peer>> = Vec::new();
    let mut vacant: Vec<usize> = Vec::new();
    let mut held = Held::default();
    let mut events: Vec<epoll::Event> = Vec::with_capacity(256);
    loop {
        events.clear();
        let patience = held.patience(Instant::now());
        let room = rustix::buffer::spare_capacity(&mut events);
        match epoll::wait(&epoll, room, patience.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let token = event.data.u64();
            let number = |token| usize::try_from(token).unwrap_or(usize::MAX);
            if let Some((listener, delay)) = token
                .checked_sub(LISTENERS)
                .and_then(|token| listeners.get(number(token)))
            {
                accept(listener, *delay, &epoll, &mut peers, &mut vacant)?;
                continue;
            }
            let flags = event.flags;
            let ending = flags.intersects(ENDING);
            let slot = number(token);
            turn(
                slot,
                ending,
                &mut peers,
                &mut vacant,
                &mut answers,
                &mut held,
            );
        }
        while let Some(slot) = held.due(Instant::now()) {
            turn(
                slot,
                false,
                &mut peers,
                &mut vacant,
                &mut answers,
                &mut held,
            );
        }
    }
}

/// Lets a connection go on. One that is gone leaves its slot.
fn turn(
    slot: usize,
    ending: bool,
    peers: &mut [Option<Peer>],
    vacant: &mut Vec<usize>,
    answers: &mut Answers,
    held: &mut Held,
) {
    let Some(place) = peers.get_mut(slot) else {
        return;
    };
    let Some(peer) = place else {
        return;
    };
    let before = peer.held_until();
    if !peer.turn(answers, ending) {
        *place = None;
        vacant.push(slot);
    } else if let Some(due) = peer.held_until().filter(|due| Some(*due) != before) {
        held.push(due, slot);
    }
}

fn accept(
    listener: &TcpListener,
    delay: Duration,
    epoll: &OwnedFd,
    peers: &mut Vec<Option<Peer>>,
    vacant: &mut Vec<usize>,
) -> anyhow::Result<()> {
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let slot = vacant.pop().unwrap_or(peers.len());
        // Edge-triggered, so that one registration for reading and writing is enough for
        // the whole life of the connection.
        let interest = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::ET;
        epoll::add(
            epoll,
            &stream,
            epoll::EventData::new_u64(slot as u64),
            interest,
        )?;
        let peer = Some(Peer::new(stream, delay));
        match peers.get_mut(slot) {
            Some(place) => *place = peer,
            None => peers.push(peer),
        }
    }
    Ok(())
}

/// One connection: the received part of the next request, and the bytes to be written.
struct Peer {
    stream: TcpStream,
    head: Vec<u8>,
    /// The response to the request whose body is being received, and the bytes that are
    /// missing.
    uploading: Option<(Answer, usize)>,
    protocol: Protocol,
    writing: Option<(Answer, usize)>,
    /// How long its answers are held back.
    delay: Duration,
    /// An answer that is held back, and until when.
    held: Option<(Answer, Instant)>,
}

impl Peer {
    fn new(stream: TcpStream, delay: Duration) -> Self {
        Self {
            stream,
            head: Vec::with_capacity(1024),
            uploading: None,
            protocol: Protocol::Requests,
            writing: None,
            delay,
            held: None,
        }
    }

    fn held_until(&self) -> Option<Instant> {
        self.held.as_ref().map(|(_, due)| *due)
    }

    /// Reads and writes as far as possible without waiting; false once the peer is gone.
    fn turn(&mut self, answers: &mut Answers, ending: bool) -> bool {
        if let Some((answer, due)) = self.held.take() {
            if Instant::now() < due {
                self.held = Some((answer, due));
                // Whoever asks one thing after the other sends nothing now, but may leave.
                return !ending;
            }
            self.writing = Some((answer, 0));
        }
        let mut drained = false;
        loop {
            if let Some((answer, written)) = self.writing.take() {
                match self.write(&answer, written) {
                    Progress::Done => {}
                    Progress::Waits(written) => {
                        self.writing = Some((answer, written));
                        return true;
                    }
                    Progress::Gone => return false,
                }
            }
            match self.next_answer(answers) {
                Ok(Some(answer)) if !self.delay.is_zero() => {
                    self.held = Some((answer, Instant::now() + self.delay));
                    return true;
                }
                Ok(Some(answer)) => {
                    self.writing = Some((answer, 0));
                    continue;
                }
                Ok(None) => {}
                Err(Malformed) => return false,
            }
            if self.head.len() > HEAD_LIMIT {
                return false;
            }
            // After a short read the socket is empty, and later data raises a new event, so
            // that no further call is needed. Only if the peer closed together with the
            // data, that event has come already.
            if drained && !ending {
                return true;
            }
            let mut chunk = [0u8; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return false,
                Ok(read) => {
                    drained = read < chunk.len();
                    self.head
                        .extend_from_slice(chunk.get(..read).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }

    fn write(&mut self, whole: &[u8], mut written: usize) -> Progress {
        while let Some(rest) = whole.get(written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return Progress::Gone,
                Ok(more) => written += more,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Progress::Waits(written);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Progress::Gone,
            }
        }
        Progress::Done
    }

    /// Takes from the buffer what can be answered, and returns the answer.
    fn next_answer(&mut self, answers: &mut Answers) -> Result<Option<Answer>, Malformed> {
        if http2::is_begun_by(&self.head) && matches!(self.protocol, Protocol::Requests) {
            self.protocol = Protocol::Http2(Box::new(Service::new()));
        }
        let out = match &mut self.protocol {
            Protocol::Requests => return Ok(self.next_request(answers)),
            Protocol::Tunnel => std::mem::take(&mut self.head),
            Protocol::WebSocket => websocket::echo(&mut self.head).map_err(|_| Malformed)?,
            Protocol::Http2(_) if self.head.is_empty() => return Ok(None),
            Protocol::Http2(service) => {
                let out = service.take(&self.head).map_err(|_| Malformed)?;
                self.head.clear();
                out
            }
        };
        Ok((!out.is_empty()).then(|| out.into()))
    }

    /// Removes the next complete request from the buffer, and returns its response.
    fn next_request(&mut self, answers: &mut Answers) -> Option<Answer> {
        let (answer, left) = match self.uploading.take() {
            Some(upload) => upload,
            None => {
                let end = self.head.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
                let head = self.head.get(..end).unwrap_or_default();
                let answer = answers.to(head);
                let length = content_length(head);
                self.protocol = Protocol::after(&answer);
                self.head.drain(..end);
                (answer, length)
            }
        };
        let came = left.min(self.head.len());
        self.head.drain(..came);
        if came < left {
            self.uploading = Some((answer, left - came));
            return None;
        }
        Some(answer)
    }
}

/// The length of a request's body.
fn content_length(head: &[u8]) -> usize {
    if head.starts_with(b"GET ") {
        return 0;
    }
    let text = String::from_utf8_lossy(head).to_lowercase();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix("content-length:"));
    value
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}

/// What a connection carries.
enum Protocol {
    /// Requests of HTTP/1.
    Requests,
    /// Bytes, which are sent back.
    Tunnel,
    /// Messages, which are sent back.
    WebSocket,
    /// Calls.
    Http2(Box<Service>),
}

impl Protocol {
    /// What follows a response of HTTP/1.
    fn after(answer: &[u8]) -> Self {
        match answer {
            answers::TUNNEL => Self::Tunnel,
            answers::WEBSOCKET => Self::WebSocket,
            _ => Self::Requests,
        }
    }
}

/// The peer has violated the protocol.
struct Malformed;

enum Progress {
    Done,
    Waits(usize),
    Gone,
}
