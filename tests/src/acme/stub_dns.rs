//! The DNS of a test.

mod delegate;
mod serve;
mod zones;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_proto::rr::Name;
use hickory_proto::rr::rdata::SRV;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::AbortHandle;

use super::ReservedPort;
use crate::background;
use zones::Zones;

/// A server that plays the recursive resolver, for an authority and for the gateway, over UDP and
/// TCP. Every name exists and has the address 127.0.0.1, unless the test says otherwise.
///
/// Nothing is cached: a record is there with the call that adds it.
#[derive(Debug)]
pub struct StubDns {
    port: ReservedPort,
    state: Arc<State>,
    tasks: Vec<AbortHandle>,
}

/// A query as it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name in lower case, without the last dot.
    pub name: String,
    /// The type: `A`, `TXT`.
    pub kind: String,
}

#[derive(Debug, Default)]
struct State {
    zones: Mutex<Zones>,
    questions: Mutex<Vec<Question>>,
    lame: Mutex<Vec<String>>,
}

impl StubDns {
    /// Starts it.
    pub async fn start() -> Self {
        let port = ReservedPort::reserve();
        let address = port.address();
        let state = Arc::<State>::default();
        let opening = background::runtime().spawn(async move {
            let udp = UdpSocket::bind(address).await?;
            Ok::<_, std::io::Error>((udp, TcpListener::bind(address).await?))
        });
        let opened = opening.await.expect("the task ends");
        let (udp, tcp) = opened.unwrap_or_else(|error| panic!("listening on {address}: {error}"));
        let udp = background::runtime().spawn(serve::udp(udp, Arc::clone(&state)));
        let tcp = background::runtime().spawn(serve::tcp(tcp, Arc::clone(&state)));
        Self {
            port,
            state,
            tasks: vec![udp.abort_handle(), tcp.abort_handle()],
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Sets the TXT records of a name; without values it has none.
    pub fn set_txt(&self, at: &str, values: &[&str]) {
        self.change(|zones| zones.set_txt(name(at), values));
    }

    /// Makes a name another one's alias.
    pub fn set_cname(&self, at: &str, target: &str) {
        self.change(|zones| zones.set_cname(name(at), name(target)));
    }

    /// Sets the addresses of a name; without addresses it has none.
    pub fn set_addresses(&self, at: &str, addresses: &[IpAddr]) {
        self.change(|zones| zones.set_addresses(name(at), addresses));
    }

    /// Sets the SRV records of a name, each with its priority, weight, port and target.
    pub fn set_services(&self, at: &str, services: &[(u16, u16, u16, &str)]) {
        let services = services.iter().map(|&(priority, weight, port, target)| {
            SRV::new(priority, weight, port, name(target))
        });
        self.change(|zones| zones.set_services(name(at), services.collect()));
    }

    /// Begins a zone, with a SOA record that has this primary server, and these servers.
    pub fn set_zone(&self, apex: &str, primary: &str, servers: &[&str]) {
        let servers = servers.iter().map(|server| name(server)).collect();
        self.change(|zones| zones.set_zone(name(apex), name(primary), servers));
    }

    /// A name does not exist (NXDOMAIN), and none below it does.
    pub fn set_absent(&self, at: &str) {
        self.change(|zones| zones.set_absent(name(at)));
    }

    /// Queries for a name, and for those below it, are answered with SERVFAIL.
    pub fn set_broken(&self, at: &str) {
        self.change(|zones| zones.set_broken(name(at)));
    }

    /// Forgets everything about a name, delegations too.
    pub fn forget(&self, at: &str) {
        self.change(|zones| zones.forget(&name(at)));
    }

    /// Another server answers for a zone, such as the gateway's responder. It is asked as public
    /// resolvers ask: with letters in random case, and it must say that it is authoritative.
    pub fn delegate(&self, zone: &str, server: SocketAddr) {
        self.change(|zones| zones.delegate(name(zone), server));
    }

    /// What was asked so far, in order of arrival.
    #[must_use]
    pub fn questions(&self) -> Vec<Question> {
        self.state.questions.lock().unwrap().clone()
    }

    /// How often a type was asked for, of a name.
    #[must_use]
    pub fn count(&self, at: &str, kind: &str) -> usize {
        let questions = self.questions();
        let same = questions.iter();
        same.filter(|question| question.name == at && question.kind == kind)
            .count()
    }

    /// Why servers of delegated zones were of no use, one line for each query.
    #[must_use]
    pub fn lame(&self) -> Vec<String> {
        self.state.lame.lock().unwrap().clone()
    }

    fn change(&self, change: impl FnOnce(&mut Zones)) {
        change(&mut self.state.zones.lock().unwrap());
    }
}

impl Drop for StubDns {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        if std::thread::panicking() {
            eprintln!("--- what the DNS was asked ---");
            for question in self.questions() {
                eprintln!("{} {}", question.name, question.kind);
            }
            eprintln!("lame: {:#?}\n---", self.lame());
        }
    }
}

/// A name as written, with or without the last dot.
fn name(text: &str) -> Name {
    let mut name = Name::from_ascii(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    name.set_fqdn(true);
    name.to_lowercase()
}
