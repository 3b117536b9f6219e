//! The requests that arrive on a connection.

use std::rc::Rc;

use janua_h2::{Accept, StreamKey};
use janua_http::{HeadError, RequestHead};

use crate::heads::Heads;
use crate::session::Arrived;
use crate::worker::Worker;

/// Takes the requests of a connection, of which one read may bring several.
pub(super) struct Intake {
    worker: Rc<Worker>,
    /// The heads of the request that is being received.
    heads: Option<Box<Heads>>,
    arrived: Vec<(StreamKey, Arrived)>,
}

impl Intake {
    pub(super) fn new(worker: Rc<Worker>) -> Self {
        Self {
            worker,
            heads: None,
            arrived: Vec::new(),
        }
    }

    /// Takes the requests that have arrived.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (StreamKey, Arrived)> {
        self.arrived.drain(..)
    }
}

impl Accept for Intake {
    fn head(&mut self) -> &mut RequestHead {
        let heads = self.heads.get_or_insert_with(|| self.worker.take_heads());
        &mut heads.request
    }

    fn request(&mut self, key: StreamKey, result: Result<(), HeadError>) {
        let heads = self.heads.take();
        let heads = heads.unwrap_or_else(|| self.worker.take_heads());
        self.arrived.push((key, Arrived { heads, result }));
    }
}
