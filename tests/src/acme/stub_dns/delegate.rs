//! Asks the server of a delegated zone, as public resolvers do.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::serve::{receive, send};

/// The time of one attempt. Resolvers wait for less than their clients do.
const ATTEMPT: Duration = Duration::from_secs(2);

/// The answer of a server over UDP, or over TCP if it did not fit.
pub(super) async fn ask(server: SocketAddr, asked: &Query) -> Result<Message, String> {
    let mut asked = asked.clone();
    // The answer must repeat it letter by letter, which makes it harder to forge.
    asked.name.randomize_label_case();
    let mut query = Message::query();
    query.metadata.op_code = OpCode::Query;
    query.add_query(asked);
    let mut edns = Edns::new();
    edns.set_max_payload(1232).set_version(0);
    query.set_edns(edns);

    let bytes = query.to_vec().map_err(|error| error.to_string())?;
    let message = in_time(by_udp(server, &bytes)).await?;
    let message = check(&query, &message)?;
    if !message.metadata.truncation {
        return authoritative(message);
    }
    let message = in_time(by_tcp(server, &bytes)).await?;
    authoritative(check(&query, &message)?)
}

async fn in_time(
    attempt: impl Future<Output = std::io::Result<Vec<u8>>>,
) -> Result<Vec<u8>, String> {
    match timeout(ATTEMPT, attempt).await {
        Err(_) => Err("no answer in time".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(message)) => Ok(message),
    }
}

async fn by_udp(server: SocketAddr, query: &[u8]) -> std::io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut message = vec![0; 4096];
    let size = socket.recv(&mut message).await?;
    message.truncate(size);
    Ok(message)
}

async fn by_tcp(server: SocketAddr, query: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    send(&mut stream, query).await?;
    receive(&mut stream).await
}

fn check(query: &Message, message: &[u8]) -> Result<Message, String> {
    let message = Message::from_vec(message).map_err(|error| error.to_string())?;
    let asked = &query.queries[0];
    let repeats = message.queries.first().is_some_and(|question| {
        question.name.eq_case(&asked.name) && question.query_type == asked.query_type
    });
    if message.metadata.message_type != MessageType::Response {
        return Err("it is not a response".to_owned());
    }
    if message.metadata.id != query.metadata.id || !repeats {
        return Err(format!(
            "it does not repeat the question {asked}: {message}"
        ));
    }
    Ok(message)
}

fn authoritative(message: Message) -> Result<Message, String> {
    match message.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain if message.metadata.authoritative => {
            Ok(message)
        }
        ResponseCode::NoError | ResponseCode::NXDomain => {
            Err("it does not say that it is authoritative".to_owned())
        }
        code => Err(format!("it answers {code}")),
    }
}
