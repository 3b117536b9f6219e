//! The HTTP/2 connections of one worker, by endpoint.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use janua_http::Failure;
use janua_upstream::{Endpoint, EndpointId, Group};
use tokio::time::Instant;

use super::Sharing;
use super::connection::SharedConnection;
use super::opening::{Opened, Opening, Single};
use crate::upstream_stream::UpstreamStream;

/// How long requests join an opening. Those that come later begin another, so that one that has
/// stalled does not hold them up.
const JOINED: Duration = Duration::from_secs(1);

/// The connections of one worker. A connection is shared by as many requests as the endpoint
/// takes at once, and a further one is opened only for more.
#[derive(Default)]
pub(crate) struct Connections {
    slots: HashMap<EndpointId, Slot>,
}

struct Slot {
    /// Weak, so that a connection does not keep its endpoint alive.
    endpoint: Weak<Endpoint>,
    /// The oldest first. It is preferred, so that the others can reach their idle timeout.
    connections: Vec<Rc<SharedConnection>>,
    openings: Vec<Rc<Opening>>,
    /// The endpoint has selected HTTP/1.1 when it was last asked.
    selects_http1: bool,
}

impl Connections {
    /// A stream for a request to this endpoint, if there is a connection that takes one more.
    pub(crate) fn stream(
        &mut self,
        endpoint: &Endpoint,
        sharing: &Sharing,
        idle_timeout: Duration,
        now: Instant,
    ) -> Option<UpstreamStream> {
        let slot = self.slots.get_mut(&endpoint.id())?;
        let mut same = slot
            .connections
            .iter()
            .filter(|connection| connection.sharing.is_same(sharing));
        same.find_map(|connection| connection.stream(idle_timeout, now))
    }

    /// The opening that a request to this endpoint may wait for.
    pub(crate) fn opening(
        &self,
        endpoint: &Endpoint,
        sharing: &Sharing,
        now: Instant,
    ) -> Option<Rc<Opening>> {
        let slot = self.slots.get(&endpoint.id())?;
        let joined = slot
            .openings
            .iter()
            .find(|opening| opening.sharing.is_same(sharing) && now < opening.begun + JOINED);
        joined.cloned()
    }

    /// Begins an opening, of which [`Self::opened`], [`Self::single`] or [`Self::failed`] tells
    /// the end.
    pub(crate) fn begin(
        &mut self,
        endpoint: &Arc<Endpoint>,
        sharing: Sharing,
        now: Instant,
    ) -> Rc<Opening> {
        let opening = Rc::new(Opening::new(sharing, now));
        self.slot(endpoint).openings.push(Rc::clone(&opening));
        opening
    }

    /// A connection was opened.
    pub(crate) fn opened(
        &mut self,
        endpoint: &Arc<Endpoint>,
        opening: &Rc<Opening>,
        connection: Rc<SharedConnection>,
    ) {
        self.add(endpoint, connection);
        self.end(endpoint, opening);
        opening.end(Opened::Shared);
    }

    /// A connection was opened, on which the endpoint has selected HTTP/1.1.
    pub(crate) fn single(
        &mut self,
        endpoint: &Arc<Endpoint>,
        opening: &Rc<Opening>,
        single: Single,
    ) {
        self.slot(endpoint).selects_http1 = true;
        self.end(endpoint, opening);
        opening.end_single(single);
    }

    /// A connection could not be opened.
    pub(crate) fn failed(
        &mut self,
        endpoint: &Arc<Endpoint>,
        opening: &Rc<Opening>,
        failure: Failure,
    ) {
        self.end(endpoint, opening);
        opening.end(Opened::Failed(failure));
    }

    /// Adds a connection that was opened by a request of its own.
    pub(crate) fn add(&mut self, endpoint: &Arc<Endpoint>, connection: Rc<SharedConnection>) {
        let slot = self.slot(endpoint);
        slot.selects_http1 = false;
        slot.connections.push(connection);
    }

    /// True if the endpoint has selected HTTP/1.1 when it was last asked.
    pub(crate) fn selects_http1(&self, endpoint: &Endpoint) -> bool {
        let slot = self.slots.get(&endpoint.id());
        slot.is_some_and(|slot| slot.selects_http1)
    }

    /// Looks after all connections. Call it about every second.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.slots.retain(|_, slot| {
            let is_gone = slot.endpoint.strong_count() == 0;
            slot.connections
                .retain(|connection| !connection.has_ended());
            for connection in &slot.connections {
                if is_gone {
                    connection.close();
                }
                connection.tick(now);
            }
            !is_gone || !slot.connections.is_empty()
        });
    }

    /// Closes idle connections for which others wait: those to one group of endpoints, or to all.
    pub(crate) fn close_waited_for(&self, group: Option<&Group>) {
        for slot in self.slots.values() {
            let endpoint = slot.endpoint.upgrade();
            let is_wanted = endpoint.is_some_and(|endpoint| match group {
                Some(group) => std::ptr::eq(&**endpoint.group(), group),
                None => endpoint.group().is_waited_for(),
            });
            let mut idle = slot.connections.iter().filter(|it| it.is_idle());
            if let Some(connection) = idle.next().filter(|_| is_wanted) {
                connection.close();
            }
        }
    }

    /// The number of open connections.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let open = |slot: &Slot| {
            let connections = slot.connections.iter();
            connections
                .filter(|connection| !connection.has_ended())
                .count()
        };
        self.slots.values().map(open).sum()
    }

    fn slot(&mut self, endpoint: &Arc<Endpoint>) -> &mut Slot {
        self.slots.entry(endpoint.id()).or_insert_with(|| Slot {
            endpoint: Arc::downgrade(endpoint),
            connections: Vec::new(),
            openings: Vec::new(),
            selects_http1: false,
        })
    }

    fn end(&mut self, endpoint: &Arc<Endpoint>, opening: &Rc<Opening>) {
        let openings = &mut self.slot(endpoint).openings;
        openings.retain(|other| !Rc::ptr_eq(other, opening));
    }
}
