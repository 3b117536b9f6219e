//! The upstream that all contenders share: as little work as HTTP allows.
//!
//! One thread, epoll, answers prepared in advance. `GET /1k` and `GET /1m` are
//! answered with that many zero bytes under a fixed Content-Length, anything
//! else with 404. It reads heads only: a request with a body is not expected.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::event::epoll;

/// Longest head accepted, in bytes; a connection that sends more is closed.
const HEAD_LIMIT: usize = 16 * 1024;
const LISTENER: u64 = u64::MAX;
const ENDING: epoll::EventFlags = epoll::EventFlags::RDHUP
    .union(epoll::EventFlags::HUP)
    .union(epoll::EventFlags::ERR);

/// Serves until the process ends.
///
/// # Errors
/// The address cannot be bound, or epoll fails.
pub(crate) fn serve(address: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let interest = epoll::EventFlags::IN;
    epoll::add(
        &epoll,
        &listener,
        epoll::EventData::new_u64(LISTENER),
        interest,
    )?;

    let answers = Answers::new();
    let mut peers: Vec<Option<Peer>> = Vec::new();
    let mut vacant: Vec<usize> = Vec::new();
    let mut events: Vec<epoll::Event> = Vec::with_capacity(256);
    loop {
        events.clear();
        match epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let token = event.data.u64();
            if token == LISTENER {
                accept(&listener, &epoll, &mut peers, &mut vacant)?;
                continue;
            }
            let Ok(slot) = usize::try_from(token) else {
                continue;
            };
            let Some(place) = peers.get_mut(slot) else {
                continue;
            };
            let flags = event.flags;
            let ending = flags.intersects(ENDING);
            let keep = place
                .as_mut()
                .is_some_and(|peer| peer.turn(&answers, ending));
            if !keep && place.take().is_some() {
                vacant.push(slot);
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    epoll: &OwnedFd,
    peers: &mut Vec<Option<Peer>>,
    vacant: &mut Vec<usize>,
) -> anyhow::Result<()> {
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let slot = vacant.pop().unwrap_or(peers.len());
        // Edge-triggered: one registration for reading and writing serves the
        // connection's whole life, without a call to change it.
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
        let peer = Some(Peer::new(stream));
        match peers.get_mut(slot) {
            Some(place) => *place = peer,
            None => peers.push(peer),
        }
    }
    Ok(())
}

/// The prepared responses, head and body in one piece.
struct Answers {
    small: Vec<u8>,
    large: Vec<u8>,
    missing: Vec<u8>,
}

impl Answers {
    fn new() -> Self {
        Self {
            small: response("200 OK", 1024),
            large: response("200 OK", 1024 * 1024),
            missing: response("404 Not Found", 0),
        }
    }

    fn to(&self, answer: Answer) -> &[u8] {
        match answer {
            Answer::Small => &self.small,
            Answer::Large => &self.large,
            Answer::Missing => &self.missing,
        }
    }
}

#[derive(Clone, Copy)]
enum Answer {
    Small,
    Large,
    Missing,
}

fn response(status: &str, length: usize) -> Vec<u8> {
    let mut whole = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    whole.resize(whole.len() + length, 0);
    whole
}

/// One connection: what has come of the next request, what is left to write.
struct Peer {
    stream: TcpStream,
    head: Vec<u8>,
    writing: Option<(Answer, usize)>,
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            head: Vec::with_capacity(1024),
            writing: None,
        }
    }

    /// Does what can be done without waiting; false once the peer is gone.
    fn turn(&mut self, answers: &Answers, ending: bool) -> bool {
        let mut drained = false;
        loop {
            if let Some((answer, written)) = self.writing {
                match self.write(answers.to(answer), written) {
                    Progress::Done => self.writing = None,
                    Progress::Waits(written) => {
                        self.writing = Some((answer, written));
                        return true;
                    }
                    Progress::Gone => return false,
                }
            }
            if let Some(answer) = self.next_request() {
                self.writing = Some((answer, 0));
                continue;
            }
            if self.head.len() > HEAD_LIMIT {
                return false;
            }
            // After a short read nothing is left, and what comes later raises a
            // new event: no call to be told "not yet". Only an end that came
            // together with the data has had its event already.
            if drained && !ending {
                return true;
            }
            let mut chunk = [0u8; 4096];
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

    /// Takes the next whole head off the front of what has come.
    fn next_request(&mut self) -> Option<Answer> {
        let end = self.head.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let answer = if self.head.starts_with(b"GET /1k ") {
            Answer::Small
        } else if self.head.starts_with(b"GET /1m ") {
            Answer::Large
        } else {
            Answer::Missing
        };
        self.head.drain(..end);
        Some(answer)
    }
}

enum Progress {
    Done,
    Waits(usize),
    Gone,
}
