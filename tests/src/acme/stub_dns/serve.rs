//! Queries and responses over UDP and TCP.

use std::sync::Arc;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::Record;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use super::zones::Found;
use super::{Question, State, delegate};

/// Aliases that lead in a circle end here.
const ALIASES: usize = 8;

/// Answers datagrams until it is aborted.
pub(super) async fn udp(socket: UdpSocket, state: Arc<State>) {
    let socket = Arc::new(socket);
    let mut queries = JoinSet::new();
    let mut buffer = vec![0; 4096];
    loop {
        // An error is that of an answer that nobody wanted.
        let Ok((size, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let Ok(query) = Message::from_vec(&buffer[..size]) else {
            continue;
        };
        let (socket, state) = (Arc::clone(&socket), Arc::clone(&state));
        queries.spawn(async move {
            let limit = usize::from(query.max_payload());
            let response = state.respond(query).await;
            let mut bytes = response.to_vec().unwrap();
            if bytes.len() > limit {
                bytes = response.truncate().to_vec().unwrap();
            }
            let _ = socket.send_to(&bytes, from).await;
        });
        while queries.try_join_next().is_some() {}
    }
}

/// Answers connections until it is aborted.
pub(super) async fn tcp(listener: TcpListener, state: Arc<State>) {
    let mut visits = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let state = Arc::clone(&state);
        visits.spawn(async move {
            let _ = visit(stream, &state).await;
        });
        while visits.try_join_next().is_some() {}
    }
}

async fn visit(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    loop {
        let query = receive(&mut stream).await?;
        let Ok(query) = Message::from_vec(&query) else {
            return Ok(());
        };
        let response = state.respond(query).await.to_vec().unwrap();
        send(&mut stream, &response).await?;
    }
}

/// A message over TCP has its length before it (RFC 1035, section 4.2.2).
pub(super) async fn send(stream: &mut TcpStream, message: &[u8]) -> std::io::Result<()> {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length, message].concat()).await
}

pub(super) async fn receive(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

impl State {
    async fn respond(&self, query: Message) -> Message {
        let mut response = Message::response(query.metadata.id, query.metadata.op_code);
        response.metadata.recursion_desired = query.metadata.recursion_desired;
        response.metadata.recursion_available = true;
        response.queries.clone_from(&query.queries);
        response.edns.clone_from(&query.edns);
        let Some(asked) = query.queries.first() else {
            response.metadata.response_code = ResponseCode::FormErr;
            return response;
        };
        self.questions.lock().unwrap().push(Question {
            name: asked
                .name
                .to_lowercase()
                .to_ascii()
                .trim_end_matches('.')
                .to_owned(),
            kind: asked.query_type.to_string(),
        });
        match self.resolve(asked.clone(), &mut response.answers).await {
            Ok(authorities) => response.authorities = authorities,
            Err(code) => {
                response.metadata.response_code = code;
                response.authorities = self.authorities(asked);
            }
        }
        response
    }

    /// Follows aliases and delegations, and collects what it finds. Returns the records of
    /// authority, which are there if the last name has none of the type.
    async fn resolve(
        &self,
        mut asked: Query,
        answers: &mut Vec<Record>,
    ) -> Result<Vec<Record>, ResponseCode> {
        for _ in 0..ALIASES {
            let found = self
                .zones
                .lock()
                .unwrap()
                .find(&asked.name, asked.query_type);
            match found {
                Found::Records(records) if records.is_empty() => {
                    return Ok(self.authorities(&asked));
                }
                Found::Records(records) => {
                    answers.extend(records);
                    return Ok(Vec::new());
                }
                Found::Alias(record, target) => {
                    answers.push(*record);
                    asked.name = target;
                }
                Found::Absent => return Err(ResponseCode::NXDomain),
                Found::Broken => return Err(ResponseCode::ServFail),
                Found::Delegated(server) => match delegate::ask(server, &asked).await {
                    Ok(message) => {
                        answers.extend(message.answers);
                        return match message.metadata.response_code {
                            ResponseCode::NoError => Ok(message.authorities),
                            code => Err(code),
                        };
                    }
                    Err(why) => {
                        let line = format!("{server} for {asked}: {why}");
                        self.lame.lock().unwrap().push(line);
                        return Err(ResponseCode::ServFail);
                    }
                },
            }
        }
        Err(ResponseCode::ServFail)
    }

    fn authorities(&self, asked: &Query) -> Vec<Record> {
        let authority = self.zones.lock().unwrap().authority(&asked.name);
        authority.into_iter().collect()
    }
}
