//! Measures how many requests reach the upstream if many clients miss the same object.
//!
//! The upstream of this measurement counts requests and is slow: it waits before the head,
//! and sends the body in pieces. Half of the clients send their requests before the head,
//! the other half while the body is being sent.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::client;
use crate::contender::Contender;
use crate::process::pause;

/// Number of clients that request the object.
pub(crate) const CLIENTS: usize = 64;
/// Time from the request to the head of the response.
pub(crate) const BEFORE_HEAD: Duration = Duration::from_millis(200);
/// Time from the head to the end of the body.
pub(crate) const BODY_TIME: Duration = Duration::from_millis(400);
const PIECES: usize = 20;
const PIECE: usize = 5 * 1024;
const OBJECT: &str = "/collapse";

/// The result of one contender.
pub(crate) struct Collapse {
    /// Name of the contender.
    pub(crate) name: &'static str,
    /// Requests for the object that reached the upstream.
    pub(crate) upstream: u64,
    /// Clients that received the complete object.
    pub(crate) answered: usize,
    /// The time of the slowest of them.
    pub(crate) slowest: Duration,
}

/// Starts one contender alone in front of the slow upstream, and runs the clients.
///
/// # Errors
/// The contender does not start, or no upstream can be set up.
pub(crate) fn collapse(contender: &Contender, work: &Path) -> anyhow::Result<Collapse> {
    let asked = Arc::new(AtomicU64::new(0));
    let upstream = serve(Arc::clone(&asked))?;
    let running = contender.start(work, upstream)?;
    let address = running.process.address;
    let times: Vec<Option<Duration>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let late = BEFORE_HEAD + BODY_TIME / 4;
                let wait = if number < CLIENTS / 2 {
                    Duration::ZERO
                } else {
                    late
                };
                scope.spawn(move || ask(address, wait))
            })
            .collect();
        let ended = clients
            .into_iter()
            .map(|client| client.join().ok().flatten());
        ended.collect()
    });
    let answered: Vec<Duration> = times.into_iter().flatten().collect();
    Ok(Collapse {
        name: contender.name,
        upstream: asked.load(Ordering::Relaxed),
        answered: answered.len(),
        slowest: answered.into_iter().max().unwrap_or_default(),
    })
}

fn ask(address: SocketAddr, wait: Duration) -> Option<Duration> {
    pause(wait);
    let began = Instant::now();
    let answer = client::get(address, OBJECT).ok()?;
    let right = answer.status == 200 && answer.body.len() == PIECES * PIECE;
    right.then(|| began.elapsed())
}

/// The slow upstream: a thread for each connection. It runs until this program ends.
fn serve(asked: Arc<AtomicU64>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let asked = Arc::clone(&asked);
            // Broken connections are left to the contender.
            thread::spawn(move || converse(connection, &asked).is_ok());
        }
    });
    Ok(address)
}

fn converse(connection: TcpStream, asked: &AtomicU64) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut lines = BufReader::new(connection.try_clone()?);
    let mut connection = connection;
    loop {
        let mut first = String::new();
        let mut line = String::new();
        if lines.read_line(&mut first)? == 0 {
            return Ok(());
        }
        while lines.read_line(&mut line)? > 0 && line.trim_end() != "" {
            line.clear();
        }
        if first.split(' ').nth(1) != Some(OBJECT) {
            // The request that shows that a contender is ready.
            connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
            continue;
        }
        asked.fetch_add(1, Ordering::Relaxed);
        pause(BEFORE_HEAD);
        write!(
            connection,
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\
             Cache-Control: public, max-age=3600\r\nContent-Length: {}\r\n\r\n",
            PIECES * PIECE
        )?;
        for _ in 0..PIECES {
            connection.write_all(&[0; PIECE])?;
            pause(BODY_TIME / PIECES as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upstream_is_slow_and_counts() {
        let asked = Arc::new(AtomicU64::new(0));
        let upstream = serve(Arc::clone(&asked)).unwrap();
        assert_eq!(client::get(upstream, "/1k").unwrap().status, 200);
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        let took = ask(upstream, Duration::ZERO).unwrap();
        assert!(took >= BEFORE_HEAD + BODY_TIME / 2, "{took:?}");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
