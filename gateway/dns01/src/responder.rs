//! The built-in name server.
//!
//! It is on the open internet, so all that a stranger can make it do is bounded:
//! the size of a query and of a response, the responses per client network over
//! UDP, the connections and how long each may last. It never asks another
//! server, and has no data beside the values that were presented.
//!
//! A reply over UDP leaves from whatever address the system chooses. On a machine
//! with several addresses, list them instead of `0.0.0.0` or `::`, because
//! resolvers ignore a reply that comes from another address than they asked.

mod answer;
mod connections;
mod known;
mod network;
mod query;
mod rate;
mod sockets;
mod tcp;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::error::Error;
use crate::records::Zones;
use answer::Room;
use connections::Connections;
use known::Known;

/// What the built-in name server answers, without its sockets and its limits.
#[derive(Debug)]
pub struct Answers(Known);

impl Answers {
    /// The answers for these zones, without values.
    ///
    /// # Errors
    /// If the zones make no sense.
    pub fn new(zones: &Zones) -> Result<Self, Error> {
        Known::new(zones).map(Self)
    }

    /// Adds a TXT record to those that a name has.
    ///
    /// # Errors
    /// If the name or the value is invalid.
    pub fn present(&self, name: &str, value: &str) -> Result<(), Error> {
        self.0.present(name, value)
    }

    /// What is sent for a datagram; none if it must not be answered.
    #[must_use]
    pub fn to_datagram(&self, message: &[u8]) -> Option<Vec<u8>> {
        answer::respond(message, Room::Datagram, &self.0)
    }

    /// What is sent for a message of a stream; none if it must not be answered.
    #[must_use]
    pub fn to_stream(&self, message: &[u8]) -> Option<Vec<u8>> {
        answer::respond(message, Room::Stream, &self.0)
    }
}

/// The built-in name server: authoritative for delegated names only, over UDP
/// and TCP (RFC 1034, RFC 1035, RFC 7766).
///
/// Inside its zones it answers SOA and NS at the apexes and TXT at names that
/// have values, and everything else with no data (never NXDOMAIN), valid for a
/// second, so that a resolver that asks too early asks again. Outside of them it
/// refuses.
#[derive(Debug)]
pub struct Responder {
    addresses: Vec<SocketAddr>,
    known: Arc<Known>,
    /// Dropping them ends them.
    tasks: JoinSet<()>,
}

impl Responder {
    /// Binds all addresses, each for UDP and for TCP, and answers from now on
    /// until it is dropped. For port 0 the system chooses one port for both. An
    /// IPv6 address serves IPv6 only. Its tasks run on the current runtime of tokio,
    /// which needs I/O and time.
    ///
    /// # Errors
    /// If an address cannot be bound, which the error names, or if the zones make
    /// no sense (`InvalidInput`).
    // It is `async` although it waits for nothing, so that it is called where there
    // is a runtime.
    pub async fn start(addresses: &[SocketAddr], zones: Zones) -> io::Result<Self> {
        let known = Known::new(&zones)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let known = Arc::new(known);
        let connections = Arc::new(Connections::default());
        let mut responder = Self {
            addresses: Vec::with_capacity(addresses.len()),
            known: Arc::clone(&known),
            tasks: JoinSet::new(),
        };
        for &address in addresses {
            let (datagrams, listener, address) = sockets::bind(address)?;
            responder.addresses.push(address);
            let tasks = &mut responder.tasks;
            tasks.spawn(udp::serve(datagrams, Arc::clone(&known)));
            let connections = Arc::clone(&connections);
            tasks.spawn(tcp::serve(listener, Arc::clone(&known), connections));
        }
        Ok(responder)
    }

    /// The addresses as given, with the port that was chosen for port 0.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Adds a TXT record to those that this name has; one that is there stays.
    /// A name outside of the zones is kept, and refused until it is inside of one.
    /// An invalid name or a value of more than 255 bytes is logged and ignored.
    pub fn present(&self, name: &str, value: &str) {
        if let Err(error) = self.known.present(name, value) {
            tracing::error!(name, %error, "value for a challenge not presented");
        }
    }

    /// Removes a TXT record, if it is there.
    pub fn clear(&self, name: &str, value: &str) {
        self.known.clear(name, value);
    }

    /// Sets the names, such as `_acme-challenge.example.com`, that are delegated
    /// to this server by NS records of their own, beside the zone. They replace
    /// those before. Invalid names are logged and ignored.
    pub fn set_apexes(&self, names: impl IntoIterator<Item = String>) {
        self.known.set_apexes(names);
    }

    /// How many queries have been answered, including those that were refused.
    #[must_use]
    pub fn queries(&self) -> u64 {
        self.known.answered()
    }

    /// Ends all tasks and waits until the sockets are closed, so that the
    /// addresses can be bound again. Dropping closes them a little later.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}
