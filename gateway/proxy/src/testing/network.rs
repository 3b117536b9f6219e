//! The endpoints that tests play: what connecting to one leads to.
//!
//! Each test has a thread of its own, and so a network of its own.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use janua_upstream::{ConnectError, Endpoint};
use tokio::sync::Notify;

use super::peer::{Peer, eventually};
use super::pipe;
use crate::transport::{ReadHalf, WriteHalf};

/// How many bytes may wait to be read on a connection.
const CAPACITY: usize = 64 * 1024;

thread_local! {
    /// None as long as the thread has no network: then connections are real.
    static NETWORK: RefCell<Option<HashMap<String, Rc<Place>>>> = const { RefCell::new(None) };
}

/// An endpoint that is there.
#[derive(Default)]
struct Place {
    /// Connections that were made and not accepted yet.
    queue: RefCell<VecDeque<Peer>>,
    came: Notify,
    /// Nobody answers: connecting lasts until its time is over.
    is_silent: bool,
}

/// An endpoint that accepts connections.
pub(crate) struct Listening(Rc<Place>);

impl Listening {
    /// The next connection.
    pub(crate) async fn accept(&self) -> Peer {
        loop {
            if let Some(peer) = self.0.queue.borrow_mut().pop_front() {
                return peer;
            }
            eventually(self.0.came.notified()).await;
        }
    }

    /// True if a connection was made that nobody has accepted.
    pub(crate) fn has_come(&self) -> bool {
        !self.0.queue.borrow().is_empty()
    }
}

/// From now on this thread's connections are made in memory. An endpoint that
/// nobody plays refuses them.
pub(super) fn start() {
    NETWORK.set(Some(HashMap::new()));
}

/// Plays the endpoint at an address.
pub(crate) fn listen(address: &str) -> Listening {
    Listening(place(address, Place::default()))
}

/// Nobody is at this address any more.
pub(crate) fn leave(address: &str) {
    NETWORK.with_borrow_mut(|network| {
        let network = network.as_mut().expect("a kit was made before");
        network.remove(address);
    });
}

/// Nobody answers at this address.
pub(crate) fn swallow(address: &str) {
    place(
        address,
        Place {
            is_silent: true,
            ..Place::default()
        },
    );
}

fn place(address: &str, place: Place) -> Rc<Place> {
    let place = Rc::new(place);
    NETWORK.with_borrow_mut(|network| {
        let network = network.as_mut().expect("a kit was made before");
        network.insert(address.to_owned(), Rc::clone(&place));
    });
    place
}

/// Connects to an endpoint; none if the thread has no network.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    within: Duration,
) -> Option<Result<(ReadHalf, WriteHalf), ConnectError>> {
    let address = endpoint.address().to_string();
    let place = NETWORK.with_borrow(|network| Some(network.as_ref()?.get(&address).cloned()))?;
    let Some(place) = place else {
        return Some(Err(ConnectError::Refused));
    };
    if place.is_silent {
        tokio::time::sleep(within).await;
        return Some(Err(ConnectError::Timeout));
    }
    let [(read, write), theirs] = pipe::stream(CAPACITY);
    place.queue.borrow_mut().push_back(Peer::new(theirs));
    place.came.notify_one();
    Some(Ok((ReadHalf::Memory(read), WriteHalf::Memory(write))))
}
