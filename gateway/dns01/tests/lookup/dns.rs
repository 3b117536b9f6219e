//! DNS servers for tests: what they answer is a function.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// How a question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Udp,
    Tcp,
}

pub(crate) fn name(text: &str) -> Name {
    let mut name = Name::from_ascii(text).unwrap();
    name.set_fqdn(true);
    name
}

/// The records of a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Records(Vec<(Name, RData)>);

impl Records {
    pub(crate) fn alias(self, from: &str, to: &str) -> Self {
        self.with(from, RData::CNAME(CNAME(name(to))))
    }

    pub(crate) fn name_server(self, zone: &str, server: &str) -> Self {
        self.with(zone, RData::NS(NS(name(server))))
    }

    pub(crate) fn address(self, host: &str, address: &str) -> Self {
        let data = match address.parse().unwrap() {
            IpAddr::V4(address) => RData::A(A(address)),
            IpAddr::V6(address) => RData::AAAA(AAAA(address)),
        };
        self.with(host, data)
    }

    pub(crate) fn text(self, at: &str, text: &str) -> Self {
        self.with(at, RData::TXT(TXT::new(vec![text.to_owned()])))
    }

    /// A start of authority, which is what comes if there is nothing.
    pub(crate) fn zone(self, apex: &str) -> Self {
        let soa = SOA::new(name("ns.invalid"), name("mail.invalid"), 1, 1, 1, 1, 1);
        self.with(apex, RData::SOA(soa))
    }

    fn with(mut self, at: &str, data: RData) -> Self {
        self.0.push((name(at), data));
        self
    }

    pub(crate) fn answer(&self, query: &Message) -> Message {
        let mut response = reply(query);
        let question = &query.queries[0];
        let here: Vec<_> = self
            .0
            .iter()
            .filter(|(at, _)| *at == question.name)
            .collect();
        for (at, data) in &here {
            let kind = data.record_type();
            if kind == question.query_type || kind == RecordType::CNAME {
                let record = Record::from_rdata(at.clone(), 60, data.clone());
                response.add_answer(record);
            }
        }
        if here.is_empty() {
            response.metadata.response_code = ResponseCode::NXDomain;
        }
        if response.answers.is_empty() {
            let zones = self.0.iter().filter(|(at, data)| {
                data.record_type() == RecordType::SOA && at.zone_of(&question.name)
            });
            if let Some((at, data)) = zones.max_by_key(|(at, _)| at.num_labels()) {
                response.add_authority(Record::from_rdata(at.clone(), 60, data.clone()));
            }
        }
        response
    }
}

/// A response without records.
pub(crate) fn reply(query: &Message) -> Message {
    let mut response = Message::response(query.id, OpCode::Query);
    response.add_queries(query.queries.clone());
    response
}

pub(crate) fn error(query: &Message, code: ResponseCode) -> Message {
    let mut response = reply(query);
    response.metadata.response_code = code;
    response
}

/// Serves at a free port of 127.0.0.1, until the process ends.
pub(crate) fn serve(
    answer: impl Fn(&Message, By) -> Vec<Message> + Send + Sync + 'static,
) -> SocketAddr {
    let bound = (0..100).find_map(|_| bind_all(1));
    let (port, mut bound) = bound.unwrap();
    let (datagrams, listener) = bound.remove(0);
    run(datagrams, listener, answer);
    SocketAddr::from(([127, 0, 0, 1], port))
}

type Answer = Arc<dyn Fn(&Message) -> Option<Message> + Send + Sync>;

/// Serves with each function at an address of its own, from 127.0.0.1 on, all at
/// the port that is returned.
pub(crate) fn serve_all(answers: &[Answer]) -> u16 {
    for _ in 0..100 {
        let Some((port, bound)) = bind_all(answers.len()) else {
            continue;
        };
        for ((datagrams, listener), answer) in bound.into_iter().zip(answers) {
            let answer = Arc::clone(answer);
            run(datagrams, listener, move |query, _| {
                answer(query).into_iter().collect()
            });
        }
        return port;
    }
    panic!("no free port");
}

/// Sockets at addresses from 127.0.0.1 on, all at the same port; none if that is
/// not free at one of them.
fn bind_all(count: usize) -> Option<(u16, Vec<(UdpSocket, TcpListener)>)> {
    let mut port = 0;
    let mut bound = Vec::new();
    for n in 1..=count {
        let address = SocketAddr::from(([127, 0, 0, u8::try_from(n).unwrap()], port));
        let datagrams = UdpSocket::bind(address).ok()?;
        let address = datagrams.local_addr().unwrap();
        port = address.port();
        bound.push((datagrams, TcpListener::bind(address).ok()?));
    }
    Some((port, bound))
}

/// A function for [`serve_all`].
pub(crate) fn answering(
    answer: impl Fn(&Message) -> Option<Message> + Send + Sync + 'static,
) -> Answer {
    Arc::new(answer)
}

fn run(
    datagrams: UdpSocket,
    listener: TcpListener,
    answer: impl Fn(&Message, By) -> Vec<Message> + Send + Sync + 'static,
) {
    let answer = Arc::new(answer);
    let by_tcp = Arc::clone(&answer);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            let (length, client) = datagrams.recv_from(&mut buffer).unwrap();
            let query = Message::from_vec(&buffer[..length]).unwrap();
            for response in answer(&query, By::Udp) {
                datagrams
                    .send_to(&response.to_vec().unwrap(), client)
                    .unwrap();
            }
        }
    });
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut query = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut query).unwrap();
            let query = Message::from_vec(&query).unwrap();
            for response in by_tcp(&query, By::Tcp) {
                let response = response.to_vec().unwrap();
                let length = u16::try_from(response.len()).unwrap();
                let message = [&length.to_be_bytes(), &*response].concat();
                stream.write_all(&message).unwrap();
            }
        }
    });
}
