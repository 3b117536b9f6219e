//! One question to one server: over UDP, and over TCP if the answer does not fit
//! (RFC 7766, section 5).

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::response::Response;

/// How often a datagram is sent within the time limit.
const TRIES: u32 = 3;

/// The largest datagram that is asked for, which needs no fragments.
const DATAGRAM_BYTES: u16 = 1232;

/// A question, and whether the server may ask others for the answer.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) name: Name,
    pub(super) kind: RecordType,
    pub(super) recursive: bool,
}

/// Why there is no response, as the end of a sentence about the server.
#[derive(Debug)]
pub(super) enum Silence {
    /// Within this time.
    TooSlow(Duration),
    Unreachable(io::Error),
}

impl Question {
    /// The response of a server, whatever it says.
    pub(super) async fn ask(
        &self,
        server: SocketAddr,
        limit: Duration,
    ) -> Result<Response, Silence> {
        let query = self.query(true);
        let response = within(limit, by_udp(server, &query, limit / TRIES)).await?;
        // An old server that does not know EDNS (RFC 6891, section 7).
        let response = match response.code {
            ResponseCode::FormErr | ResponseCode::NotImp => {
                let query = self.query(false);
                within(limit, by_udp(server, &query, limit / TRIES)).await?
            }
            _ => response,
        };
        match response.truncated {
            true => within(limit, by_tcp(server, &self.query(false))).await,
            false => Ok(response),
        }
    }

    /// A query with an identifier that nobody can guess.
    fn query(&self, edns: bool) -> Message {
        let mut query = Message::query();
        query.metadata.recursion_desired = self.recursive;
        query.add_query(Query::query(self.name.clone(), self.kind));
        if edns {
            query.set_edns(Edns::new());
            if let Some(edns) = &mut query.edns {
                edns.set_max_payload(DATAGRAM_BYTES);
            }
        }
        query
    }
}

async fn within(
    limit: Duration,
    asking: impl Future<Output = io::Result<Response>>,
) -> Result<Response, Silence> {
    match timeout(limit, asking).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(Silence::Unreachable(error)),
        Err(_) => Err(Silence::TooSlow(limit)),
    }
}

/// The system chooses an unpredictable port, and gives datagrams of this server
/// only. What is no response to the query is ignored.
async fn by_udp(server: SocketAddr, query: &Message, wait: Duration) -> io::Result<Response> {
    let bytes = query.to_vec().map_err(io::Error::other)?;
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    let receive = async || {
        // Some servers send more than they are asked for.
        let mut buffer = vec![0; 4096];
        loop {
            let length = socket.recv(&mut buffer).await?;
            let message = buffer.get(..length).unwrap_or_default();
            if let Some(response) = Response::read(message, query) {
                return Ok(response);
            }
        }
    };
    loop {
        socket.send(&bytes).await?;
        if let Ok(received) = timeout(wait, receive()).await {
            return received;
        }
    }
}

async fn by_tcp(server: SocketAddr, query: &Message) -> io::Result<Response> {
    let bytes = query.to_vec().map_err(io::Error::other)?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect(server).await?;
    let message = [&length.to_be_bytes(), &*bytes].concat();
    stream.write_all(&message).await?;
    let length = stream.read_u16().await?;
    let mut message = vec![0; length.into()];
    stream.read_exact(&mut message).await?;
    Response::read(&message, query)
        .ok_or_else(|| io::Error::other("its response does not fit the question"))
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSlow(limit) => {
                write!(f, "did not answer within {} s", limit.as_secs_f32())
            }
            Self::Unreachable(error) => write!(f, "cannot be asked: {error}"),
        }
    }
}
