//! Answers datagrams.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::time::sleep;

use super::answer::{Room, respond};
use super::known::Known;
use super::rate::{Rate, Share};

/// More of a datagram is not read. A query has some hundred bytes; what does not
/// fit is malformed.
const QUERY_BYTES: usize = 4096;

/// The wait after an error of the socket, which may last.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers one datagram after the other, for ever.
pub(super) async fn serve(socket: UdpSocket, known: Arc<Known>) {
    let mut rate = Rate::new(Instant::now());
    let mut buffer = vec![0; QUERY_BYTES];
    loop {
        let (query, client) = match socket.recv_from(&mut buffer).await {
            Ok((length, client)) => (buffer.get(..length).unwrap_or_default(), client),
            Err(error) => {
                tracing::debug!(%error, "no datagram received");
                sleep(PAUSE).await;
                continue;
            }
        };
        let room = match rate.take(client.ip(), Instant::now()) {
            Share::Answer => Room::Datagram,
            Share::Truncated => Room::Truncated,
            Share::Nothing => continue,
        };
        if let Some(response) = respond(query, room, &known) {
            match socket.send_to(&response, client).await {
                Ok(_) => known.count_answer(),
                // The address may be one that nothing can be sent to.
                Err(error) => tracing::debug!(%client, %error, "no datagram sent"),
            }
        }
    }
}
