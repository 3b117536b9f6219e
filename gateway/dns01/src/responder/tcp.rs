//! Answers over connections (RFC 7766).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::answer::{Room, respond};
use super::connections::Connections;
use super::known::Known;

/// A connection with a longer query is closed.
const QUERY_BYTES: usize = 4096;

/// How long the next whole query, or the reading of a response, may take.
const IDLE: Duration = Duration::from_secs(10);

/// How long a connection may last, so that nobody can keep one of the few.
const LIFE: Duration = Duration::from_secs(60);

/// The wait after an error of the listener, which may last: for example if no
/// file descriptors are left.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections for ever. Those beyond the limit are closed at once.
pub(super) async fn serve(listener: TcpListener, known: Arc<Known>, connections: Arc<Connections>) {
    // Its tasks end with this one.
    let mut tasks = JoinSet::new();
    loop {
        let (stream, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "no connection accepted");
                sleep(PAUSE).await;
                continue;
            }
        };
        while tasks.try_join_next().is_some() {}
        let Some(seat) = connections.admit(client.ip()) else {
            continue;
        };
        let known = Arc::clone(&known);
        tasks.spawn(async move {
            // How a connection ends makes no difference.
            let _ = timeout(LIFE, converse(stream, &known)).await;
            drop(seat);
        });
    }
}

/// Answers queries in their order, also if several come at once (RFC 7766,
/// section 6.2.1.1), until the client closes or is too slow.
async fn converse(mut stream: TcpStream, known: &Known) -> io::Result<()> {
    // The response is one write.
    stream.set_nodelay(true)?;
    let mut query = Vec::new();
    loop {
        timeout(IDLE, read(&mut stream, &mut query)).await??;
        let Some(response) = respond(&query, Room::Stream, known) else {
            return Ok(());
        };
        let Ok(length) = u16::try_from(response.len()) else {
            return Ok(());
        };
        let mut message = Vec::with_capacity(2 + response.len());
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(&response);
        timeout(IDLE, stream.write_all(&message)).await??;
        known.count_answer();
    }
}

/// Reads a message after its length (RFC 1035, section 4.2.2).
async fn read(stream: &mut TcpStream, query: &mut Vec<u8>) -> io::Result<()> {
    let length = usize::from(stream.read_u16().await?);
    if length > QUERY_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    query.resize(length, 0);
    stream.read_exact(query).await?;
    Ok(())
}
